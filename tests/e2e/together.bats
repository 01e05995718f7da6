# tests/e2e/together.bats - many builds at once in one store.

load robust
load ../registry/registry

STEPS=6

# make_context DIR SALT: steps that take a moment, so that builds meet each other.
make_context() {
	mkdir -p "$1"
	cat >"$1/Recipe" <<-END
		FROM base
		ENV SALT=$2
		RUN sleep 0.1; echo \$SALT one >/one
		COPY file /file
		RUN sleep 0.1; seq 3000 >/two
		FROM base
		RUN sleep 0.1; echo $2 >/alone
		COPY --from=0 /two /one /
		RUN sleep 0.1; cat /one /two >/three
	END
	echo "$2" >"$1/file"
}

# together COUNT COMMAND...: run it so often at once, with the number as last argument; all succeed.
together() {
	local count=$1 pids=() pid failed=0
	shift
	for i in $(seq "$count"); do
		"$@" "$i" >"out.$i" 2>"err.$i" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=1
	done
	[ "$failed" -eq 0 ] || { tail -n 20 err.*; return 1; }
}

# ends STATUS: how many steps of all builds ended so.
ends() {
	cat "$CAIRN_ROOT"/builds/*/events.jsonl |
		jq -s "[.[] | select(.event == \"step-end\" and .status == \"$1\")] | length"
}

build_same() {
	build_in context -t "app$1"
}

build_other() {
	build_in "context$1" -t "app$1"
}

@test "8 builds of one Recipe run every step once" {
	need jq
	import_base
	make_context context salt
	together 8 build_same
	equal "$(sort -u out.* | wc -l)" 1
	equal "$(ends done)" "$STEPS"
	equal "$(ends cached)" $((7 * STEPS))
	for i in $(seq 8); do
		equal "$(cairn inspect "app$i" | sed 1d)" "$(cairn inspect app1 | sed 1d)"
	done
	verify_store --idle
	for i in $(seq 8); do equal "$(cairn run --network none "app$i" cat /alone)" salt; done
}

@test "8 builds of one Recipe without cache leave one good image each" {
	import_base
	make_context context salt
	export SOURCE_DATE_EPOCH=1700000000
	no_cache() { build_in context --no-cache -t "app$1"; }
	together 8 no_cache
	equal "$(sort -u out.* | wc -l)" 1
	verify_store --idle
}

@test "8 builds of different Recipes share nothing but the store" {
	import_base
	for i in $(seq 8); do make_context "context$i" "salt$i"; done
	together 8 build_other
	equal "$(sort -u out.* | wc -l)" 8
	for i in $(seq 8); do equal "$(cairn run --network none "app$i" cat /alone)" "salt$i"; done
	verify_store --idle
}

@test "builds that share their first steps run those once" {
	need jq
	import_base
	for i in $(seq 8); do
		make_context "context$i" salt
		echo "RUN echo $i >/own" >>"context$i/Recipe"
	done
	together 8 build_other
	equal "$(ends done)" $((STEPS + 8))
	verify_store --idle
}

@test "names that are set and removed at once are all there, here and in index.json" {
	import_base
	names() {
		for j in $(seq 10); do cairn tag base "name$1-$j"; done
		for j in $(seq 5); do cairn rmi "name$1-$j"; done
		cairn tag base "shared:$1"
	}
	together 8 names
	equal "$(cairn images | grep -c '^name')" 40
	equal "$(cairn images | grep -c '^shared')" 8
	verify_store --idle
}

@test "a build whose neighbour is killed takes over its step" {
	import_base
	mkdir context
	# The step lasts until a server answers, which each makes wait until it is told to go on.
	fault_start f <<<"{\"rules\": [{\"hold\": \"$PWD/go\"}]}"
	printf 'FROM base\nRUN wget -q -O /dev/null http://%s/v2/; echo slow >/slow\nRUN echo next >/next\n' \
		"$(address f)" >context/Recipe
	cairn build -q --network host context >/dev/null 2>&1 3>&- &
	neighbour=$!
	eventually 60 held f
	timeout 120 cairn build --network host --progress json -t app context >log 2>&1 3>&- &
	build=$!
	eventually 60 grep 'waiting for another build' log
	kill -KILL "$neighbour"
	wait "$neighbour" || equal "$?" 137
	eventually 60 held f 2
	touch go
	wait "$build" || { cat log; false; }
	equal "$(cairn run --network none app cat /slow /next)" "$(printf 'slow\nnext')"
	verify_store --idle
}

@test "a build whose neighbour fails at their step fails by itself" {
	import_base
	mkdir context
	printf 'FROM base\nRUN sleep 0.3; exit 3\n' >context/Recipe
	fail_once() { run build_in context; [ "$status" -eq 1 ] && [[ $output == *"exit code 3"* ]]; }
	together 4 fail_once
	verify_store --idle
}

@test "commands beside a build see a store in order" {
	import_base
	make_context context salt
	build_same 1 >/dev/null 2>log 3>&- &
	for _ in $(seq 10); do
		verify_store
		cairn images >/dev/null
		equal "$(cairn run --network none base echo hello)" hello
	done
	wait $!
	verify_store --idle
}
