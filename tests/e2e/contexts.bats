# tests/e2e/contexts.bats - what a build reads: contexts of all kinds, by name and by place.
#
# Named contexts are younger than the BuildKit that the distribution has; of these Buildah is the
# judge, where it knows the kind. What both do not know is held by what the reference says.

load helper
load judge
load buildkit

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox buildah jq python3
	judge_open
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_base "$BATS_FILE_TMPDIR/base.tar"
}

teardown_file() {
	judge_close
}

# put PATH [TEXT]: a file, and the directories that it is in.
put() {
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "${2-$1}" >"$1"
}

# build OPTION...: quietly, as the image `it`.
build() {
	cairn build --progress quiet -t it "$@" >/dev/null
}

# holds PATH TEXT: what a file of the image `it` says.
holds() {
	cairn export -o it.tar it
	equal "$(tar -xOf it.tar "$1")" "$2"
}

# lists: the files of the image `it`.
lists() {
	cairn export -o it.tar it
	tar -tf it.tar | grep -v '/$' | sort | tr '\n' ' ' | sed 's/ $//'
}

@test "a named context is a directory that COPY --from reads" {
	recipe <<-'EOF'
		FROM base
		COPY --from=extra a b/c /x/
		COPY --from=extra . /all/
	EOF
	put extra/a
	put extra/b/c
	put extra/hidden
	put extra/.dockerignore hidden
	EXCEPT_PATHS="all/hidden" same_image ctx --build-context extra=extra
	# the judge has no ignore rules for it; the language has
	! tar -tf ours.tar all/hidden
}

@test "a named context stands for an image in FROM" {
	cairn import "$BATS_FILE_TMPDIR/base.tar" pinned
	judge_has pinned
	recipe <<-'EOF'
		FROM docker.io/library/wanted:latest
		RUN echo built >/here
		COPY --from=tools /etc/passwd /tools
	EOF
	sed -i 's|docker.io/library/wanted:latest|wanted|' ctx/Recipe
	same_image ctx --build-context wanted=docker-image://pinned \
		--build-context tools=container-image://pinned
	sed -i 's|wanted|docker.io/library/Wanted:latest|; s|W|w|' ctx/Recipe
	cairn build --progress quiet --build-context WANTED=docker://pinned \
		--build-context tools=docker-image://pinned ctx
}

@test "a named context of a stage's name stands for all of that stage" {
	cairn import "$BATS_FILE_TMPDIR/base.tar" base
	put ctx/Recipe "$(
		cat <<-'EOF'
			FROM nowhere.example/never-asked AS deps
			RUN not executed
			FROM deps AS middle
			FROM scratch
			COPY --from=deps /f /by-name
			COPY --from=0 /f /by-number
			COPY --from=middle /f /through
		EOF
	)"
	put made-before/f text
	build --build-context Deps=made-before ctx
	equal "$(lists)" "by-name by-number through"
	holds through text
	# an image in its place: with its config
	cairn build --progress quiet -t dep -f - . >/dev/null <<-'EOF'
		FROM base
		ENV FROM_IMAGE=yes
		RUN echo image >/f
	EOF
	put ctx/Recipe "$(printf 'FROM nowhere.example/x AS deps\nRUN no\nFROM deps\nRUN cat /f >/g; echo $FROM_IMAGE >>/g')"
	build --build-context deps=docker-image://dep ctx
	holds g "$(printf 'image\nyes')"
	build --target deps --build-context deps=docker-image://dep ctx
	holds f image
}

@test "a directory can be what a stage is built on" {
	mkdir -p rootfs
	tar -C rootfs -xf "$BATS_FILE_TMPDIR/base.tar"
	put ctx/Recipe "$(printf 'FROM mine\nRUN echo ran >/ran\n')"
	build --build-context mine=rootfs ctx
	holds ran ran
	equal "$(cairn inspect --raw config it | jq -r '.config.Env[0]')" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

@test "an OCI layout is a context by its tag, its digest or alone" {
	local digest
	cairn import "$BATS_FILE_TMPDIR/base.tar" base
	for name in one two; do
		printf 'FROM base\nRUN echo %s >/f\n' "$name" |
			cairn build --progress quiet -t "$name" -f - . >/dev/null
		skopeo copy --quiet "oci:$CAIRN_ROOT:$name:latest" "oci:layout:$name"
	done
	skopeo copy --quiet "oci:$CAIRN_ROOT:one:latest" oci:single:any
	rm -rf "$CAIRN_ROOT"
	put ctx/Recipe "$(printf 'FROM dep\nRUN cat /f >/g\n')"
	build --build-context dep=oci-layout://layout:two ctx
	holds g two
	digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "one").digest' layout/index.json)
	build --build-context "dep=oci-layout://layout@$digest" ctx
	holds g one
	build --build-context "dep=oci-layout://$PWD/single" ctx
	holds g one
	fails 3 cairn build --build-context dep=oci-layout://layout:three ctx
	says "three"
	fails 1 cairn build --build-context dep=oci-layout://layout ctx
	fails 3 cairn build --build-context dep=oci-layout://gone ctx
	says "gone"
}

@test "a context that cannot be is a wrong command line" {
	put ctx/Recipe "FROM scratch"
	for bad in x =x x= x=ftp://h/p x=docker-image:// x=docker-image://NO x=oci-layout://; do
		fails 2 cairn build --build-context "$bad" ctx
		says "--build-context"
	done
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY --from=x a /\n')"
	fails 3 cairn build --build-context x=gone ctx
	printf 'FROM scratch\n' >unnamed
	fails 3 cairn build -f unnamed --build-context x=gone ctx
	says "option --build-context: open gone: No such file or directory"
	fails 2 cairn build -f unnamed --build-context x=unnamed ctx
	says "'unnamed' is not a directory"
}

@test "a mount may be from a named context, too" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=from=extra,target=/m cat /m/a >/a; ls /m >/names
		RUN --mount=type=bind,from=pinned,source=/etc/passwd,target=/p head -n 1 /p >/b
	EOF
	cairn import "$BATS_FILE_TMPDIR/base.tar" other
	put extra/a
	put extra/hidden
	put extra/.dockerignore hidden
	build --build-context extra=extra --build-context pinned=docker-image://other ctx
	holds a extra/a
	holds names a
	holds b root:x:0:0:root:/root:/bin/sh
}

@test "what cannot be copied from is told with both names" {
	put ctx/Recipe "$(printf 'FROM scratch AS a\nCOPY --from=b x /\nFROM scratch AS b\nFROM a\n')"
	fails 1 cairn build ctx
	says "Recipe:2: stage 'b' comes after stage 'a' and cannot be copied from"
	put ctx/Recipe "$(printf 'FROM scratch AS a\nCOPY --from=a x /\n')"
	fails 1 cairn build ctx
	says "stage 'a' cannot copy from itself"
	put ctx/Recipe "$(printf 'FROM scratch AS build\nFROM scratch\nCOPY --from=sorce x /\n')"
	fails 5 cairn build --offline --build-context source=. ctx
	says "did you mean 'source'?"
	fails 3 cairn build --pull=never --build-context source=. ctx
	says "did you mean 'source'?"
}

# ---- the build's own context ----

# serve DIRECTORY [TOKEN]: by http on this machine, as $SERVED; ends with the test.
serve() {
	python3 "$BATS_TEST_DIRNAME/files_server.py" "$@" >port 3>&- 2>requests &
	SERVER=$!
	eventually 20 test -s port
	SERVED=http://127.0.0.1:$(cat port)
}

teardown() {
	[ -z "${SERVER:-}" ] || kill "$SERVER"
	buildkit_close
}

# a_context: the directory `ctx`, in which everything is that a context can hold.
a_context() {
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY . /\n')"
	put ctx/sub/other
	ln ctx/sub/other ctx/sub/twin
	ln -s sub/other ctx/link
	ln -s / ctx/sub/root
	chmod 4755 ctx/sub/other
	mkdir ctx/empty
}

# same_tree A B: two exported root filesystems.
same_tree() {
	python3 "$BATS_TEST_DIRNAME/compare.py" "$1" "$2" .
}

@test "a tar on standard input is a context, whatever it is compressed with" {
	a_context
	build ctx
	cairn export -o dir.tar it
	for pack in cat gzip bzip2 xz zstd; do
		for format in gnu pax ustar v7; do
			tar -C ctx --format=$format -c . | $pack -c 2>/dev/null >packed ||
				tar -C ctx --format=$format -c . >packed
			build - <packed
			cairn export -o tar.tar it
			same_tree dir.tar tar.tar
			cmp dir.tar tar.tar
		done
	done
	no_leases
}

@test "BuildKit and Buildah make the same of a tar, owners aside" {
	need dockerd
	put ctx/Dockerfile "$(printf 'FROM scratch\nCOPY . /all/\nCOPY sub/a /b\nCOPY --chown=7:8 sub/a /c\n')"
	put ctx/.dockerignore sub
	put ctx/sub/a
	ln -s a ctx/sub/l
	chmod 4751 ctx/sub/a
	tar -C ctx --owner=0 --group=0 -cf root.tar .
	build - <root.tar
	cairn export -o ours.tar it
	judge bud --quiet --format docker --isolation chroot -o type=tar,dest=theirs.tar - <root.tar >/dev/null ||
		true
	# Buildah reads ignore files everywhere, and then the sources are gone
	[ ! -s theirs.tar ]
	rm ctx/.dockerignore
	chmod 755 ctx/sub/a # it drops the bits that the language keeps
	tar -C ctx --owner=0 --group=0 -cf plain.tar .
	build - <plain.tar
	cairn export -o ours.tar it
	judge bud --quiet --format docker --isolation chroot -o type=tar,dest=theirs.tar - <plain.tar >/dev/null
	same_tree ours.tar theirs.tar
	# the owners in a tar stay: the reference promises root, BuildKit and we keep them
	chown -R 123:456 ctx/sub
	chmod 4751 ctx/sub/a
	put ctx/.dockerignore sub
	mkdir www
	tar -C ctx -czf www/owned .
	serve www
	buildkit_open
	for from in - "$SERVED/owned"; do
		build "$from" <www/owned
		cairn export -o ours.tar it
		buildkit build --quiet --network host -o type=tar,dest=theirs.tar "$from" <www/owned >/dev/null
		same_tree ours.tar theirs.tar
		tar --numeric-owner -tvf ours.tar all/sub/a | grep -- '-rwsr-x--x 123/456'
		tar --numeric-owner -tvf ours.tar c | grep 7/8
	done
}

@test "a Recipe alone on standard input has no context" {
	printf 'FROM scratch\nENV a=b\n' | build -
	equal "$(cairn inspect --raw config it | jq -c .config.Env)" \
		'["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","a=b"]'
	put a
	fails 1 cairn build - < <(printf 'FROM scratch\nCOPY a /\n')
	says "(standard input):2: the Recipe came alone, without files: name a directory"
	fails 1 cairn build - </dev/null
	says "neither a tar nor a Recipe"
	fails 1 cairn build - < <(printf 'FROM scratch\n\0\377')
	says "the build context on standard input: it is neither a tar nor a Recipe: it holds NUL bytes"
	fails 1 cairn build - < <(yes)
	says "the build context on standard input: it is no tar, and for a Recipe too large: more than 16 MiB"
	fails 1 cairn build - < <(printf 'FROM scratch\n' | gzip)
	says "compressed, but no tar"
	fails 2 cairn build -f x - < <(printf 'FROM scratch\n')
	fails 2 cairn build -f - -
	says "do not go together"
}

@test "a tar that is cut, damaged or hostile is refused, and nothing is left" {
	a_context
	seq 1 2000 >ctx/large
	tar -C ctx --sort=name -cf whole.tar .
	head -c 7000 whole.tar >cut.tar
	fails 1 cairn build - <cut.tar
	says large
	gzip -c whole.tar | head -c 200 >cut.tar.gz
	fails 1 cairn build - <cut.tar.gz
	python3 - <<-'EOF'
		import io, tarfile
		def make(name, entries):
		    with tarfile.open(name, "w") as tar:
		        for path, kind, link in entries:
		            info = tarfile.TarInfo(path)
		            info.type = kind
		            info.linkname = link
		            body = b"x" if kind == tarfile.REGTYPE else b""
		            info.size = len(body)
		            tar.addfile(info, io.BytesIO(body))
		F, L, H = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
		make("up.tar", [("Recipe", F, ""), ("../escaped", F, "")])
		make("through.tar", [("Recipe", F, ""), ("d", L, ".."), ("d/escaped", F, "")])
		make("root.tar", [("Recipe", F, ""), ("d", L, "/"), ("d/escaped", F, "")])
		make("hard.tar", [("Recipe", F, ""), ("h", H, "../../../../../../etc/passwd")])
		make("gone.tar", [("Recipe", F, ""), ("h", H, "nothing")])
	EOF
	for bad in up hard gone; do
		fails 1 cairn build - <$bad.tar
		says entry
	done
	for inside in through root; do
		fails 1 cairn build -f d/escaped - <$inside.tar # beneath the root of the context
		says "d/escaped"
	done
	[ ! -e /escaped ] && [ ! -e escaped ]
	no_leases
}

@test "what was unpacked for a build goes when it is interrupted" {
	put ctx/Recipe "$(printf 'FROM base\nRUN touch /tmp/begun; sleep 100\n')"
	cairn import "$BATS_FILE_TMPDIR/base.tar" base
	tar -C ctx -cf ctx.tar .
	run python3 "$BATS_TEST_DIRNAME/interrupt.py" @step-begin INT \
		cairn build --progress json - <ctx.tar
	[ "$status" -eq 0 ]
	no_leases
	# also while it comes
	mkfifo slow
	(head -c 2000 ctx.tar && sleep 100) >slow 3>&- &
	run python3 "$BATS_TEST_DIRNAME/interrupt.py" 0.5 INT cairn build - <slow
	kill $!
	[ "$status" -eq 0 ]
	no_leases
}

@test "a URL is a context by what it gives: a tar, or a Recipe alone" {
	a_context
	build ctx
	cairn export -o dir.tar it
	mkdir www
	tar -C ctx -czf www/ctx.bin .
	printf 'FROM scratch\nLABEL a=b\n' >www/plain.txt
	printf 'FROM scratch\n' | gzip >www/packed.gz
	serve www
	build "$SERVED/ctx.bin"
	cairn export -o web.tar it
	cmp dir.tar web.tar
	build "$SERVED/plain.txt"
	equal "$(cairn inspect --raw config it | jq -c .config.Labels)" '{"a":"b"}'
	fails 1 cairn build "$SERVED/packed.gz"
	says "compressed, but no tar"
	fails 3 cairn build "$SERVED/nothing"
	says "$SERVED/nothing"
	no_leases
	# what was fetched and did not change need not come again, and serves without a network
	fails 0 cairn build --progress plain "$SERVED/ctx.bin"
	build --offline "$SERVED/ctx.bin"
}

@test "-f may name a file of the web, standard input, or a file of the context" {
	put ctx/a
	put ctx/in/Some.recipe "$(printf 'FROM scratch\nCOPY a /from-ctx\n')"
	put here.recipe "$(printf 'FROM scratch\nCOPY a /from-here\n')"
	put www/web.recipe "$(printf 'FROM scratch\nCOPY a /from-web\n')"
	serve www
	build -f "$SERVED/web.recipe" ctx
	equal "$(lists)" from-web
	build -f - ctx <here.recipe
	equal "$(lists)" from-here
	build -f here.recipe ctx
	equal "$(lists)" from-here
	build -f in/Some.recipe ctx # not here, but there
	equal "$(lists)" from-ctx
	put ctx/here.recipe "$(printf 'FROM scratch\nCOPY a /shadowed\n')"
	build -f here.recipe ctx # what is here comes first
	equal "$(lists)" from-here
	tar -C ctx -cf ctx.tar .
	build -f here.recipe - <ctx.tar # in a context that was fetched it comes last
	equal "$(lists)" shadowed
	rm ctx/here.recipe
	tar -C ctx -cf ctx.tar .
	build -f here.recipe - <ctx.tar
	equal "$(lists)" from-here
	fails 3 cairn build -f gone.recipe ctx
	ln -s ../here.recipe ctx/out
	fails 3 cairn build -f out ctx # no link leads out of the context
}

@test "the Recipe is found under four names, in this order" {
	local name
	put ctx/dockerfile "$(printf 'FROM scratch\nLABEL n=dockerfile\n')"
	for name in dockerfile Dockerfile Containerfile Recipe; do
		put "ctx/$name" "$(printf 'FROM scratch\nLABEL n=%s\n' "$name")"
		build ctx
		equal "$(cairn inspect --raw config it | jq -r .config.Labels.n)" "$name"
	done
}

@test "a URL that --build-context names is unpacked, or is a file" {
	put www/lib/a
	tar -C www/lib -cJf www/lib.tar.xz .
	put www/one.txt one
	printf x | gzip >www/x.gz
	serve www
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY --from=lib /a /\nCOPY --from=one . /\nCOPY --from=x . /\n')"
	build --build-context "lib=$SERVED/lib.tar.xz" --build-context "one=$SERVED/one.txt?q=1" \
		--build-context "x=$SERVED/x.gz" ctx
	equal "$(lists)" "a one.txt x.gz"
	holds one.txt one
	no_leases
}

@test "ignore files do not count in contexts that were fetched" {
	put ctx/a
	put ctx/b
	put ctx/.dockerignore a
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY . /\n')"
	put ctx/Recipe.dockerignore b
	build ctx
	equal "$(lists)" ".dockerignore Recipe Recipe.dockerignore a"
	tar -C ctx -cf ctx.tar .
	build - <ctx.tar
	equal "$(lists)" ".dockerignore Recipe Recipe.dockerignore a b"
	mkdir www
	mv ctx.tar www
	serve www
	build "$SERVED/ctx.tar"
	equal "$(lists)" ".dockerignore Recipe Recipe.dockerignore a b"
}

@test "a secret says who may have a context, and is told to nobody" {
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY a /\n')"
	put ctx/a
	mkdir www
	tar -C ctx -cf www/ctx.tar .
	serve www s3cr3t-token
	fails 4 cairn build "$SERVED/ctx.tar"
	TOKEN=s3cr3t-token build --secret "id=HTTP_AUTH_TOKEN_${SERVED#http://},env=TOKEN" "$SERVED/ctx.tar"
	equal "$(lists)" a
	! grep -r s3cr3t-token "$CAIRN_ROOT" || false
	fails 4 cairn build --progress json "http://me:pa55word@${SERVED#http://}/gone.tar"
	[[ $output != *pa55word* ]]
	fails 2 cairn build "ftp://me:pa55word@example.com/x"
	[[ $output != *pa55word* ]]
	! grep -r pa55word "$CAIRN_ROOT"
}

@test "each file that is fetched is a transfer of its own" {
	put www/web.recipe "$(printf 'FROM scratch\nCOPY --from=lib a /\n')"
	put lib/a
	mkdir ctx
	tar -C lib -cf www/lib.tar .
	serve www
	cairn build --progress json -f "$SERVED/web.recipe" --build-context "lib=$SERVED/lib.tar" \
		ctx 2>events >/dev/null
	equal "$(jq -c 'select(.event == "transfer-begin") | [.transfer, .verb, .name]' events)" "$(
		printf '[1,"fetch","%s/web.recipe"]\n[2,"fetch","%s/lib.tar"]' "$SERVED" "$SERVED"
	)"
}

# ---- what is seen, and why ----

# sees: the names in the image, from a COPY of everything.
sees() {
	build "$@"
	lists
}

@test "names that are no UTF-8 are told by their bytes, too" {
	mkdir odd
	printf 'FROM scratch\n' >odd/Recipe
	touch "odd/$(printf 'a\377')" "odd/$(printf 'a\376')" odd/ä
	ln -s "$(printf '\377x')" odd/link
	cairn context --format json odd >out
	equal "$(jq -r '.entries[].pathBase64 // empty' out | sort | while read -r one; do
		base64 -d <<<"$one" | od -An -tx1
	done | tr -d '\n')" " 61 fe 61 ff"
	equal "$(jq -r '.entries[].targetBase64 // empty' out)" "$(printf '\377x' | base64)"
}

@test "every rule for ignore files hides what it says" {
	local line
	put all/a
	put all/b.log
	put all/dir/b.log
	put all/dir/keep
	put all/dir/sub/keep
	put all/foo/x
	put "all/ #hash"
	put "all/#hash"
	put all/Recipe "$(printf 'FROM scratch\nCOPY . /\n')"
	# pattern (lines separated by ;) -> what is no longer there
	while IFS='>' read -r rules gone; do
		printf '%b' "${rules//;/\\n}" >all/.dockerignore
		want=$(cd all && find . -type f -not -path ./.dockerignore | sed 's|^\./||' | sort |
			grep -vxF "$(tr '|' '\n' <<<"$gone")" || true)
		cairn context --format json all | jq -r '.entries[] | select(.type == "file").path' |
			sort | grep -vxF .dockerignore >got
		equal "$(cat got)" "$want"
		build all 2>/dev/null
		cairn export -o it.tar it
		equal "$(tar -tf it.tar | grep -v '/$' | sort | grep -vxF .dockerignore)" "$want"
	done <<-'EOF'
		*.log>b.log
		**/*.log>b.log|dir/b.log
		/b.log>b.log
		foo/>foo/x
		dir;!dir/keep>dir/b.log|dir/sub/keep
		dir/**;!dir/sub>dir/b.log|dir/keep
		!a;a>a
		a;!a>-
		*;!a>b.log|dir/b.log|dir/keep|dir/sub/keep|foo/x| #hash|#hash|Recipe
		# a>-
		#hash>-
		 #hash>#hash
		Recipe>Recipe
		./a;../b.log;foo/../a.x>a
		d?r/sub>dir/sub/keep
		[!a]>a
		[^a]>-
		dir/*/keep>dir/sub/keep
		**/keep>dir/keep|dir/sub/keep
	EOF
}

@test "Buildah hides the same, and the Recipe can still be built" {
	recipe <<-'EOF'
		FROM base
		COPY . /c/
	EOF
	put ctx/a.log
	put ctx/d/a.log
	put ctx/d/b
	put ctx/e/f/g
	printf '**/*.log\nRecipe\n.dockerignore\ne\n!e/f/g\n' >ctx/.dockerignore
	same_image ctx
	tar -tf ours.tar c/e/f/g c/d/b
	printf 'd\n' >ctx/Recipe.dockerignore # of the judge's names for it this is the younger
	printf 'd\n' >ctx/.containerignore
	same_image ctx --ignorefile ctx/.containerignore
	! tar -tf ours.tar c/d
}

@test "--ignorefile replaces all others, of any context" {
	put ctx/a
	put ctx/b
	put ctx/c
	put ctx/.dockerignore a
	put ctx/Recipe.dockerignore b
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY a* b* c* /\n')"
	printf 'c\n' >mine
	equal "$(sees ctx)" "a c"
	equal "$(sees --ignorefile mine ctx)" "a b"
	tar -C ctx -cf ctx.tar .
	build --ignorefile mine - <ctx.tar
	equal "$(lists)" "a b"
	fails 3 cairn build --ignorefile gone ctx
	says gone
}

@test "cairn context lists what COPY would take, and needs no root and no store" {
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY . /\n')"
	put ctx/src/main.c "int main;"
	put ctx/src/secret.key
	ln -s main.c ctx/src/link
	printf '**/*.key\n' >ctx/.dockerignore
	run -0 cairn context ctx
	equal "$output" "$(
		cat <<-'EOF'
			file       9   .dockerignore
			file       22  Recipe
			directory      src
			link           src/link
			file       10  src/main.c
			5 entries, 41 B, without what is excluded by .dockerignore
		EOF
	)"
	[ ! -e "$CAIRN_ROOT" ]
	cd ctx
	equal "$(cairn context --format json | jq -c '[.ignoreFile, .bytes, (.entries | length), .entries[3]]')" \
		'[".dockerignore",41,5,{"path":"src/link","type":"link","target":"main.c"}]'
	fails 3 cairn context gone
	fails 3 cairn context -f gone
}

@test "cairn context --why names file, line, rule and readers" {
	put ctx/Recipe "$(printf 'FROM scratch\nARG what=src\nCOPY $what /a/\nCOPY other /b\n')"
	put ctx/src/main.c
	put ctx/src/gen/x.h
	put ctx/other
	printf '# generated\n**/gen\n!src/gen/keep.h\n' >ctx/.dockerignore
	run -0 cairn context --why src/main.c ctx
	equal "$output" "$(printf 'src/main.c: kept: no rule matches in .dockerignore\nread by line 3 of Recipe: COPY $what /a/')"
	run -0 cairn context --why ./src//gen/x.h ctx
	equal "$output" "src/gen/x.h: excluded by line 2 of .dockerignore: **/gen"
	run -0 cairn context --why src/gen/keep.h ctx
	equal "$output" "src/gen/keep.h: kept by line 3 of .dockerignore: !src/gen/keep.h (there is no such file)"
	put ctx/src/gen/keep.h
	run -0 cairn context --why src/gen ctx
	says "src/gen: excluded by line 2 of .dockerignore: **/gen (but something below it is not)"
	says "read by line 3"
	equal "$(cairn context --format json --why src/gen/x.h ctx | jq -c .)" \
		'{"path":"src/gen/x.h","exists":true,"excluded":true,"rule":{"file":".dockerignore","line":2,"pattern":"**/gen"},"readBy":[]}'
	run -0 cairn context --build-arg what=other --why other ctx
	says "read by line 3"
	says "read by line 4"
	mv ctx/.dockerignore elsewhere.ignore
	run -0 cairn context --ignorefile elsewhere.ignore --why src/gen/x.h ctx
	says "by line 2 of elsewhere.ignore"
	run -0 cairn context --why src/gen/x.h ctx
	says "there is no ignore file"
	mv elsewhere.ignore ctx/Recipe.dockerignore
	run -0 cairn context --why src/gen/x.h ctx
	says "by line 2 of Recipe.dockerignore"
	cp ctx/Recipe Other
	put Other.dockerignore src
	run -0 cairn context -f Other --why src/gen/x.h ctx
	says "by line 1 of Other.dockerignore: src"
	fails 2 cairn context -
	fails 2 cairn context https://host/app.tar
	says "only a directory can be listed"
}

@test "cairn context --why finds readers in included files" {
	put ctx/Recipe "$(printf '# syntax=cairn/1\nFROM scratch\n\nINCLUDE parts/more\nCOPY a /b')"
	put ctx/parts/more "$(printf '# of two\nCOPY a /a')"
	put ctx/a
	run -0 cairn context --why a ctx
	says "read by line 2 of parts/more: COPY a /a"
	says "read by line 5 of Recipe: COPY a /b"
	equal "$(cairn context --format json --why a ctx | jq -c '[.readBy[] | [.file, .line]]')" \
		'[["parts/more",2],["Recipe",5]]'
}

# ---- git ----

# repository: "served/app.git" with two commits, a tag and a subdirectory; $GIT serves it.
repository() {
	need git
	export GIT_CONFIG_GLOBAL=$PWD/gitconfig GIT_CONFIG_NOSYSTEM=1 \
		GIT_AUTHOR_DATE='1500000000 +0000' GIT_COMMITTER_DATE='1500000000 +0000'
	printf '[user]\nname = a\nemail = a@example.com\n[init]\ndefaultBranch = main\n' >gitconfig
	mkdir -p served
	git init -q work
	put work/Recipe "$(printf 'FROM scratch\nCOPY . /\n')"
	put work/file one
	put work/sub/Recipe "$(printf 'FROM scratch\nCOPY . /sub/\n')"
	put work/sub/inner
	put work/.dockerignore file
	git -C work add .
	git -C work commit -qm one
	git -C work tag v1
	put work/file two
	git -C work commit -qam two
	git clone -q --bare work served/app.git
	python3 "$BATS_TEST_DIRNAME/git_server.py" "$PWD/served" >port 3>&- &
	SERVER=$!
	eventually 20 test -s port
	GIT=git://127.0.0.1:$(cat port)/app.git
}

@test "a git repository is a context: a branch, a tag, a commit, a directory of it" {
	local first
	repository
	build "$GIT"
	equal "$(lists)" ".dockerignore Recipe file sub/Recipe sub/inner"
	holds file two
	build "$GIT#v1"
	holds file one
	build "$GIT?tag=v1"
	holds file one
	first=$(git -C work rev-parse v1)
	build "$GIT#$first"
	holds file one
	build "$GIT#main:sub"
	equal "$(lists)" "sub/Recipe sub/inner"
	build "$GIT?ref=v1&subdir=sub"
	equal "$(lists)" "sub/Recipe sub/inner"
	build -f sub/Recipe "$GIT" # a path of the repository
	equal "$(lists)" "sub/.dockerignore sub/Recipe sub/file sub/sub/Recipe sub/sub/inner"
	fails 3 cairn build "$GIT#nowhere"
	says nowhere
	fails 3 cairn build "$GIT#main:gone"
	no_leases
	kill "$SERVER"
	build --offline "$GIT#v1" # it was fetched before
	SERVER=
}

@test "a repository may be what a name stands for" {
	repository
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY --from=lib sub/inner /\n')"
	build --build-context "lib=$GIT#v1" ctx
	equal "$(lists)" inner
	put ctx/Recipe "$(printf 'FROM lib\nCOPY Recipe /own\n')"
	build --build-context "lib=$GIT#v1:sub" ctx
	equal "$(lists)" "Recipe inner own"
}

@test "by ssh git talks to what the machine at the other end runs" {
	repository
	cat >ssh <<-'END'
		#!/bin/sh
		# as ssh with a server that lets nobody run anything else; its options and the host are noted
		for last; do :; done
		echo "$*" >>LOG
		case $last in
		"git-upload-pack '"*) eval "exec git upload-pack ${last#git-upload-pack }" ;;
		*) exit 1 ;;
		esac
	END
	sed -i "s|LOG|$PWD/ssh.log|" ssh
	chmod 755 ssh
	export GIT_SSH_COMMAND="env GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=* $PWD/ssh"
	build "ssh://git@git.example.com:2222$PWD/served/app.git#v1"
	by_url=$(lists)
	build "git@git.example.com:$PWD/served/app.git#v1"
	equal "$(lists)" "$by_url"
	grep -q -- "-p 2222 git@git.example.com git-upload-pack" ssh.log
	fails 3 cairn build "git@git.example.com:$PWD/served/none.git"
}

@test "the directory of git itself comes only if it is asked for" {
	repository
	build --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$GIT"
	[[ $(lists) == *.git/HEAD* ]]
	build "$GIT?keep-git-dir=true"
	[[ $(lists) == *.git/HEAD* ]]
	build --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=0 "$GIT"
	[[ $(lists) != *.git/HEAD* ]]
}

@test "the time of a context can be that of the image" {
	repository
	build --build-arg SOURCE_DATE_EPOCH=context "$GIT"
	equal "$(cairn inspect --raw config it | jq -r .created)" 2017-07-14T02:40:00Z
	build --build-arg SOURCE_DATE_EPOCH=context "$GIT#main:sub"
	equal "$(cairn inspect --raw config it | jq -r .created)" 2017-07-14T02:40:00Z
	put ctx/Recipe "$(printf 'FROM scratch\n')"
	build --build-arg SOURCE_DATE_EPOCH=context ctx # a directory has none
}
