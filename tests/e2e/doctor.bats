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
	# a kernel may be too old for the first, and have no tun for the second
	equal "$(jq -c 'map(select(.state != "ok" and (.name | IN("userns", "network") | not)))' found)" "[]"
	for name in version kernel user store storage git transfers seccomp step limits; do
		equal "$(state "$name")" ok
	done
	[[ $(state userns) == ok || $(state userns) == missing ]]
	[[ ! -c /dev/net/tun || $(state network) == ok ]]
	run -0 cairn doctor
	says "overlayfs"
	says "libcurl"
	run -0 cairn info
	says "$CAIRN_ROOT"
	says userns
	says network
}

@test "what carries a private network is tried, and what is not installed told with a remedy" {
	need_root
	need jq pasta slirp4netns unshare
	[ -c /dev/net/tun ] || skip "this machine has no /dev/net/tun"
	# the program that is there in name only; the shell of unshare ends with the namespace
	without() {
		# shellcheck disable=SC2016
		unshare -m --propagation private sh -c 'for file in $0; do mount --bind /dev/null "$file"; done
			exec "$@"' "$@"
	}
	run -0 cairn info
	says "private, by pasta"
	run -0 without "$(command -v pasta)" cairn info
	says "private, by slirp4netns; 'run -p' needs pasta"
	without "$(command -v pasta) $(command -v slirp4netns)" cairn doctor --format json >found
	equal "$(state network)" missing
	run -0 without "$(command -v pasta) $(command -v slirp4netns)" cairn doctor
	says "neither pasta nor slirp4netns is installed"
	says "Install pasta (package passt) or slirp4netns."
	run -0 without /dev/net/tun cairn doctor
	says "no private network"
}

@test "info says what is wrong with its store or its options, and ends with the code for that" {
	run -2 --separate-stderr cairn --storage-driver nonsense info
	equal "$output" ""
	[[ $stderr == *"'nonsense' is not known"*"usage: cairn info"* ]]
	run -2 env CAIRN_STORAGE_DRIVER=nonsense cairn doctor
	run -3 --separate-stderr env CAIRN_ROOT=/proc/nowhere cairn info
	equal "$(grep -o /proc/nowhere <<<"$output$stderr" | wc -l)" 1
	run -1 --separate-stderr env CAIRN_ROOT=/proc/nowhere cairn doctor
	equal "$(grep -o /proc/nowhere <<<"$output$stderr" | wc -l)" 1
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
	# a remedy of several lines keeps them, under its first one
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups env CAIRN_ROOT="$PWD/there/store" there/cairn doctor
	[ "$(state limits)" = ok ] || grep -q '^ \{10,\}systemd-run --user --scope' <<<"$output" ||
		grep -q '^ \{10,\}The control groups are read-only' <<<"$output"
}
