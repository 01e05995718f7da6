# tests/e2e/limits.bats - limits on what a step may take, set for real by control groups.
#
# Read are the files of the step's own groups, as the step sees them, and what becomes of a step that
# wants more. podman is the judge of what a flag sets. Groups are made below a parent of the test's
# own, so that nobody else's are seen. Where no control groups can be made there is nothing to test.

load robust

setup_file() {
	need_root
	export PARENT=cairn-test-$$-$BASHPID
}

teardown_file() {
	local dir
	for dir in /sys/fs/cgroup/*/"$PARENT" /sys/fs/cgroup/"$PARENT"; do
		[ ! -d "$dir" ] || rmdir "$dir"
	done
}

# run_limited OPTION... IMAGE COMMAND...: `cairn run`; skips where the machine has no groups for us.
run_limited() {
	timeout 60 cairn run --network none --cgroup-parent "/$PARENT" "$@"
}

limits_work() {
	import_base
	run run_limited -m 64m --cpus 1 --pids-limit 100 base true
	case $output in
	*'no cgroup controller'* | *'Read-only file system'* | *'Permission denied'*) skip "$output" ;;
	esac
	equal "$status $output" "0 "
}

# build_limited OPTION...: ./Recipe, with what it said in `log`.
build_limited() {
	timeout 60 cairn build --network none --progress plain -t app --cgroup-parent "/$PARENT" "$@" . \
		>id 2>log
}

# Our groups below the parent: all gone when no step runs.
leaves() {
	find /sys/fs/cgroup/*/"$PARENT" /sys/fs/cgroup/"$PARENT" -mindepth 1 -type d 2>/dev/null
}

no_leaves() {
	[ -z "$(leaves)" ]
}

# A step finds a file of its group in either version: LIMIT memory memory.limit_in_bytes memory.max.
# shellcheck disable=SC2016 # for the step's shell
LIMIT='limit() { cat "/sys/fs/cgroup/$1/$2" 2>/dev/null || cat "/sys/fs/cgroup/$3"; }; '

@test "a step finds its limits in its own control group" {
	limits_work
	run -0 run_limited -m 64m --memory-swap -1 --cpu-period 50000 --cpu-quota 25000 --cpu-shares 2 \
		--pids-limit 77 --cpuset-cpus 0 --cpuset-mems 0 base sh -c "$LIMIT"'
		limit memory memory.limit_in_bytes memory.max
		limit cpu cpu.cfs_quota_us cpu.max
		limit cpu cpu.shares cpu.weight
		limit pids pids.max pids.max
		limit cpuset cpuset.cpus cpuset.cpus
		nproc'
	equal "${lines[0]}" $((64 << 20))
	[[ ${lines[1]} == 25000 || ${lines[1]} == '25000 50000' ]]
	[[ ${lines[2]} == 2 || ${lines[2]} == 1 ]]
	equal "${lines[3]} ${lines[4]} ${lines[5]}" "77 0 1"
	run -0 run_limited --cpus 0.25 base sh -c "$LIMIT"'
		limit cpu cpu.cfs_quota_us cpu.max
		limit pids pids.max pids.max
		echo 1 >/sys/fs/cgroup/pids/pids.max || echo 1 >/sys/fs/cgroup/pids.max || echo no'
	[[ ${lines[0]} == 25000 || ${lines[0]} == '25000 100000' ]]
	equal "${lines[1]}" 4096 # nobody asked
	equal "${lines[-1]}" no
	no_leaves
}

@test "the same flags set the same as podman's" {
	need podman
	limits_work
	podman_here() {
		podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman-run" \
			--storage-driver vfs --tmpdir "$BATS_TEST_TMPDIR/podman-tmp" \
			--cgroup-manager cgroupfs --events-backend none --runtime "$runtime" "$@"
	}
	# shellcheck disable=SC2016
	show=$LIMIT'
		limit memory memory.limit_in_bytes memory.max
		limit memory memory.memsw.limit_in_bytes memory.swap.max
		limit cpu cpu.cfs_quota_us cpu.max
		limit cpu cpu.cfs_period_us cpu.max
		limit cpuset cpuset.cpus cpuset.cpus
		limit pids pids.max pids.max
		[ ! -f /sys/fs/cgroup/cpu/cpu.shares ] || limit cpu cpu.shares cpu.shares'
	runtime=$(command -v runc) || runtime=crun # of which not every one knows both versions at once
	podman_here import -q "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
	while read -ra flags; do
		run podman_here run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
			"${flags[@]}" base sh -c "$show"
		if [ "$status" -ne 0 ]; then
			podman_here rmi -a -f
			skip "podman sets no limits here: $output"
		fi
		equal "${flags[*]}: $(run_limited "${flags[@]}" base sh -c "$show")" "${flags[*]}: $output"
	done <<-'END'
		-m 64m --cpus 1.5 --cpuset-cpus 0 --pids-limit 77 --cpu-shares 512
		-m 64m --memory-swap 96m --cpu-period 20000 --cpu-quota 10000 --pids-limit 5 --cpuset-cpus 0
		-m 64m --memory-swap -1 --cpus 0.5 --pids-limit -1 --cpuset-cpus 0
		-m 100000k --memory-swap 100000k --pids-limit 0 --cpu-quota 50000 --cpuset-cpus 0-1
	END
	podman_here rmi -a -f
}

@test "a step that needs more memory is killed, and the build says by whom" {
	limits_work
	printf 'FROM base\nRUN tail /dev/zero\n' >Recipe
	fails 1 build_limited -m 32m
	output=$(cat log)
	says "killed by signal 9"
	says "the kernel's OOM killer fired in this step (limit 32m, by --memory)"
	# a child that was killed: the shell goes on, and fails
	printf 'FROM base\nRUN tail /dev/zero || exit 3\n' >Recipe
	fails 1 build_limited -m 32m
	output=$(cat log)
	says "exit code 3"
	says "the kernel's OOM killer fired"
	# a failure for another reason
	printf 'FROM base\nRUN exit 3\n' >Recipe
	fails 1 build_limited -m 32m
	equal "$(grep -c OOM log)" 0
	run run_limited -m 32m base tail /dev/zero
	equal "$status" 137
	says "the kernel's OOM killer fired in this step (limit 32m, by --memory)"
	no_leaves
}

@test "a step has no more processes than it may" {
	limits_work
	# shellcheck disable=SC2016
	count='i=0; while [ $i -lt 40 ]; do sleep 100 & i=$((i+1)); done; echo all'
	printf 'FROM base\nRUN %s\n' "$count" >Recipe
	fails 1 build_limited --pids-limit 20
	output=$(cat log)
	says "can't fork"
	says "this step had as many processes as it may (20; --pids-limit sets another limit)"
	run run_limited --pids-limit 20 base sh -c "$count"
	[ "$status" -ne 0 ]
	says "as many processes as it may (20;"
	# a failure for another reason, and in a group that another step has had before
	printf 'FROM base\nRUN (%s) || true\nRUN exit 3\n' "$count" >Recipe
	fails 1 build_limited --pids-limit 20
	output=$(cat log)
	says "exit code 3"
	[[ $output != *"as many processes"* ]]
	printf 'FROM base\nRUN %s\n' "$count" >Recipe
	build_limited --pids-limit 60
	no_leaves
}

@test "limits are in no key" {
	limits_work
	printf 'FROM base\nRUN touch /x\n' >Recipe
	build_limited -m 64m
	equal "$(grep -c CACHED log)" 0
	cp id first
	timeout 60 cairn build --network none --progress plain --cpus 1 -m 65m --pids-limit 50 . 2>log >id
	equal "$(grep -c CACHED log)" 1
	diff first id
}

@test "events tell what a step took" {
	need jq
	limits_work
	printf 'FROM base\nRUN head -c 20m /dev/zero | tail -c 20m >/dev/null\nENV a=b\n' >Recipe
	took() {
		cairn build --network none --progress json "$@" . 2>&1 >/dev/null |
			jq -c 'select(.event == "step-end") | .memory_peak, .cpu_time'
	}
	mapfile -t got < <(took -m 64m)
	[ "${got[0]}" -ge $((20 << 20)) ] && [ "${got[0]}" -le $((64 << 20)) ] && [ "${got[1]}" -gt 0 ]
	mapfile -t got < <(took --no-cache)
	[ "${got[0]}" -ge $((20 << 20)) ] && [ "${got[1]}" -gt 0 ]
	mapfile -t got < <(took)
	equal "${got[*]}" "null null" # from the cache
}

@test "a limit that cannot be set is an error with a remedy" {
	limits_work
	printf 'FROM base\nRUN touch /x\n' >Recipe
	fails 1 build_limited --cpuset-cpus 4000
	output=$(cat log)
	says "--cpuset-cpus: cannot write '4000' to /sys/fs/cgroup/"
	says "of the cgroup controller 'cpuset'"
	says "The kernel refuses this value here"
	# control groups as a container has them
	read_only() {
		# shellcheck disable=SC2016
		unshare -m sh -c 'for dir in /sys/fs/cgroup /sys/fs/cgroup/*/; do
			! mountpoint -q "$dir" || mount -o remount,ro,bind "$dir"; done; exec "$@"' sh "$@"
	}
	for option in "--memory 64m:memory" "--pids-limit 9:pids" "--cpus 1:cpu"; do
		# shellcheck disable=SC2086
		fails 4 read_only cairn build --network none ${option%:*} .
		says "${option%% *}: cannot make the group /sys/fs/cgroup/"
		says "of the cgroup controller '${option#*:}': Read-only file system"
		says "limit the container instead"
	done
	read_only cairn build --network none . # asks for nothing
	for option in "--memory much" "--cpus 0" "--pids-limit few" "--memory-swap 1g" "--cpuset-cpus all"; do
		# shellcheck disable=SC2086
		fails 2 cairn build $option .
		says "option ${option% *}: "
		# shellcheck disable=SC2086
		fails 2 cairn run $option base
		says "option ${option% *}: "
	done
}

# The process that sleeps, and the group that it is in, as the machine sees them.
group_of() {
	sed -n "s/^[0-9]*:$2://p" "/proc/$(pgrep -x -f "sleep $1")/cgroup"
}

@test "a step is in a group of its own from the start, and nothing is left of a killed builder" {
	limits_work
	seconds=$(own_number)
	printf 'FROM base\nRUN sleep %s\n' "$seconds" >Recipe
	cairn build --network none -q --cgroup-parent "/$PARENT" . 3>&- &
	pid=$!
	eventually 60 sleeps "$seconds"
	leaf=$(group_of "$seconds" '[^:]*pids[^:]*') # v1; the line of v2 has no names
	unified=$(group_of "$seconds" '')
	[[ ${leaf:-$unified} == "/$PARENT/cairn-"* ]]
	[[ -z $unified || $unified == "/$PARENT/cairn-"* ]]
	kill -9 "$pid"
	wait "$pid" || true
	eventually 60 sleeps_not "$seconds"
	[ -n "$(leaves)" ] # which shows that the next one takes them away
	eventually 60 sweeps
}

# A command sweeps what it finds; who dies just now may keep a group for a moment.
sweeps() {
	run_limited base true && no_leaves
}

@test "a step without limits may have 4096 processes" {
	limits_work
	seconds=$(own_number)
	cairn run --network none base sleep "$seconds" 3>&- &
	pid=$!
	eventually 60 sleeps "$seconds"
	leaf=$(group_of "$seconds" pids)
	if [ -n "$leaf" ]; then
		equal "$(cat "/sys/fs/cgroup/pids$leaf/pids.max")" 4096
	fi
	kill -9 "$pid"
	wait "$pid" || true
	eventually 60 sleeps_not "$seconds"
}

@test "a cancelled step leaves no group" {
	limits_work
	seconds=$(own_number)
	printf 'FROM base\nRUN sleep %s & sleep %s\n' "$seconds" "$seconds" >Recipe
	cairn build --network none -q -m 64m --cgroup-parent "/$PARENT" . 3>&- &
	pid=$!
	eventually 60 sleeps "$seconds"
	kill -TERM "$pid"
	wait "$pid" || true
	sleeps_not "$seconds"
	no_leaves
}

@test "run takes --shm-size and --ulimit as well" {
	import_base
	equal "$(cairn run --network none --shm-size 1m --ulimit nofile=99 base \
		sh -c 'df -k /dev/shm | tail -n 1 | xargs | cut -d" " -f2; ulimit -n' | xargs)" "1024 99"
}

@test "of a step that writes very much the beginning and the end are kept, and what lies between is counted" {
	local log
	import_base
	cat >Recipe <<-'END'
		FROM base
		RUN echo first; yes 0123456789abcde | head -c 2000000; echo; head -c 2000000 /dev/zero | tr '\0' x; echo last; exit 3
	END
	BUILDKIT_STEP_LOG_MAX_SIZE=1000 fails 1 build_in .
	says "exit code 3"
	log=$(echo "$CAIRN_ROOT"/builds/*/*.log)
	says "more of it: $log"
	[ "$(head -n 1 "$log")" = first ]
	[ "$(tail -c 5 "$log")" = last ]
	grep -aq '^\[[0-9]* lines ([0-9]* bytes) of output were dropped here\]$' "$log"
	# on the disk it is bounded, and so is what is shown
	[ "$(stat -c %s "$log")" -lt 1300000 ]
	[ "$(du -sb "$CAIRN_ROOT/builds" | cut -f 1)" -lt 3000000 ]
	[ "${#output}" -lt 1400000 ]
	fails 2 env BUILDKIT_STEP_LOG_MAX_SIZE=much cairn build .
	says BUILDKIT_STEP_LOG_MAX_SIZE
	# what nobody has limited has 16 MiB and an end of one, and what has no limit all
	printf 'FROM base\nRUN head -c 19000000 /dev/zero | tr "\\0" x; exit 3\n' >Recipe
	rm -r "$CAIRN_ROOT/builds"
	fails 1 build_in . -q
	log=$(echo "$CAIRN_ROOT"/builds/*/*.log)
	[ "$(stat -c %s "$log")" -gt 17800000 ] && [ "$(stat -c %s "$log")" -lt 18000000 ]
	rm -r "$CAIRN_ROOT/builds"
	BUILDKIT_STEP_LOG_MAX_SIZE=-1 fails 1 build_in . -q
	equal "$(cat "$CAIRN_ROOT"/builds/*/*.log | wc -c)" 19000000
}
