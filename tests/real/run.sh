#!/bin/bash
# run.sh DIR [OWNER/NAME...]: build the Recipes of public projects and see that the images run.
#
# DIR/OWNER/NAME is a checkout of each project; those that are not there are passed over, and that is
# said. What is known of a project is in projects/*.bash: see README.md. A project is built in a copy
# of its checkout, one after the other, in a store that is gone afterwards.
#
# JUDGE=yes builds each with Buildah, too, and compares the configs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/var/tmp}/cairn-real-XXXXXX")
export CAIRN_ROOT=$work/store NO_COLOR=1
unset SOURCE_DATE_EPOCH

# The functions of the end-to-end tests know these two places.
# shellcheck disable=SC2034
BATS_FILE_TMPDIR=$work BATS_TEST_DIRNAME=$here/../e2e
# shellcheck source=tests/e2e/judge.bash
. "$here/../e2e/judge.bash"
# shellcheck source=tests/real/scene.bash
. "$here/scene.bash"

tidy() {
	set +e
	judge_close
	rm -rf "$work"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# project FILE: everything that is to be seen of it, in a shell of its own.
project() (
	set -E
	trap 'echo "line $LINENO of ${BASH_SOURCE[0]}: $BASH_COMMAND"' ERR
	trap leave EXIT
	mkdir "$work/here"
	cp -a "$dir/$origin" "$work/here/context"
	cd "$work/here/context"
	for base in "${bases[@]}"; do
		make_base_image "$base"
	done
	declare -F change_recipe >/dev/null && change_recipe
	build_all
	[ "${JUDGE:-no}" = no ] || judge_all
	cd "$work/here"
	see_it_run
)

# forget: the next project begins with nothing.
forget() {
	unset -f change_recipe build_all judge_all see_it_run
	# shellcheck disable=SC2034 # the functions of defaults.bash read them
	origin='' recipe=Dockerfile context=. target='' bases=() options=()
	# shellcheck source=tests/real/defaults.bash
	. "$here/defaults.bash"
}

main() {
	local file begin passed=0 failed=0 absent=0
	for file in "$here"/projects/*.bash; do
		forget
		# shellcheck source=/dev/null
		. "$file"
		[ $# -eq 0 ] || [[ " $* " == *" $origin "* ]] || continue
		if [ ! -d "$dir/$origin" ]; then
			echo "absent  $origin"
			absent=$((absent + 1))
			continue
		fi
		begin=$SECONDS
		# Not in a condition: `set -e` would count for nothing there.
		set +e
		(set -e && project) >"$work/log" 2>&1 </dev/null
		code=$?
		set -e
		if [ "$code" -eq 0 ]; then
			echo "ok      $origin ($((SECONDS - begin)) s)"
			passed=$((passed + 1))
		else
			echo "FAILED  $origin ($((SECONDS - begin)) s)"
			tail -n "${LINES_OF_LOG:-60}" "$work/log"
			failed=$((failed + 1))
		fi
		[ -z "${LOGS:-}" ] || cp "$work/log" "$LOGS/$(basename "$file" .bash).log"
		rm -rf "$work/here"
	done
	echo "$passed built and run, $failed failed, $absent absent"
	[ "$failed" -eq 0 ]
}

if [ $# -lt 1 ] || [ ! -d "$1" ]; then
	echo "usage: $0 DIR [OWNER/NAME...]" >&2
	exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "$0: must be root" >&2
	exit 2
fi
dir=$(cd "$1" && pwd)
shift
mkdir -p "$JUDGED/tmp"
main "$@"
