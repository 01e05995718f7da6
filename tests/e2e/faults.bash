# tests/e2e/faults.bash - for tests of registries that fail, lie or lead astray.
# shellcheck disable=SC2154 # bats sets status and output
#
# Loaded alone; it loads the rest. The registry of these tests is called `f` and its script has
# three origins: main is the registry, other a content server, far a stranger. The user has a login
# for main alone, and main wants it; whatever else happens, no secret may reach another origin or
# appear in a message, and the store keeps its laws. A failure names the image or the registry.

load robust
load ../registry/registry

# How long a client may try: enough for three failures in a row, not for a test run to be boring.
# Filled by has() with those of the options that there are.
PATIENCE=()
AUTH='{"challenge": "Basic realm=\"tests\"", "accept": ["Basic *"]}'

# has COMMAND...: skip where the program does not have it yet.
has() {
	local command
	for command; do
		cairn help "$command" >options 2>&1 || skip "cairn has no $command yet"
	done
	PATIENCE=()
	for command in '--progress plain' '--retry 3' '--retry-max-wait 1'; do
		# shellcheck disable=SC2206 # two words
		! grep -q -- "${command% *} *[A-Z]" options || PATIENCE+=($command)
	done
}

# patient: the next pulls wait as long as a registry asks them to, which is two seconds at most.
patient() {
	PATIENCE+=(--retry-max-wait 5)
}

# faults_open: in setup_file. The image `1` in $LAYOUT: two layers of $SIZE bytes, $LAYER is the first.
faults_open() {
	need jq openssl
	export LAYOUT=$BATS_FILE_TMPDIR/layout
	DIGEST=$(image_layout "$LAYOUT" good=1 --size 200000)
	LAYER=$(jq -r '.layers[0].digest' "$LAYOUT/blobs/sha256/${DIGEST#*:}")
	SIZE=$(jq -r '.layers[0].size' "$LAYOUT/blobs/sha256/${DIGEST#*:}")
	export DIGEST LAYER SIZE
}

# faulty RULES [MORE]: the registry `f` with these rules (JSON, without the brackets; LAYER and SIZE
# stand for those of the image) and MORE members of the script. $AUTH is what it demands.
faulty() {
	local rules=${1//LAYER/$LAYER} options=()
	rules=${rules//SIZE/$SIZE}
	[ -z "${LAYOUT:-}" ] || options=(--layout "$LAYOUT")
	fault_start f "${options[@]}" --listen main --listen other --listen far \
		<<<"{\"auth\": ${AUTH:-null}, \"rules\": [$rules]${2:+, $2}}"
	rm -f "$AUTH_FILE"
	login_as f
	IMAGE=$(address f)/a/b:1
}

# shellcheck disable=SC2120
# pull [OPTION...] [IMAGE]: cannot hang; $output has all that it said. Without IMAGE it is $IMAGE.
pull() {
	local image=("$IMAGE")
	[ $# -eq 0 ] || [[ ${*: -1} == -* ]] || image=()
	run timeout 120 cairn pull "${PATIENCE[@]}" "$@" "${image[@]}"
}

push() {
	run timeout 120 cairn push "${PATIENCE[@]}" "$@"
}

# in_order: whatever came out of it, no secret got away and the store keeps its laws.
in_order() {
	local secret encoded
	encoded=$(printf '%s:%s' "$USER_NAME" "$USER_PASSWORD" | base64 -w 0)
	for secret in "$USER_PASSWORD" "$encoded" token-main- "$USER_TOKEN"; do
		[[ $output != *"$secret"* ]] || { echo "a secret was told: $output"; return 1; }
	done
	[ ! -e "$(server f)/log.jsonl" ] || no_credential f other far
	[ ! -e "$CAIRN_ROOT/store.json" ] || verify_store --idle
}

# shellcheck disable=SC2120
# pulled [DIGEST]: it is there, whole, and is what the registry has.
pulled() {
	equal "$status" 0 || { echo "$output"; return 1; }
	equal "$(ref_digest "$IMAGE")" "${1:-$DIGEST}"
	in_order
}

# storm COMMAND...: interrupted twenty times from where the registry holds a request; it ends once, with 130.
storm() {
	local job pid code=0
	# what bash starts in the background ignores interrupts
	timeout 120 env --default-signal=INT "$@" >storm.log 2>&1 3>&- &
	job=$!
	eventually 60 grep -q '"held"' "$(server f)/log.jsonl"
	pid=$(pgrep -P "$job")
	for _ in $(seq 20); do
		kill -INT "$pid" 2>/dev/null || break
		sleep "0.00$((RANDOM % 10))"
	done
	wait "$job" || code=$?
	output=$(cat storm.log)
	equal "$code $(grep -c '^error' storm.log)" "130 0" || { echo "$output"; return 1; }
	in_order
}

# ref_digest IMAGE: what the store says the name leads to.
ref_digest() {
	jq -r --arg name "$1" 'select(.name == $name).digest' "$CAIRN_ROOT"/refs/*
}

# refused CODE [TEXT]: it failed so, with a message that names the registry, and no name came of it.
refused() {
	if [ "$status" -ne "$1" ]; then
		echo "exit code $status, not $1:"
		echo "$output"
		return 1
	fi
	says "${2:-$(address f)}"
	says "$(address f)"
	[ -z "$(ref_digest "$IMAGE" 2>/dev/null)" ] || { echo "the image has a name"; return 1; }
	in_order
}

# pull_table: rows of NAME | CODE | TEXT | RULES from standard input, each a pull by a fresh store.
pull_table() {
	local name code text rules
	while IFS='|' read -r name code text rules; do
		code=${code// /} text=${text# } text=${text% }
		echo "== $name"
		rm -rf "$CAIRN_ROOT"
		faulty "$rules"
		pull
		if [ "$code" = 0 ]; then
			pulled
			says "$text"
		else
			refused "$code" "$text"
		fi
	done
}
