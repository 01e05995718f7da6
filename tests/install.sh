#!/bin/sh
# install.sh GROUP...: install the Debian packages of these groups that are missing, and say so.
# A package counts as there if it is installed, or if the command of its name is.
set -eu
list=$(dirname "$0")/packages.txt

missing=
for group in "$@"; do
	# shellcheck disable=SC2013 # one word a line
	for package in $(sed -n "s/^$group //p" "$list"); do
		case $missing in *" $package"*) continue ;; esac
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed && continue
		# nodejs and npm are often installed by other means.
		case $package in
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
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { $become apt-get update && $become apt-get install -y --no-install-recommends $missing; } \
	>"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "apt-get could not install them; its last words are above" >&2
	exit 1
fi
