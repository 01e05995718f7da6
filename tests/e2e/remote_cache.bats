#!/usr/bin/env bats
# Build caches that machines share: in a registry, in a directory, in an image. A machine is a store.

load helper
load ../registry/registry

setup_file() {
	need_root
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_rootfs "$BATS_FILE_TMPDIR/rootfs.tar"
}

# A context whose Recipe has six steps of the image, one of them without a layer, and two of a stage that
# is only copied from.
six_steps() {
	need_root
	private_home
	mkdir ctx
	cp "$BATS_FILE_TMPDIR/rootfs.tar" ctx
	echo one >ctx/one
	echo tool >ctx/tool
	cat >ctx/Recipe <<-'END'
		FROM scratch AS tools
		WORKDIR /tools
		COPY tool .

		FROM scratch
		ADD rootfs.tar /
		WORKDIR /srv
		COPY one .
		RUN true
		RUN cat one one >two
		COPY --from=tools /tools/tool /tool
		ENV A=b
	END
}

# on STORE OPTION...: build there; what it prints is the image's id, what it says is in `said`.
on() {
	local store=$BATS_TEST_TMPDIR/$1 code=0
	shift
	CAIRN_ROOT=$store cairn build --network host --progress plain "$@" ctx 2>said || code=$?
	[ "$code" -eq 0 ] || cat said >&2
	return "$code"
}

# ran, cached: how many steps were; of the last build.
ran() {
	grep -c '^#[0-9]* DONE' said || true
}

cached() {
	grep -c '^#[0-9]* CACHED' said || true
}

# manifest STORE NAME: the digest that a registry would show.
manifest() {
	CAIRN_ROOT=$BATS_TEST_TMPDIR/$1 cairn digest "$2"
}

said() {
	if ! grep -qF -- "$1" said; then
		echo "does not say '$1':"
		cat said
		return 1
	fi
}

manifest_gets() {
	requests r '^GET .*/manifests/'
}

@test "what one machine built another finds in a registry, under the same digest" {
	six_steps
	registry_start r plain
	R=$(address r)
	id=$(on a -t app --cache-to "type=registry,ref=$R/team/cache")
	equal "$(ran)" 8
	said "export $R/team/cache: DONE"
	forget r
	equal "$(on b -t app --cache-from "type=registry,ref=$R/team/cache")" "$id"
	equal "$(cached)" 6
	equal "$(ran)" 0
	equal "$(manifest b app)" "$(manifest a app)"
	equal "$(CAIRN_ROOT=$PWD/b cairn run app cat /srv/two /tool)" $'one\none\ntool'
	# one request for a step, and one for each layer: nothing is asked twice
	equal "$(manifest_gets)" 6
	equal "$(requests r '^GET .*/blobs/')" 5
	equal "$(requests r '^(PUT|POST|PATCH) ')" 0
	# and from now on the store knows all of it
	forget r
	equal "$(on b --cache-from "type=registry,ref=$R/team/cache" --cache-to "$R/team/other")" "$id"
	equal "$(requests r '^GET .*/team/cache/')" 0
	forget r
	equal "$(on b)" "$id"
	equal "$(cached)" 6
	equal "$(requests r)" 0
}

@test "what is in the cache is not sent again" {
	six_steps
	registry_start r plain
	R=$(address r)
	on a --cache-to "$R/cache" >/dev/null
	forget r
	on b --cache-from "$R/cache" --cache-to "type=registry,ref=$R/cache,mode=min" >/dev/null
	equal "$(cached)" 6
	equal "$(requests r '^(PUT|POST|PATCH) ')" 0
	# who did not read it asks once for each step
	forget r
	on a --cache-to "$R/cache" >/dev/null
	equal "$(manifest_gets)" 8
	equal "$(requests r '^(PUT|POST|PATCH) ')" 0
	said "export $R/cache: CACHED"
}

@test "only layers that are needed are fetched" {
	six_steps
	registry_start r plain
	R=$(address r)
	on a --cache-to "type=registry,ref=$R/cache,mode=max" >/dev/null
	forget r
	# nothing is made: the records are all
	on b --cache-from "$R/cache" -o type=cacheonly >/dev/null
	equal "$(cached)" 6
	equal "$(manifest_gets)" 6
	equal "$(requests r '/blobs/')" 0
	# the stage that is copied from has to run again: its first layer is needed, but not what it made, and
	# what lies below the COPY from it
	echo other >ctx/tool
	forget r
	on c --cache-from "$R/cache" -o type=cacheonly >/dev/null
	equal "$(ran)" 2
	equal "$(cached)" 6
	equal "$(manifest_gets)" 8
	equal "$(requests r '^GET .*/blobs/')" 5
}

@test "mode=min has the steps of the image, mode=max those of all stages" {
	six_steps
	on a --cache-to type=local,dest=min --cache-to type=local,dest=max,mode=max >/dev/null
	equal "$(find min/cairn-cache -name 'v1-*' | wc -l)" 6
	equal "$(find max/cairn-cache -name 'v1-*' | wc -l)" 8
	echo two >ctx/one
	on b --cache-from type=local,src=min >/dev/null
	equal "$(cached)" 2
	equal "$(ran)" 6
	on c --cache-from type=local,src=max >/dev/null
	equal "$(cached)" 4
	equal "$(ran)" 4
	# a store that has it all needs no stage, and still writes it
	on a --cache-to type=local,dest=later,mode=max >/dev/null
	on a --cache-to type=local,dest=again,mode=max >/dev/null
	equal "$(find again/cairn-cache -name 'v1-*' | wc -l)" 8
}

@test "a directory is a cache that others can read as a layout" {
	six_steps
	need skopeo jq
	id=$(on a -t app --cache-to type=local,dest=cache/deep,mode=max)
	equal "$(on b -t app --cache-from type=local,src=cache/deep)" "$id"
	equal "$(cached)" 6
	equal "$(manifest b app)" "$(manifest a app)"
	equal "$(jq '.manifests | length' cache/deep/index.json)" 8
	for tag in $(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' cache/deep/index.json); do
		skopeo inspect "oci:cache/deep:$tag" >/dev/null
		skopeo copy -q "oci:cache/deep:$tag" "oci:copy:$tag"
	done
	# put together from two halves, as rsync would
	mkdir -p halves/blobs halves/cairn-cache
	cp -r cache/deep/blobs halves
	cp cache/deep/cairn-cache/v1-* halves/cairn-cache
	equal "$(on c --cache-from type=local,src=halves)" "$id"
	equal "$(cached)" 6
	# what is somebody else's directory stays theirs
	mkdir theirs && touch theirs/file
	fails 1 on a --cache-to type=local,dest=theirs
	says "neither empty nor an OCI layout"
	equal "$(ls theirs)" file
}

@test "a cache in the image itself" {
	six_steps
	registry_start r plain
	R=$(address r)
	id=$(on a -t "$R/app:1" --push --cache-to type=inline)
	forget r
	# the same image comes out, with its facts
	equal "$(on b -t app --cache-from "type=registry,ref=$R/app:1" --cache-to type=inline)" "$id"
	equal "$(cached)" 6
	equal "$(manifest_gets)" 1
	equal "$(manifest b app)" "$(manifest a "$R/app:1")"
	[ "$(on c --cache-from "type=inline,ref=$R/app:1")" != "$id" ]
	equal "$(cached)" 6
	on d --cache-from "$R/app:1" >/dev/null
	equal "$(cached)" 6
	# of a changed Recipe that which is below
	echo 'RUN echo more >/more' >>ctx/Recipe
	on e --cache-from "$R/app:1" >/dev/null
	equal "$(cached)" 6
	equal "$(ran)" 1
	on f --cache-from "type=inline,ref=$R/none:1" >/dev/null
	said "cache $R/none:1 is not used"
	equal "$(ran)" 9
}

@test "a cache that is missing or cannot be reached is a warning" {
	six_steps
	registry_start r plain
	R=$(address r)
	forget r
	on a --cache-from "$R/never/written" >/dev/null
	equal "$(ran)" 8
	on b --cache-from type=local,src=missing >/dev/null
	said "cache missing is not used"
	equal "$(ran)" 8
	server_stop r
	on c --cache-from "$R/cache" >/dev/null
	equal "$(ran)" 8
	equal "$(grep -c "cache $R/cache is not used" said)" 1
	on d --offline --cache-from "$R/cache" >/dev/null
	said "--offline"
	equal "$(ran)" 8
}

@test "a cache that cannot be written fails the build at its end, unless that is said" {
	six_steps
	registry_start r plain
	R=$(address r)
	server_stop r
	fails 5 on a -t app --retry 0 --cache-to "type=registry,ref=$R/cache"
	says "write cache $R/cache"
	manifest a app
	on a --retry 0 --cache-to "type=registry,ref=$R/cache,ignore-error=true" >/dev/null
	said "write cache $R/cache"
	# the others are written all the same
	fails 5 on a --retry 0 --cache-to "type=registry,ref=$R/cache" --cache-to type=local,dest=d
	equal "$(find d/cairn-cache -name 'v1-*' | wc -l)" 6
}

@test "a file in the place of a cache is told before anything runs" {
	mkdir ctx
	printf 'FROM absent.invalid/nothing\n' >ctx/Recipe
	echo x >file
	fails 1 cairn build --offline --cache-to type=local,dest=file ctx
	says "option --cache-to: directory 'file' cannot be made: there is a file"
	fails 5 cairn build --offline --cache-to type=local,dest=file,ignore-error=true ctx
	equal "$(cat file)" x
}

@test "types that do not exist here are refused with those that do" {
	mkdir ctx
	for type in gha s3 azblob; do
		fails 1 cairn build --cache-to "type=$type" ctx
		says "option --cache-to: type=$type does not work; these do: registry, local, inline"
	done
	fails 2 cairn build --cache-from type=tape ctx
	says "option --cache-from: type 'tape' is none of: registry, local, inline"
	fails 2 cairn build --cache-from 'Not A Name' ctx
	fails 2 cairn build --cache-to type=local,src=d ctx
}

@test "scopes of one repository do not see each other" {
	six_steps
	registry_start r plain
	R=$(address r)
	on a --cache-to "type=registry,ref=$R/cache:pr-1" >/dev/null
	on b --cache-from "$R/cache:main" --cache-from "$R/cache" >/dev/null
	equal "$(ran)" 8
	on c --cache-from "$R/cache:main" --cache-from "$R/cache:pr-1" >/dev/null
	equal "$(cached)" 6
}

@test "builds that write at once lose nothing" {
	six_steps
	registry_start r plain
	R=$(address r)
	for n in 1 2 3; do
		mkdir "ctx$n"
		cp ctx/* "ctx$n"
		echo "$n" >"ctx$n/one"
		CAIRN_ROOT=$PWD/w$n cairn build -q --network host --cache-to "$R/cache" \
			--cache-to type=local,dest=shared,mode=max "ctx$n" >"id$n" 3>&- &
		eval "job$n=$!"
	done
	# shellcheck disable=SC2154 # set by eval
	wait "$job1" "$job2" "$job3"
	for n in 1 2 3; do
		cp "ctx$n/one" ctx/one
		on "r$n" --cache-from "$R/cache" >/dev/null
		equal "$(cached)" 6
		on "l$n" --cache-from type=local,src=shared >/dev/null
		equal "$(cached)" 6
	done
	# three steps are those of all, three and two of each: all are in the view for others
	equal "$(jq '.manifests | length' shared/index.json)" "$(find shared/cairn-cache -name 'v1-*' | wc -l)"
}

@test "caches are asked in their order" {
	six_steps
	registry_start r plain
	R=$(address r)
	on a --cache-to type=local,dest=local >/dev/null
	on a --cache-to "$R/cache" >/dev/null
	forget r
	on b --cache-from type=local,src=local --cache-from "$R/cache" >/dev/null
	equal "$(cached)" 6
	equal "$(requests r)" 0
	# the steps that the first has not
	rm "$(grep -L diff-id local/cairn-cache/v1-*)"
	on c --cache-from type=local,src=local --cache-from "$R/cache" >/dev/null
	equal "$(cached)" 6
	equal "$(manifest_gets)" 1
}

@test "--no-cache asks nobody, and writes what it made" {
	six_steps
	on a --cache-to type=local,dest=cache >/dev/null
	before=$(cat cache/cairn-cache/v1-*)
	on b --no-cache --cache-from type=local,src=cache --cache-to type=local,dest=cache >/dev/null
	equal "$(ran)" 8
	[ "$(cat cache/cairn-cache/v1-*)" != "$before" ]
	id=$(on b)
	equal "$(on c --cache-from type=local,src=cache)" "$id"
}

# change FILE FILTER: let jq write it anew.
change() {
	jq -c "$2" "$1" >new
	cat new >"$1"
}

# entry N: the file of the Nth entry of `cache` that has a layer.
entry() {
	grep -l diff-id cache/cairn-cache/v1-* | sed -n "$1p"
}

# is_a_miss MESSAGE: with what `cache` has now, one step is told of and made; the image is the same, and
# the store is sound.
is_a_miss() {
	rm -rf b
	equal "$(on b --timestamp 0 --cache-from type=local,src=cache)" "$IMAGE" || return
	equal "$(cached)" 5 || return
	said "is not used: $1" || return
	equal "$(grep -c 'is not used' said)" 1 || return
	"$PYTHON" -B "$BATS_TEST_DIRNAME/verify-store.py" b
}

@test "an entry that lies is a miss that is told, and is put right" {
	six_steps
	need jq
	IMAGE=$(on a --timestamp 0 --cache-to type=local,dest=good)
	lie() {
		rm -rf cache
		cp -r good cache
	}
	annotation='.annotations["cairn.cache.'

	lie && echo '{"hello":"world"}' >"$(entry 1)"
	is_a_miss "the entry:"
	lie && : >"$(entry 2)"
	is_a_miss "the entry:"
	lie && cat "$(entry 1)" >new && cat new >"$(entry 2)"
	is_a_miss "the entry: annotations.cairn.cache.key: it is the entry of another step"
	lie && change "$(entry 1)" '.layers[0].size = 0'
	is_a_miss "the entry: layers[0]: a layer cannot have 0 bytes"
	lie && change "$(entry 3)" '.layers[0].size = 68719476737'
	is_a_miss "the entry: layers[0]: a layer cannot have 68719476737 bytes"
	lie && change "$(entry 3)" '.layers[0].size = 7'
	is_a_miss "blobs/sha256/"
	lie && change "$(entry 4)" "$annotation"'created"] = "soon"'
	is_a_miss "the entry: annotations.cairn.cache.created: 'soon' is no time of a step"
	lie && head -c 70000 /dev/zero | tr '\0' x >"$(entry 1)"
	is_a_miss ""

	# right in itself, but the diff id is another layer's, or nobody's
	lie && change "$(entry 1)" "$annotation"'diff-id"] = "sha256:'"$(printf '%064d' 7)"'"'
	is_a_miss "its layer"
	# bytes of a layer that are not its own, or too few, or no file
	lie && blob=cache/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$(entry 2)")
	size=$(stat -c %s "$blob") && rm "$blob" && head -c "$size" /dev/zero >"$blob"
	is_a_miss ""
	rm "$blob" && mkfifo "$blob"
	is_a_miss ""
	rm "$blob" && ln -s /dev/zero "$blob"
	is_a_miss ""
	rm "$blob"
	is_a_miss ""

	# who reads and writes it mends it
	on b2 --timestamp 0 --cache-from type=local,src=cache --cache-to type=local,dest=cache >/dev/null
	on b3 --timestamp 0 --cache-from type=local,src=cache >/dev/null
	equal "$(cached)" 6
}

@test "a layer that one cache has lost comes from the next" {
	six_steps
	id=$(on a --cache-to type=local,dest=one --cache-to type=local,dest=two)
	find one/blobs -type f -size -200c -delete
	find one/blobs -type f -size +2000c -delete
	equal "$(on b --cache-from type=local,src=one --cache-from type=local,src=two)" "$id"
	equal "$(cached)" 6
}

@test "a registry that sends other bytes, or says no, is no harm" {
	six_steps
	fault_start f <<<'{"rules": [{"target": "/manifests/", "status": 200, "body": "<html>welcome</html>"}]}'
	on a --cache-from "$(address f)/cache" >/dev/null
	equal "$(cached)" 0
	said "is not used"
	fault_start g <<<'{"rules": [{"target": "/manifests/", "status": 403}]}'
	on b --cache-from "$(address g)/cache" >/dev/null
	equal "$(cached)" 0
	equal "$(grep -c "is not used" said)" 1
	# HEAD or GET, and once more with what the answer asks for
	[ "$(requests g)" -le 2 ]
}

@test "nothing of a secret is in a cache" {
	six_steps
	echo "the canary of this test" >secret
	printf 'RUN --mount=type=secret,id=s cat /run/secrets/s >/dev/null
' >>ctx/Recipe
	on a --secret id=s,src=secret --cache-to type=local,dest=cache,mode=max >/dev/null
	need zstd
	"$PYTHON" -B "$BATS_TEST_DIRNAME/find_bytes.py" secret cache
	# another value is the same key
	echo other >secret
	on b --secret id=s,src=secret --cache-from type=local,src=cache >/dev/null
	equal "$(cached)" 7
}
