# tests/e2e/forgive.bats - what a key forgives: modes, times, arguments that nobody uses; and that it never
# forgives what shows in a result.

load robust

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox jq skopeo
}

# recipe LINE...: the Recipe of all builds to come.
recipe() {
	printf '%s\n' "$@" >Recipe
}

# steps OPTION... CONTEXT: build, and what became of each step, in their order: "hit" or "ran".
steps() {
	timeout 120 cairn build --network none --progress plain -t app -f Recipe "$@" >out 2>&1 || { cat out >&2; return 1; }
	sed -nE 's/^#([0-9]+) (CACHED|DONE).*/\1 \2/p' out | sort -n | sed -E 's/.* CACHED/hit/; s/.* DONE/ran/' | xargs
}

# layers: the diff ids of the image, as skopeo sees them.
layers() {
	skopeo inspect --config "oci:$CAIRN_ROOT:app:latest" | jq -c .rootfs.diff_ids
}

# listing: mode, owner and path of all that is in its layers, read by tar.
listing() {
	rm -rf dir
	skopeo copy -q "oci:$CAIRN_ROOT:app:latest" dir:dir
	jq -r '.layers[].digest' dir/manifest.json | while IFS=: read -r _ hex; do
		tar --numeric-owner -tvf "dir/$hex" | awk '{ print $1, $2, $6 $7 $8 }'
	done
}

# honest OPTION... CONTEXT: what came out of the cache is what a build without one makes.
honest() {
	local cached
	cached=$(layers)
	steps --no-cache "$@" >/dev/null
	equal "$(layers)" "$cached"
}

# put PATH [TEXT]: a file in the context.
put() {
	mkdir -p "ctx/$(dirname "$1")"
	printf '%s\n' "${2-$1}" >"ctx/$1"
	chmod 644 "ctx/$1"
}

# origin: a repository with files of both kinds, a link and directories.
origin() {
	git init -q -b main origin
	mkdir -p origin/src/deep origin/lib
	echo main >origin/src/main.c
	echo deep >origin/src/deep/file
	printf '#!/bin/sh\necho tool\n' >origin/src/tool
	chmod +x origin/src/tool
	ln -s main.c origin/src/link
	echo lib >origin/lib/one
	echo not >origin/lib/two
	echo .git >origin/.dockerignore
	git -C origin add .
	git -C origin -c user.name=me -c user.email=me@example.com commit -qm one
}

@test "--context-mode git: clones with two umasks are one build, wherever the files go" {
	need git
	import_base
	origin
	(umask 022 && git clone -q origin one)
	(umask 002 && git clone -q origin two)
	(umask 077 && git clone -q origin three)
	[ "$(stat -c %a one/src two/src three/src | xargs)" = "755 775 700" ]
	[ "$(stat -c %a one/src/tool two/src/tool three/src/tool | xargs)" = "755 775 700" ]
	recipe 'FROM tree AS whole' 'FROM base' \
		'COPY src /src' 'COPY --parents src/deep /parents' 'COPY --exclude=two lib /lib' 'ADD src/main.c lib /add/' \
		'COPY --from=more --chown=7 . /more' 'COPY --from=whole / /whole' \
		'RUN --mount=target=/ctx ls -lnR /ctx | cut -c1-10 >/seen; stat -c %a /ctx /ctx/src/tool >>/seen'
	build() {
		local how=${2-git}
		steps --timestamp 1 --compression none --context-mode "$how" --build-context "more=$1/src" \
			--build-context "tree=$1" "$1"
	}
	equal "$(build one)" "ran ran ran ran ran ran ran ran"
	want=$(layers)
	run -0 listing
	[[ $output == *"-rwxr-xr-x 0/0 src/tool"* && $output == *"drwxr-xr-x 0/0 parents/src/deep/"* ]]
	[[ $output == *"lrwxrwxrwx 0/0 src/link->main.c"* && $output == *"-rwxr-xr-x 7/7 more/tool"* ]]
	seen=$(grep -v -e '^l' -e ' *tmp/' <<<"$output" | cut -c1-10 | sort -u | xargs)
	equal "$seen" "-rw-r--r-- -rwxr-xr-x drwxr-xr-x"
	for clone in two three; do
		[[ $(build "$clone") != *ran* ]]
		equal "$(layers)" "$want"
	done
	# in a store that has never seen the others, too
	export CAIRN_ROOT=$PWD/other
	import_base
	[[ $(build three) != *hit* ]]
	equal "$(layers)" "$want"
	# it is what a clone with the usual umask is as it is
	export CAIRN_ROOT=$PWD/exact
	import_base
	[[ $(build one exact) != *hit* ]]
	equal "$(layers)" "$want"
}

@test "--context-mode git: machines with different umasks share a cache" {
	put src/a
	recipe 'FROM scratch' 'COPY src /src'
	equal "$(steps --timestamp 1 --context-mode git --cache-to type=local,dest=shared ctx)" ran
	want=$(layers)
	export CAIRN_ROOT=$PWD/other
	chmod 664 ctx/src/a
	equal "$(steps --timestamp 1 --context-mode git --cache-from type=local,src=shared ctx)" hit
	equal "$(layers)" "$want"
	equal "$(steps --timestamp 1 --cache-from type=local,src=shared ctx)" ran
}

@test "--context-mode git is told by the provenance and the report" {
	put a
	recipe 'FROM scratch' 'COPY a /'
	equal "$(steps --context-mode git --provenance --report r.json ctx)" ran
	equal "$(jq -r .context_mode r.json)" git
	skopeo copy -q --all "oci:$CAIRN_ROOT:app:latest" dir:dir
	equal "$(for file in dir/*; do
		jq -r '.predicate.buildDefinition.externalParameters.request.args["context-mode"] // empty' "$file" 2>/dev/null
	done)" git
	equal "$(steps --provenance --report r.json ctx)" hit
	equal "$(jq -r .context_mode r.json)" null
}

@test "without it a mode is an input, and is kept" {
	put a
	recipe 'FROM scratch' 'COPY . /'
	equal "$(steps ctx)" ran
	equal "$(steps --context-mode exact ctx)" hit
	chmod 664 ctx/a
	equal "$(steps ctx)" ran
	equal "$(steps --context-mode git ctx)" hit # the first one: its files were 644
	chmod 600 ctx/a
	equal "$(steps --compression none ctx)" ran
	equal "$(listing)" "-rw------- 0/0 a"
	fails 2 cairn build --context-mode plain ctx
	says "--context-mode"
}

@test "--context-mode git: of a mode only what its owner may execute counts" {
	put run
	put plain
	put deep/file
	mkfifo -m 640 ctx/pipe
	chmod 4711 ctx/run
	chmod 2077 ctx/plain
	chmod 3700 ctx/deep
	recipe 'FROM scratch' 'COPY . /'
	build() {
		steps --timestamp 1 --compression none --context-mode git ctx
	}
	equal "$(build)" ran
	equal "$(listing)" "$(printf '%s\n' 'drwxr-xr-x 0/0 deep/' '-rw-r--r-- 0/0 deep/file' 'prw-r--r-- 0/0 pipe' \
		'-rw-r--r-- 0/0 plain' '-rwxr-xr-x 0/0 run')"
	chmod 700 ctx/run
	chmod 600 ctx/plain ctx/pipe
	chmod 1777 ctx/deep
	equal "$(build)" hit
	honest --timestamp 1 --compression none --context-mode git ctx
	chmod u+x ctx/plain
	equal "$(build)" ran
	chmod u-x ctx/plain
	equal "$(build)" hit
	put plain more
	equal "$(build)" ran
}

@test "--context-mode git: what was fetched has its modes from there" {
	put a
	put b
	chmod 600 ctx/a
	chmod 775 ctx/b
	tar -C ctx -cf ctx.tar .
	printf 'FROM scratch\nCOPY a b /\n' >ctx/Recipe
	tar -C ctx -cf ctx.tar .
	cairn build -q --compression none --context-mode git -t app - <ctx.tar
	equal "$(listing)" "$(printf '%s\n' '-rw------- 0/0 a' '-rwxrwxr-x 0/0 b')"
	# an archive has its own, too
	mkdir -p archives
	tar -C ctx -cf archives/it.tar a b
	recipe 'FROM scratch' 'ADD it.tar /'
	equal "$(steps --compression none --context-mode git archives)" ran
	equal "$(listing)" "$(printf '%s\n' '-rw------- 0/0 a' '-rwxrwxr-x 0/0 b')"
}

@test "--chmod: a source's mode counts only where it shows in the copy's" {
	put dir/file
	put dir/run
	chmod 755 ctx/dir/run
	# with MODES, the modes of dir, dir/file and dir/run; what became of the step
	with() {
		chmod "$1" ctx/dir && chmod "$2" ctx/dir/file && chmod "$3" ctx/dir/run
		steps --timestamp 1 ctx && honest --timestamp 1 ctx
	}
	for how in COPY ADD 'COPY --parents' 'COPY --link' 'COPY --exclude=run'; do
		recipe 'FROM scratch' "$how --chmod=750 dir /there/"
		equal "$(with 755 644 755)" ran
		equal "$(with 2700 604 4711)" hit
	done
	recipe 'FROM scratch' 'COPY --chmod=0644 dir/file /'
	equal "$(with 755 644 755)" ran
	equal "$(with 755 606 755)" hit

	# all bits are said, but for X
	recipe 'FROM scratch' 'COPY --chmod=u=rwX,go=rX dir /there/'
	equal "$(with 755 644 755)" ran
	equal "$(with 700 600 711)" hit
	equal "$(with 700 610 711)" ran

	# what is only changed stays an input
	recipe 'FROM scratch' 'COPY --chmod=go-w,u+x dir /there/'
	equal "$(with 755 644 755)" ran
	equal "$(with 777 664 775)" hit
	equal "$(with 755 744 755)" hit
	equal "$(with 755 640 755)" ran
	equal "$(with 750 644 755)" hit # it is the directory itself, which is not copied
	equal "$(with 755 644 4755)" ran
	recipe 'FROM scratch' 'COPY --chmod=g=u dir /there/'
	equal "$(with 755 644 755)" ran
	equal "$(with 755 644 775)" hit
	equal "$(with 755 444 755)" ran

	# and with none it is one
	recipe 'FROM scratch' 'COPY dir /there/'
	equal "$(with 755 644 755)" ran
	equal "$(with 755 604 755)" ran
}

@test "times are no input, and stay in the layer unless an epoch bounds them" {
	import_base
	put dir/a
	put b
	touch -d '2001-02-03 04:05:06' ctx/dir/a ctx/dir ctx/b
	recipe 'FROM base' 'COPY . /x/' 'ADD b /y/' 'RUN --mount=target=/m cat /m/b >/z'
	times() {
		cairn export app | TZ=UTC tar --full-time -tvf - | sed -nE 's,.* ([-0-9]{10}) .* (\./)?(x/dir/a|x/b|y/b)$,\1,p' | xargs
	}
	equal "$(steps ctx)" "ran ran ran"
	want=$(layers)
	equal "$(times)" "2001-02-03 2001-02-03 2001-02-03"
	touch -d '2011-02-03 04:05:06' ctx/dir/a ctx/dir ctx/b
	equal "$(steps ctx)" "hit hit hit"
	equal "$(layers)" "$want" # as Docker has it: the files of the first build
	equal "$(times)" "2001-02-03 2001-02-03 2001-02-03"
	equal "$(steps --no-cache ctx)" "ran ran ran"
	equal "$(times)" "2011-02-03 2011-02-03 2011-02-03"
	[ "$(layers)" != "$want" ]

	# with an epoch before all of them nothing is left of them
	equal "$(steps --timestamp 900000000 ctx)" "ran ran ran"
	equal "$(times)" "1998-07-09 1998-07-09 1998-07-09"
	touch ctx/dir/a ctx/dir ctx/b
	equal "$(steps --timestamp 900000000 ctx)" "hit hit hit"
	honest --timestamp 900000000 ctx
}

@test "the mode of a directory that a RUN finds mounted is an input of it" {
	import_base
	put sub/a
	recipe 'FROM base' 'RUN --mount=source=sub,target=/m stat -c %a /m >/mode'
	chmod 755 ctx/sub
	equal "$(steps --timestamp 1 ctx)" ran
	chmod 700 ctx/sub
	equal "$(steps --timestamp 1 ctx)" ran
	equal "$(cairn run --network none app cat /mode)" 700
	equal "$(steps --timestamp 1 --context-mode git ctx)" hit
	equal "$(cairn run --network none app cat /mode)" 755
	chmod 755 ctx/sub
	equal "$(steps --timestamp 1 ctx)" hit
	honest --timestamp 1 ctx
}

# args LINE...: a Recipe of the dialect with `ARG X=1 Y=2` and one RUN, which these lines are.
args() {
	recipe '# syntax=cairn/1' 'FROM base' 'ARG X=1 Y=2' "$@"
	mkdir -p ctx
}

# read_back: what the RUN has written.
read_back() {
	cairn run --network none app cat /f
}

# needs_x: another X is another step, another Y is not.
needs_x() {
	equal "$(steps --timestamp 1 ctx)" ran
	equal "$(steps --timestamp 1 --build-arg Y=other ctx)" hit
	equal "$(steps --timestamp 1 --build-arg X=other ctx)" ran
	honest --timestamp 1 --build-arg X=other ctx
}

@test "cairn/1: an ARG that a RUN does not name is none of its inputs, and not there" {
	import_base
	args 'RUN env | sort >/f'
	equal "$(steps --timestamp 1 ctx)" ran
	run -0 read_back
	[[ $output != *X=* && $output != *Y=* ]]
	equal "$(steps --timestamp 1 --build-arg X=other --build-arg Y=other ctx)" hit
	honest --timestamp 1 --build-arg X=other ctx
	# nor does it matter whether there is one
	recipe '# syntax=cairn/1' 'FROM base' 'RUN env | sort >/f'
	equal "$(steps --timestamp 1 ctx)" hit
	# what cannot be found out by reading is not there, so it cannot be another
	args 'RUN v=$(printf "\130"); eval "echo \"\$$v\"" >/f'
	equal "$(steps --timestamp 1 ctx)" ran
	equal "$(read_back)" ""
	equal "$(steps --timestamp 1 --build-arg X=other ctx)" hit
	args 'RUN printf "echo \$%c >/f" "$(printf "\130")" >/s; sh /s'
	equal "$(steps --timestamp 1 ctx)" ran
	equal "$(read_back)" ""
	equal "$(steps --timestamp 1 --build-arg X=other ctx)" hit
	# a longer name is another one
	args 'RUN echo "$XX ${X2} X_ aX" >/f'
	equal "$(steps --timestamp 1 ctx)" ran
	equal "$(steps --timestamp 1 --build-arg X=other ctx)" hit
	# the history shows what a RUN has had
	equal "$(cairn inspect --raw config app | jq -r '.history[-1].created_by')" \
		'RUN /bin/sh -c echo "$XX ${X2} X_ aX" >/f # buildkit'
	args 'RUN echo $X >/f'
	steps ctx
	equal "$(cairn inspect --raw config app | jq -r '.history[-1].created_by')" \
		'RUN |1 X=1 /bin/sh -c echo $X >/f # buildkit'
}

@test "cairn/1: an ARG that a RUN names, however it does, is an input" {
	import_base
	args 'RUN echo $X >/f'
	needs_x
	equal "$(read_back)" other
	args 'RUN echo "${X:-none}" >/f'
	needs_x
	args 'RUN v=X; eval "echo \$$v" >/f'
	needs_x
	equal "$(read_back)" other
	args 'RUN env | sed -n s/^X=//p >/f'
	needs_x
	equal "$(read_back)" other
	args 'RUN env | grep ^X= >/f'
	needs_x
	equal "$(read_back)" X=other
	args 'RUN ["sh", "-c", "echo $X >/f"]'
	needs_x
	args 'RUN ["awk", "BEGIN { print ENVIRON[\"X\"] > \"/f\" }"]'
	needs_x
	equal "$(read_back)" other
	args 'RUN <<EOF' 'echo $X >/f' EOF
	needs_x
	equal "$(read_back)" other
	args 'RUN <<EOF' '#!/bin/awk -f' 'BEGIN { print ENVIRON["X"] > "/f" }' EOF
	needs_x
	equal "$(read_back)" other
	args 'RUN cat <<EOF >/f' '$X' EOF
	needs_x
	equal "$(read_back)" other
	args 'RUN cat <<EOF >/s && sh /s >/f' 'echo \$X' EOF
	needs_x
	equal "$(read_back)" other
	args 'RUN --mount=type=tmpfs,target=/m$X ls -d /m* >/f'
	needs_x
	equal "$(read_back)" /mother
	args 'SHELL ["/bin/sh", "-c", "echo $X >/f; eval \"$0\""]' 'RUN true'
	needs_x
	equal "$(read_back)" other
	args "ENV HOW='echo \$X'" 'RUN eval "$HOW" >/f' # by way of another variable
	needs_x
	equal "$(read_back)" other
	recipe '# syntax=cairn/1' 'FROM base' 'ARG X=1 Y=2' "ARG HOW='echo \$X'" 'RUN eval "$HOW" > /f'
	needs_x
	equal "$(read_back)" other
	args 'ENV V=$X' 'RUN echo $V >/f' # ENV has a value, wherever from
	needs_x
	equal "$(read_back)" other
}

@test "cairn/1: what shows without the ARG, and what programs read by themselves, stays" {
	import_base
	# over an ENV of the Recipe or the base
	recipe '# syntax=cairn/1' 'FROM base' 'ENV Z=env' 'ARG Z=arg' 'ARG PATH=/bin:/x' 'RUN env | sort >/f'
	equal "$(steps --timestamp 1 ctx)" ran
	run -0 read_back
	says "PATH=/bin:/x"
	says "Z=arg"
	equal "$(steps --timestamp 1 --build-arg Z=other ctx)" ran
	run -0 read_back
	says "Z=other"
	# the epoch, and proxies: declared they are inputs, else only there
	recipe '# syntax=cairn/1' 'FROM base' 'ARG SOURCE_DATE_EPOCH' 'RUN env | grep -i -e proxy -e EPOCH | sort >/f'
	equal "$(steps --build-arg SOURCE_DATE_EPOCH=5 ctx)" ran
	equal "$(read_back)" SOURCE_DATE_EPOCH=5
	equal "$(steps --build-arg SOURCE_DATE_EPOCH=5 --build-arg http_proxy=http://a ctx)" hit
	equal "$(steps --build-arg SOURCE_DATE_EPOCH=6 --build-arg http_proxy=http://a ctx)" ran
	equal "$(read_back)" "$(printf '%s\n' HTTP_PROXY=http://a SOURCE_DATE_EPOCH=6 http_proxy=http://a)"
	recipe '# syntax=cairn/1' 'FROM base' 'ARG https_proxy' 'RUN env | grep -i proxy | sort >/f'
	equal "$(steps --build-arg https_proxy=http://a ctx)" ran
	equal "$(steps --build-arg https_proxy=http://b ctx)" ran
	run -0 read_back
	says https_proxy=http://b
	# automatic ones and those of a stage below
	recipe '# syntax=cairn/1' 'FROM base AS one' 'ARG TARGETARCH A=1 B=2' 'FROM one' 'RUN echo $A >/f; env >>/f'
	equal "$(steps --timestamp 1 ctx)" ran
	run -0 read_back
	[[ $output == 1* && $output == *A=1* && $output != *B=* && $output != *TARGETARCH* ]]
	equal "$(steps --timestamp 1 --build-arg B=other ctx)" hit
	equal "$(steps --timestamp 1 --build-arg A=other ctx)" ran
}

@test "cairn/1: a RUN that fails says which ARGs it did not have" {
	import_base
	args 'ARG UNSET' 'RUN echo $X; sh -c "echo \${Q:?}"'
	run cairn build --network none -f Recipe ctx
	says 'Under # syntax=cairn/1 a RUN has only those ARGs in its environment that it names, and not: Y'
	[[ $output != *UNSET,* && $output != *', UNSET'* ]]
	args 'RUN echo $X $Y; false'
	run cairn build --network none -f Recipe ctx
	[[ $output != *"cairn/1 a RUN"* ]]
}

@test "without cairn/1 every ARG is an input of every RUN behind it, used or not" {
	import_base
	mkdir -p ctx
	for line in '# a Dockerfile' '# syntax=docker/dockerfile:1'; do
		recipe "$line" 'FROM base' 'RUN echo "'"$line"'"' 'ARG X=1 Y=2' 'RUN env | grep "^[XY]=" | sort >/f'
		equal "$(steps --timestamp 1 ctx)" "ran ran"
		equal "$(read_back | xargs)" "X=1 Y=2"
		equal "$(steps --timestamp 1 --build-arg Y=other ctx)" "hit ran"
		equal "$(read_back | xargs)" "X=1 Y=other"
	done
	# and so it is for what a base has left for its children, whoever builds them
	printf 'FROM base\nONBUILD ARG X=1\nONBUILD RUN env >/f\n' >Base
	cairn build -q -f Base -t parent ctx
	recipe '# syntax=cairn/1' 'FROM parent'
	equal "$(steps --timestamp 1 ctx)" ran
	equal "$(steps --timestamp 1 --build-arg X=other ctx)" ran
	run -0 read_back
	says X=other
}
