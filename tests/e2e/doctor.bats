#!/usr/bin/env bats
# What cairn says of the machine that it is on.

load helper

state() {
	jq -r --arg name "$1" '.[] | select(.name == $name) | .state' found
}

@test "where everything is there, everything is tried and works" {
	need_root
	need jq git
	cairn doctor --format json >found
	equal "$(jq -c 'map(select(.state != "ok"))' found)" "[]"
	for name in version kernel user store storage git seccomp step limits; do
		equal "$(state "$name")" ok
	done
	run -0 cairn doctor
	says "overlayfs"
	run -0 cairn info
	says "$CAIRN_ROOT"
}

@test "what is missing is named, and builds go on without" {
	need_root
	need jq
	mkdir bin
	ln -s "$(command -v cairn)" bin/cairn
	run -0 --separate-stderr env PATH="$PWD/bin" "$PWD/bin/cairn" doctor --format json
	echo "$output" >found
	equal "$(state git)" missing
	equal "$(state step)" ok
}

@test "what every build needs and is not there ends it with 1" {
	need_root
	need jq
	echo file >store
	run -1 --separate-stderr cairn doctor --format json
	echo "$output" >found
	equal "$(state store)" bad
	equal "$(jq -r '.[] | select(.name == "store") | .text' found | grep -c "$CAIRN_ROOT")" 1
}

@test "a user without other ids hears of it, and what helps" {
	need_root
	need jq
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	mkdir -m 777 there
	cp "$(command -v cairn)" there/cairn
	setpriv --reuid 65534 --regid 65534 --clear-groups env CAIRN_ROOT="$PWD/there/store" there/cairn doctor --format json >found
	equal "$(state user)" missing
	equal "$(state step)" ok
}
