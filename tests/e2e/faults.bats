# tests/e2e/faults.bats - pulls from registries that fail: what must be survived is, the rest is refused.
#
# Rows are NAME | exit code | text | rules of tests/registry/fault_server.py.
#
# run.sh: first

load faults

setup_file() {
	faults_open
}

prepare() {
	has pull
	private_home
}

teardown() {
	umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true
	servers_stop
}

@test "a transfer that breaks goes on where it was" {
	prepare
	pull_table <<-'END'
		closed after 100 kB     | 0 | | {"target": "LAYER", "cut": 100000, "count": 1}
		reset after 100 kB      | 0 | | {"target": "LAYER", "cut": 100000, "reset": true, "count": 1}
		closed three times      | 0 | | {"target": "LAYER", "cut": 50000, "count": 3}
		no answer, once         | 0 | | {"target": "LAYER", "drop": "close", "count": 1}
		reset at once           | 0 | | {"target": "manifests", "drop": "reset", "count": 1}
	END
	faulty '{"target": "LAYER", "cut": 100000, "count": 1}'
	rm -rf "$CAIRN_ROOT"
	pull
	pulled
	equal "$(responses f "map(select(.event == \"request\" and (.target | contains(\"$LAYER\"))
		and .headers.range)) | map(.headers.range) | join(\",\")" | sed 's/-.*//')" "bytes=100000"
	[ "$(bytes_sent f)" -lt $((2 * SIZE + 20000)) ]
}

@test "a transfer that does not advance is given up" {
	prepare
	pull_table <<-'END'
		always closed at once   | 5 | | {"target": "LAYER", "cut": 0}
		never an answer         | 5 | | {"target": "LAYER", "drop": "close"}
	END
}

@test "what is not the blob never becomes one" {
	prepare
	pull_table <<-'END'
		another digest          | 1 | | {"target": "LAYER", "flip": 1000}
		ten bytes more          | 1 | | {"target": "LAYER", "pad": 10}
		a web page              | 1 | | {"target": "LAYER", "status": 200, "type": "text/html", "body": "<html>sign in</html>"}
		nothing                 | 1 | | {"target": "LAYER", "status": 200, "body": ""}
		it says that it is less | 1 | | {"target": "LAYER", "length": 5000}
	END
	[ ! -e "$CAIRN_ROOT/blobs/sha256/${LAYER#*:}" ]
}

@test "a storm of interrupts ends a pull once, and what it had is used by the next" {
	prepare
	faulty "{\"target\": \"LAYER\", \"hold\": \"$PWD/go\", \"after\": 1000, \"count\": 1}"
	storm cairn pull "${PATIENCE[@]}" "$IMAGE"
	[ -z "$(ref_digest "$IMAGE" 2>/dev/null)" ]
	touch go
	pull
	pulled
}

@test "bodies without a length, and recoded on their way, are what they are" {
	prepare
	pull_table <<-'END'
		in chunks               | 0 | | {"target": "LAYER", "chunked": true}
		until the end           | 0 | | {"target": "LAYER", "length": null}
		more behind its length  | 0 | | {"target": "LAYER", "pad": 10, "length": SIZE}
		chunks that break       | 0 | | {"target": "LAYER", "chunked": true, "cut": 100000, "count": 1}
	END
}

@test "a stalled transfer is left and continued, a slow one is not left" {
	prepare
	pull_table <<-'END'
		a stall of a minute     | 0 | | {"target": "LAYER", "cut": 100000, "stall": 60, "count": 1}
	END
	image_layout small good=1 --size 100 >digest
	LAYOUT=small faulty '{"method": "GET", "target": "blobs", "drip": 1100}'
	rm -rf "$CAIRN_ROOT"
	pull
	pulled "$(cat digest)"
}

@test "answers to a range that are none" {
	local once='{"target": "LAYER", "cut": 100000, "count": 1}'
	prepare
	pull_table <<-END
		200 in place of 206     | 0 | | $once, {"target": "LAYER", "whole": true}
		another Content-Range   | 0 | | $once, {"target": "LAYER", "header": {"range": ""}, "count": 1, "headers": {"Content-Range": "bytes 0-99/SIZE"}}
		no Content-Range        | 0 | | $once, {"target": "LAYER", "header": {"range": ""}, "count": 1, "headers": {"Content-Range": null}}
		416                     | 0 | | $once, {"target": "LAYER", "header": {"range": ""}, "status": 416, "count": 1}
		the wrong bytes         | 0 | | $once, {"target": "LAYER", "header": {"range": ""}, "flip": 5, "count": 1}
		always 416              | 0 | | $once, {"target": "LAYER", "header": {"range": ""}, "status": 416}
	END
}

@test "what asks for patience is given it, within reason" {
	prepare
	patient
	pull_table <<-'END'
		429, a second           | 0 | | {"target": "LAYER", "status": 429, "headers": {"Retry-After": "1"}, "count": 1}
		429, a date             | 0 | | {"target": "LAYER", "status": 429, "headers": {"Retry-After": "{date:+2}"}, "count": 1}
		429, a date in the past | 0 | | {"target": "LAYER", "status": 429, "headers": {"Retry-After": "{date:-100}"}, "count": 1}
		429, nothing said       | 0 | | {"target": "LAYER", "status": 429, "count": 1}
		429, nonsense           | 0 | | {"target": "LAYER", "status": 429, "headers": {"Retry-After": "soon"}, "count": 1}
		429, ages               | 5 | 429 | {"target": "LAYER", "status": 429, "headers": {"Retry-After": "999999999999999999999"}}
	END
}

@test "statuses that pass are waited for, others are told" {
	prepare
	pull_table <<-'END'
		500 once                | 0 | | {"target": "manifests", "status": 500, "count": 1}
		502 once                | 0 | | {"target": "LAYER", "status": 502, "count": 1}
		503 three times         | 0 | | {"target": "LAYER", "status": 503, "count": 3}
		504 once                | 0 | | {"target": "LAYER", "status": 504, "count": 1}
		503 always              | 5 | 503 | {"target": "LAYER", "status": 503}
		403                     | 4 | 403 | {"target": "manifests", "status": 403}
		404                     | 3 | | {"target": "manifests", "status": 404}
		a blob is missing       | 3 | 404 | {"target": "LAYER", "status": 404}
	END
	[ "$(requests f "GET .*$LAYER")" -le 1 ]
}

@test "Retry-After is obeyed" {
	prepare
	patient
	faulty '{"target": "LAYER", "status": 429, "headers": {"Retry-After": "2"}, "count": 1}'
	pull
	pulled
	says "again in 2.0 s"
	equal "$(responses f "map(select(.event == \"request\" and (.target | contains(\"$LAYER\"))).at)
		| .[1] - .[0] >= 2")" true
}

@test "an error is told in one line, and cannot write to the terminal" {
	prepare
	faulty '{"target": "manifests", "status": 403, "body": "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"over quota\\u001b[31m\\nerror: forged\"}]}"}'
	pull
	refused 4 "over quota"
	[[ $output != *$'\x1b'* ]]
	[[ $output != *$'\n'"error: forged"* ]]
	faulty '{"target": "manifests", "status": 500, "type": "text/html", "body_size": 5000000}'
	pull
	refused 5 500
	[ "${#output}" -lt 5000 ]
}

# ---- tokens ----

BEARER='{"challenge": "Bearer realm=\"{main}/token\",service=\"tests\"", "accept": ["Bearer token-main-*"]}'

@test "a token that ends in the middle of a transfer is asked for again" {
	prepare
	AUTH=$BEARER faulty '{"target": "LAYER", "cut": 100000, "revoke": true, "count": 1}'
	pull
	pulled
	equal "$(requests f '/token.* 200')" 2
}

@test "token servers of all kinds" {
	local AUTH=$BEARER
	prepare
	pull_table <<-'END'
		down once               | 0 | | {"target": "^/token", "status": 503, "count": 1}
		down                    | 5 | 503 | {"target": "^/token", "status": 503}
		gone                    | 4 | 404 | {"target": "^/token", "status": 404}
		denies                  | 4 | 401 | {"target": "^/token", "status": 401}
		slow                    | 0 | | {"target": "^/token", "delay": 1}
		a web page              | 1 | token | {"target": "^/token", "status": 200, "type": "text/html", "body": "<html>"}
		half of JSON            | 1 | token | {"target": "^/token", "status": 200, "body": "{\"token\": \"x"}
		no token                | 1 | token | {"target": "^/token", "status": 200, "body": "{}"}
		a token with a newline  | 1 | token | {"target": "^/token", "status": 200, "body": "{\"token\": \"a\\r\\nX-Evil: 1\"}"}
		64 MB                   | 1 | token | {"target": "^/token", "status": 200, "body_size": 64000000}
	END
	pull_members <<-'END'
		access_token alone      | {"token": null}
		token alone             | {"access_token": null}
		no expires_in           | {"expires_in": null}
		expired at once         | {"expires_in": 0}
		a clock that is wrong   | {"issued_at": "1999-01-01T00:00:00Z"}
	END
}

# pull_members: rows of NAME | what is laid over the answer of /token; all of them succeed.
pull_members() {
	local name token
	while IFS='|' read -r name token; do
		echo "== $name"
		rm -rf "$CAIRN_ROOT"
		faulty '' "\"token\": $token"
		pull
		pulled
	done
}

@test "a real token server: reduced rights are a denial, expired tokens are not tried for ever" {
	prepare
	need docker-registry
	registry_start r token --reduce a/b
	login_as r
	run timeout 60 cairn pull "${PATIENCE[@]}" "$(address r)/a/b:1"
	equal "$status" 4
	[ "$(requests r)" -le 4 ]
	registry_start r token --seconds 0
	login_as r
	run timeout 60 cairn pull "${PATIENCE[@]}" "$(address r)/a/b:1"
	equal "$status" 4
	[ "$(requests r)" -le 4 ]
	registry_start r token --no-post --keys access_token --no-expires-in
	login_as r
	run timeout 60 cairn pull "${PATIENCE[@]}" "$(address r)/a/b:1"
	equal "$status" 3
}

@test "an identity token is posted, and where POST is not known asked with GET" {
	prepare
	need docker-registry
	registry_start r token --identity "$USER_TOKEN" --anonymous ''
	jq -n --arg host "$(address r)" --arg token "$USER_TOKEN" \
		'{auths: {($host): {auth: "eDp5", identitytoken: $token}}}' >"$AUTH_FILE"
	run timeout 60 cairn pull "${PATIENCE[@]}" "$(address r)/a/b:1"
	equal "$status" 3 # there is none, which only who may pull is told
	equal "$(requests r.tokens '^POST /token 200')" 1
}

# ---- documents ----

@test "a document that breaks a rule is refused, and nothing of it is kept" {
	local name
	prepare
	image_layout wrong $(image_layout list wrong) >/dev/null
	LAYOUT=wrong faulty ''
	for name in $(image_layout list wrong); do
		echo "== $name"
		rm -rf "$CAIRN_ROOT"
		IMAGE=$(address f)/a/b:$name
		pull
		case $name in
		no-utf8 | real-size | deep | many | large) [[ $status =~ ^[01]$ ]] && in_order ;;
		missing-blob) refused 3 ;;
		*) refused 1 ;;
		esac
	done
	equal "$(requests f 'x$|passwd|\.\./')" 0
}

@test "a manifest of 40 MiB is not even read to its end" {
	prepare
	image_layout big huge=1 >/dev/null
	LAYOUT=big faulty ''
	pull
	refused 1
	[ "$(bytes_sent f)" -lt 20000000 ]
}

@test "a registry whose tag and digest disagree" {
	prepare
	pull_table <<-'END'
		HEAD says another       | 0 | | {"method": "HEAD", "target": "manifests/1", "headers": {"Docker-Content-Digest": null}}
		GET says nothing        | 0 | | {"method": "GET", "target": "manifests", "headers": {"Docker-Content-Digest": null}}
		HEAD is not known       | 0 | | {"method": "HEAD", "target": "manifests", "status": 405}
		a type with parameters  | 0 | | {"target": "manifests", "headers": {"Content-Type": "application/vnd.oci.image.manifest.v1+json; charset=utf-8"}}
		a type that says little | 0 | | {"target": "manifests", "headers": {"Content-Type": "application/json"}}
		a type that says wrong  | 1 | | {"target": "manifests", "headers": {"Content-Type": "application/vnd.oci.image.index.v1+json"}}
		a path for a digest     | 0 | | {"method": "HEAD", "target": "manifests", "headers": {"Docker-Content-Digest": "sha256:../../x"}}
		another document        | 1 | | {"method": "GET", "target": "manifests/sha256", "status": 200, "type": "application/vnd.oci.image.manifest.v1+json", "body": "{\"schemaVersion\":2}"}
	END
}

# ---- layers ----

@test "layers that are strange but right are taken, and those that are wrong are not" {
	local name
	prepare
	image_layout odd members frames liar garbage truncated escape zstd-window >digests
	LAYOUT=odd faulty ''
	while read -r name digest; do
		echo "== $name"
		rm -rf "$CAIRN_ROOT"
		IMAGE=$(address f)/a/b:$name
		pull
		case $name in
		members | frames | liar) pulled "$digest" ;;
		*) refused 1 ;;
		esac
	done < <(printf '%s\n' members frames liar garbage truncated escape zstd-window | paste -d' ' - digests)
	[ ! -e /escaped ] && [ ! -e ../../escaped ]
}

# bounded COMMAND...: it ends in time, and the store never has 1 GB.
bounded() {
	local now pid
	timeout 100 "$@" >said 2>&1 3>&- &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		now=$(du -sm "$CAIRN_ROOT" 2>/dev/null | cut -f1)
		if [ "${now:-0}" -gt 1000 ]; then
			kill "$pid"
			wait $pid || true
			echo "the store has $now MB"
			return 1
		fi
		sleep 0.2
	done
	status=0
	wait $pid || status=$?
	output=$(cat said)
}

@test "a layer of 64 GiB in a few megabytes does not fill the disk" {
	local name
	prepare
	image_layout bombs gzip-bomb zstd-bomb >/dev/null
	LAYOUT=bombs faulty ''
	for name in gzip-bomb zstd-bomb; do
		echo "== $name"
		rm -rf "$CAIRN_ROOT"
		IMAGE=$(address f)/a/b:$name
		bounded cairn pull "${PATIENCE[@]}" "$IMAGE"
		refused 1 "larger than"
	done
}

# ---- several at once, and the end of a process ----

@test "two and eight processes that pull the same fetch each blob once" {
	local count
	prepare
	for count in 2 8; do
		rm -rf "$CAIRN_ROOT"
		faulty '{"method": "GET", "target": "blobs", "delay": 0.3}'
		for ((i = 0; i < count; i++)); do
			timeout 120 cairn pull "${PATIENCE[@]}" "$IMAGE" >"said-$i" 2>&1 3>&- &
		done
		for job in $(jobs -p); do
			wait "$job" || { cat said-*; return 1; }
		done
		status=0 output=
		pulled
		equal "$(requests f 'GET .*/blobs/')" 3
	done
}

@test "a pull that was killed goes on where it was" {
	local job here
	prepare
	image_layout big good=1 --layers 1 --size 20000000 >digest
	LAYER=$(jq -r '.layers[0].digest' "big/blobs/sha256/$(cut -d: -f2 digest)")
	LAYOUT=big faulty "{\"target\": \"LAYER\", \"hold\": \"$PWD/never\", \"after\": 10000000}"
	cairn pull "${PATIENCE[@]}" "$IMAGE" >said 2>&1 3>&- &
	job=$!
	eventually 60 part_is_here 9900000
	kill -9 "$job"
	wait "$job" || equal "$?" 137
	# The config may have been under way as well: 281 bytes, not looked at here.
	here=$(stat -c %s "$CAIRN_ROOT/partial/${LAYER#*:}")
	LAYOUT=big faulty ''
	pull
	pulled "$(cat digest)"
	equal "$(responses f 'map(select(.event == "response" and .status == 206 and
			.sent > 1000).sent) | add')" \
		"$(($(stat -c %s "$CAIRN_ROOT/blobs/sha256/${LAYER#*:}") - here))"
}

@test "pulls killed at any time leave a store that is whole" {
	prepare
	faulty ''
	for time in 0.005 0.01 0.02 0.03 0.05 0.08 0.12; do
		timeout -s KILL $time cairn pull "${PATIENCE[@]}" "$IMAGE" >/dev/null 2>&1 || true
		[ ! -e "$CAIRN_ROOT/store.json" ] || verify_store --killed
	done
	pull
	pulled
}

@test "a full disk is said, and leaves nothing" {
	prepare
	need_root
	mkdir small
	mount -t tmpfs -o size=1m tmpfs small
	image_layout big good=1 --layers 1 --size 3000000 >/dev/null
	LAYOUT=big faulty ''
	CAIRN_ROOT=$PWD/small/store
	pull
	cp -a small/store kept || true
	eventually 60 umount small
	equal "$status" 1
	says "No space left"
	CAIRN_ROOT=$PWD/kept
	in_order
}
