# tests/e2e/registries.bats - pull, push and copy with real registries, judged by other tools.

load faults

setup_file() {
	need docker-registry skopeo jq
	export WHOLE=$BATS_FILE_TMPDIR/whole
	image_layout "$WHOLE" good=1 --layers 3 >"$BATS_FILE_TMPDIR/digest"
	image_layout "$WHOLE" good=zstd --kind zstd --seed 2 >/dev/null
	image_layout "$WHOLE" good=docker --docker --seed 3 >/dev/null
	image_layout "$WHOLE" good=index --index --seed 4 >/dev/null
	DIGEST=$(cat "$BATS_FILE_TMPDIR/digest")
	export DIGEST
}

prepare() {
	has pull push
	private_home
}

# all_forms: the four registries, and what it takes to use them.
all_forms() {
	local form
	for form in plain tls htpasswd token; do
		registry_start "$form" "$form"
	done
	trust tls
	login_as htpasswd
	login_as token
}

# busybox_image NAME: an image that can run.
busybox_image() {
	make_rootfs root.tar
	SOURCE_DATE_EPOCH=0 cairn import root.tar "$1" >/dev/null
	ref_digest "docker.io/library/$1:latest"
}

# insecure NAME...: other tools are told that these speak plain http.
insecure() {
	local name
	for name; do
		printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$(address "$name")"
	done | registries_conf
}

@test "what cairn pushed to each form is what skopeo reads there" {
	local form digest
	prepare
	all_forms
	insecure plain htpasswd token
	digest=$(busybox_image app)
	for form in plain tls htpasswd token; do
		echo "== $form"
		push app "$(address $form)/team/app:1"
		equal "$status" 0 || { echo "$output"; return 1; }
		says "$digest"
		equal "$(skopeo inspect "docker://$(address $form)/team/app:1" | jq -r .Digest)" "$digest"
	done
	in_order_everywhere
}

in_order_everywhere() {
	verify_store --idle
}

@test "what skopeo pushed to each form is what cairn pulls, in every kind of image" {
	local form tag
	prepare
	all_forms
	insecure plain htpasswd token
	for form in plain tls htpasswd token; do
		for tag in 1 zstd; do
			skopeo copy --quiet --all "oci:$WHOLE:$tag" "docker://$(address $form)/a/b:$tag"
			pull "$(address $form)/a/b:$tag"
			equal "$status" 0 || { echo "$output"; return 1; }
			equal "$(ref_digest "$(address $form)/a/b:$tag")" \
				"$(jq -r --arg t "$tag" '.manifests[] | select(.annotations[] == $t).digest' "$WHOLE/index.json")"
		done
	done
	in_order_everywhere
}

@test "Docker's kinds, and an index with one platform" {
	prepare
	fault_start f --layout "$WHOLE" <<<'{}'
	for tag in docker index; do
		pull "$(address f)/a/b:$tag"
		equal "$status" 0 || { echo "$output"; return 1; }
		in_order_everywhere
	done
}

@test "podman, buildah and containerd run what cairn pushed, and cairn runs what they pushed" {
	prepare
	need podman buildah ctr
	need_root
	registry_start plain plain
	insecure plain
	busybox_image app >/dev/null
	push app "$(address plain)/app:1"
	equal "$status" 0
	local podman=(podman --root "$PWD/p" --runroot "$PWD/pr" --storage-driver vfs --tmpdir "$PWD/pt"
		--cgroup-manager cgroupfs --events-backend none)
	"${podman[@]}" pull -q "$(address plain)/app:1"
	equal "$("${podman[@]}" inspect --format '{{.Digest}}' "$(address plain)/app:1")" \
		"$(ref_digest docker.io/library/app:latest)"
	"${podman[@]}" push -q "$(address plain)/app:1" "docker://$(address plain)/podman:1"
	pull "$(address plain)/podman:1"
	equal "$status" 0
	cairn run "$(address plain)/podman:1" echo hello | grep -qx hello
	containerd_start c
	ctr_of c images pull --plain-http "$(address plain)/app:1" >/dev/null
	equal "$(ctr_of c images list | awk 'END { print $3 }')" "$(ref_digest docker.io/library/app:latest)"
}

@test "the budget of requests: a pull, a pull of what is there, a push, a push of what is there" {
	local before
	prepare
	registry_start plain plain
	skopeo copy --quiet --dest-tls-verify=false "oci:$WHOLE:1" "docker://$(address plain)/a/b:1"
	before=$(requests plain)
	pull "$(address plain)/a/b:1"
	equal "$status" 0
	[ $(($(requests plain) - before)) -le 6 ] # HEAD, manifest, config, three layers
	before=$(requests plain)
	pull "$(address plain)/a/b:1"
	equal "$status" 0
	[ $(($(requests plain) - before)) -le 1 ]
	before=$(requests plain)
	push "$(address plain)/a/b:1" "$(address plain)/new:1"
	equal "$status" 0
	[ $(($(requests plain) - before)) -le $((3 * 4 + 3)) ]
	before=$(requests plain)
	push "$(address plain)/a/b:1" "$(address plain)/new:1"
	equal "$status" 0
	[ $(($(requests plain) - before)) -le 3 ]
}

@test "a blob that the store has is not fetched again" {
	local before
	prepare
	fault_start f --layout "$WHOLE" <<<'{}'
	pull "$(address f)/a/b:1"
	equal "$status" 0
	before=$(requests f 'GET .*/blobs/')
	pull "$(address f)/other/name:1"
	equal "$status" 0
	equal "$(requests f 'GET .*/blobs/')" "$before"
	cairn rmi "$(address f)/a/b:1"
	pull "$(address f)/a/b@$DIGEST"
	equal "$status" 0
	equal "$(requests f 'GET .*/blobs/')" "$before"
}

@test "login verifies before it saves, keeps what else is in the file, and logout forgets" {
	has login logout
	prepare
	registry_start h htpasswd
	mkdir -p "$(dirname "$AUTH_FILE")"
	echo '{"auths": {"other.example.com": {"auth": "eDp5"}}, "credHelpers": {"x.example.com": "y"}, "future": [1]}' \
		>"$AUTH_FILE"
	cp "$AUTH_FILE" before.json
	fails 4 cairn login -u "$USER_NAME" --password-stdin "$(address h)" <<<wrong
	cmp "$AUTH_FILE" before.json
	cairn login -u "$USER_NAME" --password-stdin "$(address h)" <<<"$USER_PASSWORD"
	equal "$(stat -c %a "$AUTH_FILE")" 600
	equal "$(jq -r --arg h "$(address h)" '.auths[$h].auth | @base64d' "$AUTH_FILE")" \
		"$USER_NAME:$USER_PASSWORD"
	equal "$(jq -c '[.auths["other.example.com"].auth, .credHelpers, .future]' "$AUTH_FILE")" \
		'["eDp5",{"x.example.com":"y"},[1]]'
	pull "$(address h)/a/b:1"
	equal "$status" 3 # let in: it is not there
	skopeo inspect --tls-verify=false "docker://$(address h)/a/b:1" 2>&1 | grep -q 'manifest unknown'
	cairn logout "$(address h)"
	equal "$(jq -c '.auths | keys' "$AUTH_FILE")" '["other.example.com"]'
	pull "$(address h)/a/b:1"
	equal "$status" 4
}

@test "credentials come from where other tools keep them, in their order" {
	prepare
	registry_start h htpasswd
	local host pair
	host=$(address h)
	pair=$(printf '%s:%s' "$USER_NAME" "$USER_PASSWORD" | base64 -w 0)
	there() { # it is let in, and nothing is there
		pull "$@" "$host/a/b:1"
		equal "$status" 3 || { echo "$output"; return 1; }
	}
	echo "{\"auths\": {\"$host\": {\"auth\": \"$pair\"}}}" >good.json
	echo "{\"auths\": {\"$host\": {\"auth\": \"eDp5\"}}}" >bad.json
	there --creds "$USER_NAME:$USER_PASSWORD"
	there --authfile good.json
	REGISTRY_AUTH_FILE=$PWD/good.json there
	DOCKER_AUTH_CONFIG=$(cat good.json) there
	mkdir -p "$HOME/.docker" docker
	cp good.json docker/config.json
	DOCKER_CONFIG=$PWD/docker there
	cp good.json "$HOME/.docker/config.json"
	there
	cp bad.json "$XDG_CONFIG_HOME/containers/auth.json"
	pull "$host/a/b:1"
	equal "$status" 4
	cp good.json "$AUTH_FILE"
	there
	echo "{\"auths\": {\"$host\": {\"auth\": \"eDp5\"}, \"$host/a\": {\"auth\": \"$pair\"}}}" >"$AUTH_FILE"
	there
	echo 'no json' >"$AUTH_FILE"
	pull "$host/a/b:1"
	equal "$status" 1
	says auth.json
}

@test "a credential helper is asked once, by name, and a missing one is an error" {
	prepare
	registry_start h htpasswd
	mkdir bin
	cat >bin/docker-credential-tests <<-END
		#!/bin/sh
		read -r host
		echo "\$1 \$host" >>$PWD/asked
		printf '{"ServerURL":"%s","Username":"%s","Secret":"%s"}' "\$host" '$USER_NAME' '$USER_PASSWORD'
	END
	chmod 755 bin/docker-credential-tests
	echo "{\"credHelpers\": {\"$(address h)\": \"tests\"}}" >"$AUTH_FILE"
	PATH=$PWD/bin:$PATH pull "$(address h)/a/b:1"
	equal "$status" 3
	equal "$(cat asked)" "get $(address h)"
	pull "$(address h)/a/b:1"
	[ "$status" -ne 0 ]
	says docker-credential-tests
	echo "{\"credHelpers\": {\"$(address h)\": \"../../bin/sh\"}}" >"$AUTH_FILE"
	pull "$(address h)/a/b:1"
	[ "$status" -ne 0 ]
}

@test "HttpHeaders of config.json go to the registry, and to nobody else" {
	prepare
	fault_start f --layout "$WHOLE" --listen main --listen other <<-'END'
		{"rules": [{"target": "blobs", "redirect": "{other}{target}"}]}
	END
	mkdir -p "$HOME/.docker"
	echo '{"HttpHeaders": {"X-Key": "of-the-tests"}}' >"$HOME/.docker/config.json"
	pull "$(address f)/a/b:1"
	equal "$status" 0
	equal "$(responses f 'map(select(.event == "request") | "\(.listener) \(.headers["x-key"])") | unique | join(", ")')" \
		"main of-the-tests, other null"
}

@test "mirrors are asked first, the registry last, and a digest is held to wherever it came from" {
	prepare
	fault_start main --layout "$WHOLE" <<<'{}'
	fault_start mirror --layout "$WHOLE" <<<'{"rules": [{"target": "blobs", "skip": 1, "status": 404}]}'
	fault_start liar --layout "$WHOLE" <<<'{"rules": [{"target": "blobs", "flip": 10}]}'
	conf() {
		printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$(address main)"
		for name; do
			printf '[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' "$(address "$name")"
		done
	}
	conf mirror | registries_conf
	pull "$(address main)/a/b:1"
	equal "$status" 0
	equal "$(ref_digest "$(address main)/a/b:1")" "$DIGEST"
	[ "$(requests mirror)" -gt 0 ]
	[ "$(requests main)" -gt 0 ]
	rm -rf "$CAIRN_ROOT"
	conf liar | registries_conf
	pull "$(address main)/a/b:1"
	in_order_everywhere
	rm -rf "$CAIRN_ROOT"
	server_stop mirror
	conf mirror | registries_conf
	pull "$(address main)/a/b:1"
	equal "$status" 0
	printf '[[registry]]\nlocation = "%s"\nblocked = true\n' "$(address main)" | registries_conf
	pull "$(address main)/a/b:zstd"
	equal "$status" 4
	says blocked
}

@test "a name can lead elsewhere, and the store keeps the name" {
	prepare
	fault_start f --layout "$WHOLE" <<<'{}'
	printf '[[registry]]\nprefix = "images.example.com/team"\nlocation = "%s/a"\ninsecure = true\n' \
		"$(address f)" | registries_conf
	pull images.example.com/team/b:1
	equal "$status" 0
	equal "$(ref_digest images.example.com/team/b:1)" "$DIGEST"
	[ "$(requests f '/v2/a/b/')" -gt 0 ]
}

@test "a build fetches its base, pushes its result, and asks nobody when it need not" {
	local before
	prepare
	need_root
	registry_start plain plain
	insecure plain
	busybox_image base >/dev/null
	push base "$(address plain)/base:1"
	cairn rmi base
	mkdir context
	printf 'FROM %s/base:1\nRUN echo built >/built\n' "$(address plain)" >context/Recipe
	timeout 60 cairn build --network none -t "$(address plain)/app:1" --push context
	skopeo inspect --tls-verify=false "docker://$(address plain)/app:1" >/dev/null
	before=$(requests plain)
	timeout 60 cairn build --network none -t again context
	equal "$(requests plain)" "$before"
	timeout 60 cairn build --network none --pull=always -t again context
	[ "$(requests plain)" -gt "$before" ]
	server_stop plain
	timeout 60 cairn build --network none -t again context
	fails 5 timeout 60 cairn build --network none --pull=always -t again context
	fails 3 timeout 60 cairn build --network none --pull=never -t again -f - context <<<"FROM $(address plain)/gone:1"
	run timeout 60 cairn build --network none --offline -t again -f - context <<<"FROM $(address plain)/gone:1"
	[ "$status" -ne 0 ]
	says offline
}

@test "copies keep digests, between registries, layouts and archives" {
	has copy
	prepare
	all_forms
	skopeo copy --quiet --dest-tls-verify=false "oci:$WHOLE:1" "docker://$(address plain)/a/b:1"
	timeout 60 cairn copy "docker://$(address plain)/a/b:1" "docker://$(address tls)/c/d:1"
	equal "$(skopeo inspect "docker://$(address tls)/c/d:1" | jq -r .Digest)" "$DIGEST"
	timeout 60 cairn copy "docker://$(address tls)/c/d:1" oci:layout:1
	equal "$(jq -r '.manifests[0].digest' layout/index.json)" "$DIGEST"
	timeout 60 cairn copy oci:layout:1 oci-archive:image.tar
	equal "$(skopeo inspect oci-archive:image.tar | jq -r .Digest)" "$DIGEST"
	timeout 60 cairn copy oci-archive:image.tar "docker://$(address token)/e/f:1"
	equal "$(skopeo inspect --tls-verify=false "docker://$(address token)/e/f:1" | jq -r .Digest)" "$DIGEST"
	timeout 60 cairn copy --all oci:"$WHOLE":index "docker://$(address htpasswd)/g/h:index"
	equal "$(skopeo inspect --raw --tls-verify=false "docker://$(address htpasswd)/g/h:index" | sha256sum)" \
		"$(skopeo inspect --raw "oci:$WHOLE:index" | sha256sum)"
}

@test "digest, tags and inspect say what skopeo says" {
	has digest tags
	prepare
	registry_start plain plain
	for tag in 1 2 x; do
		skopeo copy --quiet --dest-tls-verify=false "oci:$WHOLE:1" "docker://$(address plain)/a/b:$tag"
	done
	equal "$(cairn digest "docker://$(address plain)/a/b:1")" "$DIGEST"
	equal "$(cairn tags "$(address plain)/a/b" | sort)" $'1\n2\nx'
	equal "$(cairn inspect --format json "docker://$(address plain)/a/b:1" | jq -r '.[0].digest')" "$DIGEST"
	fails 3 cairn digest "docker://$(address plain)/a/b:none"
	fails 3 cairn tags "$(address plain)/none"
}
