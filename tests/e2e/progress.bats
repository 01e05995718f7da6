# tests/e2e/progress.bats - what a build shows: to a terminal, to a pipe, to a program.

load helper
load ../registry/registry

setup_file() {
	[ "$(id -u)" -eq 0 ] || return 0
	command -v busybox >/dev/null || return 0
	export RUN_ROOT=$BATS_FILE_TMPDIR/store
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_rootfs "$BATS_FILE_TMPDIR/rootfs.tar"
	cairn --root "$RUN_ROOT" import "$BATS_FILE_TMPDIR/rootfs.tar" base
}

setup() {
	need_root
	need busybox jq
	export CAIRN_ROOT=$RUN_ROOT NO_COLOR=1
	mkdir -p "$BATS_TEST_TMPDIR/context"
	cd "$BATS_TEST_TMPDIR" || return 1
	cat >context/Recipe <<-'END'
		FROM base AS first
		RUN echo to stdout; echo to stderr >&2
		FROM base
		RUN printf 'bell \a colour \033[31mred\033[0m title \033]0;owned\a bytes \377\n'
		COPY --from=first /etc/passwd /copied
	END
}

terminal() {
	python3 "$BATS_TEST_DIRNAME/terminal.py" "$@"
}

@test "plain tells steps by number, with their output and their end" {
	run -0 --separate-stderr build --network host --no-cache --progress plain -t a context
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	plain=$stderr
	grep -qE '^#[0-9]+ \[first 1/1\] RUN echo to stdout' <<<"$plain"
	number=$(sed -n 's/^\(#[0-9]*\) \[first 1\/1\].*/\1/p' <<<"$plain")
	grep -qE "^$number [0-9]+\.[0-9]{3} to stdout$" <<<"$plain"
	grep -qE "^$number [0-9]+\.[0-9]{3} to stderr$" <<<"$plain"
	grep -qE "^$number DONE [0-9.]+m?s$" <<<"$plain"
	grep -qE 'bell \\x07 colour red title  bytes \\xff$' <<<"$plain"
	[[ $plain != *$'\033'* ]]
	equal "$(grep -cE '^#[0-9]+ (in a user namespace|as root of this machine), host network, ' <<<"$plain")" 1
	run -0 --separate-stderr build --network host --progress plain -t a context
	[[ $stderr == *CACHED* ]]
	[[ $stderr != *DONE* && $stderr != *", host network"* ]]
	# a pipe is no terminal: the same without being asked
	run -0 --separate-stderr build --network host --no-cache context
	grep -qE '^#[0-9]+ DONE' <<<"$stderr"
}

@test "json tells every event, and is kept in the journal" {
	build --network host --no-cache --progress json -t a context 2>events >id
	jq -e . events >/dev/null
	equal "$(head -n 1 events | jq -r .event)" build-begin
	equal "$(head -n 1 events | jq -r .format)" 1
	equal "$(tail -n 1 events | jq -r .event)" build-end
	equal "$(tail -n 1 events | jq -r .status)" done
	equal "$(tail -n 1 events | jq -r .image)" "$(cat id)"
	equal "$(tail -n 1 events | jq -r .manifest)" "$(cairn inspect --format json a | jq -r '.[0].digest')"
	equal "$(jq -r 'select(.event=="log" and .stream=="stdout" and .text) | .text' events)" "to stdout"
	equal "$(jq -r 'select(.event=="log" and .stream=="stderr") | .text' events)" "to stderr"
	equal "$(jq -r 'select(.base64) | .base64' events | base64 -d)" \
		"$(printf 'bell \a colour \033[31mred\033[0m title \033]0;owned\a bytes \377')"
	# every step that begins ends, once
	equal "$(jq -r 'select(.event=="step-begin") | .step' events | sort)" \
		"$(jq -r 'select(.event=="step-end") | .step' events | sort)"
	equal "$(jq -s 'map(.at) | . == sort' events)" true
	# the journal has the same but for the output, and that as it was
	journal=$CAIRN_ROOT/builds/$(jq -r 'select(.id) | .id' events)
	equal "$(jq -c 'del(.at)' "$journal/events.jsonl" | sort)" "$(jq -c 'select(.event != "log") | del(.at)' events | sort)"
	step=$(jq -r 'select(.base64) | .step' events)
	printf 'bell \a colour \033[31mred\033[0m title \033]0;owned\a bytes \377\n' | cmp - "$journal/$step.log"
}

@test "quiet prints the image id alone" {
	for flag in -q "--progress quiet"; do
		# shellcheck disable=SC2086 # two words
		run -0 --separate-stderr build --network host --no-cache $flag context
		[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
		equal "$stderr" ""
	done
}

@test "a terminal sees a live picture and, at the end, all steps" {
	need python3
	fault_start f <<<"{\"rules\": [{\"hold\": \"$PWD/go\"}]}"
	printf 'FROM base\nRUN echo first; wget -qO- http://%s/v2/; echo second\nRUN true\n' \
		"$(address f)" >context/Recipe
	run -0 terminal 100x20 "expect building
		expect 0 of 2 steps
		expect first
		touch go
		expect built" build --network host --no-cache -t live context
	says "exit code 0"
	[[ $output == *$'\033[?25h'* ]]
	[[ ! $output =~ $'\033['[0-9\;]*m ]] # NO_COLOR
	end=${output##*$'\033[?25l'}
	[[ $end == *"[stage-0 1/2] RUN echo first"* ]]
	[[ $end == *"[stage-0 2/2] RUN true"* ]]
	[[ $end == *"built  "*" 2 steps, "*", host network"* ]]
	unset NO_COLOR
	run -0 terminal 60x20 "expect built" build --network host -t live context
	[[ $output == *$'\033[34m cached'* ]]
}

@test "nothing that a step writes reaches the terminal as a command" {
	need python3
	run -0 terminal 100x30 "expect built" build --network host --no-cache -t live context
	[[ $output != *$'\a'* ]]
	[[ $output != *$'\033]'* ]]
	[[ $output != *$'\377'* ]]
}

@test "a failure shows the last lines below the picture" {
	need python3
	printf 'FROM base\nRUN echo before; echo the reason >&2; exit 3\n' >context/Recipe
	run -0 terminal 80x24 "expect failed" build --network host context
	says "exit code 1"
	says "the reason"
	end=${output##*$'\033[?25h'}
	[[ $end == *"error: "* ]]
	[[ $end == *"the reason"* ]]
}

@test "an interrupted build leaves the terminal in order" {
	need python3
	printf 'FROM base\nRUN echo begun; sleep 50\n' >context/Recipe
	run -0 terminal 80x24 "expect building
		expect begun
		send \\x03" build --network host context
	says "exit code 130"
	[[ ${output##*$'\033[?25l'} == *$'\033[?25h'* ]]
}

@test "rawjson is BuildKit's: vertices, logs in base64, inputs that are vertices" {
	build --network host --no-cache --progress rawjson -t a context 2>events >id
	jq -e 'keys - ["vertexes", "statuses", "logs", "warnings"] == []' events >/dev/null
	jq -s '[.[].vertexes[]?]' events >vertices
	# each begins, and ends once
	equal "$(jq -r 'group_by(.digest)[] | map(select(.completed)) | length' vertices | sort -u)" 1
	jq -e 'all(.started)' vertices >/dev/null
	jq -e '[.[].digest] as $all | all(.[].inputs[]?; IN($all[]))' vertices >/dev/null
	equal "$(jq -r '[.[] | select(.completed and (.name | startswith("[stage-1 2/2] COPY"))) | .inputs | length] | .[]' vertices)" 2
	run=$(jq -r '[.[] | select(.name | startswith("[first 1/1] RUN"))][0].digest' vertices)
	equal "$(jq -r --arg run "$run" '.logs[]? | select(.vertex == $run and .stream == 1) | .data' events | base64 -d)" \
		"to stdout"
	equal "$(jq -r --arg run "$run" '.logs[]? | select(.vertex == $run and .stream == 2) | .data' events | base64 -d)" \
		"to stderr"
	jq -r '.logs[]?.data' events | while read -r data; do base64 -d <<<"$data"; done |
		grep -qa "$(printf 'bytes \377')"
	jq -r '.statuses[]?.id' events | grep -qx "exporting config $(cat id)"
	equal "$(jq -r '.statuses[]? | select(.completed).id' events | grep -c ', host network, ')" 1
	# the same again is cached
	build --network host --progress rawjson -t a context 2>events >id
	jq -se '[.[].vertexes[]? | select(.completed and (.name | startswith("["))) | select(.name | startswith("[internal]") | not) | .cached] | all and length == 2' events >/dev/null
	# what fails says so in its vertex; a remark has its lines
	printf 'FROM base AS Upper\nRUN exit 3\n' >Recipe
	run -1 --separate-stderr build --network host --progress rawjson -f Recipe context
	grep '^{' <<<"$stderr" >events
	equal "$(jq -r '.vertexes[]?.error // empty' events)" "Recipe:2: the command failed with exit code 3"
	equal "$(jq -r '.warnings[]?.short' events | base64 -d | cut -d: -f1)" StageNameCasing
	jq -e '.warnings[]? | .level == 1 and (.detail | length > 0)' events >/dev/null
}

@test "none shows nothing but errors, also by the environment" {
	printf 'FROM base AS Upper\nRUN true\n' >Recipe
	run -0 --separate-stderr build --network host --progress none -f Recipe context
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	equal "$stderr" ""
	BUILDKIT_PROGRESS=none run -0 --separate-stderr build --network host -f Recipe context
	equal "$stderr" ""
	BUILDKIT_PROGRESS=rawjson run -0 --separate-stderr build --network host -f Recipe context
	jq -e . <<<"$stderr" >/dev/null
	printf 'FROM base\nRUN exit 3\n' >Recipe
	run -1 --separate-stderr build --network host --progress none -f Recipe context
	[[ $stderr == *"exit code 3"* ]]
}
