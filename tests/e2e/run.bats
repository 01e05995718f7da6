# tests/e2e/run.bats - a command in a throw-away container.

load helper

setup_file() {
	# one store for all: nothing here changes it
	export RUN_ROOT=$BATS_FILE_TMPDIR/store
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	[ "$(id -u)" -eq 0 ] || return 0
	command -v busybox >/dev/null || return 0
	make_rootfs "$BATS_FILE_TMPDIR/rootfs.tar"
	cairn --root "$RUN_ROOT" import "$BATS_FILE_TMPDIR/rootfs.tar" app
}

setup() {
	need_root
	need busybox jq
	export CAIRN_ROOT=$RUN_ROOT NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	[ ! -d "$RUN_ROOT" ] || no_leases
}

# image_with JSON: an image "configured" with these settings.
image_with() {
	local layout=$BATS_TEST_TMPDIR/layout blobs=$BATS_TEST_TMPDIR/layout/blobs/sha256 config manifest
	rm -rf "$layout"
	cairn save --format oci-dir -o "$layout" app
	manifest=$(jq -r '.manifests[0].digest' "$layout/index.json" | cut -d: -f2)
	config=$(jq -r .config.digest "$blobs/$manifest" | cut -d: -f2)
	jq -c --argjson settings "$1" '.config=$settings' "$blobs/$config" >new
	jq -c --arg d "sha256:$(sha256sum <new | cut -d' ' -f1)" --argjson s "$(stat -c %s new)" \
		'.config.digest=$d | .config.size=$s' "$blobs/$manifest" >new2
	mv new "$blobs/$(sha256sum <new | cut -d' ' -f1)"
	jq -c --arg d "sha256:$(sha256sum <new2 | cut -d' ' -f1)" --argjson s "$(stat -c %s new2)" \
		'.manifests[0].digest=$d | .manifests[0].size=$s' "$layout/index.json" >index
	mv new2 "$blobs/$(sha256sum <new2 | cut -d' ' -f1)"
	mv index "$layout/index.json"
	cairn load --name configured "$layout"
}

@test "output and exit code are the command's" {
	run -7 --separate-stderr cairn run app sh -c 'echo out; echo err >&2; exit 7'
	equal "$output" out
	equal "$stderr" err
	run -0 cairn run app true
	run -137 cairn run app sh -c 'sh -c "kill -9 \$\$"; exit $?'
}

@test "what cannot run is 125 and above" {
	fails 127 cairn run app nothing
	says "cannot execute 'nothing'"
	fails 126 cairn run app /etc/passwd
	fails 125 cairn run --pull never nothing
	says "no image"
	fails 125 cairn run app
	says "no command"
	fails 125 cairn run -u nobody app true
	fails 2 cairn run -w relative app true
	says "'relative' is not absolute"
	fails 2 cairn run -w '' app true
	fails 2 cairn run -u '' app true
	says "option --user: an empty name is no user"
	fails 125 cairn run -u : app true
	says "':' names neither a user nor a group"
	fails 2 cairn run --network foo app true
	says "option --network: 'foo' is none of: default, host, private, none"
	fails 2 cairn run
	fails 2 cairn run --nothing app
}

@test "nothing of it remains" {
	cairn run app sh -c 'echo x >/file; mkdir -p /a/b; rm /etc/group'
	equal "$(cairn run app sh -c 'ls /file /a /etc/group 2>&1' | grep -c 'No such')" 2
}

@test "options of the command are its own" {
	equal "$(cairn run app echo -e --network x)" "--network x"
	equal "$(cairn run --network none app sh -c 'cat /proc/net/dev' | grep -c :)" 1
	[ "$(cairn run app sh -c 'cat /proc/net/dev' | grep -c :)" -ge 1 ]
}

@test "environment, user and directory" {
	export FROM_HERE=yes
	run -0 cairn run -e A=1 -e A=2 -e FROM_HERE -e NOT_SET_ANYWHERE -e EMPTY= app env
	says "A=2"
	says "FROM_HERE=yes"
	says "EMPTY="
	says "HOME=/root"
	says "PATH=/usr/local/sbin:"
	[[ $output != *NOT_SET* ]]
	[[ $output != *A=1* ]]
	equal "$(cairn run -u user app id -u)" 1000
	equal "$(cairn run -u 12:34 app sh -c 'id -u; id -g' | tr '\n' ' ')" "12 34 "
	equal "$(cairn run -w /new/dir app pwd)" /new/dir
	equal "$(cairn run -u user app sh -c 'echo $HOME')" /home/user
}

@test "the settings of an image hold, and options come before them" {
	image_with '{"Entrypoint":["echo","from"],"Cmd":["image"],"Env":["A=image","PATH=/bin"],
		"User":"user","WorkingDir":"/tmp"}'
	equal "$(cairn run configured)" "from image"
	equal "$(cairn run configured command line)" "from command line"
	equal "$(cairn run --entrypoint id configured -u)" 1000
	equal "$(cairn run --entrypoint '' configured pwd)" /tmp
	fails 125 cairn run --entrypoint '' configured
	equal "$(cairn run --entrypoint env -e A=option configured | sort | tr '\n' ' ')" \
		"A=option HOME=/home/user PATH=/bin " ||
		equal "$(cairn run --entrypoint env -e A=option configured | grep ^A=)" "A=option"
	equal "$(cairn run -u root -w / --entrypoint sh configured -c 'id -u; pwd' | tr '\n' ' ')" "0 / "
}

@test "standard input is read only when asked for" {
	equal "$(echo data | cairn run -i app cat)" data
	equal "$(echo data | cairn run app cat)" ""
	equal "$(head -c 3000000 /dev/zero | cairn run -i app wc -c)" 3000000
	equal "$(cairn run app sh -c 'head -c 3000000 /dev/zero' | wc -c)" 3000000
}

@test "without -t there is no terminal, even if we have one" {
	need python3
	run -0 python3 "$BATS_TEST_DIRNAME/terminal.py" 80x24 "expect no" \
		cairn run app sh -c 'for i in 0 1 2; do test -t $i && echo yes; done; echo no'
	[[ $output != *yes* ]]
}

@test "with -it a shell works, sees the size, and leaves the terminal as it was" {
	need python3
	run -0 python3 "$BATS_TEST_DIRNAME/terminal.py" 90x30 "expect #
		send tty; stty size\n
		expect /dev/pts/0
		expect 30 90
		resize 100x40
		send until stty size | grep 40; do sleep 0.1; done\n
		expect 40 100
		send sh -c 'echo be\"\"gin; exec sleep 1000'\n
		expect begin
		send \\x03
		expect #
		send echo \$((6*7))\n
		expect 42
		send exit 3\n" cairn run -it app sh
	says "exit code 3"
}

@test "-t without a terminal is told" {
	fails 125 cairn run -it app sh </dev/null
	says "needs a terminal"
	equal "$(cairn run -t app echo x | tr -d '\r')" x
}

@test "signals end the container, and us with their code" {
	# the command handles it, and its code is ours
	cairn run app sh -c 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.1; done' >out 3>&- &
	pid=$!
	eventually 60 grep -q ready out
	kill -TERM $pid
	code=0
	wait $pid || code=$?
	equal $code 9
	grep -q 'got it' out
	# process 1 without a handler ignores it; so it is killed in the end, here by SIGKILL to us
	nap=$(own_number)
	cairn run app sleep "$nap" 3>&- &
	pid=$!
	eventually 60 sleeps "$nap"
	kill -KILL $pid
	wait $pid || code=$?
	equal $code 137
	eventually 60 sleeps_not "$nap"
	cairn images -q >/dev/null # sweeps
	cairn run app true
}

# signalled WHEN SIGNALS [OPTION...] SCRIPT: send signals to a run of SCRIPT; its output, then its code.
signalled() {
	local when=$1 signals=$2
	shift 2
	timeout 120 python3 "$BATS_TEST_DIRNAME/interrupt.py" "$when" "$signals" \
		cairn run "${@:1:$#-1}" app sh -c "${@: -1}"
}

@test "signals are passed on to the command, and its code is ours" {
	need python3
	local wait='echo ready; while :; do sleep 0.02; done'
	for name in HUP INT QUIT USR1 USR2 ALRM TERM CONT; do
		equal "$(signalled @ready $name "trap 'echo got $name; exit 9' $name; $wait")" \
			"ready
got $name
9"
	done
	equal "$(signalled @ready RTMIN "trap 'exit 8' 34; $wait")" "ready
8"
	# without a handler, process 1 of a container does not hear them
	equal "$(signalled @ready HUP,QUIT,USR1,USR2,TERM \
		"trap 'exit 6' TERM; $wait")" "ready
6"
	# a terminal that we have and the command has not changes its size unnoticed
	equal "$(signalled @ready WINCH,USR1 "trap 'exit 5' WINCH; trap 'exit 6' USR1; $wait")" "ready
6"
	# nobody but the command hears of it
	equal "$(signalled @ready TERM "trap 'exit 7' TERM
		(trap 'echo the child, too' TERM; sleep 0.5) & echo ready; wait; exit 3")" "ready
7"
}

@test "a third SIGINT kills at once what ignores two" {
	need python3
	equal "$(signalled @ready INT,INT,USR1 "trap '' INT; trap 'exit 6' USR1
		echo ready; while :; do sleep 0.02; done")" "ready
6"
	# (a shell without the trap has a handler of its own, which ends it now and then; the grace that
	# one signal begins would end it after ten seconds)
	began=$EPOCHSECONDS
	equal "$(signalled @ready INT,INT,INT "trap '' INT; echo ready; sleep 97")" "ready
137"
	[ $((EPOCHSECONDS - began)) -lt 10 ]
}

@test "what ignores SIGTERM is killed ten seconds later" {
	need python3
	cairn run app sh -c 'echo ready; sleep 1000' >out 3>&- &
	pid=$!
	eventually 60 grep -q ready out
	began=$EPOCHSECONDS
	kill -TERM $pid
	code=0
	wait $pid || code=$?
	equal $code 137
	[ $((EPOCHSECONDS - began)) -ge 9 ]
}

@test "with a terminal ^C is a key, and signals are passed on all the same" {
	need python3
	run -0 python3 "$BATS_TEST_DIRNAME/terminal.py" 90x30 "expect ready
		send \\x03
		expect key
		send \\x03
		expect key
		send \\x03
		expect key
		kill SIGUSR1" cairn run -it app sh -c "trap 'echo key' INT; trap 'exit 4' USR1
			echo ready; while :; do sleep 0.05; done"
	says "exit code 4"
}

@test "a reader that goes away ends nothing badly" {
	run timeout 120 bash -c 'cairn run app sh -c "while :; do echo y; done" 2>/dev/null | head -n 1
		exit ${PIPESTATUS[0]}'
	equal "${lines[0]}" y
	equal "$status" 141
}
