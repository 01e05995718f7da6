# tests/e2e/shell.bats - what a step that failed leaves, and how it is entered.

load helper

setup_file() {
	export BASE_ROOT=$BATS_FILE_TMPDIR/base BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	command -v busybox >/dev/null || return 0
	make_rootfs "$BATS_FILE_TMPDIR/rootfs.tar"
	cairn --root "$BASE_ROOT" import "$BATS_FILE_TMPDIR/rootfs.tar" base
}

setup() {
	need busybox jq
	need_root
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
	cp -a "$BASE_ROOT" "$CAIRN_ROOT"
	mkdir ctx
}

teardown() {
	[ ! -d "$CAIRN_ROOT" ] || no_leases
}

# recipe: the Recipe of the context, from standard input.
recipe() {
	cat >ctx/Recipe
}

broken() {
	recipe <<-'END'
		FROM base AS app
		ENV COLOUR=blue
		WORKDIR /work
		RUN echo one >before
		USER user
		RUN echo two >/tmp/left && rm -f /etc/group; busybox tail /tmp/left; exit 3
	END
	fails 1 build ctx
	says "'cairn shell' enters it"
}

@test "a failed step is entered with its files, environment, user and directory" {
	broken
	run -0 --separate-stderr cairn shell -- sh -c 'cat /tmp/left before; echo $COLOUR $HOME; id -u; pwd'
	equal "$output" "$(printf 'two\none\nblue /home/user\n1000\n/work')"
	[[ $stderr == *"step #3 of stage app"*"exit code 3"* ]]
	run -7 cairn shell -- sh -c 'exit 7'
	fails 127 cairn shell -- no-such-program
	says "cannot execute 'no-such-program'"
	run -0 --separate-stderr cairn shell -u root -w /tmp -e COLOUR=red -- sh -c 'id -u; pwd; echo $COLOUR'
	equal "$output" "$(printf '0\n/tmp\nred')"
}

@test "who enters twice finds the same, and before the step what was before" {
	broken
	run -0 cairn shell -u root -- sh -c 'rm /tmp/left; echo new >/new; echo more >>/work/before'
	run -0 --separate-stderr cairn shell -- sh -c 'ls /; cat /tmp/left before'
	[[ $output != *new* ]]
	says "$(printf 'two\none')"
	fails 1 cairn shell --before -- cat /tmp/left
	run -0 --separate-stderr cairn shell --before -- cat /work/before
	equal "$output" one
	# nothing of it is in the way of the build
	fails 1 build ctx
	says "exit code 3"
}

@test "what the step deleted is deleted" {
	recipe <<-'END'
		FROM base
		RUN rm /etc/group && exit 1
	END
	fails 1 build ctx
	fails 1 cairn shell -- cat /etc/group
	run -0 cairn shell --before -- cat /etc/group
}

@test "without a command the shell of the step reads standard input" {
	recipe <<-'END'
		FROM base
		RUN ln -s busybox /bin/ash
		SHELL ["/bin/ash", "-e", "-c"]
		RUN echo kept >/kept; exit 1
	END
	fails 1 build ctx
	run -5 --separate-stderr bash -c 'echo "cat /kept; echo \$0; exit 5" | cairn shell'
	equal "$output" "$(printf 'kept\n/bin/ash')"
}

@test "caches are mounted, and what secrets and mounts hold is not kept" {
	printf 'correct horse battery' >secret
	echo bound >ctx/file
	recipe <<-'END'
		FROM base
		RUN --mount=type=cache,target=/cache --mount=type=secret,id=key,env=KEY,target=/run/key \
			--mount=type=bind,target=/src \
			echo cached >/cache/one && cat /run/key /src/file >/dev/null && echo kept >/kept && exit 1
	END
	fails 1 build --secret id=key,src=secret ctx
	run -0 --separate-stderr cairn shell -- sh -c 'cat /kept /cache/one; echo "<$KEY>"; ls /run /src 2>/dev/null || true'
	[[ $output == kept$'\n'cached$'\n'"<>"* ]]
	[[ $stderr == *"/run/key: the secret is not kept"* ]]
	[[ $stderr == *"/src: what was bound there is not kept"* ]]
	run ! grep -rq 'correct horse' "$CAIRN_ROOT"
	run -0 --separate-stderr cairn shell --secret id=key,src=secret -- sh -c 'cat /run/key; echo " $KEY"'
	equal "$output" "correct horse battery correct horse battery"
}

@test "a step that wrote a secret into its files is not kept" {
	head -c 3000000 /dev/zero | tr '\0' x >padding
	printf 'correct horse battery\n' >secret # written without the newline
	cp padding ctx/
	recipe <<-'END'
		FROM base
		COPY padding /padding
		RUN --mount=type=secret,id=key,target=/run/key { cat /padding; echo -n "$(cat /run/key)"; cat /padding; } >/stolen; exit 1
	END
	fails 1 build --secret id=key,src=secret ctx
	says "secret 'key' is in its file stolen"
	fails 125 cairn shell -- true
	says "no step that failed is kept"
	cairn prune # what is in the trash is deleted at leisure
	run ! grep -rq 'correct horse' "$CAIRN_ROOT"
}

@test "a step that wrote a secret into a link is not kept, and the name of no file tells it" {
	printf 'correct horse battery' >secret
	recipe <<-'END'
		FROM base
		RUN --mount=type=secret,id=key,target=/run/key ln -s "$(cat /run/key)" /l; exit 1
	END
	fails 1 build --secret id=key,src=secret ctx
	says "secret 'key' is in its file l"
	recipe <<-'END'
		FROM base
		RUN --mount=type=secret,id=key,target=/run/key echo >"/$(cat /run/key)"; exit 1
	END
	fails 1 build --secret id=key,src=secret ctx
	says "What it left is not kept: secret 'key'"
	[[ $output != *"correct horse"* ]]
	fails 125 cairn shell -- true
}

@test "what lies below a step that is kept stays with it" {
	broken
	run -0 cairn rmi base
	run -0 cairn prune --all --filter type=step,image,context,log
	run -0 --separate-stderr cairn shell -- cat /tmp/left before
	equal "$output" "$(printf 'two\none')"
	run -0 cairn prune --all
	equal "$(ls "$CAIRN_ROOT/layers")" ""
}

@test "prune takes it away, and du and check know it" {
	broken
	run -0 cairn du --format json
	equal "$(jq -c '[.lines[] | select(.name == "failed") | .known, .count]' <<<"$output")" '[true,1]'
	equal "$(jq '[.lines[] | select(.known | not)] | length' <<<"$output")" 0
	run -0 cairn check
	cairn prune # what is young stays
	run -0 cairn shell -- cat /tmp/left
	run -0 cairn prune --all --filter type=failed --format json
	equal "$(jq -c '[.removed[] | select(.kind == "failed" or .kind == "layer") | .count]' <<<"$output")" '[1,1]'
	fails 125 cairn shell -- true
	says "no step that failed is kept"
	fails 1 build ctx
	run -0 cairn prune --all
	equal "$(ls "$CAIRN_ROOT/failed")" ""
	run -0 cairn check
}

@test "a prune does not take a step away in which somebody is" {
	broken
	mkfifo up
	cairn shell -i -- sh -c 'echo up; read line; cat /tmp/left' <up >out 3>&- &
	exec 7>up
	eventually 60 grep -q up out
	run -0 cairn prune --all
	echo go >&7
	exec 7>&-
	wait $!
	equal "$(cat out)" "$(printf 'up\ntwo')"
}

@test "the last few are kept, and found by number, stage and place" {
	local i
	for i in 1 2 3 4 5 6; do
		printf 'FROM base AS s%s\nRUN echo %s >/left; exit 1\n' "$i" "$i" >ctx/Recipe
		fails 1 build ctx
	done
	equal "$(ls "$CAIRN_ROOT/failed" | wc -l)" 4
	run -0 --separate-stderr cairn shell -- cat /left
	equal "$output" 6
	for i in s4 "s4 1" "s4 1/1"; do
		run -0 --separate-stderr cairn shell "$i" -- cat /left
		equal "$output" 4
	done
	run -0 --separate-stderr cairn shell '#1' -- cat /left
	equal "$output" 6
	fails 125 cairn shell --context ctx s1 -- cat /left
	says "is called 's1'"
	# and their layers with them
	cairn prune --all --filter type=failed
	run -0 cairn check
}

@test "kill -9 leaves nothing broken, and a torn record is none" {
	broken
	cairn shell -i -- sleep 1000 <&- >out 2>&1 3>&- &
	eventually 60 pgrep -P $! 
	kill -9 $!
	wait $! || true
	run -0 cairn check
	run -0 --separate-stderr cairn shell -- cat /tmp/left
	equal "$output" two
	printf x >>"$CAIRN_ROOT"/failed/*
	fails 125 cairn shell -- true
	fails 1 cairn check
	says "failed step"
	run cairn check --repair
	run -0 cairn check
}

@test "with a terminal a shell is interactive" {
	need python3
	broken
	run -0 python3 - <<-'END'
		import os, pty, sys, time
		pid, master = pty.fork()
		if pid == 0:
		    os.execvp("cairn", ["cairn", "shell"])
		seen = b""
		os.write(master, b"stty size >/dev/null && tty=yes; echo =$tty=$(id -u)=$(cat /tmp/left)=; exit 9\n")
		while True:
		    try:
		        got = os.read(master, 4096)
		    except OSError:
		        break
		    if not got:
		        break
		    seen += got
		code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
		assert b"=yes=1000=two=" in seen, seen
		assert code == 9, code
	END
}

@test "every storage driver gives the same" {
	local driver
	for driver in overlay fuse-overlayfs copy; do
		[ $driver != fuse-overlayfs ] || command -v fuse-overlayfs >/dev/null || continue
		export CAIRN_STORAGE_DRIVER=$driver
		broken
		run -0 --separate-stderr cairn shell -- sh -c 'cat /tmp/left before; test -e /etc/group && echo there'
		equal "$output" "$(printf 'two\none\nthere')"
		cairn prune --all >/dev/null
	done
}

@test "what is wrong on the command line is said" {
	fails 2 cairn shell one two
	says "a command comes behind --"
	fails 2 cairn shell --
	says "no command behind --"
	fails 2 cairn shell -w here
	fails 125 cairn shell
	says "no step that failed is kept"
}

# ---- --on-fail ----

@test "files of a failed step are brought out, and the build fails as it would" {
	recipe <<-'END'
		FROM base
		RUN mkdir -p /app/results/deep && echo below >/app/results/below
		RUN echo left >/app/results/deep/left && chown 1000:1000 /app/results/deep/left && \
			chmod 4755 /app/results/deep/left && ln -s /etc/passwd /app/results/link && \
			rm /app/results/below && echo log >/app/log && exit 4
	END
	umask 022
	fails 1 build --on-fail export:/app/results=out --on-fail export:/app/log=out/logs \
		--on-fail export:/not/there=never ctx
	says "exit code 4"
	says "/app/results of the step is in out"
	says "has no /not/there"
	[ ! -e never ]
	equal "$(cd out && find . | sort | tr '\n' ' ')" ". ./deep ./deep/left ./link ./logs ./logs/log "
	equal "$(stat -c '%u:%g %a' out/deep/left)" "$(id -u):$(id -g) 755"
	equal "$(cat out/deep/left out/logs/log)" "$(printf 'left\nlog')"
	equal "$(readlink out/link)" /etc/passwd
	# what succeeds brings nothing out
	printf 'FROM base\nRUN mkdir /app && echo >/app/x\n' >ctx/Recipe
	run -0 build -q --on-fail export:/app=none ctx
	[ ! -e none ]
}

@test "no link leads out of the files of a failed step, or out of the directory" {
	mkdir secrets out
	echo hidden >secrets/key
	echo safe >target
	ln -s "$PWD/target" out/file
	ln -s "$PWD/secrets" out/sub
	recipe <<-END
		FROM base
		RUN mkdir /app /app/sub && echo new >/app/file && echo new >/app/sub/key && \\
			ln -s ../../../../../../../../../../$PWD/secrets /up && ln -s $PWD/secrets /abs && \\
			ln -s /proc/1/root/$PWD/secrets /proc-link && ln -s /app /inside && exit 1
	END
	fails 1 build --on-fail export:/up=a --on-fail export:/abs=b --on-fail export:/up/key=c \
		--on-fail export:/proc-link=d --on-fail export:/../../../../../../../../$PWD/secrets=e ctx
	for dir in a b c d e; do
		[ ! -e $dir ] || [ -z "$(find $dir -type f)" ]
	done
	fails 1 build --on-fail export:/inside=out ctx
	says "something that is no directory is in the way"
	equal "$(cat target)" safe
	equal "$(cat secrets/key)" hidden
	fails 1 build --on-fail export:/inside=in ctx
	equal "$(cat in/file in/sub/key)" "$(printf 'new\nnew')"
	# what is no file is not opened
	printf 'FROM base\nRUN busybox mkfifo /pipe && exit 1\n' >ctx/Recipe
	fails 1 build --on-fail export:/pipe=p ctx
	says "neither a file nor a directory"
}

@test "what --on-fail does not know is a wrong command line" {
	printf 'FROM base\n' >ctx/Recipe
	fails 2 build --on-fail /x=y ctx
	fails 2 build --on-fail export:/x ctx
	fails 2 build --on-fail export:=y ctx
	fails 2 build --on-fail export:x=y ctx
	says "is not absolute"
}

@test "every storage driver brings the same out" {
	local driver
	for driver in overlay fuse-overlayfs copy; do
		[ $driver != fuse-overlayfs ] || command -v fuse-overlayfs >/dev/null || continue
		printf 'FROM base\nRUN mkdir /r && echo 1 >/r/one\nRUN echo 2 >/r/two; rm /r/one; exit 1\n' >ctx/Recipe
		CAIRN_STORAGE_DRIVER=$driver fails 1 build --on-fail export:/r=$driver ctx
		equal "$(ls $driver)" two
	done
}

# ---- steps of the Recipe ----

@test "a step that did not fail is entered by its name, before and after" {
	echo file >ctx/file
	recipe <<-'END'
		FROM base AS one
		ARG WHICH=none
		ENV COLOUR=green
		RUN echo $WHICH >/which
		FROM base AS app
		WORKDIR /work
		COPY file .
		RUN --mount=type=cache,target=/cache echo 1 >/cache/x && echo ran >ran
		RUN --mount=from=one,target=/one --mount=type=bind,target=/src cat /one/which /src/file >both
		USER user
	END
	run -0 build -q --build-arg WHICH=this ctx
	cd ctx
	run -0 --separate-stderr cairn shell --build-arg WHICH=this "app 3" -- \
		sh -c 'cat /cache/x; pwd; ls; id -u'
	equal "$output" "$(printf '1\n/work\nfile\nran\n0')"
	[[ $stderr != *"to run first"* ]]
	run -0 --separate-stderr cairn shell --build-arg WHICH=this --before "app 3/4" -- ls
	equal "$output" file
	# mounts of the context and of stages are there, and the stage is its last step
	run -0 --separate-stderr cairn shell --build-arg WHICH=this app -- sh -c 'cat /one/which /src/file both'
	equal "$output" "$(printf 'this\nfile\nthis\nfile')"
	run -0 --separate-stderr cairn shell --build-arg WHICH=this app -- sh -c 'rm both; echo >new'
	run -0 --separate-stderr cairn shell --build-arg WHICH=this app -- ls
	equal "$output" "$(printf 'both\nfile\nran')"
	# what lies below is built where it is missing; a COPY has what the stage has
	run -0 --separate-stderr cairn shell --context . --target one --build-arg WHICH=other one -- \
		sh -c 'cat /which; echo $COLOUR'
	equal "$output" "$(printf 'other\ngreen')"
	[[ $stderr == *"1 step to run first"* ]]
	run -0 --separate-stderr cairn shell "app 2" -- sh -c 'cat file; id -u'
	equal "$output" "$(printf 'file\n1000')"
	fails 125 cairn shell nothing -- true
	says "no step is called 'nothing'"
	fails 2 cairn shell -f Recipe
	says "say which step"
	equal "$(ls "$CAIRN_ROOT/builds" | wc -l)" 1
}
