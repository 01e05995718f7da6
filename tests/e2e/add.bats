# tests/e2e/add.bats - ADD: archives, files of the web, repositories, and who may see what.
#
# What is expected is what the language's reference says. Where the judges agree with it they are
# asked: Buildah and the distribution's BuildKit know local archives, but not all compressions.

load helper
load judge
load buildkit

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox buildah jq python3 git
	judge_open
	! command -v dockerd >/dev/null || buildkit_open
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_base "$BATS_FILE_TMPDIR/base.tar"
}

teardown_file() {
	judge_close
	buildkit_close
}

teardown() {
	local pid
	for pid in $SERVERS; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	return 0
}

# build LINE...: FROM scratch with these lines, with the options in $OPTIONS; out.tar is what the image has.
build() {
	printf 'FROM scratch\n' >Recipe
	printf '%s\n' "$@" >>Recipe
	mkdir -p ctx
	local code=0
	# shellcheck disable=SC2086
	cairn build --progress plain ${OPTIONS:-} -t it -f Recipe -o type=tar,dest=out.tar ctx 2>log >/dev/null || code=$?
	[ "$code" -eq 0 ] || cat log
	return "$code"
}

# has PATH: mode, owner, size and time of one entry of the image.
has() {
	tar --numeric-owner --full-time -tvf out.tar "$1" | awk 'NR == 1 { print $1, $2, $3, $4, $5 }'
}

lists() {
	tar -tf out.tar | grep -v '/$' | tr '\n' ' ' | sed 's/ $//'
}

holds() {
	equal "$(tar -xOf out.tar "$1")" "$2"
}

# serve: a server of the directory `served`; its port is in $PORT, its log in log.$PORT.
serve() {
	mkdir -p served
	coproc SERVER { exec python3 "$BATS_TEST_DIRNAME/web_server.py" served requests 2>server.err 3>&-; }
	# shellcheck disable=SC2153 # coproc sets it
	SERVERS="${SERVERS:-} $SERVER_PID"
	read -r PORT <&"${SERVER[0]}"
	: >requests
}

# asked: what the server was asked since the last time.
asked() {
	cat requests
	: >requests
}

# archive NAME: ctx/NAME.tar with a directory, a file, links, and owners.
archive() {
	mkdir -p "ctx" "in/dir"
	echo content >in/dir/file
	chmod 640 in/dir/file
	chmod 2750 in/dir
	ln -sf file in/dir/link
	ln -f in/dir/file in/dir/twin
	tar -C in --sort=name --owner=11 --group=12 --mtime=@1000000000 -cf "ctx/$1.tar" .
}

# ---- archives of the context ----

@test "an archive is known by its content, in every compression" {
	archive a
	gzip -c ctx/a.tar >ctx/by-gzip
	bzip2 -c ctx/a.tar >ctx/by-bzip2
	xz -c ctx/a.tar >ctx/by-xz
	zstd -qc ctx/a.tar >ctx/by-zstd
	for how in a.tar by-gzip by-bzip2 by-xz by-zstd; do
		build "ADD $how /x"
		equal "$(lists)" "x/dir/file x/dir/link x/dir/twin"
		equal "$(has x/dir/file)" "-rw-r----- 11/12 8 2001-09-09 01:46:40"
		equal "$(has x/dir/)" "drwxr-s--- 11/12 0 2001-09-09 01:46:40"
		holds x/dir/file content
	done
}

@test "what is no archive is copied, whatever it is called" {
	mkdir -p ctx
	echo text >ctx/a.tar
	echo text | gzip >ctx/b.tar.gz
	head -c 10240 /dev/zero >ctx/empty.tar # a tar without an entry
	: >ctx/nothing
	head -c 600 /dev/urandom >ctx/c.tar.xz
	printf '\xfd7zXZ\0broken' >ctx/d.tar.xz
	build 'ADD a.tar b.tar.gz empty.tar nothing c.tar.xz d.tar.xz /x/'
	equal "$(lists)" "x/a.tar x/b.tar.gz x/c.tar.xz x/d.tar.xz x/empty.tar x/nothing"
	tar -xf out.tar x
	for file in ctx/*; do
		cmp "$file" "x/${file#ctx/}"
	done
}

@test "an archive damaged behind its beginning is an error" {
	archive a
	head -c 1100 ctx/a.tar >ctx/cut.tar
	fails 1 build 'ADD cut.tar /x'
	says "Recipe:2: unpack 'cut.tar'"
}

@test "--unpack=false copies an archive, and links to archives are followed" {
	archive a
	ln -s a.tar ctx/link
	build 'ADD --unpack=false a.tar /x/' 'ADD link /y' 'ADD a.* /z'
	equal "$(lists)" "x/a.tar y/dir/file y/dir/link y/dir/twin z/dir/file z/dir/link z/dir/twin"
}

@test "archives below a directory that is added stay archives" {
	archive a
	mkdir -p ctx/d
	mv ctx/a.tar ctx/d/
	build 'ADD d /x'
	equal "$(lists)" x/a.tar
}

@test "--chown is for all that is unpacked, --chmod for nothing of it" {
	archive a
	build 'ADD --chown=7:8 --chmod=777 a.tar /new/x'
	equal "$(has x/dir/file 2>/dev/null; has new/x/dir/file)" "-rw-r----- 7/8 8 2001-09-09 01:46:40"
	equal "$(has new/x/dir/ | cut -d' ' -f1,2)" "drwxr-s--- 7/8"
	equal "$(has new/ | cut -d' ' -f1,2)" "drwxr-xr-x 7/8"
}

@test "an archive goes over what is there as over an image below it" {
	mkdir -p ctx in/dir in/file
	printf x | tee in/dir/new in/file/inside >/dev/null
	ln -s dir in/link
	tar -C in --mtime=@1000000000 -cf ctx/a.tar ./dir/new ./file ./link
	mkdir -p ctx/below/dir ctx/below/link
	printf old | tee ctx/below/dir/old ctx/below/file ctx/below/link/gone >/dev/null
	chmod 700 ctx/below/dir
	build 'COPY below /' 'ADD a.tar /'
	equal "$(lists)" "dir/new dir/old file/inside link"
	# its parent is not in the archive: it stays as it is
	equal "$(has dir/ | cut -d' ' -f1,2)" "drwx------ 0/0"
}

# Buildah gives the destination the owner of an entry "./", and does not heed --chown for what it unpacks.
@test "the judges unpack as we do" {
	mkdir -p ctx/plain in/dir
	echo content | tee in/dir/file ctx/plain/file >/dev/null
	chmod 2750 in/dir
	ln -s file in/dir/link
	ln in/dir/file in/dir/twin
	tar -C in --sort=name --owner=11 --group=12 --mtime=@1000000000 -cf ctx/a.tar dir
	gzip -k ctx/a.tar
	bzip2 -k ctx/a.tar
	xz -k ctx/a.tar
	both_have "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
	cat >ctx/Recipe <<-'EOF'
		FROM base
		ADD a.tar /tar
		ADD a.tar.gz a.tar.bz2 a.tar.xz /more/
		ADD plain /plain/
		ADD Recipe /one
		WORKDIR /w
		ADD a.tar .
		ADD a.tar etc/../rel
	EOF
	same_image ctx
}

# ---- hostile archives ----

# tar_of LINE...: ctx/evil.tar with entries "TYPE NAME [LINK]" by Python's tarfile, which refuses nothing.
tar_of() {
	mkdir -p ctx
	printf '%s\n' "$@" | python3 -c '
import io, sys, tarfile
types = {"f": tarfile.REGTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "d": tarfile.DIRTYPE,
         "c": tarfile.CHRTYPE, "p": tarfile.FIFOTYPE}
with tarfile.open("ctx/evil.tar", "w") as tar:
    for line in sys.stdin:
        kind, name, *link = line.split()
        entry = tarfile.TarInfo(name)
        entry.type = types[kind]
        entry.mode = 0o755
        entry.linkname = link[0] if link else ""
        entry.size = 4 if kind == "f" else 0
        tar.addfile(entry, io.BytesIO(b"evil"))
'
}

@test "what an archive holds stays below the destination" {
	local canary=$BATS_TEST_TMPDIR/canary
	echo alive >"$canary"
	mkdir -p ctx/old
	while IFS='|' read -r entries code; do
		# shellcheck disable=SC2086
		(IFS=';'; tar_of $entries)
		if [ "$code" = 0 ]; then
			build 'ADD evil.tar /x'
			tar -tf out.tar | grep -qv -e '^x/' -e '^\./$' && fail "$entries: $(tar -tf out.tar)"
		else
			fails 1 build 'ADD evil.tar /x'
			says "unpack 'evil.tar'"
		fi
		equal "$(cat "$canary")" alive
	done <<-END
		f ../canary|1
		f a/../../canary|1
		f $canary|0
		l up ..;f up/canary|0
		l up ../../../..;f up$canary|0
		l abs $BATS_TEST_TMPDIR;f abs/canary|0
		l self self;f self/canary|1
		h hard $canary|1
		h hard ../canary|1
		l abs $BATS_TEST_TMPDIR;h hard abs/canary|1
		f .wh.x|1
		f .wh..wh..opq|1
		c null|1
	END
	[ -z "$(find "$BATS_TEST_TMPDIR" -newer "$canary" -name canary)" ]
}

@test "a link in the image below leads no archive out of the image" {
	local canary=$BATS_TEST_TMPDIR/canary
	echo alive >"$canary"
	mkdir -p ctx/tree
	ln -s "$BATS_TEST_TMPDIR" ctx/tree/out
	tar_of 'f out/canary'
	build 'COPY tree /' 'ADD evil.tar /'
	equal "$(cat "$canary")" alive
	says_not=$(tar -tf out.tar | grep canary)
	equal "$says_not" "${BATS_TEST_TMPDIR#/}/canary"
	# a destination that is such a link, too
	tar_of 'f canary'
	build 'COPY tree /' 'ADD evil.tar /out/'
	equal "$(cat "$canary")" alive
}

# ---- files of the web ----

@test "a file of the web is private, and as old as the server says" {
	serve
	printf 'hello\n' >served/file.bin
	touch -d @1000000000 served/file.bin
	build "ADD http://127.0.0.1:$PORT/file.bin /d/" "ADD http://127.0.0.1:$PORT/file.bin?x=y#z /e/f" \
		"ADD --chmod=644 --chown=3:4 http://127.0.0.1:$PORT/file.bin /g"
	equal "$(has d/file.bin)" "-rw------- 0/0 6 2001-09-09 01:46:40"
	equal "$(has e/f)" "-rw------- 0/0 6 2001-09-09 01:46:40"
	equal "$(has g)" "-rw-r--r-- 3/4 6 2001-09-09 01:46:40"
	holds d/file.bin hello
}

@test "without a name in the URL a file is called __unnamed__, without a time it is of 1970" {
	serve
	printf 'index\n' >served/index.html
	build "ADD http://127.0.0.1:$PORT/ /d/" "ADD http://127.0.0.1:$PORT/tagged/index.html /e/"
	equal "$(lists)" "d/__unnamed__ e/index.html"
	equal "$(has e/index.html | cut -d' ' -f4-)" "1970-01-01 00:00:00"
}

@test "an archive of the web is unpacked if that is asked for" {
	serve
	archive a
	gzip -c ctx/a.tar >served/a.tgz
	build "ADD http://127.0.0.1:$PORT/a.tgz /x/" "ADD --unpack http://127.0.0.1:$PORT/a.tgz /y"
	equal "$(lists)" "x/a.tgz y/dir/file y/dir/link y/dir/twin"
}

@test "what did not change is asked for, and not sent again" {
	serve
	printf 1 >served/f
	touch -d @1000000000 served/f
	build "ADD http://127.0.0.1:$PORT/f /" "ADD http://127.0.0.1:$PORT/tagged/f /t"
	equal "$(asked)" "$(printf '%s\n' "GET /f [] 200" "GET /tagged/f [] 200")"
	build "ADD http://127.0.0.1:$PORT/f /" "ADD http://127.0.0.1:$PORT/tagged/f /t"
	equal "$(asked)" "$(printf '%s\n' "GET /f [] 304" "GET /tagged/f [] 304")"
	grep -q 'CACHED' log
	printf 2 >served/f
	touch -d @1100000000 served/f
	build "ADD http://127.0.0.1:$PORT/f /" "ADD http://127.0.0.1:$PORT/tagged/f /t"
	equal "$(asked)" "$(printf '%s\n' "GET /f [] 200" "GET /tagged/f [] 200")"
	holds f 2
	holds t 2
	OPTIONS=--offline build "ADD http://127.0.0.1:$PORT/f /x"
	equal "$(asked)" ""
	holds x 2
	OPTIONS=--offline fails 5 build "ADD http://127.0.0.1:$PORT/other /x"
	says "was not fetched before"
}

@test "a checksum is checked, and known content needs no server" {
	local sum
	sum=sha256:$(printf 1 | sha256sum | cut -d' ' -f1)
	serve
	printf 1 >served/f
	printf 2 >served/g
	build "ARG sum=$sum" "ADD --checksum=\$sum http://127.0.0.1:$PORT/f /"
	asked >/dev/null
	build "ADD --checksum=$sum http://127.0.0.1:$PORT/f /"
	equal "$(asked)" ""
	fails 1 build "ADD --checksum=$sum http://127.0.0.1:$PORT/g /"
	says "Recipe:2: the checksum of http://127.0.0.1:$PORT/g is sha256:"
	fails 1 build "ADD --checksum=$sum Recipe /"
	says "--checksum is for files of the web"
	fails 3 build "ADD http://127.0.0.1:$PORT/none /"
	says "404"
	fails 3 build "ADD ftp://127.0.0.1:$PORT/f /"
	says "of the web ADD takes http, https and git repositories"
}

@test "an equal file under another URL is found in the cache" {
	serve
	mkdir served/x
	printf 1 | tee served/f served/x/f >/dev/null
	touch -d @1000000000 served/f served/x/f
	build "ADD http://127.0.0.1:$PORT/f /"
	build "ADD http://127.0.0.1:$PORT/x/f /"
	grep -q 'CACHED' log
}

@test "COPY takes no URL" {
	fails 1 build 'COPY https://example.com/f /'
	says 'Recipe:2: COPY cannot take a file of the web: that is for ADD'
	fails 1 build 'COPY https://example.com/f.git /'
	says 'Recipe:2: COPY cannot take a repository: that is for ADD'
}

# ---- secrets ----

# hidden_nowhere: the token is nowhere in the store, the image or the log.
hidden_nowhere() {
	! grep -r -l -e hidden-token -e "$(printf 'x-access-token:hidden-token' | base64)" "$CAIRN_ROOT" log out.tar
}

@test "a token goes to its host alone, and stays nowhere" {
	serve
	local home=$PORT
	printf 1 >served/f
	fails 4 build "ADD http://127.0.0.1:$home/private/f /"
	says "401"
	asked >/dev/null
	export TOKEN=hidden-token
	OPTIONS="--secret id=HTTP_AUTH_TOKEN_127.0.0.1:$home,env=TOKEN" build \
		"ADD http://127.0.0.1:$home/private/f /"
	equal "$(asked)" "GET /private/f [Bearer hidden-token] 200"
	hidden_nowhere
	# another server gets nothing, not by a redirect either
	serve
	OPTIONS="--secret id=HTTP_AUTH_TOKEN_127.0.0.1:$home,env=TOKEN" build \
		"ADD http://127.0.0.1:$home/away/$PORT/f /there" "ADD http://127.0.0.1:$PORT/f /other"
	equal "$(asked)" "$(printf '%s\n' "GET /away/$PORT/f [Bearer hidden-token] 302" "GET /f [] 200" "GET /f [] 200")"
	hidden_nowhere
	printf 'Bearer hidden-token\n' >header
	OPTIONS="--secret id=HTTP_AUTH_HEADER_127.0.0.1:$home,src=header" build \
		"ADD http://127.0.0.1:$home/private/f /again"
	equal "$(asked)" "GET /private/f [Bearer hidden-token] 200"
}

@test "a password in a URL is sent, and is neither in the history nor in the log" {
	serve
	printf 1 >served/f
	build "ADD http://user:hidden-token@127.0.0.1:$PORT/f /"
	equal "$(asked)" "GET /f [Basic $(printf user:hidden-token | base64)] 200"
	cairn build --progress plain --no-cache -t it -f Recipe ctx >said 2>&1
	grep -q "ADD http://127.0.0.1:$PORT/f /" said
	run ! grep -q hidden-token said
	cairn history it >rows
	grep -q "ADD http://127.0.0.1:$PORT/f /" rows
	run ! grep -q hidden-token rows
	hidden_nowhere
}

# ---- repositories ----

# commit REPO MESSAGE [OPTION...]: everything in served/REPO.git, at a time of its own.
commit() {
	local repo=served/$1.git
	shift
	[ -d "$repo" ] || git init -q -b main "$repo"
	git -C "$repo" add -A
	GIT_COMMITTER_DATE='1000000000 +0000' git -C "$repo" -c user.name=a -c user.email=a@example.com \
		commit -q --date '1000000000 +0000' --allow-empty -m "$@"
}

# repository: served/app.git with two commits, a tag, a branch and a submodule.
repository() {
	mkdir -p served/lib.git served/app.git/src
	git init -q -b main served/lib.git
	git init -q -b main served/app.git
	echo lib >served/lib.git/lib.c
	commit lib one
	echo one >served/app.git/src/main.c
	printf '#!/bin/sh\n' >served/app.git/run.sh
	chmod 700 served/app.git/run.sh
	chmod 600 served/app.git/src/main.c
	ln -s src/main.c served/app.git/link
	commit app one
	git -C served/app.git tag v1
	git -C served/app.git -c protocol.file.allow=always submodule --quiet add ../lib.git deps
	git -C served/app.git config -f .gitmodules submodule.deps.url ../lib.git
	echo two >served/app.git/src/main.c
	commit app two
}

@test "a repository is its files, readable by all, as old as the commit" {
	serve
	repository
	build "ADD http://127.0.0.1:$PORT/git/app.git /x" "ADD http://127.0.0.1:$PORT/git/app.git#v1 /v1/" \
		"ADD http://127.0.0.1:$PORT/git/app.git#main:src /src" \
		"ADD http://127.0.0.1:$PORT/git/app.git?tag=v1&subdir=src /query"
	equal "$(lists)" "query/main.c src/main.c v1/link v1/run.sh v1/src/main.c x/.gitmodules x/deps/lib.c x/link x/run.sh x/src/main.c"
	holds x/src/main.c two
	holds v1/src/main.c one
	holds x/deps/lib.c lib
	equal "$(has v1/src/main.c)" "-rw-r--r-- 0/0 4 2001-09-09 01:46:40"
	equal "$(has v1/run.sh)" "-rwxr-xr-x 0/0 10 2001-09-09 01:46:40"
	equal "$(has v1/src/ | cut -d' ' -f1,2)" "drwxr-xr-x 0/0"
}

@test "it shows when a repository is asked and fetched, and how much came" {
	serve
	repository
	build "ADD http://127.0.0.1:$PORT/git/app.git#v1 /x"
	grep -q "resolve http://127.0.0.1:$PORT/git/app.git" log
	! grep -q 'DONE 0 B' log || false
	printf 'FROM scratch\nCOPY . /\n' >Recipe
	cairn build --progress json -o type=cacheonly -f Recipe "http://127.0.0.1:$PORT/git/lib.git" 2>events >/dev/null ||
		cat events
	jq -e -s 'any(.[]; .event == "transfer-end" and .verb == "fetch" and .done > 0)' <events >/dev/null
}

@test "--chown, --chmod, --exclude and --link are for repositories, too" {
	serve
	repository
	build "ADD --chown=3:4 --chmod=u=rwX,go= --exclude=*.sh --link http://127.0.0.1:$PORT/git/app.git#v1 /x"
	equal "$(lists)" "x/link x/src/main.c"
	equal "$(has x/src/main.c | cut -d' ' -f1,2)" "-rw------- 3/4"
}

@test "a commit is fetched once, and asked for by its name alone" {
	serve
	repository
	build "ADD http://127.0.0.1:$PORT/git/app.git /x"
	asked >/dev/null
	build "ADD http://127.0.0.1:$PORT/git/app.git /x"
	grep -q CACHED log
	! asked | grep -q 'POST.*upload-pack.*POST' || false
	local id
	id=$(git -C served/app.git rev-parse HEAD)
	build "ADD http://127.0.0.1:$PORT/git/app.git#$id /x"
	equal "$(asked)" ""
	OPTIONS=--offline build "ADD http://127.0.0.1:$PORT/git/app.git /y"
	equal "$(asked)" ""
	echo three >served/app.git/src/main.c
	commit app three
	build "ADD http://127.0.0.1:$PORT/git/app.git /x"
	holds x/src/main.c three
}

@test "--keep-git-dir keeps one commit of it" {
	serve
	repository
	build "ADD --keep-git-dir=true http://127.0.0.1:$PORT/git/app.git#v1 /x"
	mkdir out
	tar -C out -xf out.tar
	equal "$(git -c safe.directory='*' -C out/x log --format=%s)" one
	equal "$(git -c safe.directory='*' -C out/x status --porcelain)" ""
	equal "$(git -c safe.directory='*' -C out/x remote get-url origin)" "http://127.0.0.1:$PORT/git/app.git"
}

@test "--checksum of a repository is its commit" {
	serve
	repository
	local id
	id=$(git -C served/app.git rev-parse HEAD)
	build "ADD --checksum=${id:0:12} http://127.0.0.1:$PORT/git/app.git /x"
	fails 1 build "ADD --checksum=0123456 http://127.0.0.1:$PORT/git/app.git /x"
	says "the commit is $id, not 0123456"
	fails 3 build "ADD http://127.0.0.1:$PORT/git/app.git#nowhere /x"
	says "there is no branch or tag 'nowhere'"
	fails 3 build "ADD http://127.0.0.1:$PORT/git/app.git#main:nowhere /x"
	says "has no directory 'nowhere'"
}

@test "a private repository needs its token, which is nobody else's" {
	serve
	repository
	fails 4 build "ADD http://127.0.0.1:$PORT/private-git/app.git#v1 /x"
	says "GIT_AUTH_TOKEN.127.0.0.1:$PORT"
	export TOKEN=hidden-token
	OPTIONS="--secret id=GIT_AUTH_TOKEN,env=TOKEN" build \
		"ADD http://127.0.0.1:$PORT/private-git/app.git#v1 /x"
	hidden_nowhere
	OPTIONS="--secret id=GIT_AUTH_TOKEN.127.0.0.1:$PORT,env=TOKEN" build \
		"ADD http://127.0.0.1:$PORT/private-git/app.git#main /y"
	hidden_nowhere
	asked >/dev/null
	OPTIONS="--secret id=GIT_AUTH_TOKEN.example.com,env=TOKEN" build \
		"ADD http://127.0.0.1:$PORT/git/app.git#v1 /z"
	! asked | grep -q "$(printf x-access-token:hidden-token | base64)"
}

@test "a server may send git elsewhere, and the token stays behind" {
	serve
	repository
	local first=$PORT
	serve
	build "ADD http://127.0.0.1:$first/away/$PORT/git/app.git#v1 /x"
	equal "$(lists)" "x/link x/run.sh x/src/main.c"
	export TOKEN=hidden-token
	OPTIONS="--secret id=GIT_AUTH_TOKEN,env=TOKEN" build "ADD http://127.0.0.1:$first/away/$PORT/git/app.git#main /y"
	! asked | grep " /git/" | grep -q "$(printf x-access-token:hidden-token | base64)" || false
	OPTIONS="--secret id=GIT_AUTH_TOKEN.127.0.0.1:$PORT,env=TOKEN" build \
		"ADD http://127.0.0.1:$first/away/$PORT/private-git/app.git#v1 /z"
	fails 3 build "ADD http://127.0.0.1:$first/away/$PORT/git/nothing.git#v1 /x"
}

# at_large COMMAND...: in a network of its own, where this machine is also 198.51.100.7; its server's port is PORT.
at_large() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --net sh -euc '
		busybox ip link set lo up
		busybox ip address add 198.51.100.7/32 dev lo
		python3 "$0" served requests 0.0.0.0 >port 2>server.err 3>&- &
		trap "kill $!" EXIT
		for _ in $(seq 600); do [ ! -s port ] || break; sleep 0.05; done
		PORT=$(cat port) "$@"' "$BATS_TEST_DIRNAME/web_server.py" "$@"
}

@test "a repository elsewhere does not lead git to this machine" {
	mkdir -p served
	repository
	cat >try <<-'END'
		set -u
		git -C served/app.git config -f .gitmodules submodule.deps.url "http://127.0.0.1:$PORT/git/lib.git"
		git -C served/app.git -c user.name=a -c user.email=a@example.com commit -qam near
		one() {
			printf 'FROM scratch\nADD %s /x\n' "$1" >Recipe
			code=0
			cairn build --progress plain -f Recipe -o type=cacheonly . 2>"log$2" || code=$?
			echo "$code"
		}
		one "http://198.51.100.7:$PORT/git/app.git?tag=v1" 0
		one "http://198.51.100.7:$PORT/git/app.git" 1
		one "http://198.51.100.7:$PORT/away/$PORT/git/lib.git" 2
		one "http://127.0.0.1:$PORT/git/app.git" 3
	END
	at_large sh ./try >codes
	cat log*
	equal "$(tr '\n' ' ' <codes)" "0 1 1 0 "
	grep -q "submodule 'deps': .*leads to this machine" log1
	grep -q 'an address inside this network' log2
}

@test "a token is no argument of any program" {
	serve
	repository
	mkdir bin
	cat >bin/git <<-EOF
		#!/bin/sh
		tr '\\0' ' ' </proc/self/cmdline >>$BATS_TEST_TMPDIR/arguments
		echo "\$0 \$*" >>$BATS_TEST_TMPDIR/arguments
		exec $(command -v git) "\$@"
	EOF
	chmod 755 bin/git
	export TOKEN=hidden-token
	PATH=$BATS_TEST_TMPDIR/bin:$PATH OPTIONS="--secret id=GIT_AUTH_TOKEN,env=TOKEN" build \
		"ADD http://127.0.0.1:$PORT/private-git/app.git /x"
	grep -q fetch arguments
	! grep -q -e hidden-token -e "$(printf x-access-token:hidden-token | base64)" arguments
}

@test "without git a repository says what is missing" {
	mkdir bin
	for program in sh cat; do ln -s "$(command -v $program)" bin/; done
	printf 'FROM scratch\nADD https://example.com/x.git /\n' >Recipe
	mkdir ctx
	local cairn
	cairn=$(command -v cairn)
	PATH=$BATS_TEST_TMPDIR/bin fails 1 "$cairn" build -f Recipe ctx
	says "the program 'git' is not here"
}

@test "./x and names of hosts are paths of the context" {
	mkdir -p ctx/github.com/a ctx/git@host
	echo 1 >ctx/github.com/a/b.git
	build 'ADD ./github.com/a/b.git /x/' 'ADD github.com/a/b.git /y/'
	equal "$(lists)" "x/b.git y/b.git"
}

@test "one that has both: files of all kinds into one directory, heredocs last" {
	serve
	repository
	archive a
	echo plain >ctx/plain
	printf web >served/web
	build "ADD plain a.tar http://127.0.0.1:$PORT/web http://127.0.0.1:$PORT/git/lib.git <<here /x/" text here
	equal "$(lists)" "x/dir/file x/dir/link x/dir/twin x/here x/lib.c x/plain x/web"
	holds x/here text
}

@test "ONBUILD ADD works in the child" {
	archive a
	cat >Recipe <<-'EOF'
		FROM scratch AS parent
		ONBUILD ADD a.tar /x
		FROM parent
	EOF
	cairn build --progress quiet -f Recipe -o type=tar,dest=out.tar ctx >/dev/null
	equal "$(lists)" "x/dir/file x/dir/link x/dir/twin"
}
