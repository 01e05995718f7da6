# tests/e2e/faults_push.bats - pushes to registries that fail; what arrives is whole or not there.
#
# Rows are NAME | exit code | text | rules of tests/registry/fault_server.py.
#
# run.sh: first

load faults

setup_file() {
	faults_open
	export LAYOUT_SENT=$LAYOUT
	tar -C "$LAYOUT" -cf "$BATS_FILE_TMPDIR/image.tar" .
	image_layout "$BATS_FILE_TMPDIR/large" good=1 --layers 1 --size 6000000 >"$BATS_FILE_TMPDIR/large-digest"
	tar -C "$BATS_FILE_TMPDIR/large" -cf "$BATS_FILE_TMPDIR/large.tar" .
}

# prepare [NAME]: the image $SENT is in the store; registries begin empty.
prepare() {
	has push
	private_home
	unset LAYOUT
	SENT=sent
	cairn load --name "$SENT" "$BATS_FILE_TMPDIR/${1:-image}.tar" >/dev/null
	[ "${1:-image}" = image ] || DIGEST=$(cat "$BATS_FILE_TMPDIR/$1-digest")
}

# arrived [TAG]: the registry has all of it, byte for byte.
arrived() {
	equal "$status" 0 || { echo "$output"; return 1; }
	says "$DIGEST"
	in_order
	rm -rf copy
	skopeo copy --quiet --all --src-tls-verify=false "docker://$(address f)/a/b:${1:-1}" oci:copy:1
	equal "$(jq -r '.manifests[0].digest' copy/index.json)" "$DIGEST"
}

# not_arrived CODE TEXT: it failed so, and the tag is not there.
not_arrived() {
	equal "$status" "$1" || { echo "$output"; return 1; }
	says "${2:-$(address f)}"
	says "$(address f)"
	equal "$(requests f 'PUT .*/manifests/1 201')" 0
	in_order
}

# push_table: as pull_table; each row to a fresh registry.
push_table() {
	local name code text rules
	while IFS='|' read -r name code text rules; do
		code=${code// /} text=${text# } text=${text% }
		echo "== $name"
		faulty "$rules"
		push "$SENT" "$IMAGE"
		if [ "$code" = 0 ]; then
			arrived
			says "$text"
		else
			not_arrived "$code" "$text"
		fi
	done
}

@test "a push to a healthy registry, and again with three requests" {
	prepare
	faulty ''
	push "$SENT" "$IMAGE"
	arrived
	before=$(requests f)
	push "$SENT" "$IMAGE"
	arrived
	[ $(($(requests f) - before)) -le $((3 + 4 + 1)) ] # skopeo's four, a challenge
	equal "$(requests f 'POST ')" 3
}

@test "a storm of interrupts ends a push once, and the next one arrives" {
	prepare
	faulty "{\"method\": \"PATCH|PUT\", \"target\": \"uploads\", \"hold\": \"$PWD/go\", \"count\": 1}"
	storm cairn push "${PATIENCE[@]}" "$SENT" "$IMAGE"
	touch go
	equal "$(requests f 'PUT .*/manifests/1 201')" 0
	push "$SENT" "$IMAGE"
	arrived
}

@test "upload locations in every form" {
	prepare
	push_table <<-'END'
		relative to the path  | 0 | | {"method": "POST", "headers": {"Location": "{location}"}}
		absolute              | 0 | | {"method": "POST", "headers": {"Location": "{main}{location}"}}
		without a scheme      | 0 | | {"method": "POST", "headers": {"Location": "//{host:main}{location}"}}
		host and path         | 0 | | {"method": "POST", "headers": {"Location": "{host:main}{location}"}}
		on another origin     | 0 | | {"method": "POST", "headers": {"Location": "{other}{location}"}}
		nowhere               | 1 | | {"method": "POST", "headers": {"Location": null}}
		a file                | 1 | | {"method": "POST", "headers": {"Location": "file:///etc/passwd"}}
		two lines             | 1 | | {"method": "POST", "headers": {"Location": "/v2/a\\r/b"}}
	END
	for state in abc%3D%3D a%2Bb%2Fc== 'x=y=z' 'a+b'; do
		echo "== $state"
		faulty '' "\"state\": \"$state\""
		push "$SENT" "$IMAGE"
		equal "$status" 0
		equal "$(requests f 'PUT .*digest=.* 201')" 3
	done
}

@test "answers that mean success in other words" {
	prepare
	push_table <<-'END'
		PUT is 204             | 0 | | {"method": "PUT", "target": "uploads", "as": 204}
		PUT without a Location | 0 | | {"method": "PUT", "headers": {"Location": null}}
		PATCH is 201           | 0 | | {"method": "PATCH", "as": 201}
		the manifest's is 200  | 0 | | {"method": "PUT", "target": "manifests", "as": 200}
		no digest is told      | 0 | | {"method": "PUT", "headers": {"Docker-Content-Digest": null}}
	END
}

@test "what looks like success and is none" {
	prepare
	faulty '{"status": 200, "type": "text/html", "body": "<html>Welcome to our network</html>"}'
	push "$SENT" "$IMAGE"
	equal "$status" 1
	faulty '{"method": "PUT", "target": "manifests", "headers": {"Docker-Content-Digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}'
	push "$SENT" "$IMAGE"
	equal "$status" 1
	faulty '{"method": "PUT", "target": "manifests", "status": 201}'
	push "$SENT" "$IMAGE"
	equal "$status" 1 # it said 201, and does not have it
}

@test "failures that pass are survived, others are told" {
	prepare
	push_table <<-'END'
		POST 503 once           | 0 | | {"method": "POST", "status": 503, "count": 1}
		HEAD 500 once           | 0 | | {"method": "HEAD", "status": 500, "count": 1}
		PUT 502 once            | 0 | | {"method": "PUT", "target": "uploads", "status": 502, "count": 1}
		PUT 429 once            | 0 | | {"method": "PUT", "target": "uploads", "status": 429, "headers": {"Retry-After": "1"}, "count": 1}
		manifest 503 once       | 0 | | {"method": "PUT", "target": "manifests", "status": 503, "count": 1}
		the session is unknown  | 0 | | {"method": "PUT", "target": "uploads", "status": 404, "body": "{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\"}]}", "count": 1}
		reset in the body       | 0 | | {"method": "PUT", "target": "uploads", "take": 50000, "drop": "reset", "count": 1}
		the answer is lost      | 0 | | {"method": "PUT", "target": "uploads", "lose": true, "count": 1}
		the manifest's is lost  | 0 | | {"method": "PUT", "target": "manifests", "lose": true, "count": 1}
		HEAD is not allowed     | 0 | | {"method": "HEAD", "target": "blobs", "status": 405}
		HEAD is denied          | 0 | | {"method": "HEAD", "target": "blobs", "status": 403}
		POST 503 always         | 5 | 503 | {"method": "POST", "status": 503}
		POST denied             | 4 | 403 | {"method": "POST", "status": 403}
		always reset            | 5 | | {"method": "(PUT|PATCH)", "take": 5000, "drop": "reset"}
		the manifest is refused | 1 | MANIFEST_INVALID | {"method": "PUT", "target": "manifests", "status": 400, "body": "{\"errors\":[{\"code\":\"MANIFEST_INVALID\"}]}"}
	END
}

@test "a token that ends before the upload does is asked for again" {
	prepare
	AUTH='{"challenge": "Bearer realm=\"{main}/token\",service=\"tests\"", "accept": ["Bearer token-main-*"]}' \
		faulty '{"method": "POST", "revoke": true, "count": 1}'
	push "$SENT" "$IMAGE"
	equal "$status" 0 || { echo "$output"; return 1; }
	in_order
	[ "$(requests f '/token.* 200')" -ge 2 ]
}

@test "an answer whose body never was sent is not sent twice" {
	prepare
	faulty '{"method": "PUT", "target": "uploads", "lose": true, "count": 1}'
	push "$SENT" "$IMAGE"
	arrived
	equal "$(requests f 'PUT .*uploads')" 3 # what was there was found, not sent again
}

@test "an answer that comes before the body was read is shown" {
	prepare large
	for how in linger close; do
		faulty "{\"method\": \"(PUT|PATCH)\", \"target\": \"uploads\", \"status\": 403, \"early\": \"$how\", \"body\": \"{\\\"errors\\\":[{\\\"code\\\":\\\"DENIED\\\",\\\"message\\\":\\\"over quota\\\"}]}\"}"
		push "$SENT" "$IMAGE"
		case $how in
		linger) not_arrived 4 "over quota" ;;
		close) [[ $status =~ ^[45]$ ]] ;;
		esac
	done
}

@test "behind a cap on bodies, pieces are sent that fit" {
	prepare large
	faulty '{"method": "(PUT|PATCH|POST)", "over": 2500000, "status": 413, "early": "linger"}'
	push "$SENT" "$IMAGE"
	arrived
	[ "$(requests f 'PATCH .* 202')" -ge 2 ]
	[ "$(requests f ' 413')" -le 4 ]
	faulty '{"method": "(PUT|PATCH|POST)", "over": 2500000, "status": 413, "early": "linger"}, {"method": "PATCH", "status": 405}'
	push "$SENT" "$IMAGE"
	[[ $status =~ ^[15]$ ]]
	not_arrived "$status"
}

@test "a mount that fails in any way is an ordinary upload" {
	prepare
	while IFS='|' read -r name rules; do
		echo "== $name"
		faulty "$rules"
		push "$SENT" "$(address f)/c/d:1"
		equal "$status" 0
		push "$SENT" "$IMAGE"
		arrived
	done <<-'END'
		202, an upload begins | {"method": "POST", "target": "mount=", "as": 202, "status": 202, "headers": {"Location": null}, "count": 0}
		403   | {"method": "POST", "target": "mount=", "status": 403}
		404   | {"method": "POST", "target": "mount=", "status": 404}
		405   | {"method": "POST", "target": "mount=", "status": 405}
		500   | {"method": "POST", "target": "mount=", "status": 500}
		401   | {"method": "POST", "target": "mount=", "challenge": true}
		closed| {"method": "POST", "target": "mount=", "drop": "close"}
	END
}

@test "a mount saves the upload where both are in one registry" {
	prepare
	faulty ''
	push "$SENT" "$(address f)/c/d:1"
	equal "$status" 0
	push "$SENT" "$IMAGE"
	arrived
	equal "$(requests f 'POST .*mount=.*from=.* 201')" 3
	equal "$(requests f 'PUT .*uploads')" 3
}

@test "a mount whose token is refused is an ordinary upload" {
	prepare
	need docker-registry
	registry_start r token
	login_as r
	push "$SENT" "$(address r)/c/d:1"
	equal "$status" 0
	registry_start r2 token --refuse c/d
	cp -a "$(server r)/storage" "$(server r2)/"
	login_as r2
	push "$SENT" "$(address r2)/a/b:1"
	equal "$status" 0 || { echo "$output"; return 1; }
	skopeo inspect --tls-verify=false "docker://$(address r2)/a/b:1" >/dev/null
}

@test "a push that was killed is finished by the next, which sends what is missing" {
	prepare large
	faulty "{\"method\": \"(PUT|PATCH)\", \"target\": \"uploads\", \"over\": 1000000, \"take\": 3000000,
		\"hold\": \"$PWD/never\", \"drop\": \"close\"}"
	cairn push "${PATIENCE[@]}" "$SENT" "$IMAGE" >said 2>&1 3>&- &
	eventually 60 held f
	kill -9 "$!"
	wait "$!" || equal "$?" 137
	verify_store --killed
	faulty ''
	push "$SENT" "$IMAGE"
	arrived
}

@test "redirected uploads: 307 and 308 are followed without the credential, 302 is not" {
	prepare
	push_table <<-'END'
		307, same origin  | 0 | | {"method": "POST", "target": "uploads/$", "redirect": "{path}?x", "status": 307}
		308, same origin  | 0 | | {"method": "POST", "target": "uploads/$", "redirect": "{path}?x", "status": 308}
		302               | 1 | | {"method": "POST", "target": "uploads/$", "redirect": "{path}?x", "status": 302}
	END
	faulty '{"method": "PUT", "target": "uploads/[0-9]", "redirect": "{other}{target}", "status": 307}'
	push "$SENT" "$IMAGE"
	equal "$status" 0
	in_order
}
