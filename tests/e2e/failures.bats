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
