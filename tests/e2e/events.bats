#!/usr/bin/env bats
# What a build tells programs, and what it keeps: cairn-build(1), EVENTS.

load helper

# A build with a remark, an unused argument, a found step, odd output and a failure.
failing_build() {
	make_rootfs rootfs.tar
	cairn import rootfs.tar base >/dev/null
	mkdir context
	printf '%s\n' 'FROM base' 'RUN echo first >/first' >context/Recipe
	cairn build -q --network none context >/dev/null
	printf '%s\n' "RUN printf 'a\\377b\\n'; echo word >&2; exit 7" 'CMD echo $NONE' >>context/Recipe
	fails 1 cairn build --network none --progress json --build-arg UNUSED=1 context
	grep '^{' <<<"$output" >events
	journal=$CAIRN_ROOT/builds/$(jq -r 'select(.event == "build-begin").id' events)
}

@test "JSON events come in order, and each has what its manual page says" {
	need_root
	need jq
	failing_build
	equal "$(jq -r .event events | tr '\n' ' ')" "build-begin build-plan step-begin step-end $(
	)step-begin isolation log log step-end warning warning build-end "
	jq -e 'has("at") and (.at | type) == "number"' events >/dev/null
	equal "$(jq -c 'select(.event == "build-begin") | .format' events)" 1
	equal "$(jq -c 'select(.event == "build-plan") | [.stages, .steps]' events)" '[1,2]'
	equal "$(jq -c 'select(.event == "step-begin") | [.step, .stage, .index, .count]' events)" \
		'[1,"stage-0",1,2]
[2,"stage-0",2,2]'
	equal "$(jq -c 'select(.event == "step-end") | [.step, .status, .exit_code]' events)" \
		'[1,"cached",null]
[2,"failed",7]'
	equal "$(jq -c 'select(.event == "warning") | .rule' events)" '"JSONArgsRecommended"
null'
	equal "$(jq -c 'select(.event == "build-end") | [.status, .image]' events)" '["failed",null]'
}

@test "output that is no UTF-8 comes in base64, streams are told apart" {
	need_root
	need jq
	failing_build
	equal "$(jq -r 'select(.stream == "stdout").base64' events | base64 -d | od -An -tx1)" ' 61 ff 62'
	equal "$(jq -r 'select(.stream == "stderr").text' events)" word
}

@test "the journal has every event but the output, and that whole" {
	need_root
	need jq
	failing_build
	equal "$(jq -c 'select(.event != "log") | del(.at)' events)" "$(jq -c 'del(.at)' "$journal/events.jsonl")"
	equal "$(od -An -tx1 "$journal/2.log" | tr -d '\n')" ' 61 ff 62 0a 77 6f 72 64 0a'
	[ ! -e "$journal/1.log" ]
}

@test "the journal has an instruction of any length" {
	need jq
	mkdir context
	echo a >context/a
	{
		printf 'FROM scratch\nCOPY \\\n'
		for _ in $(seq 40); do printf '%s \\\n' "$(printf './%.0s' $(seq 20000))a"; done
		echo /d/
	} >context/Recipe
	cairn build -q context >/dev/null
	equal "$(jq -r .event "$CAIRN_ROOT"/builds/*/events.jsonl | tr '\n' ' ')" \
		"build-begin build-plan step-begin step-end build-end "
	equal "$(jq -r 'select(.event == "step-begin") | .text | length > 1600000' \
		"$CAIRN_ROOT"/builds/*/events.jsonl)" true
}
