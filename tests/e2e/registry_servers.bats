# tests/e2e/registry_servers.bats - the servers of the registry tests do what their heads say.
#
# What is asked here is asked by other programs (skopeo, ctr, curl), so that a test of cairn that
# fails has a cause in cairn.

load helper
load ../registry/registry

setup_file() {
	need curl skopeo jq
	image_layout "$BATS_FILE_TMPDIR/layout" good=1 --size 200000 >"$BATS_FILE_TMPDIR/digest"
	LAYER=$(jq -r '.layers[0].digest' "$(manifest_file)")
	SIZE=$(jq -r '.layers[0].size' "$(manifest_file)")
	BLOB=/v2/a/b/blobs/$LAYER
	export LAYER SIZE BLOB
}

manifest_file() {
	echo "$BATS_FILE_TMPDIR/layout/blobs/sha256/$(cut -d: -f2 "$BATS_FILE_TMPDIR/digest")"
}

# faulty RULE...: the server `f` with these rules, other=a second origin.
faulty() {
	local IFS=,
	fault_start f --layout "$BATS_FILE_TMPDIR/layout" --listen main --listen other <<<"{\"rules\":[$*]}"
}

# ask TARGET [CURL-OPTION...]: the body is in ./body; $output is CURL-EXIT STATUS SIZE.
ask() {
	local target=$1 code=0
	shift
	output=$(curl -sS --max-time 60 -o body -D head -w '%{http_code} %{size_download}' "$@" \
		"http://$(address f)$target" 2>problem) || code=$?
	output="$code $output"
}

# answers EXPECTED TARGET [CURL-OPTION...]
answers() {
	local want=$1
	shift
	ask "$@"
	equal "$output" "$want"
}

whole() {
	echo "$LAYER" | grep -q "$(sha256sum <body | cut -d' ' -f1)"
}

# ---- docker-registry ----

# round_trip NAME [SKOPEO-OPTION]: push, pull, the digest is the same.
round_trip() {
	local host tls=${2:-false}
	host=$(address "$1")
	skopeo copy --quiet "--dest-tls-verify=$tls" "oci:$BATS_FILE_TMPDIR/layout:1" "docker://$host/a/b:1"
	skopeo copy --quiet "--src-tls-verify=$tls" "docker://$host/a/b:1" "oci:$1-copy:1"
	equal "$(jq -r '.manifests[0].digest' "$1-copy/index.json")" "$(cat "$BATS_FILE_TMPDIR/digest")"
}

@test "the plain registry takes and gives, and its log can be counted" {
	private_home
	registry_start plain plain
	round_trip plain
	equal "$(requests plain 'PUT .*/manifests/1 201')" 1
	equal "$(requests plain '^GET .*/blobs/.* 200')" 3
	[ "$(requests plain)" -gt 10 ]
}

@test "the TLS registry is trusted through certs.d, and only so" {
	private_home
	registry_start secure tls
	run skopeo inspect "docker://$(address secure)/a/b:1"
	says "certificate"
	trust secure
	round_trip secure true
}

@test "the htpasswd registry knows its user and nobody else" {
	private_home
	registry_start basic htpasswd
	run skopeo inspect --tls-verify=false "docker://$(address basic)/a/b:1"
	says "authentication required"
	login_as basic "$USER_NAME" wrong
	run skopeo inspect --tls-verify=false "docker://$(address basic)/a/b:1"
	says "authentication required"
	login_as basic
	round_trip basic
}

@test "the token registry gives anonymous readers and its user what is theirs" {
	private_home
	registry_start tokens token
	fails 1 skopeo copy --dest-tls-verify=false "oci:$BATS_FILE_TMPDIR/layout:1" \
		"docker://$(address tokens)/a/b:1"
	login_as tokens
	round_trip tokens
	rm "$AUTH_FILE"
	skopeo inspect --tls-verify=false "docker://$(address tokens)/a/b:1" >/dev/null
	equal "$(responses tokens.tokens 'map(select(.event == "token")) | last
		| "\(.path) \(.scope[0]) \(.authorized)"')" "/token repository:a/b:pull false"
}

# tokens_of CURL-OPTION...: the answer of the token server alone, in ./token.
tokens_of() {
	curl -sS --max-time 60 -o token -w '%{http_code}' "$@" "http://$(address t.tokens)/token"
}

# claims: what the token in ./token says.
claims() {
	jq -r '.token // .access_token | split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | @base64d' token
}

@test "the token server has its moods" {
	local post=(-d grant_type=refresh_token -d "refresh_token=$USER_TOKEN"
		-d service=tests -d scope=repository:a/b:pull,push)
	local get=(-G -d service=tests -d scope=repository:a/b:pull,push -u "$USER_NAME:$USER_PASSWORD")
	private_home
	tokens_start t
	equal "$(tokens_of "${get[@]}")" 200
	equal "$(claims | jq -c '.access[0].actions')" '["pull","push"]'
	equal "$(jq -c '[.expires_in, .token == .access_token]' token)" '[300,true]'
	equal "$(tokens_of "${get[@]}" -u "$USER_NAME:wrong")" 401
	equal "$(tokens_of "${post[@]}")" 200
	equal "$(claims | jq -r '.sub')" "$USER_NAME"
	equal "$(tokens_of -d grant_type=refresh_token -d refresh_token=other)" 401
	tokens_start t --no-expires-in --keys access_token --no-post
	equal "$(tokens_of "${post[@]}")" 404
	equal "$(tokens_of "${get[@]}")" 200
	equal "$(jq -c keys token)" '["access_token"]'
	tokens_start t --seconds 0 --claim 300 --reduce a/b --down-after 1
	equal "$(tokens_of "${get[@]}")" 200
	equal "$(claims | jq -c '[.exp < now, .access]')" '[true,[]]'
	equal "$(tokens_of "${get[@]}")" 503
	tokens_start t --refuse a/b --anonymous ''
	equal "$(tokens_of "${get[@]}")" 403
	equal "$(tokens_of -G -d scope=repository:c/d:pull)" 200
	equal "$(claims | jq -c '.access')" '[]'
	tokens_start t --html --delay 0.2
	equal "$(tokens_of "${get[@]}")" 200
	grep -q '<title>' token
	tokens_start t --huge
	equal "$(tokens_of "${get[@]}")" 200
	[ "$(stat -c %s token)" -gt 60000000 ]
}

@test "a registry refuses the token of another repository, and an expired one" {
	private_home
	registry_start r token --seconds 0
	login_as r
	fails 1 timeout 120 skopeo copy --dest-tls-verify=false "oci:$BATS_FILE_TMPDIR/layout:1" \
		"docker://$(address r)/a/b:1"
	registry_start r token --reduce a/b
	fails 1 timeout 120 skopeo copy --dest-tls-verify=false "oci:$BATS_FILE_TMPDIR/layout:1" \
		"docker://$(address r)/a/b:1"
	[ "$(requests r ' 401$')" -ge 2 ]
	equal "$(requests r ' 20[12]$')" 0
}

@test "containerd pulls and unpacks from the plain and the TLS registry" {
	private_home
	containerd_start c
	registry_start plain plain
	registry_start secure tls
	trust secure
	round_trip plain
	round_trip secure true
	ctr_of c images pull --plain-http "$(address plain)/a/b:1"
	ctr_of c images pull --hosts-dir "$(hosts_dir secure)" "$(address secure)/a/b:1"
	equal "$(ctr_of c images list -q | wc -l)" 2
	mkdir m
	ctr_of c images mount "$(address plain)/a/b:1" "$PWD/m"
	equal "$(stat -c %s m/layer-1)" 200000
	ctr_of c images unmount "$PWD/m"
}

@test "a server ends with its test, when it is stopped, and when its time is over" {
	SERVER_LIFE=5 fault_start brief <<<'{}'
	fault_start stopped <<<'{}'
	server_stop stopped
	gone "$(cat "$(server stopped)/pid")"
	eventually 60 gone "$(cat "$(server brief)/pid")"
	bash -c 'source ../helper 2>/dev/null; load() { :; }; REGISTRY_TOOLS=x
		source "$1/registry.bash"; fault_start left <<<"{}"; cat "$SERVER/pid"' - \
		"$BATS_TEST_DIRNAME/../registry" >left-pid
	eventually 60 gone "$(cat left-pid)"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# ---- the fault server as an honest registry ----

@test "the fault server is a registry: skopeo pushes, mounts, lists, pulls, deletes" {
	private_home
	fault_start f <<<'{"state": "abc%3D%3D"}'
	round_trip f
	skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false \
		"docker://$(address f)/a/b:1" "docker://$(address f)/c/d:2"
	equal "$(requests f 'mount=.* 201')" 2 # a config is not mounted
	equal "$(skopeo list-tags --tls-verify=false "docker://$(address f)/c/d" | jq -c .Tags)" '["2"]'
	skopeo delete --tls-verify=false "docker://$(address f)/c/d:2"
	fails 1 skopeo inspect --tls-verify=false "docker://$(address f)/c/d:2"
	[ "$(bytes_received f)" -gt "$SIZE" ]
}

@test "the fault server keeps an upload that broke, and says how far it came" {
	local place
	faulty '{"method": "PATCH", "take": 1000, "drop": "reset", "count": 1}'
	ask /v2/x/y/blobs/uploads/ -X POST
	place=$(sed -n 's/\r//; s/^Location: //p' head)
	ask "$place" -X PATCH --data-binary 1234567890 # whose first try is not stored
	ask "$place" -X PATCH --data-binary 1234567890
	answers "0 204 0" "$place"
	grep -q 'Range: 0-9' head
	answers "0 416 0" "$place" -X PATCH -H 'Content-Range: 5-9' --data-binary abcde
	answers "0 202 0" "$place" -X PATCH -H 'Content-Range: 10-14' --data-binary abcde
	ask "$place?digest=sha256:$(printf 1234567890abcdX | sha256sum | cut -d' ' -f1)" -X PUT
	says "400"
	ask /v2/x/y/blobs/uploads/ -X POST
	place=$(sed -n 's/\r//; s/^Location: //p' head)
	answers "0 201 0" "$place?digest=sha256:$(printf abc | sha256sum | cut -d' ' -f1)" -X PUT --data abc
	answers "0 200 3" "/v2/x/y/blobs/sha256:$(printf abc | sha256sum | cut -d' ' -f1)"
	ask "/v2/x/z/blobs/sha256:$(printf abc | sha256sum | cut -d' ' -f1)"
	says "404"
}

@test "an answer can have another status, or be lost, and yet it has happened" {
	local digest
	digest=sha256:$(printf abc | sha256sum | cut -d' ' -f1)
	faulty '{"target": "/lost/", "method": "POST", "lose": true}' \
		'{"target": "/other/", "method": "POST", "as": 204, "headers": {"Location": null}}'
	answers "52 000 0" "/v2/lost/blobs/uploads/?digest=$digest" -X POST --data abc
	answers "0 200 3" "/v2/lost/blobs/$digest"
	answers "0 204 0" "/v2/other/blobs/uploads/?digest=$digest" -X POST --data abc
	! grep -qi location head || false
	answers "0 200 3" "/v2/other/blobs/$digest"
}

@test "the fault server in front of a registry passes everything on and bends what it is told" {
	private_home
	registry_start plain plain
	fault_start f --upstream "$(address plain)" <<-END
		{"rules": [{"method": "GET", "target": "blobs/$LAYER", "skip": 1, "cut": 100000, "count": 1}]}
	END
	round_trip f
	equal "$(requests f '^PUT .*/manifests/1 201')" 1
	answers "18 200 100000" "$BLOB"
	answers "0 200 $SIZE" "$BLOB" && whole
	answers "0 206 5" "$BLOB" -r 5-9
	equal "$(requests plain "^GET $BLOB 20.")" 4
}

# ---- its faults ----

@test "bodies that end early, late, or never" {
	faulty "{\"target\": \"blobs\", \"header\": {\"x-case\": \"cut\"}, \"cut\": 1000}" \
		'{"header": {"x-case": "reset"}, "cut": 1000, "reset": true}' \
		'{"header": {"x-case": "pad"}, "pad": 10}' \
		'{"header": {"x-case": "flip"}, "flip": 150000}' \
		'{"header": {"x-case": "short"}, "length": 5000}' \
		'{"header": {"x-case": "long"}, "length": 300000}' \
		'{"header": {"x-case": "none"}, "length": null}' \
		'{"header": {"x-case": "chunked"}, "chunked": true}' \
		'{"header": {"x-case": "stall"}, "cut": 1000, "stall": 60}' \
		'{"header": {"x-case": "drip"}, "drip": 1024}' \
		'{"header": {"x-case": "encode"}, "encode": "gzip"}'
	answers "0 200 $SIZE" "$BLOB" && whole
	answers "18 200 1000" "$BLOB" -H 'X-Case: cut'
	answers "56 200 1000" "$BLOB" -H 'X-Case: reset'
	answers "0 200 $((SIZE + 10))" "$BLOB" -H 'X-Case: pad'
	answers "0 200 $SIZE" "$BLOB" -H 'X-Case: flip' && ! whole
	answers "0 200 5000" "$BLOB" -H 'X-Case: short'
	answers "18 200 $SIZE" "$BLOB" -H 'X-Case: long'
	answers "0 200 $SIZE" "$BLOB" -H 'X-Case: none' && whole
	! grep -qi content-length head || false
	answers "0 200 $SIZE" "$BLOB" -H 'X-Case: chunked' && whole
	grep -qi 'transfer-encoding: chunked' head
	answers "28 200 1000" "$BLOB" -H 'X-Case: stall' --max-time 4
	ask "$BLOB" -H 'X-Case: drip' --max-time 4
	says "28 200 "
	[ "$(stat -c %s body)" -le 5120 ]
	ask "$BLOB" -H 'X-Case: encode' --compressed && whole
	grep -qi 'content-encoding: gzip' head
}

@test "an answer is held until it may go on" {
	local part=$PWD/part
	faulty "{\"target\": \"blobs\", \"hold\": \"$PWD/go\", \"after\": 1000}"
	curl -sS --max-time 120 -N -o "$part" "http://$(address f)$BLOB" 3>&- &
	eventually 60 held f
	eventually 60 same_size "$part" 1000
	run ! held f 2
	touch go
	wait $!
	equal "$(stat -c %s "$part")" "$SIZE"
}

same_size() {
	equal "$(stat -c %s "$1")" "$2"
}

@test "ranges that are not what was asked for" {
	faulty '{"header": {"x-case": "whole"}, "whole": true}' \
		'{"header": {"x-case": "wrong"}, "headers": {"Content-Range": "bytes 0-4/10"}}' \
		'{"header": {"x-case": "missing"}, "headers": {"Content-Range": null}}' \
		'{"header": {"x-case": "416"}, "status": 416}'
	answers "0 206 5" "$BLOB" -r 5-9
	grep -qi "content-range: bytes 5-9/$SIZE" head
	answers "0 416 0" "$BLOB" -r "$SIZE-"
	answers "0 200 $SIZE" "$BLOB" -H 'Range: bytes=5-9' -H 'X-Case: whole'
	answers "0 206 5" "$BLOB" -H 'Range: bytes=5-9' -H 'X-Case: wrong'
	grep -qi "content-range: bytes 0-4/10" head
	answers "0 206 5" "$BLOB" -H 'Range: bytes=5-9' -H 'X-Case: missing'
	! grep -qi content-range head || false
	answers "0 416 0" "$BLOB" -H 'Range: bytes=5-9' -H 'X-Case: 416'
}

@test "statuses once, thrice, always, and every Retry-After" {
	faulty '{"target": "once", "status": 503, "count": 1}' \
		'{"target": "later", "status": 500, "skip": 1, "count": 2}' \
		'{"target": "date", "status": 429, "headers": {"Retry-After": "{date:+60}"}}' \
		'{"target": "many", "status": 429, "headers": {"Retry-After": "999999999999"}, "body": "{\"errors\":[]}"}'
	for want in 503 404 404; do
		ask /v2/once
		says " $want "
	done
	for want in 404 500 500 404; do
		ask /v2/later
		says " $want "
	done
	before=$(date +%s)
	ask /v2/date
	[ "$(($(date +%s -d "$(sed -n 's/\r//; s/^Retry-After: //p' head)") - before))" -ge 60 ]
	answers "0 429 13" /v2/many
	grep -q 'Retry-After: 999999999999' head
}

@test "redirects, and whom they show a credential" {
	faulty '{"target": "blobs", "redirect": "{other}{target}"}' \
		'{"target": "loop", "status": 302, "redirect": "{target}x"}' \
		'{"target": "relative", "status": 308, "redirect": "/v2/"}' \
		'{"target": "far", "redirect": "http://169.254.169.254{target}"}'
	answers "0 200 $SIZE" "$BLOB" -L -u "$USER_NAME:$USER_PASSWORD" && whole
	equal "$(responses f 'map(select(.event == "request")) | map("\(.listener) \(.authorization != null)")
		| join(", ")')" "main true, other false"
	no_credential f other
	ask "$BLOB" -L --location-trusted -u "$USER_NAME:$USER_PASSWORD"
	run ! no_credential f other
	ask "/v2/loop" -L --max-redirs 20
	says "47 302"
	answers "0 200 2" /v2/relative -L
	ask /v2/far
	grep -q 'Location: http://169.254.169.254/v2/far' head
	says "0 307"
}

@test "a secret is found wherever it went" {
	faulty
	curl -sS -d "refresh=$USER_TOKEN" "http://$(address f other)/token" >/dev/null
	no_credential f other # bodies are not looked at
	curl -sS "http://$(address f other)/x?t=token-main-7" >/dev/null
	run ! no_credential f other
	no_credential f main
}

@test "credentials: challenges, tokens, and a token that is no longer good" {
	fault_start f --layout "$BATS_FILE_TMPDIR/layout" --listen main --listen other <<-'END'
		{"auth": {"challenge": "Bearer realm=\"{other}/token\",service=\"s\"",
		          "accept": ["Bearer token-*"]},
		 "token": {"expires_in": null},
		 "rules": [{"method": "GET", "target": "blobs", "cut": 1000, "revoke": true, "count": 1},
		           {"target": "two", "anybody": true, "challenge": ["Basic realm=\"a\"", "Negotiate"]}]}
	END
	ask "$BLOB"
	says "0 401"
	grep -qi "www-authenticate: Bearer realm=\"http://$(address f other)/token\",service=\"s\"" head
	equal "$(curl -sS "http://$(address f other)/token" | jq -c .)" \
		'{"token":"token-other-1","access_token":"token-other-1"}'
	answers "18 200 1000" "$BLOB" -H 'Authorization: Bearer token-other-1'
	ask "$BLOB" -H 'Authorization: Bearer token-other-1'
	says "0 401"
	curl -sS "http://$(address f other)/token" >/dev/null
	answers "0 200 $SIZE" "$BLOB" -H 'Authorization: Bearer token-other-2'
	ask /v2/two
	equal "$(grep -ci www-authenticate head)" 2
}

@test "answers that come before the body was read, and no answer at all" {
	head -c 3000000 /dev/zero >zeros
	faulty '{"target": "cap", "over": 1000000, "status": 413, "early": "linger"}' \
		'{"target": "rude", "status": 413, "early": "close"}' \
		'{"target": "take", "take": 500000, "drop": "reset"}' \
		'{"target": "nothing", "drop": "close"}' \
		'{"target": "raw", "raw": "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"}'
	ask /v2/cap -X POST -H Expect: --data-binary @zeros
	says " 413 "
	ask /v2/cap -X POST -d small
	says " 404 "
	ask /v2/rude -X POST -H Expect: --data-binary @zeros
	ask /v2/take -X POST -H Expect: --data-binary @zeros
	says "000 0"
	[ "$(bytes_received f)" -lt 2600000 ]
	answers "52 000 0" /v2/nothing
	ask /v2/raw
	says "8 200"
}

@test "locations in every form" {
	faulty '{"target": "rel/", "status": 202, "headers": {"Location": "uploads/5"}}' \
		'{"target": "other/", "headers": {"Location": "{other}{location}?_state=a%3D%3D"}}' \
		'{"target": "bare/", "headers": {"Location": "{host:main}{location}"}}' \
		'{"target": "none/", "headers": {"Location": null}}'
	for each in rel other bare none; do
		ask "/v2/$each/blobs/uploads/" -X POST
		says "0 202 0"
		sed -n 's/\r//; s/^Location: //p' head >>locations
	done
	sed "s/$(address f)/main/; s/$(address f other)/other/" locations >shown
	diff - shown <<-'END'
		uploads/5
		http://other/v2/other/blobs/uploads/1?_state=a%3D%3D
		main/v2/bare/blobs/uploads/2
	END
}

@test "TLS that is right, expired, of another host, of no CA, and that wants to know the client" {
	make_ca ca
	make_cert ca right
	make_cert ca old '' -days 0
	make_cert ca stranger DNS:example.invalid
	make_cert ca me DNS:me
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1 -keyout ca/self.key -out ca/self.crt 2>/dev/null
	fault_start f --listen main --listen right,cert=ca/right.crt,key=ca/right.key \
		--listen old,cert=ca/old.crt,key=ca/old.key \
		--listen stranger,cert=ca/stranger.crt,key=ca/stranger.key \
		--listen self,cert=ca/self.crt,key=ca/self.key \
		--listen asks,cert=ca/right.crt,key=ca/right.key,client-ca=ca/ca.crt <<<'{}'
	tls() {
		local code=0
		curl -sS --cacert ca/ca.crt --max-time 5 -o body "https://$(address f "$1")/v2/" "${@:2}" 2>problem || code=$?
		echo "$code $(cat problem)"
	}
	equal "$(tls right)" "0 "
	run tls old
	says "60 "
	says "expired"
	run tls stranger
	says "60 "
	says "no alternative certificate subject name matches"
	run tls self
	says "60 "
	says "self-signed"
	run tls asks
	[[ $output != "0 "* ]]
	equal "$(tls asks --cert ca/me.crt --key ca/me.key)" "0 "
	[ "$(responses f 'map(select(.event == "refused")) | length')" -ge 2 ]
}

@test "HTTP/2 that goes away, and HTTP/1.1 for who comes again" {
	curl --version | grep -q HTTP2 || skip "curl without HTTP/2"
	make_ca ca
	make_cert ca right
	for how in goaway late refuse reset begin; do
		fault_start f --listen "main,cert=ca/right.crt,key=ca/right.key,h2=$how" <<<'{}'
		run curl -sS --max-time 60 --cacert ca/ca.crt -w '%{http_version}' -o body \
			"https://$(address f)/v2/"
		eventually 60 grep -q '"event": "h2"' "$(server f)/log.jsonl"
		equal "$(responses f 'map(select(.event == "h2"))[0].end')" "$how"
		run curl -sS --cacert ca/ca.crt -w '%{http_version}' -o body "https://$(address f)/v2/"
		equal "$output" 1.1
	done
}

@test "a proxy tunnels, forwards, asks for a password and writes down what it saw" {
	make_ca ca
	make_cert ca right
	fault_start f --listen main --listen tls,cert=ca/right.crt,key=ca/right.key <<<'{}'
	proxy_start p
	curl -sS --fail -x "$(address p)" -H 'Authorization: Basic eA==' "http://$(address f)/v2/" >/dev/null
	curl -sS --fail -x "$(address p)" --cacert ca/ca.crt -H 'Authorization: Basic eA==' \
		"https://$(address f tls)/v2/" >/dev/null
	equal "$(responses p 'map(select(.event == "request")) | map("\(.method) \(.authorization)")
		| join(", ")')" "GET Basic eA==, CONNECT null"
	run curl -sS -x "$(address p)" http://example.invalid/
	equal "$(requests p 502)" 1
	proxy_start p --map "registry.example.com=$(address f)"
	curl -sS --fail -x "$(address p)" http://registry.example.com/v2/ >/dev/null
	equal "$(responses p 'map(select(.event == "request"))[0].headers.host')" registry.example.com
	proxy_start p --user who:knows
	run curl -sS -x "$(address p)" --cacert ca/ca.crt "https://$(address f tls)/v2/"
	says "407"
	curl -sS --fail -x "who:knows@$(address p)" --cacert ca/ca.crt "https://$(address f tls)/v2/" >/dev/null
}

@test "lists, referrers and pages can be anything" {
	faulty '{"target": "null/tags", "status": 200, "body": "{\"tags\":null}"}' \
		'{"target": "loop/tags", "headers": {"Link": "<{target}>; rel=\"next\""}}' \
		'{"target": "alien/tags", "headers": {"Link": "<{other}{target}>; rel=\"next\""}}' \
		'{"target": "html/referrers", "status": 200, "type": "text/html", "body": "<html>"}'
	answers "0 200 13" /v2/null/tags/list
	ask /v2/loop/tags/list
	grep -q 'Link: </v2/loop/tags/list>; rel="next"' head
	ask /v2/alien/tags/list
	grep -q "Link: <http://$(address f other)/v2/alien/tags/list>" head
	answers "0 200 6" "/v2/html/referrers/$LAYER"
	ask "/v2/a/referrers/$LAYER"
	equal "$(jq -c .manifests body)" '[]'
}

# ---- images.py ----

@test "the good images are good, whatever their form, and always the same" {
	need zstd
	private_home
	for form in '--kind gzip' '--kind zstd' '--kind tar' '--docker' '--index --platform linux/arm64'; do
		# shellcheck disable=SC2086
		image_layout one good $form >digest
		# shellcheck disable=SC2086
		equal "$(image_layout two good $form)" "$(cat digest)"
		fault_start f --layout one <<<'{}'
		skopeo copy --quiet --all --src-tls-verify=false "docker://$(address f)/a:good" dir:copy
		equal "$(skopeo manifest-digest copy/manifest.json)" "$(cat digest)"
	done
}

@test "the bombs are what their digests say, and other programs agree on what is in them" {
	need zstd
	image_layout l members frames zstd-window garbage truncated liar large >/dev/null
	layer_of() {
		local digest
		digest=$(jq -r --arg t "$1" '.manifests[] | select(.annotations[] == $t).digest[7:]' l/index.json)
		echo "l/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "l/blobs/sha256/$digest")"
	}
	equal "$(gzip -dc <"$(layer_of members)" | tar -tf -)" file
	equal "$(zstd -dc <"$(layer_of frames)" | tar -tf -)" file
	run zstd -dc <"$(layer_of zstd-window)"
	says "Window size larger than maximum"
	equal "$(zstd -dc --long=31 <"$(layer_of zstd-window)" | tar -tf -)" file
	fails 2 gzip -t <"$(layer_of garbage)"
	says "trailing garbage"
	fails 1 gzip -t <"$(layer_of truncated)"
	gzip -dc <"$(layer_of liar)" | tar -tf - | grep -qx file
}

@test "the bombs unpack to one letter without end" {
	need zstd
	image_layout l gzip-bomb zstd-bomb >/dev/null
	[ "$(du -sm l | cut -f1)" -lt 80 ]
	for digest in l/blobs/sha256/*; do
		unpack=false
		case $(head -c 2 "$digest" | od -An -tx1) in
		' 28 b5') unpack='zstd -dcq' ;;
		' 1f 8b') unpack='gzip -dc' ;;
		esac
		$unpack <"$digest" 2>/dev/null | head -c 50M | tail -c +513 >unpacked
		[ ! -s unpacked ] || tr -d x <unpacked | wc -c >>other-bytes
	done
	equal "$(cat other-bytes)" "$(printf '0\n0')"
}

@test "every wrong image is served as it is" {
	local name digest
	image_layout list wrong >names
	# shellcheck disable=SC2046
	image_layout l $(cat names) >digests
	fault_start f --layout l <<<'{}'
	while read -r name digest; do
		ask "/v2/a/manifests/$name"
		says "0 200"
		equal "sha256:$(sha256sum <body | cut -d' ' -f1)" "$digest"
	done < <(paste -d' ' names digests)
	ask /v2/a/manifests/media-type
	grep -qi 'content-type: application/vnd.oci.image.manifest.v1+json' head
	equal "$(jq -r .mediaType body)" application/vnd.oci.image.index.v1+json
}
