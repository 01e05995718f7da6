# tests/e2e/failures.bats - what the machine refuses is told, and nothing is lost for it.
#
# `make faults` lets every system call and every allocation of every command fail; here are a few.

load robust

FAULTS=$BATS_TEST_DIRNAME/../faults

@test "system calls that fail: nothing is lost, nothing is wrong, nobody is left" {
	need_root
	need busybox
	cc -std=gnu11 -D_GNU_SOURCE -O1 -o inject "$FAULTS/inject.c"
	run -0 python3 -B "$FAULTS/sweep.py" "$(command -v cairn)" inject --jobs 2 --modes once \
		--cases tag,rmi --errors ENOSPC,EMFILE --every 9
	run -0 python3 -B "$FAULTS/sweep.py" "$(command -v cairn)" inject --jobs 2 --modes once \
		--cases build --errors EMFILE,ENOSPC --every 150
	says " 0 wrong"
}

@test "a disk that does not give back a name or a document costs a prune no image" {
	need_root
	need busybox
	cc -std=gnu11 -D_GNU_SOURCE -O1 -o inject "$FAULTS/inject.c"
	run -0 python3 -B "$FAULTS/sweep.py" "$(command -v cairn)" inject --modes once \
		--cases prune --errors EIO --only refs/,blobs/sha256/ --every 3
	says " 0 wrong"
	[[ $output =~ [1-9][0-9]*\ points ]]
}

@test "memory that cannot be had ends a command with a word" {
	need_root
	cc -std=gnu11 -D_GNU_SOURCE -O1 -fPIC -shared -o starve.so "$FAULTS/starve.c"
	run -0 python3 -B "$FAULTS/starve.py" "$(command -v cairn)" starve.so --every 97
	says " 0 wrong"
}

# in_order: the store is whole, and nobody is at work in it.
in_order() {
	run cairn check
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	verify_store --idle
}

# small_build [OPTION]...: two stages, a COPY and a RUN.
small_build() {
	mkdir -p context/d
	echo one >context/d/one
	printf '%s\n' 'FROM base AS one' 'COPY d /d' 'RUN echo built >/built' 'FROM base' \
		'COPY --from=one /built /x' >context/Recipe
	build_in context "$@"
}

@test "few descriptors: a clear word, and 48 are enough for a build" {
	import_base
	small_build >/dev/null 2>&1 # and the context
	cairn prune --all >/dev/null
	for limit in 12 30; do
		run bash -c "ulimit -n $limit; exec timeout 60 cairn build --network none context"
		equal "$status" 1
		says "Too many open files"
		in_order
	done
	run -0 bash -c 'ulimit -n 48; exec timeout 60 cairn build --network none context'
	in_order
}

@test "little memory: a clear word, and nothing is wrong" {
	import_base
	small_build >/dev/null 2>&1
	for limit in 40000; do
		run bash -c "ulimit -v $limit; exec timeout 60 cairn build --network none --no-cache context"
		[ "$status" -eq 0 ] || { equal "$status" 1; says "error: "; }
		in_order
	done
}

# on_disk OPTION...: the store on a small ext4 of its own at ./disk, made with these options.
on_disk() {
	need_root
	need mkfs.ext4
	truncate -s 64M disk.img
	mkfs.ext4 -q -m 0 "$@" disk.img
	mkdir disk
	mount -o loop,errors=remount-ro disk.img disk 2>/dev/null || skip "no loop mounts"
	export CAIRN_ROOT=$PWD/disk/store
}

teardown() {
	if mountpoint -q "$BATS_TEST_TMPDIR/disk"; then when_idle umount "$BATS_TEST_TMPDIR/disk"; fi
}

@test "a disk without room for more files says so, and what to do" {
	on_disk -N 1000
	import_base
	mkdir context
	printf 'FROM base\nRUN for i in $(seq 900); do echo >/$i || exit 1; done\n' >context/Recipe
	fails 1 build_in context
	says "the disk is full (no more files fit on it): 'cairn prune --all'"
	run -0 cairn prune --all # the remedy
	in_order
	mkdir context/d
	(cd context/d && seq 900 | xargs touch)
	printf 'FROM base\nCOPY d /d\n' >context/Recipe
	fails 1 build_in context
	says "No space left on device"
	says "the disk is full: 'cairn prune --all'"
	run -0 cairn prune --all # the remedy
	in_order
}

# goes_on: the step that waits has begun.
goes_on() {
	grep -q nowworking said
}

@test "a disk that becomes read-only in the middle of a build fails the build alone" {
	local pid trigger
	on_disk
	trigger=/sys/fs/ext4/$(basename "$(findmnt -no SOURCE disk)")/trigger_fs_error
	[ -w "$trigger" ] || skip "the kernel makes no file system read-only when it is asked to"
	import_base
	mkdir context gate
	echo 'FROM base' >context/Recipe
	echo 'RUN echo "now"working; until [ -e /gate/open ]; do sleep 0.05; done; echo x >/after' >>context/Recipe
	timeout 60 cairn build --network none --progress plain -v "$PWD/gate:/gate" -t app context \
		>said 2>&1 3>&- &
	pid=$!
	eventually 60 goes_on
	echo 1 >"$trigger"
	touch gate/open
	status=0
	wait "$pid" || status=$?
	output=$(cat said)
	equal "$status" 1
	says "Read-only file system"
	run -0 cairn images
	says base
	fails 1 cairn tag base more
	says "Read-only file system"
	run cairn check
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	verify_store
}

@test "clocks that jump cost no image, and no fresh step" {
	local shift now=$EPOCHSECONDS
	import_base
	cc -O1 -fPIC -shared -o clock.so "$FAULTS/clock.c"
	export SOURCE_DATE_EPOCH=1700000000
	small_build -q -t app --iidfile want
	# To 1970, beyond 2038, into the year 9999; and back.
	for shift in $((600 - now)) $((2147483700 - now)) $((253402300000 - now)) 0; do
		export CLOCK_SHIFT=$shift
		run -0 env LD_PRELOAD="$PWD/clock.so" cairn prune
		run -0 env LD_PRELOAD="$PWD/clock.so" timeout 60 cairn build --network none -q \
			--iidfile got -t app context
		equal "$(cat want)" "$(cat got)"
		run -0 env LD_PRELOAD="$PWD/clock.so" cairn images
		says app
		in_order
	done
}

@test "files with times of 1970, of the future and of 2038 are read again when they change" {
	import_base
	mkdir -p context/d
	for time in @0 @2147483648 '+1 hour'; do
		echo old >context/d/one
		touch -d "$time" context/d/one
		printf 'FROM base\nCOPY d/one /one\n' >context/Recipe
		build_in context -q -t app >/dev/null 2>&1
		echo new >context/d/one # as long as before, and of the same time
		touch -d "$time" context/d/one
		build_in context -q -t app >/dev/null 2>&1
		equal "$(cairn run --network none app cat /one)" new
	done
}

@test "a storm of signals ends a build once, and leaves nothing" {
	local signals=INT,TERM,INT,INT,HUP where
	import_base
	mkdir context
	printf 'FROM base\nRUN trap "" INT TERM HUP; echo "now"working; sleep 1000\n' >context/Recipe
	for where in 1 2 3; do signals=$signals,$signals; done # forty
	for where in "" --group; do
		# shellcheck disable=SC2086 # perhaps no word
		run python3 "$BATS_TEST_DIRNAME/interrupt.py" @nowworking "$signals" $where \
			cairn build --network none --progress plain -t app context 3>&-
		[ "$status" -eq 0 ] || { echo "$output"; return 1; }
		[[ ${lines[-1]} == 130 ]]
		equal "$(grep -F "$CAIRN_ROOT" /proc/self/mountinfo)" ""
		verify_store --idle
	done
}
