# tests/e2e/strangers.bats - where registries send us: other origins, other names, other certificates.
#
# Public names are played by a proxy that leads them to loopback: registry.example.com is `main`,
# cdn.example.net `other`, evil.example.org `far`, each with a certificate of the tests' CA.
#
# run.sh: first

load faults

setup_file() {
	faults_open
	make_ca "$BATS_FILE_TMPDIR/ca"
	make_cert "$BATS_FILE_TMPDIR/ca" public \
		DNS:registry.example.com,DNS:cdn.example.net,DNS:evil.example.org,DNS:auth.example.com,IP:127.0.0.1
}

prepare() {
	has pull
	private_home
}

# public RULES [MORE]: the registry is registry.example.com, reached through the proxy `p`.
public() {
	local rules=${1//LAYER/$LAYER} tls
	tls=cert=$BATS_FILE_TMPDIR/ca/public.crt,key=$BATS_FILE_TMPDIR/ca/public.key
	fault_start f --layout "$LAYOUT" --listen "main,$tls" --listen "other,$tls" --listen "far,$tls" \
		--listen plain <<<"{\"auth\": ${AUTH:-null}, \"rules\": [$rules]${2:+, $2}}"
	proxy_start p --map "registry.example.com:443=$(address f main)" \
		--map "auth.example.com:443=$(address f other)" \
		--map "cdn.example.net:443=$(address f other)" \
		--map "evil.example.org:443=$(address f far)" \
		--map "cdn.example.net:80=$(address f plain)"
	rm -f "$AUTH_FILE"
	login_as registry.example.com
	export https_proxy=http://$(address p) http_proxy=http://$(address p)
	export SSL_CERT_FILE=$BATS_FILE_TMPDIR/ca/ca.crt
	IMAGE=registry.example.com/a/b:1
}

# reached: the places that the proxy was asked for, once each.
reached() {
	responses p 'map(select(.event == "request").target) | unique | join(" ")'
}

# safe: nothing was asked of an address inside, and no secret went astray.
safe() {
	[[ $(reached) != *169.254* && $(reached) != *127.0.0.1* && $(reached) != *10.0.0* &&
		$(reached) != *localhost* ]] || { reached; return 1; }
	no_credential f far
	no_credential p proxy
}

@test "a blob may come from elsewhere, and nothing secret goes there" {
	prepare
	public '{"target": "blobs", "redirect": "https://cdn.example.net{target}?sig=x"}'
	pull
	equal "$status" 0 || { echo "$output"; return 1; }
	no_credential f other far
	safe
	equal "$(reached)" "cdn.example.net:443 registry.example.com:443"
}

@test "a redirect within the origin, relative and absolute, keeps the credential" {
	prepare
	pull_table <<-'END'
		relative      | 0 | | {"target": "LAYER$", "redirect": "{path}?again"}
		absolute      | 0 | | {"target": "LAYER$", "redirect": "{main}{path}?again", "status": 302}
		manifest      | 0 | | {"target": "manifests/[^?]*$", "redirect": "{path}?again", "status": 301}
		ping pong     | 1 | redirects | {"target": "LAYER", "redirect": "{target}"}
		growing       | 1 | redirects | {"target": "LAYER", "redirect": "{target}x"}
		another port  | 0 | | {"target": "LAYER", "redirect": "{other}{target}"}
		to nowhere    | 1 | | {"target": "LAYER", "status": 307}
		a file        | 1 | | {"target": "LAYER", "redirect": "file:///etc/passwd"}
		gopher        | 1 | | {"target": "LAYER", "redirect": "gopher://{host:other}/x"}
	END
}

@test "twenty hops are too many, five are not" {
	local rules='' i
	prepare
	for ((i = 1; i <= 20; i++)); do
		rules+="{\"target\": \"LAYER[?]h=$i$\", \"redirect\": \"{path}?h=$((i + 1))\"}, "
	done
	faulty "$rules{\"target\": \"LAYER$\", \"redirect\": \"{path}?h=16\"}"
	pull
	pulled
	faulty "$rules{\"target\": \"LAYER$\", \"redirect\": \"{path}?h=1\"}"
	rm -rf "$CAIRN_ROOT"
	pull
	refused 1 redirects
	[ "$(requests f "$LAYER")" -le 24 ]
}

@test "a public registry cannot send us inside, nor to plain http" {
	local target
	prepare
	for target in http://cdn.example.net/x http://169.254.169.254/latest/meta-data \
		https://169.254.169.254/x https://127.0.0.1/x https://localhost/x https://10.0.0.1/x \
		https://192.168.1.1/x https://172.16.0.1/x 'https://[::1]/x' 'https://[fe80::1]/x' \
		'https://[::ffff:127.0.0.1]/x' https://0.0.0.0/x https://2130706433/x https://0x7f.1/x \
		https://100.64.0.1/x 'https://[fd00::1]/x'; do
		echo "== $target"
		rm -rf "$CAIRN_ROOT"
		public "{\"target\": \"$LAYER\", \"redirect\": \"$target\"}"
		pull
		equal "$status" 1 || { echo "$output"; return 1; }
		equal "$(reached)" registry.example.com:443
	done
}

@test "a credential is shown to the token server of the same domain, and to no other" {
	prepare
	local accept='"accept": ["Bearer token-*"]'
	AUTH="{\"challenge\": \"Bearer realm=\\\"https://auth.example.com/token\\\",service=\\\"s\\\"\", $accept}" \
		public ''
	pull
	equal "$status" 0 || { echo "$output"; return 1; }
	equal "$(responses f 'map(select(.event == "request" and (.target | startswith("/token"))).authorization != null) | unique')" \
		"$(printf '[\n  true\n]')"
	safe
	for realm in https://evil.example.org/token https://example.com.evil.example.org/token; do
		rm -rf "$CAIRN_ROOT"
		AUTH="{\"challenge\": \"Bearer realm=\\\"$realm\\\",service=\\\"s\\\"\", $accept}" public ''
		pull
		safe
	done
}

@test "a token server in plain http, inside, or that leads astray gets nothing" {
	local realm
	prepare
	for realm in http://auth.example.com/token http://169.254.169.254/token https://127.0.0.1/token \
		https://10.0.0.1/token 'file:///etc/passwd' '//evil.example.org/token'; do
		echo "== $realm"
		rm -rf "$CAIRN_ROOT"
		AUTH="{\"challenge\": \"Bearer realm=\\\"$realm\\\"\", \"accept\": [\"Bearer token-*\"]}" public ''
		pull
		safe
		[ "$status" -ne 0 ] || [[ $realm == //evil* ]]
	done
	AUTH='{"challenge": "Bearer realm=\"https://auth.example.com/token\"", "accept": ["Bearer token-*"]}' \
		public '{"listener": "other", "target": "^/token", "redirect": "https://evil.example.org{target}"}'
	rm -rf "$CAIRN_ROOT"
	pull
	safe
}

@test "an upload that is to go elsewhere goes without a credential" {
	has push
	prepare
	make_rootfs root.tar
	cairn import root.tar sent >/dev/null
	public '{"method": "POST", "headers": {"Location": "https://cdn.example.net{location}"}}'
	push sent "$IMAGE"
	equal "$status" 0 || { echo "$output"; return 1; }
	no_credential f other far
	for target in http://cdn.example.net/x https://127.0.0.1/x http://169.254.169.254/x; do
		public "{\"method\": \"POST\", \"headers\": {\"Location\": \"$target\"}}"
		push sent "$IMAGE"
		equal "$status" 1 || { echo "$output"; return 1; }
		safe
	done
}

@test "lists of tags: what is no tag is left out, and links lead nowhere else" {
	has tags
	prepare
	list() {
		run timeout 60 cairn tags "$(address f)/a/b"
	}
	faulty '{"target": "tags", "status": 200, "body": "{\"name\":\"a/b\",\"tags\":null}"}'
	list
	equal "$status $output" "0 "
	faulty '{"target": "tags", "status": 200, "body": "{\"tags\":[\"a\",null,\"sha256:aa\",\"../x\",\"b\\u001b[1m\",\"c\"]}"}'
	list
	equal "$status" 0 || { echo "$output"; return 1; }
	equal "$output" $'a\nc'
	faulty '{"target": "tags", "headers": {"Link": "<{target}>; rel=\"next\""}}'
	list
	[ "$(requests f 'tags')" -le 4 ]
	in_order
	faulty '{"target": "tags", "headers": {"Link": "<{far}{target}>; rel=\"next\""}}'
	list
	equal "$(responses f 'map(select(.listener == "far")) | length')" 0
	faulty '{"target": "tags", "status": 200, "body": "<html>"}'
	list
	equal "$status" 1
}

# ---- TLS ----

# tls_registry NAME [LISTENER-OPTION...]: `f` speaks TLS with this certificate of ./ca; its CA is trusted.
tls_registry() {
	fault_start f --layout "$LAYOUT" --listen "main,cert=ca/$1.crt,key=ca/$1.key${2:+,$2}" \
		--listen other --listen far <<<"{\"auth\": $AUTH}"
	rm -f "$AUTH_FILE"
	login_as f
	IMAGE=$(address f)/a/b:1
	trust f ca
	echo "[[registry]]
location = \"$(address f)\"
insecure = false" | registries_conf
}

@test "certificates that are expired, another's, one's own, or of a CA that is not trusted" {
	prepare
	make_ca ca
	make_cert ca right
	make_cert ca old '' -days 0
	make_cert ca stranger DNS:example.invalid
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1 -keyout ca/self.key -out ca/self.crt 2>/dev/null
	tls_registry right
	pull
	pulled
	for name in old stranger self; do
		echo "== $name"
		rm -rf "$CAIRN_ROOT"
		tls_registry "$name"
		pull
		refused 5 certificate
		equal "$(requests f)" 0 # and no plain http after it
	done
	tls_registry right
	rm -r "$XDG_CONFIG_HOME/containers/certs.d"
	pull
	refused 5 certificate
	pull --tls-verify=false
	pulled
}

@test "a client certificate is shown to who wants it" {
	prepare
	make_ca ca
	make_cert ca right
	make_cert ca me DNS:me
	tls_registry right client-ca=ca/ca.crt
	pull
	refused 5
	cp ca/me.crt "$XDG_CONFIG_HOME/containers/certs.d/$(address f)/me.cert"
	pull
	[ "$status" -ne 0 ] # without its key
	cp ca/me.key "$XDG_CONFIG_HOME/containers/certs.d/$(address f)/me.key"
	pull
	pulled
}

@test "HTTP/2 connections that end are begun again" {
	prepare
	make_ca ca
	make_cert ca right
	for how in goaway late refuse reset begin; do
		echo "== $how"
		rm -rf "$CAIRN_ROOT"
		tls_registry right "h2=$how"
		pull
		pulled
	done
}

# ---- proxies and names ----

@test "a proxy that wants a password is named, and gets the one it is given" {
	prepare
	public ''
	proxy_start p --user who:knows --map "registry.example.com:443=$(address f main)"
	export https_proxy=http://$(address p)
	pull
	[[ $status =~ ^[45]$ ]]
	says 407
	says "$(address p)"
	export https_proxy=http://who:knows@$(address p)
	pull
	equal "$status" 0 || { echo "$output"; return 1; }
	no_credential p proxy
	[[ $output != *knows* ]]
}

@test "a proxy that is not there, and NO_PROXY" {
	prepare
	faulty ''
	export http_proxy=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9
	pull # loopback needs no proxy, as Go programs have it
	pulled
	rm -rf "$CAIRN_ROOT"
	export https_proxy=http://127.0.0.1:9
	IMAGE=registry.example.com/a/b:1
	pull
	equal "$status" 5
	says 127.0.0.1:9
}

@test "a registry on IPv6" {
	prepare
	[ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6 || skip "no IPv6 here"
	fault_start f --layout "$LAYOUT" --listen main,address=::1 <<<'{}'
	IMAGE="[::1]:$(sed -n 's/^main //p' "$(server f)/ports")/a/b:1"
	pull
	equal "$status" 0 || { echo "$output"; return 1; }
}

@test "a host that has no address, a port where nothing listens, a server that is none" {
	prepare
	IMAGE=nothing.invalid/a/b:1
	pull
	equal "$status" 5
	says nothing.invalid
	IMAGE=127.0.0.1:9/a/b:1
	pull
	equal "$status" 5
	says 127.0.0.1:9
	faulty '{"raw": "SSH-2.0-OpenSSH_9.2\r\n"}'
	pull
	refused 5
}

# named_by DELAY COMMAND...: with a name server that takes so long; `status` and `output` are the command's.
named_by() {
	local delay=$1
	shift
	server_new dns
	server_run "$PYTHON" -B "$REGISTRY_TOOLS/dns_server.py" 127.0.0.153 "$delay" "$SERVER/ports"
	server_ready test -e "$SERVER/ports"
	echo nameserver 127.0.0.153 >resolv.conf
	echo 'hosts: dns' >nsswitch.conf
	# shellcheck disable=SC2016
	run timeout 100 unshare --mount sh -c 'mount --bind resolv.conf "$(realpath /etc/resolv.conf)" &&
		mount --bind nsswitch.conf /etc/nsswitch.conf && exec "$@"' sh "$@"
}

@test "names that are slow to resolve are waited for, but not for ever" {
	prepare
	[ "$(id -u)" -eq 0 ] || skip "only root can have a name server of its own"
	[ -e /etc/resolv.conf ] && [ -e /etc/nsswitch.conf ] || skip "this machine asks no name server"
	AUTH=null faulty ''
	named_by 2 cairn pull --tls-verify=false "slow.example:$(address f | cut -d: -f2)/a/b:1"
	equal "$status" 0
	named_by -1 cairn pull --retry 1 silent.example/a/b:1
	equal "$status" 5
	says silent.example
}

@test "offline, no request leaves" {
	prepare
	faulty ''
	pull --offline
	[ "$status" -ne 0 ]
	says offline
	equal "$(requests f)" 0
}
