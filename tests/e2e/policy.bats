# tests/e2e/policy.bats - rules about which sources a build may use, asked before anything is fetched.

load robust

setup_file() {
	need jq python3 git
}

teardown() {
	local pid
	for pid in $SERVERS; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	return 0
}

# serve: the files of www at http://127.0.0.1:$PORT; what is asked is in log.
serve() {
	: >log
	mkfifo port
	setpriv --pdeathsig KILL python3 "$BATS_TEST_DIRNAME/web_server.py" www log >port 3>&- &
	SERVERS="$SERVERS $!"
	read -r PORT <port
}

# policy RULE...: policy.json with these rules.
policy() {
	local IFS=,
	printf '{"rules":[%s]}' "$*" >policy.json
}

deny() {
	printf '{"action":"DENY","selector":{"identifier":"%s"}}' "$1"
}

allow() {
	printf '{"action":"ALLOW","selector":{"identifier":"%s"}}' "$1"
}

# convert FROM TO [ATTRS]
convert() {
	printf '{"action":"CONVERT","selector":{"identifier":"%s"},"updates":{"identifier":"%s","attrs":{%s}}}' "$1" "$2" "${3:-}"
}

build() {
	build_in ctx --source-policy-file policy.json "$@"
}

context() {
	import_base
	mkdir -p ctx
	printf '%s\n' "$@" >ctx/Recipe
}

@test "an image that is denied is not used, and the rule is named" {
	context 'FROM base' 'RUN echo $((40 + 2)) >/x'
	policy "$(allow 'docker-image://*')" "$(deny 'docker-image://docker.io/library/base:latest')"
	fails 4 build -t app
	says "is denied by rule 2 of policy.json (DENY docker-image://docker.io/library/base:latest)"
	says "Recipe:1"
	fails 3 cairn inspect app
	# the last rule counts
	policy "$(deny 'docker-image://*')" "$(allow 'docker-image://docker.io/library/base:*')"
	build -t app
	# also one that is only copied from
	context 'FROM base' 'COPY --from=other /x /x'
	fails 4 build -t app
	says "source 'docker-image://docker.io/library/other:latest' is denied by rule 1"
	fails 4 build -t app --build-context base=docker-image://elsewhere.example/x
	says "elsewhere.example"
}

@test "a registry that is denied is never asked" {
	context 'FROM denied.example/image:1'
	policy "$(deny '*denied.example*')"
	fails 4 build -t app
	says "denied by rule 1"
	# what stands behind a short name is known later, and asked about then
	mkdir -p home/.config/containers
	printf 'unqualified-search-registries = ["denied.example"]\n' >home/.config/containers/registries.conf
	printf 'FROM not-here:1\n' >ctx/Recipe
	HOME=$PWD/home XDG_CONFIG_HOME=$PWD/home/.config CONTAINERS_REGISTRIES_CONF=$PWD/home/.config/containers/registries.conf \
		fails 4 build -t app
	says "denied.example/not-here:1"
}

@test "an image can be converted into another one" {
	context 'FROM base AS first' 'RUN echo from-base >/mark'
	build_in ctx -t other
	printf 'FROM wanted:1\nRUN test -e /mark\n' >ctx/Recipe
	policy "$(convert 'docker-image://docker.io/library/wanted:*' 'docker-image://docker.io/library/other:latest')"
	build -t app --provenance
	cairn run app cat /mark | grep from-base
	# a source of another kind it cannot become
	policy "$(convert 'docker-image://docker.io/library/wanted:*' 'https://a.example/x')"
	fails 1 build -t app
	says "which is none"
}

@test "a file of the web is denied, moved, or held to a checksum" {
	mkdir -p www
	echo one >www/one
	echo two >www/two
	serve
	context 'FROM scratch' "ADD http://127.0.0.1:$PORT/one /file"
	policy "$(deny 'http://*')"
	fails 4 build -t app
	says "denied by rule 1 of policy.json (DENY http://*)"
	equal "$(cat log)" ""
	policy "$(convert "http://127.0.0.1:$PORT/one" "http://127.0.0.1:$PORT/two")"
	build -t app -o out
	equal "$(cat out/file)" two
	run -1 grep /one log
	policy "$(convert "http://127.0.0.1:$PORT/one" "" "\"http.checksum\":\"sha256:$(sha256sum <www/two | cut -d' ' -f1)\"")"
	fails 1 build -t app
	says "the checksum of"
	policy "$(convert "http://127.0.0.1:$PORT/one" "" "\"http.checksum\":\"sha256:$(sha256sum <www/one | cut -d' ' -f1)\"")"
	build -t app
	# also a context and a Recipe
	policy "$(deny 'http://*')"
	fails 4 build_in "http://127.0.0.1:$PORT/one" --source-policy-file policy.json
	fails 4 build -f "http://127.0.0.1:$PORT/one"
	context 'FROM scratch' 'COPY --from=named . /'
	fails 4 build --build-context "named=http://127.0.0.1:$PORT/one"
}

@test "a repository is denied, or another ref of it is taken" {
	mkdir -p www
	git init -q -b main work
	for word in one two; do
		echo $word >work/file
		git -C work add file
		git -C work -c user.name=n -c user.email=e@example.com commit -q -m $word
		git -C work tag $word
	done
	git clone -q --bare work www/repo.git
	serve
	context 'FROM scratch' "ADD http://127.0.0.1:$PORT/git/repo.git#two /src"
	policy "$(deny "git://127.0.0.1:$PORT/*")"
	fails 4 build -t app
	says "denied by rule 1"
	equal "$(cat log)" ""
	fails 4 build_in "http://127.0.0.1:$PORT/git/repo.git#two" --source-policy-file policy.json
	policy "$(convert "git://127.0.0.1:$PORT/git/repo.git#*" "git://127.0.0.1:$PORT/git/repo.git#one" \
		"\"git.fullurl\":\"http://127.0.0.1:$PORT/git/repo.git\"")"
	build -t app -o out
	equal "$(cat out/src/file)" one
}

@test "the policy may come from the environment, and one that is wrong ends the build" {
	context 'FROM base' 'RUN echo ran'
	policy "$(deny 'docker-image://*')"
	EXPERIMENTAL_BUILDKIT_SOURCE_POLICY=policy.json fails 4 build_in ctx -t app
	says "denied by rule 1"
	# the option wins
	echo '{}' >empty.json
	EXPERIMENTAL_BUILDKIT_SOURCE_POLICY=policy.json build_in ctx -t app --source-policy-file empty.json
	echo '{"rules":[{"action":"DENY","selector":{"identifer":"*"}}]}' >policy.json
	fails 2 build -t app
	says "option --source-policy-file: source policy policy.json: rule 1"
	says "'identifer' is not known"
	policy '{"action":"DENI","selector":{"identifier":"*"}}'
	fails 2 build -t app
	says "'DENI' is none of: ALLOW, DENY, CONVERT"
	echo nonsense >policy.json
	fails 2 build -t app
	fails 3 build_in ctx --source-policy-file absent.json
	says "option --source-policy-file"
	[[ $output != *ran* ]]
}
