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
		steps --timestamp 1 --compression none --context-mode git --build-context "more=$1/src" \
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
