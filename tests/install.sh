#!/bin/sh
# install.sh GROUP...: install the Debian packages of these groups that are missing, and say so.
# A package counts as there if it is installed, or if the command of its name is. No service of a
# package is started or enabled, and nothing that is installed is removed for it.
set -eu
list=$(dirname "$0")/packages.txt

missing=
for group in "$@"; do
	# shellcheck disable=SC2013 # one word a line
	for package in $(sed -n "s/^$group //p" "$list"); do
		case "$missing " in *" $package "*) continue ;; esac
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed && continue
		# These are often installed by other means.
		case $package in
		containerd) command -v containerd >/dev/null && continue ;;
		nodejs) command -v node >/dev/null && continue ;;
		npm) command -v npm >/dev/null && continue ;;
		esac
		missing="$missing $package"
	done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "cairn needs these packages of Debian, or their like here:$missing" >&2
	echo "apt-get is not on this machine: install them by its own means and run make again." >&2
	exit 1
fi
become=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "run this as root, to install what is missing: apt-get install$missing" >&2
		exit 1
	fi
	become=sudo
fi
echo "installing what is missing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
[ -e $policy ] && policy=
cleanup() {
	rm -f "$log"
	[ -z "$policy" ] || $become rm -f $policy
}
trap cleanup EXIT
trap "exit 1" INT TERM
# Packages ask this file whether they may start what they brought.
[ -z "$policy" ] || printf '#!/bin/sh\nexit 101\n' | $become tee $policy >/dev/null
[ -z "$policy" ] || $become chmod 755 $policy
# shellcheck disable=SC2086
if ! { $become apt-get update &&
	$become apt-get install -y --no-install-recommends --no-remove $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "apt-get could not install them; its last words are above" >&2
	exit 1
fi
# Nor may they start by themselves with the machine.
for service in docker-registry containerd; do
	case "$missing " in *" $service "*) ;; *) continue ;; esac
	if [ -x /etc/init.d/$service ]; then
		$become update-rc.d $service disable >/dev/null 2>&1 || true
	fi
	if [ -d /run/systemd/system ]; then
		$become systemctl --quiet disable $service 2>/dev/null || true
	fi
done
