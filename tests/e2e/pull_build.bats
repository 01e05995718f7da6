#!/usr/bin/env bats
# Builds and runs whose images are in a registry: what is fetched, how often, and what is said.

load helper
load ../registry/registry

setup_file() {
	need skopeo jq curl
	need_root
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_rootfs "$BATS_FILE_TMPDIR/rootfs.tar"
	image_layout "$BATS_FILE_TMPDIR/noise" good=base --layers 1 --size 20000000 --kind gzip
}

# A docker-registry `r` with base:1, the root filesystem with a busybox; $R is its address.
base_registry() {
	need_root
	private_home
	registry_start r plain
	R=$(address r)
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other cairn import "$BATS_FILE_TMPDIR/rootfs.tar" base >/dev/null
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other cairn save -o base.tar base
	skopeo copy --quiet --dest-tls-verify=false oci-archive:base.tar "docker://$R/base:1"
	forget r
	mkdir context
}

# A fault server `f` with base:1, which holds every answer about its layer of 20 MB behind this many
# bytes until there is a file `go`; $R is its address.
slow_registry() {
	need_root
	private_home
	fault_start f --layout "$BATS_FILE_TMPDIR/noise" \
		<<<"{\"rules\": [{\"target\": \"/blobs/\", \"hold\": \"$PWD/go\", \"after\": $1}]}"
	R=$(address f)
	mkdir context
	printf 'FROM %s/base:base\nCOPY Recipe /\n' "$R" >context/Recipe
}

# asked_most: how often the server f was asked for one blob, at most.
asked_most() {
	responses f 'map(select(.event == "request" and .method == "GET" and (.target | contains("/blobs/"))).target)
		| group_by(.) | map(length) | max'
}

blob_gets() {
	requests "$1" '^GET .*/blobs/'
}

@test "FROM an image in a registry builds on an empty store, and runs" {
	base_registry
	printf 'ARG R\nFROM $R/base:1 AS one\nRUN echo one >/one\nFROM %s/base:1\nCOPY --from=one /one /\n' "$R" >context/Recipe
	run -0 --separate-stderr build --network host --progress plain --build-arg "R=$R" -t app context
	[[ $stderr == *"pull $R/base:1: DONE "*" in "* ]]
	equal "$(cairn run app cat /one)" one
	# the base has its name, and came once
	cairn inspect "$R/base:1" >/dev/null
	equal "$(requests r "^(GET|HEAD) .*/manifests/1")" 1
	equal "$(blob_gets r)" 2
}

@test "an unchanged rebuild asks nobody, and loads no library of the network" {
	base_registry
	printf 'FROM %s/base:1\nRUN echo one >/one\n' "$R" >context/Recipe
	build -q --network host context
	forget r
	server_stop r
	build -q --network host context
	equal "$(requests r)" 0
	need strace
	# What watches for leaks cannot be traced.
	ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=openat,connect,socket -o trace build -q --network host context
	equal "$(grep -c libcurl trace)" 0
	equal "$(grep -cE '(socket|connect)\(AF_INET' trace)" 0
}

@test "--pull asks with two requests at most, and fetches what has changed" {
	base_registry
	printf 'FROM %s/base:1\nRUN echo one >/one\n' "$R" >context/Recipe
	first=$(build -q --network host context)
	forget r
	equal "$(build -q --pull --network host context)" "$first"
	[ "$(requests r)" -le 2 ]
	# another image under the same tag
	printf 'FROM base\nLABEL changed=yes\n' >changed
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other build -q --pull=never -f changed -t changed context >/dev/null
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other cairn push -q --tls-verify=false changed "$R/base:1" >/dev/null
	equal "$(build -q --network host context)" "$first"
	[ "$(build -q --pull=newer --network host context)" != "$first" ]
	equal "$(cairn inspect --format json "$R/base:1" | jq -r '.. | .changed? // empty' | head -n 1)" yes
	# newer is content with what is here, always is not
	server_stop r
	build -q --pull=newer --retry-max-wait 1 --network host context
	fails 5 build -q --pull=always --retry-max-wait 1 --network host context
}

@test "--offline and --pull=never need the image in the store" {
	base_registry
	printf 'FROM scratch AS none\n\nFROM %s/base:1\nRUN echo one >/one\n' "$R" >context/Recipe
	fails 5 build --offline --network host context
	says "Recipe:3"
	says "--offline"
	fails 3 build --pull=never --network host context
	says "Recipe:3"
	says "no image '$R/base:1' in the store"
	fails 125 cairn run --pull never "$R/base:1" true
	equal "$(requests r)" 0
	build -q --network host context
	forget r
	build -q --no-cache --offline --network host context
	cairn run --offline "$R/base:1" true
	equal "$(requests r)" 0
}

@test "an image that nobody has is told with its place and what was asked" {
	base_registry
	printf 'FROM scratch\nCOPY --from=%s/none:7 / /\n' "$R" >context/Recipe
	fails 3 build --progress plain context
	says "Recipe:2"
	says "image '$R/none:7'"
	says "asked: $R/none"
	says "COPY --from=$R/none:7"
	equal "$(cairn images | wc -l)" 1
}

@test "an index without the platform lists what it has" {
	need_root
	private_home
	image_layout "$BATS_TEST_TMPDIR/index" good=base --index --platform linux/s390x
	fault_start f --layout "$BATS_TEST_TMPDIR/index" <<<'{}'
	R=$(address f)
	mkdir context
	printf 'FROM %s/base:base\nCOPY Recipe /\n' "$R" >context/Recipe
	fails 3 build context
	says "Recipe:1"
	says linux/s390x
	sed -i 's,FROM ,FROM --platform=linux/s390x ,' context/Recipe
	build -q context
}

@test "two builds at once fetch a base once" {
	slow_registry 15000000
	export CAIRN_ROOT
	build --progress plain -t one context >one 2>&1 3>&- &
	first=$!
	eventually 60 held f
	build --progress plain -t two context >two 2>&1 3>&- &
	second=$!
	eventually 60 grep -q "pull $R/base:base" two
	touch go
	wait "$first"
	wait "$second"
	equal "$(asked_most)" 1
}

@test "a build that was killed in a pull goes on where it was" {
	slow_registry 10000000
	build -q context >/dev/null 2>&1 3>&- &
	pid=$!
	eventually 60 part_is_here 9000000
	kill -9 "$pid"
	wait "$pid" || equal "$?" 137
	equal "$(cairn images -a | wc -l)" 1
	touch go
	# The layer's; the config may have been under way as well, a few hundred bytes.
	here=$(stat -c %s "$CAIRN_ROOT"/partial/* | sort -n | tail -n 1)
	build -q context
	range=$(responses f "map(select(.event == \"request\" and
		(.headers.range // \"\" | startswith(\"bytes=$here-\"))).headers.range) | join(\" \")")
	equal "${range%-*}" "bytes=$here"
	equal "$(responses f 'map(select(.event == "response" and .status == 206 and
			.sent > 1000).sent) | add')" \
		"$((${range#*-} + 1 - here))"
}

@test "an interrupt ends a pull at once, and nothing is named" {
	slow_registry 1000
	build --progress plain context 2>log 3>&- &
	pid=$!
	eventually 60 held f
	kill -TERM "$pid" # a shell's background job ignores SIGINT
	code=0
	wait "$pid" || code=$?
	equal "$code" 143
	touch go
	# it did not wait until the transfer was given up, which is when it asks again
	equal "$(asked_most)" 1
	equal "$(cairn images -a | wc -l)" 1
	equal "$(ls "$CAIRN_ROOT/refs")" ""
}

@test "events tell what is pulled before there is a plan" {
	base_registry
	printf 'FROM %s/base:1\nRUN true\n' "$R" >context/Recipe
	build --network host --progress json context 2>events
	equal "$(jq -r .event events | grep -v -e '^log' -e transfer-progress | tr '\n' ' ')" \
		"build-begin transfer-begin transfer-end build-plan step-begin isolation step-end build-end "
	equal "$(jq -c 'select(.event == "transfer-end") | [.transfer, .verb, .name, .status, .done > 0]' events)" \
		"[1,\"pull\",\"$R/base:1\",\"done\",true]"
}

@test "run fetches what it lacks, as its policy says" {
	base_registry
	equal "$(cairn run "$R/base:1" echo here)" here
	forget r
	equal "$(cairn run "$R/base:1" echo here)" here
	equal "$(requests r)" 0
	cairn run --pull always "$R/base:1" true
	[ "$(requests r)" -ge 1 ]
	[ "$(requests r)" -le 2 ]
	fails 125 cairn run "$R/none" true
	says "no such image"
}

@test "--push sends the image under every name, and others take it" {
	base_registry
	printf 'FROM %s/base:1\nRUN echo one >/one\n' "$R" >context/Recipe
	run -0 --separate-stderr build --network host --progress plain --push -t "$R/team/app:1" -t "$R/team/app:2" \
		--metadata-file meta context
	digest=$(jq -r '."containerimage.digest"' meta)
	[[ $stderr == *"pushed $R/team/app:1@$digest"* ]]
	[[ $stderr == *"push $R/team/app:2: CACHED"* ]]
	for tag in 1 2; do
		equal "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$R/team/app:$tag")" "$digest"
	done
	# the forms of docker buildx
	build -q --network host -o "type=image,push=true,\"name=$R/team/b:1,$R/team/b:2\"" context
	build -q --network host -o type=registry -t "$R/team/c" context
	for name in b:1 b:2 c:latest; do
		equal "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$R/team/$name")" "$digest"
	done
	fails 2 build --push context
	says "-t NAME"
	fails 2 build -o type=tar,dest=x,push=true context
	fails 2 build --creds me:secret context
	server_stop r
	fails 5 build -q --retry-max-wait 1 --network host --push -t "$R/team/app:1" context
	says "push $R/team/app:1"
}

@test "credentials of a login reach the base's registry" {
	need_root
	private_home
	registry_start h htpasswd
	R=$(address h)
	trust h || true
	mkdir context
	image_layout "$BATS_TEST_TMPDIR/small" good=base --size 1000
	skopeo copy --quiet --dest-tls-verify=false --dest-creds "$USER_NAME:$USER_PASSWORD" \
		"oci:$BATS_TEST_TMPDIR/small:base" "docker://$R/base:1"
	printf 'FROM %s/base:1\nCOPY Recipe /\n' "$R" >context/Recipe
	fails 4 build context
	says "Recipe:1"
	login_as h
	build -q context
}
