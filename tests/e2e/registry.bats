# tests/e2e/registry.bats - pull, push, copy and their kin against docker-registry in four forms,
# with skopeo, podman, buildah and containerd as judges.
# shellcheck disable=SC2154 # bats sets stderr

load helper
load ../registry/registry

setup_file() {
	export CAIRN_ROOT=$BATS_FILE_TMPDIR/store
	[ "$(id -u)" -eq 0 ] || return 0
	cd "$BATS_FILE_TMPDIR" || return 1
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_rootfs rootfs.tar
	cairn import --compression gzip rootfs.tar app:1
}

# An image that every test may push, and a store of its own to pull into.
own_store() {
	need_root
	private_home
	cp -a "$BATS_FILE_TMPDIR/store" "$CAIRN_ROOT"
	DIGEST=$(cairn digest app:1)
}

other_store() {
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/other
}

# round_trip NAME: what is pushed comes back as it was, and runs.
round_trip() {
	local host
	host=$(address "$1")
	run --separate-stderr -0 cairn push --digestfile digest app:1 "$host/team/app:1"
	equal "$output" "$DIGEST"
	equal "$(cat digest)" "$DIGEST"
	other_store
	run --separate-stderr -0 cairn pull "$host/team/app:1"
	equal "$output" "$DIGEST"
	[[ $stderr == *"$host/team/app:1"* ]]
	equal "$(cairn run "$host/team/app:1" echo works)" works
}

@test "a plain registry on the loopback" {
	own_store
	registry_start plain plain
	round_trip plain
}

@test "a registry with TLS is trusted through certs.d, by --cert-dir, or not at all" {
	own_store
	registry_start secure tls
	fails 5 cairn push app:1 "$(address secure)/team/app:1"
	says "certificate"
	cairn push -q --tls-verify=false app:1 "$(address secure)/team/app:1"
	mkdir certs
	cp "$(server secure)/ca.crt" certs
	cairn push -q --cert-dir certs app:1 "$(address secure)/team/app:2"
	fails 5 cairn pull --tls-verify "$(address secure)/team/app:1"
	trust secure
	round_trip secure
}

# nghttpx in front of a registry: its log says how each request came.
http2_start() {
	local name=$1 behind port
	behind=$(address "$2" | cut -d: -f2)
	port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	server_new "$name"
	make_ca "$SERVER"
	make_cert "$SERVER" server
	echo "127.0.0.1:$port" >"$SERVER/address"
	server_run nghttpx --conf=/dev/null -f "127.0.0.1,$port" -b "127.0.0.1,$behind" --no-ocsp -n 1 \
		--npn-list=h2,http/1.1 --accesslog-file="$SERVER/requests" "$SERVER/server.key" "$SERVER/server.crt"
	server_ready "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null
}

@test "small requests share a connection of HTTP/2, blobs have theirs of HTTP/1.1" {
	own_store
	need nghttpx
	registry_start plain plain
	http2_start http2 plain
	trust http2
	round_trip http2
	grep -q '"HEAD /v2/team/app/blobs/.* HTTP/2"' "$(server http2)/requests"
	grep -q '"PUT /v2/team/app/manifests/1 HTTP/2"' "$(server http2)/requests"
	grep -q '"PUT /v2/team/app/blobs/uploads/.* HTTP/1.1"' "$(server http2)/requests"
	grep -q '"GET /v2/team/app/blobs/.* HTTP/1.1"' "$(server http2)/requests"
}

@test "htpasswd: login, push, pull, logout" {
	own_store
	registry_start basic htpasswd
	host=$(address basic)
	fails 4 cairn push app:1 "$host/team/app:1"
	says "cairn login $host"
	fails 4 cairn login -u "$USER_NAME" --password-stdin "$host" <<<"wrong"
	[ ! -e "$AUTH_FILE" ]
	run -0 cairn login -u "$USER_NAME" --password-stdin "$host" <<<"$USER_PASSWORD"
	says "$AUTH_FILE"
	equal "$(stat -c %a "$AUTH_FILE")" 600
	equal "$(cairn login --get-login "$host")" "$USER_NAME"
	run -0 cairn login -u "$USER_NAME" --password-stdin "http://$host/v2/" <<<"$USER_PASSWORD"
	equal "$(jq -c '.auths | keys' "$AUTH_FILE")" "[\"$host\"]"
	run -0 cairn login --creds "$USER_NAME:$USER_PASSWORD" "$host"
	says "everybody on this machine can read a password"
	round_trip basic
	run -0 cairn logout "$host"
	fails 3 cairn login --get-login "$host"
	fails 3 cairn logout "$host"
	fails 4 cairn pull --policy always "$host/team/app:1"
	run -0 cairn pull --creds "$USER_NAME:$USER_PASSWORD" "$host/team/app:1"
	says "everybody on this machine can read a password"
}

@test "what can be no password is not sent to anybody" {
	private_home
	own() {
		fails 2 cairn login -u me --password-stdin 127.0.0.1:1 <input
		says "$1"
	}
	printf 'half\0more\n' >input
	own "is no text"
	printf 'a\033b\n' >input
	own "control character"
	head -c 70000 /dev/zero | tr '\0' x >input
	own "too long"
	printf '\nsecond\n' >input
	own "the password is empty"
	fails 2 cairn login --creds me 127.0.0.1:1
	says "the password is missing"
	fails 2 cairn digest --creds me docker://127.0.0.1:1/x
	fails 2 cairn digest --creds :pass docker://127.0.0.1:1/x
}

@test "what podman's login left is found, and ours by skopeo" {
	own_store
	need podman skopeo
	registry_start basic htpasswd
	host=$(address basic)
	podman login --tls-verify=false -u "$USER_NAME" --password-stdin "$host" <<<"$USER_PASSWORD"
	cairn push -q app:1 "$host/team/app:1"
	podman logout "$host"
	cairn login -u "$USER_NAME" --password-stdin "$host" <<<"$USER_PASSWORD"
	equal "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/team/app:1")" "$DIGEST"
}

@test "a token server: login, push, pull, copy" {
	own_store
	registry_start tokens token
	host=$(address tokens)
	fails 4 cairn login -u "$USER_NAME" --password-stdin "$host" <<<"wrong"
	cairn login -u "$USER_NAME" --password-stdin "$host" <<<"$USER_PASSWORD"
	round_trip tokens
	run --separate-stderr -0 cairn copy "docker://$host/team/app:1" "docker://$host/other/app:1"
	equal "$output" "$DIGEST"
	[ "$(requests tokens 'mount=.* 201')" -eq 2 ]
	run -0 cairn --debug push "$host/team/app:1" "$host/user/debugged:1"
	says "debug: PUT http://$host/v2/user/debugged/manifests/1: 201"
	for secret in "$USER_PASSWORD" "$USER_NAME" eyJ; do
		[[ $output != *"$secret"* ]]
	done
}

@test "an image that is there already costs three requests at most" {
	own_store
	registry_start plain plain
	cairn push -q app:1 "$(address plain)/team/app:1"
	before=$(requests plain)
	run --separate-stderr -0 cairn push app:1 "$(address plain)/team/app:1"
	says "$DIGEST"
	[ $(($(requests plain) - before)) -le 3 ]
}

@test "a pull of what is here asks once or not at all" {
	own_store
	registry_start plain plain
	host=$(address plain)
	cairn push -q app:1 "$host/team/app:1"
	before=$(requests plain)
	cairn pull -q --policy missing "$host/team/app:1"
	cairn pull -q --policy never "$host/team/app:1" || true
	cairn tag app:1 "$host/team/app:1"
	cairn pull -q --policy missing --offline "$host/team/app:1"
	after=$(requests plain)
	cairn pull -q "$host/team/app:1"
	[ $(($(requests plain) - after)) -le 1 ]
	fails 5 cairn pull --offline "$host/team/app:1"
	says "--offline"
	fails 3 cairn pull "$host/team/nothing"
	says "asked: $host/team/nothing"
	fails 2 cairn pull "Bad/Name"
	fails 2 cairn push "$DIGEST"
	fails 2 cairn push "$(cut -c 1-12 <<<"${DIGEST#sha256:}")"
	says "say where to push it"
}

@test "skopeo, podman and buildah read what cairn pushed" {
	own_store
	need skopeo podman buildah
	registry_start plain plain
	host=$(address plain)
	cairn push -q app:1 "$host/team/app:1"
	equal "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/team/app:1")" "$DIGEST"
	vfs=(--root "$BATS_TEST_TMPDIR/vfs" --runroot "$BATS_TEST_TMPDIR/vfs-run" --storage-driver vfs)
	podman "${vfs[@]}" pull -q --tls-verify=false "$host/team/app:1"
	equal "$(podman "${vfs[@]}" image inspect --format '{{.Digest}}' "$host/team/app:1")" "$DIGEST"
	buildah "${vfs[@]}" from --name judge --tls-verify=false "$host/team/app:1"
	[ -x "$(buildah "${vfs[@]}" mount judge)/bin/busybox" ]
	buildah "${vfs[@]}" umount judge
	podman "${vfs[@]}" rmi -af || true
}

@test "containerd pulls what cairn pushed" {
	own_store
	registry_start plain plain
	containerd_start c
	host=$(address plain)
	cairn push -q app:1 "$host/team/app:1"
	ctr_of c images pull --plain-http --snapshotter native "$host/team/app:1"
	[[ $(ctr_of c images ls "name==$host/team/app:1") == *"$DIGEST"* ]]
}

@test "cairn pulls what skopeo pushed, in both formats" {
	own_store
	need skopeo
	registry_start plain plain
	host=$(address plain)
	cairn copy -q app:1 oci:layout:1
	for format in oci v2s2; do
		skopeo copy -q --format "$format" --dest-tls-verify=false oci:layout:1 "docker://$host/from/$format:1"
		want=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/from/$format:1")
		equal "$(cairn pull -q "$host/from/$format:1" 2>/dev/null)" "$want"
		equal "$(cairn run "$host/from/$format:1" echo works)" works
		equal "$(cairn digest "docker://$host/from/$format:1")" "$want"
	done
}

@test "a digest survives every copy" {
	own_store
	need skopeo
	registry_start one plain
	registry_start two htpasswd
	login_as two
	one=docker://$(address one)/a/b:1 two=docker://$(address two)/c/d:2
	other_store
	CAIRN_ROOT=$BATS_TEST_TMPDIR/store cairn copy -q app:1 "$one"
	equal "$(cairn copy -q "$one" "$two")" "$DIGEST"
	equal "$(find other/blobs -type f -size +20k | wc -l)" 0
	equal "$(cairn copy -q "$two" oci:layout:v1)" "$DIGEST"
	equal "$(skopeo inspect --format '{{.Digest}}' oci:layout:v1)" "$DIGEST"
	equal "$(cairn digest oci:layout:v1)" "$DIGEST"
	equal "$(cairn copy -q oci:layout:v1 oci-archive:app.tar:app:3)" "$DIGEST"
	equal "$(skopeo inspect --format '{{.Digest}}' oci-archive:app.tar)" "$DIGEST"
	equal "$(cairn copy -q oci-archive:app.tar app:4)" "$DIGEST"
	equal "$(cairn digest app:4)" "$DIGEST"
	cairn copy -q app:4 docker-archive:docker.tar:app:5
	equal "$(skopeo inspect docker-archive:docker.tar:app:5 | jq -r .Layers[0])" \
		"$(cairn inspect --format json app:4 | jq -r '.[0].layers[0].diff_id')"
	fails 1 cairn copy dir:x app:5
	says 'oci:DIR'
	fails 3 cairn copy oci:layout:nothing app:6
	says v1
}

@test "a stream is all that a copy between registries needs" {
	own_store
	registry_start one plain
	registry_start two plain
	head -c 30000000 /dev/urandom >random
	tar -cf big.tar random
	cairn import --compression none big.tar big
	cairn push -q big "$(address one)/big"
	other_store
	equal "$(cairn copy -q "docker://$(address one)/big" "docker://$(address two)/big")" \
		"$(CAIRN_ROOT=$BATS_TEST_TMPDIR/store cairn digest big)"
	[ "$(du -sk other | cut -f 1)" -lt 5000 ]
}

# platforms HOST: images for two platforms in the registry, as team/app:amd64 and team/app:arm64.
platforms() {
	for arch in amd64 arm64; do
		cairn import --compression gzip --platform "linux/$arch" "$BATS_FILE_TMPDIR/rootfs.tar" "app:$arch"
		cairn push -q "app:$arch" "$1/team/app:$arch"
	done
}

@test "an index of images, in the store and in the registry" {
	own_store
	need skopeo
	cairn import --help | grep -q -- --platform || skip "import makes images for this machine alone"
	registry_start plain plain
	host=$(address plain)
	platforms "$host"
	kept=$(cairn index create -q --annotation a=b app:all app:amd64 app:arm64)
	equal "$(cairn push -q app:all "$host/team/app:kept")" "$kept"
	other_store
	made=$(cairn index create -q --push --annotation a=b "$host/team/app:all" \
		"docker://$host/team/app:amd64" "docker://$host/team/app:arm64")
	equal "$made" "$kept"
	equal "$(skopeo inspect --raw --tls-verify=false "docker://$host/team/app:all" | sha256sum)" "${made#sha256:}  -"
	run -0 cairn index inspect "docker://$host/team/app:all"
	says "linux/arm64"
	equal "$(cairn inspect --format json "docker://$host/team/app:all" | jq -c '[.[0].manifests[].platform]')" \
		'["linux/amd64","linux/arm64"]'
	equal "$(cairn digest --platform linux/arm64 "docker://$host/team/app:all")" \
		"$(cairn digest "docker://$host/team/app:arm64")"
	equal "$(cairn copy -q --all "docker://$host/team/app:all" oci:layout:all)" "$made"
	equal "$(cairn pull -q --all-platforms "$host/team/app:all" 2>/dev/null)" "$made"
}

@test "an index is not held while an image for it is fetched, and nothing that others add is lost" {
	own_store
	image_layout layout good=one --layers 1 --index --platform linux/s390x
	for kind in amd64 arm64; do
		cairn import --platform "linux/$kind" "$BATS_FILE_TMPDIR/rootfs.tar" "part:$kind" >/dev/null
	done
	cairn index create -q parts part:amd64
	fault_start f --layout layout <<<"{\"rules\": [{\"target\": \"blobs\", \"hold\": \"$PWD/go\"}]}"
	cairn index add -q parts "docker://$(address f)/a/b:one" >said 2>&1 3>&- &
	eventually 60 held f
	timeout 60 cairn index add -q parts part:arm64
	touch go
	wait "$!" || { cat said && false; }
	run -0 cairn index inspect parts
	for kind in amd64 arm64 s390x; do
		says "linux/$kind"
	done
}

@test "an image alone that is for another machine is copied and named, and that is told" {
	need_root
	private_home
	registry_start plain plain
	host=$(address plain)
	told="is for linux/s390x, and there is none for linux/arm64"
	cairn import --platform linux/s390x "$BATS_FILE_TMPDIR/rootfs.tar" "$host/one:1" >/dev/null
	digest=$(cairn push -q "$host/one:1")
	other_store
	run --separate-stderr -0 cairn digest --platform linux/arm64 "docker://$host/one:1"
	equal "$output" "$digest"
	[[ $stderr == *"$told"* ]]
	for target in "docker://$host/copied:1" oci:copied:1 kept:1; do
		run --separate-stderr -0 cairn copy -q --platform linux/arm64 "docker://$host/one:1" "$target"
		equal "$output" "$digest"
		[[ $stderr == *"$told"* ]]
	done
	run --separate-stderr -0 cairn digest --platform linux/arm64 kept:1
	[[ $stderr == *"$told"* ]]
	run --separate-stderr -0 cairn copy -q --platform linux/s390x "docker://$host/one:1" oci:right:1
	equal "$stderr" ""
	run --separate-stderr -0 cairn digest "docker://$host/one:1"
	equal "$stderr" ""
}

@test "what is only for another machine is listed, and named in errors" {
	need_root
	private_home
	registry_start plain plain
	host=$(address plain)
	image_layout layout good=other --layers 1 --index --platform linux/s390x
	digest=$(cairn copy -q --all oci:layout:other "docker://$host/other:1")
	other_store
	fails 3 cairn pull -q "$host/other:1"
	says "error: $host/other:1: the image has nothing for"
	equal "$(cairn pull -q --platform linux/s390x "$host/other:1" 2>/dev/null)" "$digest"
	run --separate-stderr -0 cairn images
	says "$host/other:1"
	equal "$stderr" ""
	equal "$(cairn images --format json | jq -r '.[0].digest')" "$digest"
	fails 3 cairn digest --platform linux/arm64 "docker://$host/other:1"
	says "$host/other:1: the image has nothing for linux/arm64, only for linux/s390x"
	fails 3 cairn inspect --platform linux/arm64 "docker://$host/other:1"
	says "$host/other:1: the image has nothing"
	cairn pull -q "$host/other@$(cairn digest --platform linux/s390x "docker://$host/other:1")"
	fails 1 cairn index inspect "docker://$host/other@$(cairn digest --platform linux/s390x "docker://$host/other:1")"
	says "docker://$host/other@"
	says "not an index"
}

@test "a digest in a registry takes no store" {
	own_store
	registry_start plain plain
	host=$(address plain)
	cairn push -q app:1 "$host/app:1"
	equal "$(cairn --root "$BATS_TEST_TMPDIR/none" digest "docker://$host/app:1")" "$DIGEST"
	[ ! -e none ]
	equal "$(cairn copy -q --digestfile file app:1 "docker://$host/app:2")" "$DIGEST"
	equal "$(cat file)" "$DIGEST"
	fails 3 cairn copy --digestfile absent/file app:1 "docker://$host/app:3"
	fails 3 cairn digest "docker://$host/app:3"
}

@test "tags, inspect and delete" {
	own_store
	registry_start plain plain
	host=$(address plain)
	for tag in 1 2 latest; do
		cairn push -q app:1 "$host/team/app:$tag"
	done
	equal "$(cairn tags "$host/team/app" | sort | tr '\n' ' ')" "1 2 latest "
	equal "$(cairn tags --format json "docker://$host/team/app" | jq '.tags | length')" 3
	fails 3 cairn tags "$host/nothing"
	fails 2 cairn tags "$host/team/app:1"
	equal "$(cairn inspect --format json "docker://$host/team/app:1" | jq -r '.[0].digest')" "$DIGEST"
	equal "$(cairn inspect --raw manifest "docker://$host/team/app:1" | sha256sum)" "${DIGEST#sha256:}  -"
	fails 2 cairn delete "$host/team/app:1"
	fails 2 cairn delete "docker://$host/team/app@$DIGEST" </dev/null
	says "with it goes the tag 2"
	fails 2 cairn delete --confirm "$host/team/app:1" "docker://$host/team/app@$DIGEST"
	equal "$(cairn tags "$host/team/app" | wc -l)" 3
	run -0 cairn delete --confirm "docker://$host/team/app@$DIGEST" "docker://$host/team/app@$DIGEST"
	says "deleted $host/team/app@$DIGEST"
	fails 3 cairn digest "docker://$host/team/app:1"
	fails 3 cairn delete --yes "docker://$host/team/app:1"
}

@test "progress is lines, events or nothing" {
	own_store
	registry_start plain plain
	host=$(address plain)
	cairn push app:1 "$host/a:1" 2>lines
	[ "$(grep -c ' done in ' lines)" -eq 2 ]
	cairn push app:1 "$host/a:2" 2>lines
	[ "$(grep -c ' done in ' lines)" -eq 0 ]
	cairn push --progress json app:1 "$host/b:1" 2>&1 >/dev/null | grep '^{' >events
	equal "$(jq -r .event events | sort | uniq -c | tr -s ' \n' ' ')" " 2 blob-begin 2 blob-end "
	cairn push -q app:1 "$host/c:1" 2>lines
	equal "$(cat lines)" ""
}

@test "short names are what registries.conf says" {
	own_store
	registry_start plain plain
	host=$(address plain)
	cairn push -q app:1 "$host/team/app:1"
	registries_conf <<-END
		unqualified-search-registries = ["$host"]
		short-name-mode = "permissive"
		[aliases]
		"nick" = "$host/team/app"
	END
	run --separate-stderr -0 cairn pull -q nick:1
	equal "$stderr" "$host/team/app:1"
	run --separate-stderr -0 cairn pull -q team/app:1
	equal "$stderr" "$host/team/app:1"
}
