#!/bin/bash
# run.sh PROGRAM-OR-BATS-FILE...: run tests that speak TAP and add up what they say.
# Prints a line per file, the output of what fails, and last "N passed, N failed, N skipped".
#
# $TEST_JOBS files run at a time; unless it is set two more than there are processors, for much of an
# end-to-end test is waiting. What one prints appears when it has ended, in one piece. Bats files
# begin before programs, which are short, and those that have a line "# run.sh: first" before the
# others. Each has a session of its own, so that ^C reaches this script alone, which then ends all
# that it started, with all descendants.
set -u
jobs=${TEST_JOBS:-$(($(nproc) + 2))}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# descendants PID: all of them, whatever session they are in.
descendants() {
	local pid children=()
	read -ra children 2>/dev/null <"/proc/$1/task/$1/children"
	for pid in "${children[@]}"; do
		echo "$pid"
		descendants "$pid"
	done
}

# interrupted CODE: who is told to end may tidy up, for five seconds; who would tell of it, not.
interrupted() {
	local all turn
	trap '' INT TERM
	all=$(descendants $$)
	# shellcheck disable=SC2046,SC2086 # lists of numbers, some of which have ended
	{
		kill -KILL $(jobs -p)
		kill -TERM $all
		for ((turn = 0; turn < 50; turn++)); do
			kill -0 $all || break
			sleep 0.1
		done
		kill -KILL $all
	} 2>/dev/null
	echo "interrupted" >&2
	exit "$1"
}

# tap FILE: run it. Bash lets what is in the background ignore SIGINT, which tests would inherit.
tap() {
	local own=(setsid --wait env --default-signal)
	case $1 in
	*.bats) "${own[@]}" bats --tap --print-output-on-failure "$1" ;;
	*) CMOCKA_MESSAGE_OUTPUT=TAP "${own[@]}" "$1" ;;
	esac
}

# run_one FILE NUMBER: run it, print what there is to say, and leave its counts.
run_one() {
	local test=$1 out=$dir/$2 begin=$SECONDS code skip ok bad planned
	trap '' TERM # which may be sent to all of the group: whom we wait for is found through us
	tap "$test" >"$out" 2>&1 </dev/null 9>&-
	code=$?
	skip=$(grep -ciE '^ok .*# *skip' "$out")
	ok=$(($(grep -cE '^ok ' "$out") - skip))
	bad=$(grep -cE '^not ok ' "$out")
	planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out" | head -n 1)
	# A program that ends before its plan, or with an error that no test reported, has failed.
	if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ -z "$planned" ] ||
		[ $((ok + skip)) -lt "${planned:-0}" ]; }; then
		bad=1
	fi
	flock 9
	printf '%-52s %3d passed' "$test" "$ok"
	[ "$bad" -gt 0 ] && printf ', %d FAILED' "$bad"
	[ "$skip" -gt 0 ] && printf ', %d skipped' "$skip"
	[ $((SECONDS - begin)) -gt 4 ] && printf ' (%ds)' $((SECONDS - begin))
	echo
	[ "$bad" -gt 0 ] && sed 's/^/    /' "$out"
	grep -iE '^ok .*# *skip' "$out" | sed 's/^/    /'
	echo "$ok $bad $skip" >&9
}

long=() files=() programs=()
for test; do
	case $test in
	*.bats) if grep -q '^# run.sh: first$' "$test"; then long+=("$test"); else files+=("$test"); fi ;;
	*) programs+=("$test") ;;
	esac
done

: >"$dir/counts"
number=0 running=0
for test in "${long[@]}" "${files[@]}" "${programs[@]}"; do
	if [ "$running" -ge "$jobs" ]; then
		wait -n
		running=$((running - 1))
	fi
	run_one "$test" "$number" 9>>"$dir/counts" &
	number=$((number + 1)) running=$((running + 1))
done
wait

# A file without counts was ended from outside.
awk -v begun="$number" '
	{ passed += $1; failed += $2; skipped += $3 }
	END {
		failed += begun - NR
		printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
		exit failed > 0
	}' "$dir/counts"
