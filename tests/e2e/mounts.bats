# tests/e2e/mounts.bats - RUN --mount of every type, and heredocs that are programs.
#
# Each rule is one that BuildKit's frontend documents; what the layer holds is the proof, and a
# command that exits with 0 that it saw what it should.

load helper

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	command -v busybox >/dev/null || skip "needs busybox"
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_rootfs "$BATS_FILE_TMPDIR/base.tar"
	# all of busybox
	for name in $(busybox --list); do
		[ -e "$BATS_FILE_TMPDIR/rootfs/bin/$name" ] ||
			ln -s busybox "$BATS_FILE_TMPDIR/rootfs/bin/$name"
	done
	tar -C "$BATS_FILE_TMPDIR/rootfs" --sort=name --mtime=@0 --owner=0 --group=0 \
		--numeric-owner -cf "$BATS_FILE_TMPDIR/base.tar" .
}

setup() {
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1
	unset SOURCE_DATE_EPOCH SSH_AUTH_SOCK
	cd "$BATS_TEST_TMPDIR" || return 1
	cairn import "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
	mkdir ctx
}

teardown() {
	no_leases
}

# recipe: standard input becomes Recipe in the context `ctx`.
recipe() {
	cat >ctx/Recipe
}

# builds [OPTION...]: it must work; what it said is in $output.
builds() {
	run build --progress plain -t app -o type=tar,dest=app.tar "$@" ctx
	if [ "$status" -ne 0 ]; then
		echo "$output"
		return 1
	fi
}

# last_layer: what the last RUN left, a path a line.
last_layer() {
	rm -rf layout
	cairn save --format oci-dir -o layout app >/dev/null
	python3 - layout <<-'END'
		import json, subprocess, sys
		blobs = sys.argv[1] + '/blobs/sha256/'
		index = json.load(open(sys.argv[1] + '/index.json'))
		manifest = json.load(open(blobs + index['manifests'][0]['digest'][7:]))
		layer = blobs + manifest['layers'][-1]['digest'][7:]
		tar = subprocess.run(['zstd', '-dcq', layer], stdout=subprocess.PIPE, check=True)
		names = subprocess.run(['tar', '-tf', '-'], input=tar.stdout, stdout=subprocess.PIPE)
		print(names.stdout.decode(), end='')
	END
}

# ---- targets ----

@test "mount points, their parents and their times never reach the layer" {
	recipe <<-'EOF'
		FROM base
		RUN mkdir -p /have/some && touch -d @1000 /have/some /have && ln -s /have /link
		RUN --mount=type=tmpfs,target=/new/deep/er --mount=type=tmpfs,target=/have/some/new \
		    --mount=type=tmpfs,target=/link/linked --mount=type=tmpfs,target=/have/some \
		    --mount=type=secret,id=s,target=/have/file --mount=type=secret,id=s,target=/etc/new \
		    touch /new/deep/er/x /have/some/new/x /link/linked/x && cat /have/file /etc/new && \
		    [ $(stat -c %Y /have) = 1000 ] && echo x >/proof
	EOF
	echo v >secret
	builds --secret id=s,src=secret
	equal "$(last_layer)" "proof"
	# and one that leaves nothing leaves no layer
	recipe <<-'EOF'
		FROM base
		RUN echo x >/proof
		RUN --mount=type=tmpfs,target=/a/b --mount=type=tmpfs,target=/etc/c touch /a/b/x /etc/c/x
	EOF
	builds
	equal "$(last_layer)" "proof"
}

@test "what a step makes beside a mount point stays, and its parents with it" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=tmpfs,target=/new/mount touch /new/mount/x /new/own
	EOF
	builds
	equal "$(last_layer)" $'new/\nnew/own'
}

@test "a mount point is found where the image had deleted or replaced what led there" {
	recipe <<-'EOF'
		FROM base
		RUN mkdir -p /gone/a /again/old && touch /again/old/f
		RUN rm -r /gone /again && mkdir /again
		RUN --mount=type=tmpfs,target=/gone/a/b --mount=type=tmpfs,target=/again/new \
		    touch /gone/a/b/x /again/new/x && [ "$(ls /again)" = new ] && [ "$(ls /gone/a)" = b ]
	EOF
	builds
}

@test "a target is relative to the working directory, and follows links within the image" {
	recipe <<-'EOF'
		FROM base
		WORKDIR /job
		RUN ln -s /nowhere/yet /dangling && ln -s ../../../etc /up
		RUN --mount=type=tmpfs,target=sub/x --mount=type=tmpfs,target=../beside \
		    --mount=type=tmpfs,target=/dangling/x --mount=type=tmpfs,target=/up/new \
		    touch /job/sub/x/1 /beside/1 /nowhere/yet/x/1 /etc/new/1
	EOF
	builds
}

@test "a later mount may lie in an earlier one, in any order of writing" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=tmpfs,target=/a/b/c --mount=type=secret,id=s,target=/a/s \
		    --mount=type=tmpfs,target=/a --mount=type=tmpfs,target=/dev/own \
		    touch /a/b/c/x /dev/own/x && cat /a/s && [ "$(ls /a)" = "$(printf 'b\ns')" ]
	EOF
	echo v >secret
	builds --secret id=s,src=secret
	equal "$(tar -tf app.tar | grep -c '^a')" 0
}

@test "what cannot be mounted is named before anything runs" {
	touch ctx/file
	while IFS='|' read -r flags text; do
		printf 'FROM base\nRUN echo ran\nRUN %s true\n' "$flags" >ctx/Recipe
		run build --progress plain ctx
		[ "$status" -ne 0 ]
		says "Recipe:3: "
		says "$text"
		[[ $output != *'#1 [stage-0'* ]]
	done <<-'END'
		--mount=target=/|is the root, where nothing can be mounted
		--mount=type=tmpfs,target=..|is the root, where nothing can be mounted
		--mount=type=bind|needs a target
		--mount=type=bind,target=/x,uid=1|unexpected key 'uid' for mount type 'bind'
		--mount=type=bind,target=/x,source=nothing|'nothing' is not in the build context
		--mount=type=bind,target=/x,from=nothing:1|image 'nothing:1'
		--mount=type=tmpfs,target=/x,required|unexpected key 'required'
		--mount=type=tmpfs,target=/x,size=much|'much' is no size
		--mount=type=ssh,source=/x|an ssh mount has no source
		--mount=type=secret|needs an id
		--mount=type=secret,id=a,source=b|either a source or an id
		--mount=type=secret,id=a,required|secret 'a' is required: give it with --secret id=a
		--mount=required,type=secret,id=a|unexpected key 'required'
		--mount=type=cache,target=/x,sharing=some|unsupported sharing
		--mount=type=nothing,target=/x|unsupported mount type
		--mount=type=cache,target=/x,form=y|unexpected key 'form' (did you mean from?)
		--security=insecure|has to be allowed: say --allow security.insecure
	END
}

@test "a target of the wrong kind ends the step, not the machine" {
	touch ctx/file
	recipe <<-'EOF'
		FROM base
		RUN --mount=target=/etc,source=file true
	EOF
	fails 1 build --progress plain ctx
	says "cannot mount something on '/etc': one is a directory and the other is a file"
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=tmpfs,target=/etc/passwd/x true
	EOF
	fails 1 build --progress plain ctx
	says "'/etc/passwd' exists and is not a directory"
	recipe <<-'EOF'
		FROM base
		RUN --mount=from=base,target=/x --mount=type=tmpfs,target=/x/new true
	EOF
	fails 1 build --progress plain ctx
	says "cannot mount something on '/x/new': Read-only file system"
}

# ---- tmpfs ----

@test "tmpfs: empty, of the size that was asked for, gone afterwards" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=tmpfs,target=/etc,size=1m \
		    [ -z "$(ls /etc)" ] && [ $(stat -c %a /etc) = 1777 ] && \
		    grep -qE ' /etc rw,nosuid,nodev,relatime(,idmapped)? - tmpfs tmpfs rw,size=1024k' /proc/self/mountinfo && \
		    ! dd if=/dev/zero of=/etc/x bs=64k count=17 && rm /etc/x && \
		    dd if=/dev/zero of=/etc/x bs=64k count=16
		RUN [ -e /etc/passwd ] && ! [ -e /etc/x ]
	EOF
	builds
}

# ---- secrets ----

@test "secret: a file 0400 of root below /run/secrets, in memory" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=secret,id=a \
		    [ "$(cat /run/secrets/a)" = value ] && \
		    [ "$(stat -c '%a %u:%g' /run/secrets/a)" = '400 0:0' ] && \
		    grep -qE ' /run/secrets/a ro,nosuid,nodev,noexec,relatime(,idmapped)? - tmpfs ' /proc/self/mountinfo && \
		    ! echo x >/run/secrets/a
		RUN ! [ -e /run ]
	EOF
	echo value >file
	builds --secret id=a,src=file
}

@test "secret: id, source, target, mode, owner" {
	recipe <<-'EOF'
		FROM base
		WORKDIR /job
		RUN --mount=type=secret,source=dir/a [ "$(cat /run/secrets/a)" = value ]
		RUN --mount=type=secret,target=/x/dir/a2 [ "$(cat /x/dir/a2)" = value2 ]
		RUN --mount=type=secret,id=a2,target=rel,mode=0640,uid=1000,gid=7 \
		    [ "$(stat -c '%a %u:%g' /job/rel)" = '640 1000:7' ]
		RUN --mount=type=secret,id=a2,target=/etc/passwd [ "$(cat /etc/passwd)" = value2 ]
		USER user
		RUN --mount=type=secret,id=a2,uid=1000 [ "$(cat /run/secrets/a2)" = value2 ]
		RUN --mount=type=secret,id=a2 ! cat /run/secrets/a2
	EOF
	echo value >file
	echo value2 >file2
	builds --secret id=dir/a,src=file --secret id=a2,src=file2
}

@test "secret: as a variable, and as both" {
	recipe <<-'EOF'
		FROM base
		ENV OLD=before
		RUN --mount=type=secret,id=a,env=TOKEN [ "$TOKEN" = value ] && ! [ -e /run/secrets ]
		RUN --mount=type=secret,id=a,env=TOKEN,target=/x [ "$TOKEN" = "$(cat /x)" ]
		RUN --mount=type=secret,id=a,env=OLD [ "$OLD" = value ] && [ "$(env | grep -c ^OLD=)" = 1 ]
		RUN [ "$OLD" = before ] && [ -z "${TOKEN+x}" ]
	EOF
	printf value >file
	builds --secret id=a,src=file
}

@test "secret: one that is missing is no file and an empty variable" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=secret,id=a ! [ -e /run/secrets/a ]
		RUN --mount=type=secret,id=a,env=TOKEN [ "${TOKEN-unset}" = "" ]
	EOF
	builds
}

@test "secret: another value changes no key, and what is cached needs none" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=secret,id=a,required echo x >/x
	EOF
	printf one >file
	builds --secret id=a,src=file
	printf two >file
	builds --secret id=a,src=file
	says "#1 CACHED"
	builds
	says "#1 CACHED"
	fails 3 build --no-cache ctx
	says "secret 'a' is required"
}

@test "secret: wherever --secret takes it from" {
	recipe <<-'EOF'
		FROM base
		ARG WANT
		RUN --mount=type=secret,id=MYTOKEN [ "$(cat /run/secrets/MYTOKEN)" = "$WANT" ]
	EOF
	printf file >MYTOKEN
	builds --secret id=MYTOKEN --build-arg WANT=file
	MYTOKEN=variable builds --secret id=MYTOKEN --build-arg WANT=variable
	MYTOKEN=variable builds --secret type=file,id=MYTOKEN --build-arg WANT=file --no-cache
	OTHER=other builds --secret id=MYTOKEN,env=OTHER --build-arg WANT=other
	OTHER=other builds --secret id=MYTOKEN,type=env,src=OTHER --build-arg WANT=other --no-cache
	builds --secret id=MYTOKEN,src=<(printf pipe) --build-arg WANT=pipe
	fails 3 build --secret id=x,src=nothing ctx
	says "option --secret: "
	says "nothing"
	fails 2 build --secret src=MYTOKEN ctx
	says "option --secret: it has no id"
}

# ---- bind ----

@test "bind: the context, without what is ignored, read-only" {
	mkdir -p ctx/dir/sub
	echo a >ctx/dir/a
	echo b >ctx/dir/sub/b
	echo no >ctx/dir/no
	chmod 750 ctx/dir
	chown 1000:1000 ctx/dir/a
	echo dir/no >ctx/.dockerignore
	recipe <<-'EOF'
		FROM base
		WORKDIR /w
		RUN --mount=target=. [ "$(ls)" = "$(printf 'Recipe\ndir')" ] && ! touch /w/x && \
		    [ "$(stat -c '%a %u:%g' dir)" = '750 0:0' ] && [ $(stat -c %u dir/a) = 0 ]
		RUN --mount=type=bind,source=dir,target=/x [ "$(ls /x)" = "$(printf 'a\nsub')" ] && \
		    [ $(stat -c %a /x) = 750 ]
		RUN --mount=src=/dir/sub/../sub/b,dst=/y/file [ "$(cat /y/file)" = b ] && ! echo x >/y/file
		RUN --mount=src=dir/*,target=/x true || true
	EOF
	fails 3 build --progress plain ctx
	says "'dir/*' is not in the build context"
	sed -i '$d' ctx/Recipe
	builds
	echo 'RUN --mount=target=/x,source=dir/no true' >>ctx/Recipe
	fails 3 build --progress plain ctx
	says "is excluded by line 1 of the ignore file"
}

@test "bind: what is written is thrown away, and the context stays as it is" {
	mkdir ctx/dir
	echo a >ctx/dir/a
	recipe <<-'EOF'
		FROM base AS other
		RUN mkdir /opt && echo o >/opt/o
		FROM base
		RUN --mount=target=/x,source=dir,rw --mount=target=/f,source=dir/a,readwrite \
		    --mount=target=/o,from=other,source=opt,rw --mount=target=/of,from=other,source=opt/o,rw \
		    --mount=target=/s,from=scratch,rw \
		    echo new >/x/a && rm /x/a && echo new >/x/b && echo new >/f && rm /o/o && echo n >/o/n && \
		    echo new >/of && [ -z "$(ls /s)" ] && touch /s/s && [ "$(cat /of)" = new ]
		RUN --mount=target=/x,source=dir --mount=target=/o,from=other,source=opt --mount=target=/s,from=scratch \
		    [ "$(ls /x)" = a ] && [ "$(cat /x/a)" = a ] && [ "$(cat /o/o)" = o ] && [ -z "$(ls /s)" ]
	EOF
	builds
	equal "$(cat ctx/dir/a)" a
	equal "$(ls ctx/dir)" a
	equal "$(tar -tf app.tar | grep -cE '^(x|f|o|of|s)(/|$)')" 0
}

@test "bind: from a stage, an image, a named context; a number is an image" {
	mkdir named
	echo n >named/n
	recipe <<-'EOF'
		FROM base AS other
		RUN mkdir /opt && echo o >/opt/o && ln -s /opt/o /link && ln -s ../../../../opt/o /up
		FROM base
		RUN --mount=from=other,target=/o [ "$(cat /o/opt/o)" = o ] && ! touch /o/x
		RUN --mount=from=OTHER,source=/link,target=/o [ "$(cat /o)" = o ]
		RUN --mount=from=other,source=up,target=/o [ "$(cat /o)" = o ]
		RUN --mount=from=base,source=etc/passwd,target=/o grep -q root /o
		RUN --mount=from=named,target=/o [ "$(ls /o)" = n ]
	EOF
	builds --build-context named=named
	printf 'FROM base\nFROM base\nRUN --mount=from=0,target=/o true\n' >ctx/Recipe
	run build ctx
	[ "$status" -ne 0 ]
	says "image '0'"
	printf 'FROM base AS a\nFROM base\nRUN --mount=from=a,source=no,target=/o true\n' >ctx/Recipe
	fails 3 build ctx
	says "'no' is not in stage 'a'"
}

@test "bind: what is bound is in the key, and nothing else of the context" {
	mkdir ctx/dir
	echo a >ctx/dir/a
	recipe <<-'EOF'
		FROM base
		RUN --mount=target=/x,source=dir cat /x/a >/copy
	EOF
	echo 1 >ctx/beside
	builds
	echo 2 >ctx/beside
	touch -d @5 ctx/dir/a
	builds
	says "#1 CACHED"
	echo b >ctx/dir/a
	builds
	equal "$(tar -xOf app.tar copy)" b
	# a stage by its own key
	recipe <<-'EOF'
		FROM base AS other
		ARG V=1
		RUN echo $V >/v
		FROM base
		RUN --mount=from=other,target=/x cat /x/v >/copy
	EOF
	builds
	builds --build-arg V=2
	equal "$(tar -xOf app.tar copy)" 2
	builds --build-arg V=1
	says "CACHED"
	equal "$(tar -xOf app.tar copy)" 1
}

@test "a stage that only a mount reads is built, and no other" {
	recipe <<-'EOF'
		FROM base AS needed
		RUN echo x >/x
		FROM base AS not-needed
		RUN false
		FROM base
		RUN --mount=from=needed,target=/n cp /n/x /x
	EOF
	builds
}

# ---- cache ----

@test "cache: stays from build to build, and is in no layer and no key" {
	recipe <<-'EOF'
		FROM base
		ARG N
		RUN --mount=type=cache,target=/c echo $N >>/c/list; cp /c/list /list
	EOF
	builds --build-arg N=1
	builds --build-arg N=2
	builds --build-arg N=2
	says "#1 CACHED"
	builds --build-arg N=3
	equal "$(tar -xOf app.tar list)" $'1\n2\n3'
	equal "$(last_layer)" list
}

@test "cache: an id, and without one the clean target; a namespace, too" {
	recipe <<-'EOF'
		FROM base
		WORKDIR /w
		RUN --mount=type=cache,target=/a//b/../c touch /a/c/1
		RUN --mount=type=cache,target=/x,id=/a/c [ -e /x/1 ]
		RUN --mount=type=cache,target=rel touch rel/2
		RUN --mount=type=cache,target=/x,id=rel [ -e /x/2 ]
		RUN --mount=type=cache,target=/x,id=other [ -z "$(ls /x)" ]
	EOF
	builds
	builds --no-cache --build-arg BUILDKIT_CACHE_MOUNT_NS=mine
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=cache,target=/a/c [ -e /a/c/1 ] && true
	EOF
	builds --build-arg BUILDKIT_CACHE_MOUNT_NS=mine
	run build --build-arg BUILDKIT_CACHE_MOUNT_NS=theirs --no-cache ctx
	[ "$status" -eq 1 ]
}

@test "cache: another owner, mode or beginning is another cache" {
	recipe <<-'EOF'
		FROM base AS seed
		RUN mkdir -p /seed/sub && echo s >/seed/sub/s && chown 7:8 /seed/sub/s
		FROM base
		RUN --mount=type=cache,target=/c touch /c/1 && [ "$(stat -c '%a %u:%g' /c)" = '755 0:0' ]
		RUN --mount=type=cache,target=/c,uid=1000 [ -z "$(ls /c)" ] && [ "$(stat -c '%a %u:%g' /c)" = '755 1000:0' ]
		RUN --mount=type=cache,target=/c,mode=0700,gid=5 [ -z "$(ls /c)" ] && [ "$(stat -c '%a %u:%g' /c)" = '700 0:5' ]
		RUN --mount=type=cache,target=/c,from=seed,source=seed [ "$(cat /c/sub/s)" = s ] && \
		    [ "$(stat -c '%u:%g' /c/sub/s)" = 7:8 ] && touch /c/more
		RUN --mount=type=cache,target=/c,from=seed,source=/seed/sub/../ [ -e /c/more ]
		RUN --mount=type=cache,target=/c,from=scratch [ -e /c/1 ]
		RUN --mount=type=cache,target=/c,ro [ -e /c/1 ] && ! touch /c/2
		# of a part they say nothing: it is the same cache, and the part is whose it was
		RUN --mount=type=cache,target=/c mkdir -m 0750 /c/part
		RUN --mount=type=cache,target=/p,id=/c,source=part,uid=1000,gid=5,mode=0700 \
		    [ "$(stat -c '%a %u:%g' /p)" = '750 0:0' ]
	EOF
	builds
	says "#1 "
}

@test "cache: a source that is not there, or leads out" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=cache,target=/c ln -s / /c/root; ln -s ../../../../../../../.. /c/up; mkdir /c/etc
		RUN --mount=type=cache,target=/c,source=root/etc [ -z "$(ls /c)" ]
		RUN --mount=type=cache,id=/c,target=/c,source=up/etc [ -z "$(ls /c)" ]
		RUN --mount=type=cache,target=/c,source=nothing true
	EOF
	fails 3 build --progress plain ctx
	says "'nothing' is not in the cache"
	says "Recipe:5: "
}

@test "cache: --no-cache empties those it meets, once" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=cache,target=/c touch /c/old
		RUN --mount=type=cache,target=/d touch /d/old
	EOF
	builds
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=cache,target=/c ! [ -e /c/old ] && touch /c/new
		RUN --mount=type=cache,target=/c [ -e /c/new ]
	EOF
	builds --no-cache
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=cache,target=/d [ -e /d/old ]
		RUN --mount=type=cache,target=/c [ -e /c/new ]
	EOF
	builds
}

@test "cache: twice in one step is one" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=cache,id=x,target=/a,sharing=locked --mount=type=cache,id=x,target=/b,sharing=locked \
		    touch /a/1 && [ -e /b/1 ]
	EOF
	builds
}

# meets SHARING TURNS: two builds at once, each of which waits so many fifths of a second for the
# other to be in the cache. Who has met somebody stays there, so that he is met, too.
meets() {
	local sharing=$1 turns=$2 who
	cat >ctx/Recipe <<-EOF
		FROM base
		ARG ME
		ARG OTHER
		RUN --mount=type=cache,target=/c,sharing=$sharing touch /c/\$ME; \
		    for i in \$(seq $turns); do [ ! -e /c/\$OTHER ] || break; sleep 0.2; done; \
		    if [ -e /c/\$OTHER ]; then echo met >/result; else echo alone >/result; rm /c/\$ME; fi
	EOF
	build -q --build-arg ME=a --build-arg OTHER=b -o type=tar,dest=a.tar ctx &
	who=$!
	build -q --build-arg ME=b --build-arg OTHER=a -o type=tar,dest=b.tar ctx
	wait "$who"
	echo "$(tar -xOf a.tar result) $(tar -xOf b.tar result)"
}

@test "cache: those who share meet in it" {
	equal "$(meets shared 300 | tail -1)" "met met"
}

@test "cache: who locks it is alone in it, and the other one waits" {
	equal "$(meets locked 10 | tail -1)" "alone alone"
	equal "$(compgen -G "$CAIRN_ROOT/mounts/*/[0-9]*" | wc -l)" 1
}

@test "cache: a private one is copied beside one that is in use" {
	equal "$(meets private 25 | tail -1)" "alone alone"
	equal "$(compgen -G "$CAIRN_ROOT/mounts/*/[0-9]*" | wc -l)" 2
}

@test "cache: two locks in any order do not wait for each other" {
	cat >ctx/Recipe <<-'EOF'
		FROM base AS one
		RUN --mount=type=cache,id=a,target=/1,sharing=locked --mount=type=cache,id=b,target=/2,sharing=locked sleep 0.2; touch /one
		FROM base AS two
		RUN --mount=type=cache,id=b,target=/1,sharing=locked --mount=type=cache,id=a,target=/2,sharing=locked sleep 0.2; touch /two
		FROM base
		COPY --from=one /one /
		COPY --from=two /two /
	EOF
	for _ in 1 2 3; do
		run -0 timeout 60 build -j 4 --no-cache ctx
	done
}

# ---- ssh ----

# ssh_tools: the base gets ssh-add and what it is linked with.
ssh_tools() {
	need ssh-agent ssh-add ssh-keygen ldd
	local file
	mkdir -p tools/bin
	cp "$(command -v ssh-add)" tools/bin/
	for file in $(ldd "$(command -v ssh-add)" | grep -o '/[^ ]*'); do
		mkdir -p "tools/$(dirname "$file")"
		cp -L "$file" "tools/$file"
	done
	echo 'tool:x:1000:1000::/:/bin/sh' >/dev/null
	tar -C tools -cf tools.tar .
	tar -C "$BATS_FILE_TMPDIR/rootfs" -cf all.tar .
	tar -Af all.tar tools.tar
	cairn import all.tar base >/dev/null
	ssh-keygen -q -t ed25519 -N '' -C one -f key1
	ssh-keygen -q -t rsa -b 2048 -N '' -C two -f key2
	chmod 644 key2
}

# own_agent: an agent of the test's, with key1.
own_agent() {
	eval "$(ssh-agent -a "$BATS_TEST_TMPDIR/sock" 2>/dev/null)" >/dev/null
	ssh-add -q key1
}

# no_agent: no agent that a build of this test started runs any more. They work in its store;
# other tests have theirs at the same time.
no_agent() {
	local pid
	for pid in $(pgrep -f 'ssh-agent -D -a agent'); do
		case $(readlink "/proc/$pid/cwd") in
		"$CAIRN_ROOT"/*) return 1 ;;
		esac
	done
}

@test "ssh: keys in an agent of the build's own, which ends with it" {
	ssh_tools
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=ssh ssh-add -L >/all && \
		    [ "$SSH_AUTH_SOCK" = /run/buildkit/ssh_agent.0 ] && \
		    [ "$(stat -c '%F %a %u:%g' $SSH_AUTH_SOCK)" = 'socket 600 0:0' ]
		RUN [ -z "$SSH_AUTH_SOCK" ] && ! [ -e /run ]
	EOF
	builds --ssh default=key1,key2
	equal "$(tar -xOf app.tar all | cut -d' ' -f1,2)" "$(cat key1.pub key2.pub | cut -d' ' -f1,2)"
	no_agent
}

@test "ssh: an agent that runs, by SSH_AUTH_SOCK or by its socket" {
	ssh_tools
	own_agent
	recipe <<-'EOF'
		FROM base
		USER user
		RUN --mount=type=ssh,uid=1000,gid=1000,mode=0660,target=/tmp/a/sock \
		    --mount=type=ssh,id=other,uid=1000 ssh-add -L >/tmp/one && \
		    [ "$SSH_AUTH_SOCK" = /tmp/a/sock ] && [ "$(stat -c '%a %u:%g' /tmp/a/sock)" = '660 1000:1000' ] && \
		    SSH_AUTH_SOCK=/run/buildkit/ssh_agent.1 ssh-add -L >/tmp/two
		ENV SSH_AUTH_SOCK=/mine
		RUN --mount=type=ssh,required [ "$SSH_AUTH_SOCK" = /mine ]
		RUN --mount=type=ssh ! SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0 ssh-add -L
	EOF
	run -0 build --progress plain -o type=tar,dest=app.tar --ssh default --ssh "other=$PWD/sock" ctx
	ssh-agent -k >/dev/null
	equal "$(tar -xOf app.tar tmp/one)" "$(cat key1.pub)"
	equal "$(tar -xOf app.tar tmp/two)" "$(cat key1.pub)"
	fails 1 build --no-cache --ssh default ctx
	says "--ssh default: '$PWD/sock': connect to an ssh agent"
}

@test "ssh: a step asks for keys and signatures, and changes nothing in the agent" {
	ssh_tools
	own_agent
	cp key2 ctx/key2
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=ssh --mount=source=key2,target=/key2,rw chmod 600 /key2; \
		    ! ssh-add /key2 && ! ssh-add -D && ! ssh-add -d - </key2 && ssh-add -L >/all
		RUN --mount=type=ssh --mount=source=pub,target=/pub ssh-add -T /pub && echo signed >/signed
	EOF
	cp key1.pub ctx/pub
	run build --progress plain -o type=tar,dest=app.tar --ssh default ctx
	ssh-add -L >after
	ssh-agent -k >/dev/null
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	equal "$(tar -xOf app.tar all)" "$(cat key1.pub)"
	equal "$(cat after)" "$(cat key1.pub)"
	equal "$(tar -xOf app.tar signed)" signed
}

@test "ssh: what is missing, or no key" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=ssh,id=x ! [ -e /run/buildkit/ssh_agent.0 ] && [ -n "$SSH_AUTH_SOCK" ]
	EOF
	builds
	recipe <<-'EOF'
		FROM base
		RUN echo ran
		RUN --mount=type=ssh,required true
	EOF
	fails 3 build --progress plain ctx
	says "Recipe:3: ssh agent 'default' is required: give it with --ssh default"
	[[ $output != *'#1 '* ]]
	fails 2 build --ssh default ctx
	says "SSH_AUTH_SOCK names none"
	fails 3 build --ssh default=nothing ctx
	says "'nothing' is not there"
	echo 'no key' >file
	need ssh-agent
	fails 1 build --ssh default=file ctx
	says "ssh-add does not take the key 'file'"
	PATH_WITHOUT=$(dirname "$(command -v cairn)")
	PATH=$PATH_WITHOUT fails 3 "$(command -v build)" --ssh default=file ctx
	says "the program ssh-agent is not in the PATH"
	need ssh-keygen
	ssh-keygen -q -t ed25519 -N passphrase -f locked
	fails 1 build --ssh default=locked ctx
	says "ssh-add does not take the key 'locked'"
	no_agent
}

# ---- volumes ----

@test "a volume is found by every RUN, read-only or not, and is no part of the image" {
	mkdir -p vol/sub
	echo v >vol/sub/v
	echo file >file
	recipe <<-'EOF'
		FROM base
		RUN [ "$(cat /vol/sub/v)" = v ] && echo w >>/vol/w && ! touch /ro/x && [ "$(cat /etc/file)" = file ]
		RUN --mount=type=tmpfs,target=/vol/sub/tmp touch /vol/sub/tmp/x && [ -e /vol/w ]
	EOF
	builds -v "$PWD/vol:/vol:rw,Z" --volume "$PWD/vol:/ro:ro" -v "$PWD/file:/etc/file:z"
	equal "$(cat vol/w)" w
	equal "$(tar -tf app.tar | grep -cE '^(vol|ro|etc/file)(/|$)')" 0
	# the paths are in the key, the contents are not
	echo new >vol/new
	builds -v "$PWD/vol:/vol:rw,Z" --volume "$PWD/vol:/ro:ro" -v "$PWD/file:/etc/file:z"
	says "#1 CACHED"
	equal "$(cat vol/w)" w
	fails 1 build ctx
	fails 3 build -v "$PWD/nothing:/x" ctx
	says "option --volume: '$PWD/nothing' is not there"
	fails 2 build -v "$PWD/vol" ctx
	fails 2 build -v "$PWD/vol:x" ctx
	fails 2 build -v "$PWD/vol:/" ctx
	fails 2 build -v "$PWD/vol:/x:O" ctx
	says "option 'O' is none of"
}

@test "names for /etc/hosts and the size of /dev/shm" {
	recipe <<-'EOF'
		FROM base
		RUN tail -n 3 /etc/hosts >/hosts && grep -q ' /dev/shm .*size=2048k' /proc/self/mountinfo
	EOF
	builds --add-host one:10.0.0.1 --add-host 'two=[::5]' --add-host three:host-gateway --shm-size 2m --network host
	equal "$(tar -xOf app.tar hosts)" "$(printf '10.0.0.1\tone\n::5\ttwo\n127.0.0.1\tthree')"
	builds --add-host one:10.0.0.9 --add-host 'two=[::5]' --add-host three:host-gateway --network host
	says "#1 CACHED"
	fails 2 build --add-host one ctx
	says "is no address"
	fails 2 build --add-host 'a b:10.0.0.1' ctx
	fails 2 build --add-host one:10.0.0.300 ctx
	fails 2 build --shm-size much ctx
	says "option --shm-size"
}

# ---- heredocs ----

@test "a heredoc that begins with #! is a file that is executed" {
	recipe <<-'EOF'
		FROM base
		RUN <<END
		#!/bin/busybox sh
		echo "$0 $(stat -c '%a %u:%g' "$0")" >/proof
		[ "$(ls /dev/pipes)" = END ]
		END
		RUN <<-'TABS'
			#!/bin/cat
			$not expanded
		TABS
		RUN ! [ -e /dev/pipes ]
	EOF
	builds
	equal "$(tar -xOf app.tar proof)" "/dev/pipes/END 755 0:0"
	# shellcheck disable=SC2016 # not expanded
	says '$not expanded'
	cairn history app | grep -q '/dev/pipes/END'
	# its text is in the key
	builds
	says "#1 CACHED"
	sed -i 's/echo "/echo "x /' ctx/Recipe
	builds
	equal "$(tar -xOf app.tar proof)" "x /dev/pipes/END 755 0:0"
}

@test "several heredocs go to the shell" {
	recipe <<-'EOF'
		FROM base
		RUN <<ONE cat >/one && cat <<TWO >/two
		1 $HOME
		ONE
		2
		TWO
		RUN <<END
		# nothing to be executed
		#!/bin/sh
		echo a >/a
		END
		RUN 3<<THREE cat <&3 >/three
		3
		THREE
	EOF
	builds
	equal "$(tar -xOf app.tar one)" "1 /root"
	equal "$(tar -xOf app.tar two)" "2"
	equal "$(tar -xOf app.tar three)" "3"
}

# ---- security ----

@test "an insecure step has all capabilities, no filter, and sees what is hidden" {
	recipe <<-'EOF'
		FROM base
		RUN --security=insecure grep -E '^(Cap(Prm|Eff|Bnd)|Seccomp):' /proc/self/status >/proof && \
		    mkdir /m && mount -t tmpfs none /m && umount /m && [ -w /proc/sys/kernel/hostname ]
		RUN --security=sandbox ! mount -t tmpfs none /m
	EOF
	builds --allow security.insecure,network.host
	grep -E '^(Cap(Prm|Eff|Bnd)):' /proc/self/status >want
	equal "$(tar -xOf app.tar proof)" "$(cat want; printf 'Seccomp:\t0')"

	fails 4 build ctx
	says "say --allow security.insecure"
	fails 2 build --allow everything ctx
	says "option --allow: 'everything' is none of"
}

# ---- mounts of the command line ----

@test "a mount of the command line is found by every RUN, as if it stood there" {
	mkdir tools
	echo tool >tools/tool
	echo context >ctx/file
	recipe <<-'EOF'
		FROM base AS one
		ARG place=/t
		RUN [ "$(cat /run/secrets/s)" = secret ] && [ "$(cat /opt/tool)" = tool ] && touch /t/x /c/x
		RUN --mount=type=tmpfs,target=/opt [ -z "$(ls /opt)" ] && [ -e /c/x ] && ! [ -e /t/x ]
		FROM base
		COPY --from=one /bin/busybox /copy
		ARG place=/t
		RUN [ "$(cat /ctx/file)" = context ] && [ -d /t ]
	EOF
	# shellcheck disable=SC2016 # expanded by the Recipe
	set -- --build-context tools=tools --mount type=secret,id=s,required --mount type=cache,target=/c \
		--mount from=tools,target=/opt --mount 'type=tmpfs,target=$place' --mount type=bind,target=/ctx
	echo secret >secret
	builds --secret id=s,src=secret "$@"
	equal "$(tar -tf app.tar | grep -cE '^(c|t|opt|ctx|run/secrets)(/|$)')" 0
	builds --secret id=s,src=secret "$@"
	says "#4 CACHED"
	# what is bound is in the keys
	echo more >tools/more
	builds --secret id=s,src=secret "$@"
	[[ $output != *"#4 CACHED"* ]]
	sed -i 's/cat .ctx.file/cat \/ctx\/Recipe/' ctx/Recipe
	fails 3 build "$@" ctx
	says "secret 's' is required"
}

@test "a mount of the command line has the key of one that stands in the Recipe" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t true >/x
	EOF
	builds
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=tmpfs,target=/t true >/x
	EOF
	builds --mount type=cache,target=/c
	says "#1 CACHED"
}

@test "what is no mount is refused before anything is done" {
	recipe <<-'EOF'
		FROM base AS one
		RUN true
	EOF
	fails 2 build --mount type=nothing,target=/x ctx
	says "option --mount: unsupported mount type 'nothing'"
	fails 2 build --mount type=cache ctx
	says "a cache mount needs a target"
	fails 2 build --mount /data:/data ctx
	fails 1 build --mount from=one,target=/x ctx
	says "stage 'one' cannot copy from itself"
	fails 3 build --mount source=none,target=/x ctx
	says "'none' is not in the build context"
}
