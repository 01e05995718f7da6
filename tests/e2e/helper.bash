# tests/e2e/helper.bash - what every end-to-end test loads.
# shellcheck disable=SC2154 # bats sets status and output
#
# Each test has a store of its own, $CAIRN_ROOT below $BATS_TEST_TMPDIR, and
# leaves nothing behind: mounts and processes would keep bats from deleting it.

bats_require_minimum_version 1.5.0

# A podman with fresh storage frees all locks of this machine, those of one beside it, too.
export CONTAINERS_CONF=$BATS_TEST_DIRNAME/containers.conf

setup() {
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store
	export NO_COLOR=1
	unset SOURCE_DATE_EPOCH
	cd "$BATS_TEST_TMPDIR" || return 1
}

# need PROGRAM...: skip the test where one is missing.
need() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

# fails CODE COMMAND...: it must end with exactly this code; its output is in $output.
fails() {
	local want=$1
	shift
	case $want in
	127) run -127 "$@" ;; # bats warns of it otherwise
	*) run "$@" ;;
	esac
	if [ "$status" -ne "$want" ]; then
		echo "$*: exit code $status, not $want:"
		echo "$output"
		return 1
	fi
}

# says TEXT: the last output holds it.
says() {
	if [[ $output != *"$1"* ]]; then
		echo "does not say '$1':"
		echo "$output"
		return 1
	fi
}

# eventually SECONDS COMMAND...: wait until it succeeds. If it does not, that is a failure, which says
# what it waited for and what the last try said. What is done by others is waited for so, never by a
# sleep; the seconds are a guard against hanging, long enough for the slowest machine.
eventually() {
	local seconds=$1 end=$((EPOCHSECONDS + $1)) said
	shift
	until said=$("$@" 2>&1); do
		if [ "$EPOCHSECONDS" -gt "$end" ]; then
			printf 'not so within %d seconds: %s\n%s\n' "$seconds" "$*" "$said"
			return 1
		fi
		sleep 0.05
	done
}

# equal A B, with both in the message of a failure.
equal() {
	if [ "$1" != "$2" ]; then
		printf 'not equal:\n%s\n%s\n' "$1" "$2"
		return 1
	fi
}

# make_rootfs TAR: a root filesystem of a few files and a static busybox, the same bytes each time.
make_rootfs() {
	local dir=$BATS_TEST_TMPDIR/rootfs
	need busybox
	mkdir -p "$dir"/{bin,etc,tmp,root}
	chmod 1777 "$dir/tmp"
	cp "$(command -v busybox)" "$dir/bin/busybox"
	for name in sh cat echo ls id sleep stty env pwd wc tr head true false kill; do
		ln -sf busybox "$dir/bin/$name"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' >"$dir/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\n' >"$dir/etc/group"
	tar -C "$dir" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$1" .
}

# part_is_here BYTES: a transfer that has not ended has so many.
part_is_here() {
	[ "$(cat "$CAIRN_ROOT"/partial/* | wc -c)" -ge "$1" ]
}

# own_number: seconds that nobody else on this machine sleeps, to know a process by.
own_number() {
	echo $((100000 + BASHPID))
}

# sleeps SECONDS, sleeps_not SECONDS: whether somebody does.
sleeps() {
	pgrep -x -f "sleep $1"
}

sleeps_not() {
	! pgrep -x -f -l "sleep $1"
}

# no_leases: nothing of ours lives in the store any more.
no_leases() {
	[ -z "$(ls -A "$CAIRN_ROOT/tmp")" ] && [ -z "$(ls -A "$CAIRN_ROOT/leases")" ]
}
