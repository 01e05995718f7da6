# tests/e2e/dialect.bats - what is only allowed under `# syntax=cairn/1`.

load helper

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need jq
}

setting() {
	cairn inspect --raw config localhost/out | jq -c ".config$1"
}

# base: an image that sets all that there is to set.
base() {
	mkdir -p ctx
	printf '%s\n' 'FROM scratch' 'ENV A=1 B=2 C=3' 'LABEL x=1 "two words"=2' 'EXPOSE 80 53/udp' 'VOLUME /v /w' \
		'USER 5' 'WORKDIR /dir' 'CMD ["c"]' 'ENTRYPOINT ["e"]' 'STOPSIGNAL 9' 'SHELL ["/s"]' \
		'HEALTHCHECK CMD true' 'MAINTAINER me' >Base
	cairn build -q -f Base -t localhost/base ctx
}

build_it() {
	printf '%s\n' "$@" >Recipe
	cairn build -q -f Recipe -t localhost/out ctx >/dev/null
}

@test "UNSET takes out of the config what the base has set" {
	base
	build_it '# syntax=cairn/1' 'FROM localhost/base' 'ARG which=B' 'UNSET ENV A $which' 'unset label "two words"' \
		'UNSET EXPOSE 80' 'UNSET VOLUME /w' 'ENV D=${A:-gone}'
	equal "$(setting .Env)" '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","C=3","D=gone"]'
	equal "$(setting .Labels)" '{"x":"1"}'
	equal "$(setting .ExposedPorts)" '{"53/udp":{}}'
	equal "$(setting .Volumes)" '{"/v":{}}'
	equal "$(cairn inspect --raw config localhost/out | jq -c '[.history[].created_by] | .[-5:]')" \
		'["UNSET ENV A B","UNSET LABEL two words","UNSET EXPOSE 80","UNSET VOLUME /w","ENV D=gone"]'
	build_it '# syntax=cairn/1' 'FROM localhost/base' 'UNSET USER' 'UNSET WORKDIR' 'UNSET CMD' 'UNSET ENTRYPOINT' \
		'UNSET STOPSIGNAL' 'UNSET SHELL' 'UNSET HEALTHCHECK' 'UNSET MAINTAINER' 'UNSET LABEL x "two words"' \
		'UNSET VOLUME /v /w' 'UNSET EXPOSE 80/tcp 53/udp'
	equal "$(setting ' | keys')" '["Env"]'
	equal "$(cairn inspect --raw config localhost/out | jq -c .author)" null
}

@test "what UNSET makes no sense of is an error" {
	base
	while IFS='|' read -r line text; do
		printf '%s\n' '# syntax=cairn/1' 'FROM localhost/base' "$line" >Recipe
		fails 1 cairn build -q -f Recipe ctx
		says "Recipe:3: $text"
	done <<-'END'
		UNSET|UNSET requires at least one argument
		UNSET ENV|UNSET ENV needs the names of what to take away
		UNSET USER x|UNSET USER takes no names
		UNSET LABLE x|'LABLE' cannot be unset (did you mean LABEL?)
		UNSET --all ENV|unknown flag: --all
		ONBUILD UNSET ENV A|UNSET is not allowed as an ONBUILD trigger
	END
}

@test "without the directive it is unknown, and the error says which directive" {
	base
	printf '%s\n' 'FROM localhost/base' 'UNSET ENV A' >Recipe
	fails 1 cairn build -q -f Recipe ctx
	says "Recipe:2: unknown instruction: UNSET"
	says "the line '# syntax=cairn/1' at the top allows them"
	printf '%s\n' '# syntax=docker/dockerfile:1' 'FROM localhost/base' 'UNSET ENV A' >Recipe
	fails 1 cairn build -q -f Recipe ctx
	printf '%s\n' '# syntax=cairn/1' 'FROM localhost/base' >Recipe
	run -0 --separate-stderr cairn build -q -f Recipe ctx
	equal "$stderr" ""
}
