# tests/e2e/prune.bats - cairn prune and du: disk comes back, and nothing that anybody needs goes.

load robust

# make_app: two named images and one without a name, with steps, caches and logs.
make_app() {
	need jq
	import_base
	mkdir -p context
	cat >context/Recipe <<-'END'
		FROM base
		RUN echo kept >/kept
		RUN --mount=type=cache,target=/c echo cache >/c/file; head -c 300000 /dev/urandom >/big
	END
	build_in context -q -t app >/dev/null 2>&1
	printf 'FROM base\nRUN head -c 200000 /dev/urandom >/other\n' >context/Recipe
	build_in context -q >/dev/null 2>&1
}

# disk: what du(1) says.
disk() {
	du -s --block-size=1 "$CAIRN_ROOT" | cut -f 1
}

# settled: nobody is at work, and the file system has given all files their blocks.
settled() {
	when_idle no_leases
	sync -f "$CAIRN_ROOT"
}

# value FILTER COMMAND...: of what it says in JSON.
value() {
	local filter=$1
	shift
	"$@" --format json | jq -r "$filter"
}

# same_disk: both say the same. What a build flushes behind itself may be going on.
same_disk() {
	[ "$(value .total cairn du)" -eq "$(disk)" ]
}

# works: the named image is whole: it runs, other tools and an archive take it.
works() {
	equal "$(cairn run --network none app cat /kept)" kept
	cairn save app -o app.tar >/dev/null
	rm app.tar
	cairn check
	verify_store --idle
}

# removed KIND: how many of these the last prune has removed; its JSON is in `pruned`.
removed() {
	jq ".removed[] | select(.kind == \"$1\") | .count" pruned
}

@test "du adds up to what du says, and knows all that lies there" {
	make_app
	eventually 60 same_disk
	run -0 cairn du
	says total
	[[ $output != *"not cairn's"* ]]
	equal "$(value '[.lines[].bytes] | add' cairn du)" "$(value .total cairn du)"
	mkdir "$CAIRN_ROOT/stranger"
	echo much >"$CAIRN_ROOT/stranger/file"
	eventually 60 same_disk
	run -0 cairn du
	says "stranger (not cairn's)"
}

@test "prune --all keeps what has a name, and a dry run tells what it will do" {
	make_app
	settled
	before=$(disk)
	cairn prune --all --dry-run --format json >told
	equal "$(disk)" "$before"
	equal "$(jq .before told)" "$before"
	equal "$(value .reclaimable cairn du)" "$(jq '.before - .after' told)"
	cairn prune --all --format json >pruned
	equal "$(jq .after pruned)" "$(disk)"
	equal "$(jq .after pruned)" "$(jq .after told)"
	equal "$(jq -c .removed pruned)" "$(jq -c .removed told)"
	equal "$(removed image)$(removed step)$(removed mount)$(removed log)" 1312
	equal "$(value .reclaimable cairn du)" 0
	works
	# and what went is made again
	run build_in context -t other
	[ "$status" -eq 0 ]
	says "RUN head"
	works
}

@test "a week is the rule, and other ages can be said" {
	make_app
	cairn prune --format json >pruned
	equal "$(jq '[.removed[].count] | add' pruned)" 0
	find "$CAIRN_ROOT/steps" "$CAIRN_ROOT/builds" "$CAIRN_ROOT/mounts" -mindepth 1 \
		-exec touch -h -d "8 days ago" {} +
	cairn prune --older-than 10d --format json >pruned
	equal "$(jq '[.removed[].count] | add' pruned)" 0
	cairn prune --filter until=190h --format json >pruned
	equal "$(removed step)$(removed mount)" 31
	works
	fails 2 cairn prune --older-than soon
	fails 2 cairn prune --filter colour=red
	fails 2 cairn prune --filter type=colour
	fails 2 cairn prune --max-size much
}

@test "kinds can be told apart" {
	make_app
	cairn prune --all --filter type=mount --format json >pruned
	equal "$(removed mount)$(removed step)$(removed image)" 100
	cairn prune --all --filter type=image,log --format json >pruned
	equal "$(removed log)$(removed step)$(removed image)" 201
	works
}

@test "a size is kept by what was used longest ago" {
	make_app
	settled
	size=$(disk)
	cairn prune --max-size $((size - 100000)) --format json >pruned
	[ "$(disk)" -le $((size - 100000)) ]
	works
	cairn prune --max-size 1 >/dev/null
	works
}

@test "a limit is kept at the end of each build" {
	make_app
	cairn prune --all >/dev/null
	limit=$(($(disk) + 700000))
	cairn prune --limit "$limit"
	for i in $(seq 6); do
		printf 'FROM base\nRUN head -c 300000 /dev/urandom >/%s\n' "$i" >context/Recipe
		build_in context -q 2>log
		when_idle no_leases
		cat log
	done
	grep -q "the store was above its limit" log
	[ "$(disk)" -le $((limit + 400000)) ] # what was just built is in use
	works
	cairn prune --limit none
	[ ! -e "$CAIRN_ROOT/limit" ]
	build_in context -q --no-cache 2>log
	[[ $(cat log) != *limit* ]]
}

@test "what a build uses stays while it runs" {
	make_app
	printf 'FROM base\nRUN --mount=type=cache,target=/c echo first >/first; echo cache >/c/file\nRUN --mount=type=cache,target=/c %s\n' \
		"touch /go/begun; until [ -e /go/on ]; do sleep 0.1; done; cat /first /c/file" >context/Recipe
	mkdir go
	timeout 120 cairn build --network none --progress plain -v "$PWD/go:/go" -t used context >log 2>&1 3>&- &
	build=$!
	eventually 60 test -e go/begun
	cairn prune --all --format json >pruned
	[ "$(jq .in_use pruned)" -ge 1 ] # the cache, the log
	equal "$(removed mount)" 0
	touch go/on
	wait "$build" || { cat log; false; }
	equal "$(cairn run --network none used cat /first)" first
	works
}

@test "documents of a named image that cannot be read are told" {
	make_app
	digest=$(jq -r .digest "$CAIRN_ROOT/refs/docker.io%2flibrary%2fapp%3alatest" | sed s/sha256://)
	cut=$CAIRN_ROOT/blobs/sha256/$digest
	truncate -s -3 "$cut"
	run -0 cairn prune
	says "of image 'docker.io/library/app:latest' is damaged"
	rm -f "$cut"
	run -0 cairn prune
	says "of image 'docker.io/library/app:latest' is not in the store"
}

@test "a store on a read-only file system can be asked, and not pruned" {
	need_root
	make_app
	when_idle no_leases
	mkdir ro
	CAIRN_ROOT=$CAIRN_ROOT unshare -m bash -c "mount --bind '$CAIRN_ROOT' ro && mount -o remount,bind,ro ro &&
		export CAIRN_ROOT=$PWD/ro && cairn du >/dev/null && cairn prune --all --dry-run && cairn check &&
		! cairn prune --all" >out 2>&1 || { cat out; false; }
	grep -qi "read-only" out
	works
}

# A builder, tagger, puller or pruner, that begins anew until the file `end` is there; each is killed now and then.
work() {
	local i=0 victim
	set +e
	while [ ! -e end ]; do
		i=$((i + 1))
		case $1 in
		prune*) cairn prune --all >/dev/null 2>&1 & ;;
		tag) (cairn tag "built-build1" "tagged-$i" && cairn rmi "tagged-$i") >/dev/null 2>&1 & ;;
		load) cairn load base.tar >/dev/null 2>&1 & ;;
		check) cairn check >"check.$i" 2>&1 & ;;
		*) cairn build -q --network none --build-arg "N=$1-$((i % 3))" -t "built-$1" context >/dev/null 2>&1 & ;;
		esac
		victim=$!
		if [ $((RANDOM % 3)) -eq 0 ] && [ "$1" != check ]; then
			sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
			kill -KILL "$victim" 2>/dev/null
		fi
		wait "$victim"
		[ "$1" != check ] || ! grep -q '^wrong' "check.$i" || cat "check.$i" >>wrong
	done
	true
}

@test "builds, loads, tags, checks and prunes at once, with kill -9, harm no named image" {
	need skopeo
	need umoci
	import_base
	cairn save base -o base.tar >/dev/null
	mkdir context
	cat >context/Recipe <<-'END'
		FROM base AS first
		ARG N=0
		RUN echo $N >/one; seq 300 >/seq
		FROM base
		ARG N=0
		RUN --mount=type=cache,target=/c echo $N >>/c/all; echo $N >/two
		COPY --from=first /one /seq /
	END
	build_in context -q -t built-build1 >/dev/null 2>&1
	pids=()
	for one in build1 build2 build3 tag load check prune1 prune2; do
		(work "$one") >/dev/null 2>&1 3>&- &
		pids+=($!)
	done
	sleep 12
	touch end
	for pid in "${pids[@]}"; do wait "$pid"; done
	[ ! -e wrong ] || { cat wrong; false; }
	eventually 60 no_leases_alive
	cairn check || { cairn check; false; }
	verify_store --killed
	cairn prune --all >/dev/null
	cairn check
	verify_store --idle
	for i in build1 build2 build3; do
		[[ "$(cairn images)" == *"built-$i "* ]] || continue
		skopeo copy -q "oci:$CAIRN_ROOT:built-$i:latest" "dir:copy-$i"
		umoci unpack --image "$CAIRN_ROOT:built-$i:latest" "unpacked-$i" >/dev/null
		equal "$(cat "unpacked-$i/rootfs/one")" "$(cat "unpacked-$i/rootfs/two")"
		equal "$(wc -l <"unpacked-$i/rootfs/seq")" 300
	done
	rm -rf unpacked-*
}

# no_leases_alive: whoever was killed is gone, and with the next command what it left.
no_leases_alive() {
	cairn prune
	no_leases
}
