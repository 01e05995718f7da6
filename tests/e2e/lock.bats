# tests/e2e/lock.bats - Recipe.lock: what the sources of a Recipe were, and builds that use it.

load robust
load ../registry/registry

setup_file() {
	need skopeo jq python3 git
	need_root
	import_base
}

teardown() {
	local pid
	for pid in $SERVERS; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	return 0
}

# put NAME TEXT: R/NAME is an image with TEXT in /what.
put() {
	printf 'FROM base\nRUN echo %s >/what\n' "$2" >make/Recipe
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other cairn build --network none -q -o type=oci,dest=it.tar make >/dev/null
	skopeo copy --quiet --dest-tls-verify=false oci-archive:it.tar "docker://$R/$1"
}

# images: a registry at $R with app:1, that says old; the Recipe in ctx is FROM it.
images() {
	private_home
	registry_start r plain
	R=$(address r)
	mkdir -p make ctx
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other import_base
	put app:1 old
	printf 'FROM %s/app:1\n' "$R" >ctx/Recipe
}

# serve: the files of www at http://127.0.0.1:$PORT; what is asked is in log.
serve() {
	import_base
	mkdir -p ctx www
	: >log
	mkfifo port
	setpriv --pdeathsig KILL python3 "$BATS_TEST_DIRNAME/web_server.py" www log >port 3>&- &
	SERVERS="$SERVERS $!"
	read -r PORT <port
}

lock() {
	timeout 120 cairn lock --quiet "$@" ctx
}

build() {
	build_in ctx -t app "$@"
}

what() {
	equal "$(cairn run --network none app cat /what)" "$1"
}

@test "a tag that moved after the lock is what it was, until the lock is written anew" {
	images
	lock
	equal "$(cut -d' ' -f1-2 ctx/Recipe.lock | head -1)" "cairn-lock 1"
	equal "$(sed -n '2s/sha256:[0-9a-f]*/DIGEST/p' ctx/Recipe.lock)" "image DIGEST $R/app:1"
	put app:1 new
	build --pull --locked
	what old
	# also where nothing is in the store, as on another machine
	CAIRN_ROOT=$BATS_TEST_TMPDIR/third
	build
	what old
	cp ctx/Recipe.lock before
	build --update-lock
	what new
	run ! cmp before ctx/Recipe.lock
	build --locked
	what new
}

@test "the same sources give the same bytes, and only what is used is written" {
	images
	put tool:1 tool
	printf 'FROM %s/tool:1 AS tool\nFROM %s/app:1 AS app\nCOPY --from=tool /what /tool\nRUN --mount=from=%s/more:1,target=/m true\nFROM %s/nothing AS never\n' \
		"$R" "$R" "$R" "$R" >ctx/Recipe
	put more:1 more
	lock --target app
	cp ctx/Recipe.lock one
	lock --target app
	cmp one ctx/Recipe.lock
	CAIRN_ROOT=$BATS_TEST_TMPDIR/third build --target app --update-lock
	cmp one ctx/Recipe.lock
	equal "$(sed 's/ sha256:[0-9a-f]*//' one | tr '\n' ' ')" \
		"cairn-lock 1 image $R/app:1 image $R/more:1 image $R/tool:1 "
}

@test "--locked refuses what is not in the lock, before anybody is asked for it" {
	images
	fails 3 build --locked
	says "there is no Recipe.lock, and --locked is given"
	lock
	put other:1 other
	printf 'FROM %s/other:1\n' "$R" >ctx/Recipe
	forget r
	fails 3 build --locked
	says "image '$R/other:1' is not in Recipe.lock"
	says "Recipe:1"
	equal "$(requests r '/other/')" 0
	# without it, it is resolved and said
	run -0 build
	says "$R/other:1 is not in Recipe.lock"
	what other
	fails 2 build --locked --update-lock
	printf 'FROM %s/app:1\n' "$R" | fails 3 build -f - --locked
}

@test "--offline uses what the store has, and names what it has not" {
	images
	lock
	put app:1 new
	cairn pull -q "$R/app:1" >/dev/null 2>&1 || cairn pull "$R/app:1"
	build --offline --locked
	what old
	rm ctx/Recipe.lock
	build --offline
	what new
	CAIRN_ROOT=$BATS_TEST_TMPDIR/third fails 5 build --offline
	says "$R/app:1"
	says "--offline"
}

@test "a file of the web that changed is refused with both sums" {
	serve
	echo one >www/f
	printf 'FROM base\nADD http://127.0.0.1:%s/f /what\n' "$PORT" >ctx/Recipe
	lock
	grep -qx "url sha256:$(sha256sum <www/f | cut -d' ' -f1) http://127.0.0.1:$PORT/f" ctx/Recipe.lock
	echo second >www/f
	# what was fetched still does
	build --locked
	what one
	import_base
	CAIRN_ROOT=$BATS_TEST_TMPDIR/third import_base
	CAIRN_ROOT=$BATS_TEST_TMPDIR/third fails 1 build
	says "sha256:$(echo one | sha256sum | cut -d' ' -f1)"
	says "sha256:$(echo second | sha256sum | cut -d' ' -f1)"
	says "--update-lock"
	build --update-lock
	what second
}

@test "a branch that moved is the commit of the lock" {
	serve
	git init -q -b main www/r.git
	git -C www/r.git config user.name a
	git -C www/r.git config user.email a@example.com
	echo one >www/r.git/what
	git -C www/r.git add what
	git -C www/r.git commit -qm one
	printf 'FROM base\nADD http://127.0.0.1:%s/git/r.git#main /\n' "$PORT" >ctx/Recipe
	lock
	grep -qx "git $(git -C www/r.git rev-parse HEAD) http://127.0.0.1:$PORT/git/r.git#main" ctx/Recipe.lock
	echo two >www/r.git/what
	git -C www/r.git commit -qam two
	build --locked
	what one
	build --update-lock
	what two
}

@test "a lock that is damaged or of another version is an error that says what to do" {
	import_base
	mkdir ctx
	printf 'FROM base\n' >ctx/Recipe
	printf 'cairn-lock 7\n' >ctx/Recipe.lock
	fails 1 build
	says "Recipe.lock: line 1: version '7' is not known"
	says "--update-lock"
	printf 'cairn-lock 1\nimage sha256:abc base\n' >ctx/Recipe.lock
	fails 1 build
	says "Recipe.lock: line 2"
	printf 'cairn-lock 1\nimage' >ctx/Recipe.lock
	fails 1 build
	says "it is not whole"
	lock --offline
	build --locked
}

@test "a directory that cannot be written is an error and leaves the old lock" {
	import_base
	mkdir ctx ro
	printf 'FROM base\n' >ctx/Recipe
	lock --offline
	cp ctx/Recipe.lock before
	mount --bind ctx ro && mount -o remount,ro,bind ro || skip "no bind mounts here"
	fails 1 timeout 60 cairn lock -q --offline ro
	umount ro
	says "write Recipe.lock"
	cmp before ctx/Recipe.lock
	equal "$(ls -A ctx | tr '\n' ' ')" "Recipe Recipe.lock "
}

@test "the lock in a repository counts for the Recipe beside it" {
	images
	lock
	mkdir www
	mv ctx www/r.git
	git init -q -b main www/r.git
	git -C www/r.git add Recipe Recipe.lock
	git -C www/r.git -c user.name=a -c user.email=a@example.com commit -qm one
	put app:1 new
	import_base
	serve
	build_in "http://127.0.0.1:$PORT/git/r.git#main" -t app --locked --pull
	what old
	fails 2 build_in "http://127.0.0.1:$PORT/git/r.git#main" -t app --update-lock
	says "the Recipe cannot be locked: it is part of a context that was fetched"
}

@test "a policy is asked about the name that the lock stands for" {
	images
	lock
	put app:1 new
	printf '{"rules":[{"action":"DENY","selector":{"identifier":"*"}},{"action":"ALLOW","selector":{"identifier":"docker-image://%s/app:1"}}]}' \
		"$R" >policy.json
	CAIRN_ROOT=$BATS_TEST_TMPDIR/third build --source-policy-file policy.json
	printf '{"rules":[{"action":"DENY","selector":{"identifier":"docker-image://%s/app:1"}}]}' "$R" >policy.json
	fails 4 build --source-policy-file policy.json
}

@test "an image in the place of a name is locked, and a digest in the Recipe is not" {
	images
	printf 'FROM thing\n' >ctx/Recipe
	lock --build-context "thing=docker-image://$R/app:1"
	put app:1 new
	build --locked --pull --build-context "thing=docker-image://$R/app:1"
	what old
	printf 'FROM %s/app@%s\n' "$R" "$(sed -n 's/^image \([^ ]*\) .*/\1/p' ctx/Recipe.lock)" >ctx/Recipe
	lock
	equal "$(cat ctx/Recipe.lock)" "cairn-lock 1"
	build --locked
	what old
}

@test "a build that fails leaves the lock as it was" {
	import_base
	mkdir ctx
	printf 'FROM base\nRUN false\n' >ctx/Recipe
	fails 1 build --update-lock --offline
	[ ! -e ctx/Recipe.lock ]
	lock --offline
	[ -e ctx/Recipe.lock ]
}
