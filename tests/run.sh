#!/bin/bash
# run.sh PROGRAM-OR-BATS-FILE...: run tests that speak TAP and add up what they say.
# Prints a line per file, the output of what fails, and last "N passed, N failed, N skipped".
set -u
passed=0 failed=0 skipped=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

for test in "$@"; do
	begin=$SECONDS
	case $test in
	*.bats) bats --tap "$test" >"$out" 2>&1 ;;
	*) CMOCKA_MESSAGE_OUTPUT=TAP "$test" >"$out" 2>&1 ;;
	esac
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
	printf '%-52s %3d passed' "$test" "$ok"
	[ "$bad" -gt 0 ] && printf ', %d FAILED' "$bad"
	[ "$skip" -gt 0 ] && printf ', %d skipped' "$skip"
	[ $((SECONDS - begin)) -gt 4 ] && printf ' (%ds)' $((SECONDS - begin))
	echo
	[ "$bad" -gt 0 ] && sed 's/^/    /' "$out"
	grep -iE '^ok .*# *skip' "$out" | sed 's/^/    /'
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
done
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
