# tests/registry/registry.bash - registries for end-to-end tests, and the rest of their world.
# shellcheck disable=SC2034,SC2154 # what is set here is read by the tests; bats sets status, output
#
# Loaded after helper.bash, as `load ../registry/registry`. A server has a name and a directory
# that holds all of it: address, pid, access.log (or log.jsonl), what it stores. Started in a test
# it ends with the test at the latest, started in setup_file with the file, and never lives longer
# than $SERVER_LIFE seconds. Start servers in the test itself, not in $(...) or a pipe: a server
# ends with the shell that started it. Nothing is bound but loopback, no port is fixed.
#
#	private_home				nothing of this machine's configuration counts
#	registry_start NAME plain|tls|htpasswd|token [TOKEN-SERVER-OPTION...]
#	fault_start NAME [OPTION...] <<<JSON	fault_server.py with this script; also the proxy
#	proxy_start NAME [OPTION...]		proxy_server.py
#	containerd_start NAME			a containerd of its own; then ctr_of NAME images pull...
#	server_stop NAME			also kills; what it stored and logged stays
#	address NAME [LISTENER]			127.0.0.1:PORT
#	login_as NAME [USER PASSWORD]		an entry of auth.json
#	trust NAME				its CA into certs.d
#	registries_conf <<<TEXT			registries.conf
#	requests NAME [PATTERN]			how many lines of the access log match (settled)
#	forget NAME				what was asked so far does not count
#	held NAME [N]				N times (once), a fault server holds what it does
#	responses NAME JQ-FILTER		the log of a fault server, settled, through jq
#	bytes_sent NAME, bytes_received NAME	of all bodies
#	no_credential NAME LISTENER...		no secret reached these listeners
#
# The user of htpasswd and token registries is $USER_NAME with $USER_PASSWORD; the identity token
# is $USER_TOKEN. They are also what no_credential looks for.

REGISTRY_TOOLS=$(dirname "${BASH_SOURCE[0]}")
SERVER_LIFE=${SERVER_LIFE:-600}
# The distribution's own, not a manager of versions that takes ten times as long to start.
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3
# shellcheck disable=SC2016 # a name that nobody should expand
USER_NAME='robot$ci+tests'
USER_PASSWORD='pass:word+With/secret='
USER_TOKEN='identity-token-of-the-tests'

# ---- servers in general ----

# server NAME: its directory, wherever it was started.
server() {
	local place
	for place in "${BATS_TEST_TMPDIR:-}" "$BATS_FILE_TMPDIR"; do
		[ -n "$place" ] && [ -d "$place/servers/$1" ] && echo "$place/servers/$1" && return
	done
	echo "no server $1" >&2
	return 1
}

# server_new NAME: $SERVER is its fresh directory.
server_new() {
	SERVER=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/servers/$1
	[ ! -e "$SERVER" ] || server_stop "$1"
	rm -rf "$SERVER"
	mkdir -p "$SERVER"
}

# server_run COMMAND...: in the background, not longer than its life and ours.
server_run() {
	setpriv --pdeathsig TERM timeout -k 1 "$SERVER_LIFE" "$@" \
		>>"$SERVER/access.log" 2>"$SERVER/stderr" </dev/null 3>&- 4>&- &
	echo $! >"$SERVER/pid"
	disown
}

# server_ready COMMAND...: wait until it succeeds, a minute at most, and not if the server died.
server_ready() {
	local end=$((EPOCHSECONDS + 60))
	while kill -0 "$(cat "$SERVER/pid")" 2>/dev/null && [ "$EPOCHSECONDS" -lt "$end" ]; do
		"$@" && return
		sleep 0.01
	done
	echo "the server in $SERVER did not begin:"
	cat "$SERVER/stderr"
	return 1
}

server_stop() {
	local dir pid
	dir=$(server "$1") && pid=$(cat "$dir/pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	timeout 5 tail --pid="$pid" -s 0.02 -f /dev/null || kill -9 "$pid"
}

# servers_stop: all that the test (or the file) started.
servers_stop() {
	local dir
	for dir in "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}"/servers/*; do
		[ ! -e "$dir/pid" ] || server_stop "${dir##*/}"
	done
}

teardown() {
	servers_stop
}

teardown_file() {
	BATS_TEST_TMPDIR='' servers_stop
}

# address NAME [LISTENER]: where it listens.
address() {
	local dir
	dir=$(server "$1") || return
	if [ -n "${2:-}" ]; then
		sed -n "s/^$2 /127.0.0.1:/p" "$dir/ports"
	else
		cat "$dir/address"
	fi
}

# ---- certificates ----

# make_ca DIR: ca.crt and ca.key.
make_ca() {
	mkdir -p "$1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj '/CN=CA of the tests' -keyout "$1/ca.key" -out "$1/ca.crt" 2>/dev/null
}

# make_cert DIR NAME [SAN [OPTION...]]: NAME.crt and NAME.key, by the CA in DIR. SAN as openssl
# writes it, default 127.0.0.1, ::1 and localhost; options to `openssl x509`, such as -days 0.
make_cert() {
	local dir=$1 name=$2 san=${3:-IP:127.0.0.1,IP:::1,DNS:localhost}
	shift $(($# > 3 ? 3 : $#))
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
		-keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
	printf 'subjectAltName=%s\n' "$san" >"$dir/$name.ext"
	openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" \
		-CAcreateserial -days 2 -extfile "$dir/$name.ext" "$@" -out "$dir/$name.crt" 2>/dev/null
}

# ---- docker-registry, in four forms ----

registry_config() {
	cat <<-END
		version: 0.1
		log: {level: info, accesslog: {disabled: false}}
		storage:
		  filesystem: {rootdirectory: $SERVER/storage}
		  delete: {enabled: true}
		  maintenance: {uploadpurging: {enabled: false}}
		http:
		  addr: 127.0.0.1:0
		  secret: of the tests
	END
	case $1 in
	tls) printf '  tls: {certificate: %s, key: %s}\n' "$SERVER/server.crt" "$SERVER/server.key" ;;
	htpasswd) printf 'auth:\n  htpasswd: {realm: tests, path: %s}\n' "$SERVER/htpasswd" ;;
	token)
		cat <<-END
			auth:
			  token: {realm: "http://$(address "$2.tokens")/token", service: tests,
			    issuer: tests, rootcertbundle: $SERVER/token.crt}
		END
		;;
	esac
}

# The address that the registry's log names, once it does; at level info.
registry_listening() {
	local found
	found=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$SERVER/stderr")
	[ -n "$found" ] && echo "$found" >"$SERVER/address"
}

# tokens_start NAME [OPTION...]: the token server of the registry NAME, which is named NAME.tokens.
tokens_start() {
	local name=$1
	shift
	server_new "$name.tokens"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=tokens of the tests' \
		-keyout "$SERVER/token.key" -out "$SERVER/token.crt" 2>/dev/null
	server_run "$PYTHON" -B "$REGISTRY_TOOLS/token_server.py" --key "$SERVER/token.key" \
		--cert "$SERVER/token.crt" --port-file "$SERVER/ports" --log "$SERVER/log.jsonl" \
		--user "$USER_NAME:$USER_PASSWORD" --identity "$USER_TOKEN" --life "$SERVER_LIFE" "$@"
	server_ready test -e "$SERVER/ports"
	address "$name.tokens" token >"$SERVER/address"
}

# registry_start NAME FORM [TOKEN-SERVER-OPTION...]
registry_start() {
	local name=$1 form=$2
	need docker-registry
	shift 2
	[ "$form" != token ] || tokens_start "$name" "$@"
	server_new "$name"
	case $form in
	tls)
		make_ca "$SERVER"
		make_cert "$SERVER" server
		;;
	htpasswd)
		need htpasswd
		htpasswd -Bbn -C 4 "$USER_NAME" "$USER_PASSWORD" >"$SERVER/htpasswd"
		;;
	token) cp "$(server "$name.tokens")/token.crt" "$SERVER/token.crt" ;;
	esac
	registry_config "$form" "$name" >"$SERVER/config.yml"
	server_run docker-registry serve "$SERVER/config.yml"
	server_ready registry_listening
}

# ---- servers of our own ----

# fault_start NAME [OPTION...]: the script is read from standard input; options as fault_server.py
# has them. With --listen it is known by all of them: address NAME LISTENER.
fault_start() {
	local name=$1
	shift
	server_new "$name"
	cat >"$SERVER/script.json"
	server_run "$PYTHON" -B "$REGISTRY_TOOLS/fault_server.py" --script "$SERVER/script.json" \
		--port-file "$SERVER/ports" --log "$SERVER/log.jsonl" --uploads "$SERVER/uploads" \
		--life "$SERVER_LIFE" "$@"
	server_ready test -e "$SERVER/ports"
	head -n 1 "$SERVER/ports" | sed 's/.* /127.0.0.1:/' >"$SERVER/address"
}

proxy_start() {
	local name=$1
	shift
	server_new "$name"
	server_run "$PYTHON" -B "$REGISTRY_TOOLS/proxy_server.py" --port-file "$SERVER/ports" \
		--log "$SERVER/log.jsonl" --life "$SERVER_LIFE" "$@"
	server_ready test -e "$SERVER/ports"
	address "$name" proxy >"$SERVER/address"
}

# image_layout DIR IMAGE... [OPTION...]: images.py; the digests are printed.
image_layout() {
	"$PYTHON" -B "$REGISTRY_TOOLS/images.py" "$@"
}

# containerd_start NAME: without CRI, with all of its state in its directory.
containerd_start() {
	need containerd ctr
	need_root
	server_new "$1"
	cat >"$SERVER/config.toml" <<-END
		version = 2
		root = "$SERVER/root"
		state = "$SERVER/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.tracing",
			"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
			"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
		[grpc]
		address = "$SERVER/sock"
	END
	echo "$SERVER/sock" >"$SERVER/address"
	server_run containerd --config "$SERVER/config.toml"
	server_ready containerd_answers
}

containerd_answers() {
	[ -S "$SERVER/sock" ] && timeout 20 ctr --address "$SERVER/sock" version >/dev/null 2>&1
}

# ctr_of NAME COMMAND...: `images pull --plain-http HOST/NAME:TAG` pulls and unpacks,
# `images pull --hosts-dir $(hosts_dir REGISTRY)` does so from a TLS registry.
ctr_of() {
	local sock
	sock=$(address "$1") || return
	shift
	timeout 120 ctr --address "$sock" "$@"
}

# hosts_dir REGISTRY...: a directory as containerd wants it, with the CA of each.
hosts_dir() {
	local name dir=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/hosts
	for name; do
		mkdir -p "$dir/$(address "$name")"
		cat >"$dir/$(address "$name")/hosts.toml" <<-END
			server = "https://$(address "$name")"
			[host."https://$(address "$name")"]
			  capabilities = ["pull", "resolve", "push"]
			  ca = "$(server "$name")/ca.crt"
		END
	done
	echo "$dir"
}

# ---- the user's configuration ----

private_home() {
	HOME=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/home
	XDG_RUNTIME_DIR=$HOME/run
	XDG_CONFIG_HOME=$HOME/.config
	CONTAINERS_REGISTRIES_CONF=$XDG_CONFIG_HOME/containers/registries.conf
	AUTH_FILE=$XDG_RUNTIME_DIR/containers/auth.json
	export HOME XDG_RUNTIME_DIR XDG_CONFIG_HOME CONTAINERS_REGISTRIES_CONF AUTH_FILE
	unset REGISTRY_AUTH_FILE DOCKER_AUTH_CONFIG DOCKER_CONFIG XDG_DATA_HOME SSL_CERT_FILE SSL_CERT_DIR \
		http_proxy https_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY
	mkdir -p "$XDG_RUNTIME_DIR/containers" "$XDG_CONFIG_HOME/containers"
	chmod 700 "$XDG_RUNTIME_DIR"
	: >"$CONTAINERS_REGISTRIES_CONF"
}

registries_conf() {
	cat >"$CONTAINERS_REGISTRIES_CONF"
}

# login_as SERVER [USER PASSWORD]: what a login would leave in auth.json. The name is a server's
# or, with a '.' or ':' in it, a host.
login_as() {
	local host=$1 user=${2:-$USER_NAME} password=${3:-$USER_PASSWORD}
	case $host in *[.:]*) ;; *) host=$(address "$host") ;; esac
	[ -s "$AUTH_FILE" ] || echo '{}' >"$AUTH_FILE"
	jq --arg host "$host" --arg auth "$(printf '%s:%s' "$user" "$password" | base64 -w 0)" \
		'.auths[$host] = {auth: $auth}' "$AUTH_FILE" >"$AUTH_FILE.new"
	chmod 600 "$AUTH_FILE.new"
	mv "$AUTH_FILE.new" "$AUTH_FILE"
}

# trust SERVER [CA-DIRECTORY]: its CA into certs.d of the user.
trust() {
	local dir
	dir=$XDG_CONFIG_HOME/containers/certs.d/$(address "$1")
	mkdir -p "$dir"
	cp "${2:-$(server "$1")}/ca.crt" "$dir/ca.crt"
}

# ---- what the servers saw ----

# settled NAME: every request of the log has its response. A registry writes a line when its handler
# is done, which can be after the client has all that it wants: so one more request is made, and
# waited for.
settled() {
	local dir mark
	dir=$(server "$1") || return
	if [ -e "$dir/log.jsonl" ]; then
		eventually 60 answered_all "$dir/log.jsonl"
	elif kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
		mark=settled-$BASHPID-$RANDOM
		curl -sS -k --noproxy '*' --max-time 60 -o "$dir/mark" \
			"http$([ ! -e "$dir/server.key" ] || echo s)://$(cat "$dir/address")/v2/?$mark"
		eventually 60 grep -q "$mark" "$dir/access.log"
	fi
}

answered_all() {
	[ "$(grep -c '"event": "request"' "$1")" -eq "$(grep -c '"event": "response"' "$1")" ]
}

# forget NAME: what was asked so far does not count; for a registry.
forget() {
	settled "$1"
	: >"$(server "$1")/access.log"
}

held() {
	[ "$(grep -c '"event": "held"' "$(server "$1")/log.jsonl")" -ge "${2:-1}" ]
}

# requests NAME [PATTERN]: how many, of all or of those whose line has this (grep -E). A line is
# 'METHOD TARGET STATUS', whichever kind of server it is.
requests() {
	request_lines "$1" | grep -cE -- "${2:-}" || true
}

request_lines() {
	local dir
	dir=$(server "$1") || return
	settled "$1" || return
	if [ -e "$dir/log.jsonl" ]; then
		jq -rs '(map(select(.event == "response")) | map({key: (.id | tostring), value: .status})
			| from_entries) as $status | .[] | select(.event == "request")
			| "\(.method) \(.target) \($status[.id | tostring])"' "$dir/log.jsonl"
	else
		grep -v '/v2/?settled-' "$dir/access.log" |
			sed -n 's/^[^"]*"\([A-Z]* [^ ]*\) [^"]*" \([0-9]*\).*/\1 \2/p'
	fi
}

# responses NAME FILTER: jq over the list of all entries of a log of our servers.
responses() {
	settled "$1" || return
	jq -rs "$2" "$(server "$1")/log.jsonl"
}

bytes_sent() {
	responses "$1" 'map(select(.event == "response").sent) | add // 0'
}

bytes_received() {
	responses "$1" 'map(select(.event == "response").received) | add // 0'
}

# no_credential NAME LISTENER...: nothing secret was in a request that these listeners of a fault
# server (or proxy) saw: no Authorization, and neither the password nor a token in any other place.
no_credential() {
	local name=$1 log secrets basic found
	shift
	log=$(server "$name")/log.jsonl
	basic=$(printf '%s:%s' "$USER_NAME" "$USER_PASSWORD" | base64 -w 0)
	secrets=$(jq -nc '$ARGS.positional' --args "$USER_PASSWORD" "$USER_TOKEN" "$basic" token-main-)
	# shellcheck disable=SC2016 # jq's own variables
	found=$(jq -c --argjson secrets "$secrets" '. as $entry
		| select(.event == "request" and ($ARGS.positional | index($entry.listener)))
		| select(.authorization or .headers.cookie or ($entry | tostring
			| . as $text | any($secrets[]; . as $secret | $text | contains($secret))))' \
		"$log" --args "$@") || return
	if [ -n "$found" ]; then
		echo "a credential went astray:"
		echo "$found"
		return 1
	fi
}
