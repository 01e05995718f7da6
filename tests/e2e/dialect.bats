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
		'UNSET VOLUME /v /w' 'UNSET EXPOSE 80/TCP 53/udp'
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
		UNSET ENV A=b|UNSET ENV takes the names of variables, and 'A=b' is none
		UNSET ENV ""|UNSET: a name is empty
		UNSET EXPOSE 99999|UNSET EXPOSE takes ports, as 80 and 53/udp, and '99999' is none
		UNSET EXPOSE 80/icmp|UNSET EXPOSE takes ports, as 80 and 53/udp, and '80/icmp' is none
		UNSET EXPOSE 80-90|UNSET EXPOSE takes ports, as 80 and 53/udp, and '80-90' is none
		UNSET USER x|UNSET USER takes no names
		UNSET LABLE x|'LABLE' cannot be unset (did you mean LABEL?); these can: CMD, ENTRYPOINT, ENV,
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

@test "INCLUDE puts lines of another file in its place" {
	mkdir -p ctx/parts/deep
	printf '%s\n' '# syntax=cairn/1' 'INCLUDE parts/args' 'FROM scratch AS base' 'INCLUDE parts/labels' 'COPY <<INCLUDE /' \
		'INCLUDE nothing' 'INCLUDE' 'FROM $from' 'include parts/deep/more' >ctx/Recipe
	printf 'ARG from=base' >ctx/parts/args
	printf '%s\n' '# escape=`' '# a comment' 'LABEL a="1\' '  2"' '' 'INCLUDE deep/more' >ctx/parts/labels
	printf '%s\n' 'LABEL deep=yes' >ctx/parts/deep/more
	printf '%s\n' 'parts' >ctx/.dockerignore # not for what is included
	cairn build -q -t localhost/out ctx
	equal "$(setting .Labels)" '{"a":"1  2","deep":"yes"}'
	equal "$(cairn inspect --raw config localhost/out | jq -c '[.history[].created_by]')" \
		'["LABEL a=1  2","LABEL deep=yes","COPY <<INCLUDE / # buildkit","LABEL deep=yes"]'
	# also beside a Recipe that lies elsewhere
	mkdir other
	cp -r ctx/Recipe ctx/parts other
	cairn build -q -f other/Recipe -t localhost/out ctx
}

@test "errors and remarks name the included file and its line" {
	mkdir -p ctx/parts
	printf '%s\n' '# syntax=cairn/1' 'FROM scratch' 'INCLUDE parts/one' >ctx/Recipe
	printf '%s\n' 'LABEL a=1' 'ENV b=$nothing' 'COPY gone /' 'LABEL c=3' >ctx/parts/one
	fails 3 cairn build -q ctx
	says "parts/one:3: 'gone' is not in the build context"
	says '  2 |     ENV b=$nothing'
	says '  3 | >>> COPY gone /'
	says '  4 |     LABEL c=3'
	[[ $output != *FROM* ]]
	sed -i /gone/d ctx/parts/one
	run -0 cairn build -q ctx
	says "UndefinedVar: parts/one:2: "
	run cairn lint --format sarif ctx
	equal "$(jq -r '.runs[0].results[] | select(.ruleId == "UndefinedVar") | .locations[0].physicalLocation |
		.artifactLocation.uri + ":" + (.region.startLine | tostring)' <<<"$output")" ctx/parts/one:2
	printf '%s\n' 'LABL x=1' >>ctx/parts/one
	fails 1 cairn build -q ctx
	says 'parts/one:4: unknown instruction: LABL (did you mean LABEL?)'
	printf '%s\n' 'RUN <<EOF' 'never ends' >ctx/parts/one
	fails 1 cairn build -q ctx
	says 'parts/one:1: unterminated heredoc'
	# places behind an INCLUDE are those of the file
	printf '%s\n' 'LABEL a=1' 'LABEL a=2' 'LABEL a=3' >ctx/parts/one
	echo 'COPY gone2 /' >>ctx/Recipe
	fails 3 cairn build -q ctx
	says "Recipe:4: 'gone2' is not in"
}

@test "INCLUDE stays in its directory, ends somewhere, and needs the directive" {
	mkdir -p ctx/parts
	ln -s /etc/hostname ctx/link
	while IFS='|' read -r line text; do
		printf '%s\n' '# syntax=cairn/1' 'FROM scratch' "$line" >ctx/Recipe
		fails "${text%% *}" cairn build -q ctx
		says "${text#* }"
	done <<-'END'
		INCLUDE|1 Recipe:3: INCLUDE requires exactly one argument
		INCLUDE ../out|1 Recipe:3: INCLUDE ../out: it lies outside of the directory of the Recipe
		INCLUDE /etc/passwd|1 Recipe:3: INCLUDE /etc/passwd: say it from here, not from '/'
		INCLUDE gone|3 Recipe:3: INCLUDE gone
		INCLUDE link|1 Recipe:3: INCLUDE link: it is a link, or lies behind one, that leads out of the directory
		INCLUDE Recipe|1 Recipe:3: INCLUDE Recipe: the file includes itself
		INCLUDE parts/../Recipe|1 Recipe:3: INCLUDE Recipe: the file includes itself
		ONBUILD INCLUDE x|1 Recipe:3: INCLUDE is not allowed as an ONBUILD trigger
	END
	printf '%s\n' '# syntax=cairn/1' 'FROM scratch' 'INCLUDE parts/a' >ctx/Recipe
	echo 'INCLUDE b' >ctx/parts/a
	echo 'INCLUDE a' >ctx/parts/b
	fails 1 cairn build -q ctx
	says 'INCLUDE parts/a: the file includes itself'
	for i in {1..20}; do echo "INCLUDE f$((i + 1))" >ctx/parts/f$i; done
	sed -i 's|parts/a|parts/f1|' ctx/Recipe
	fails 1 cairn build -q ctx
	says 'more than 16 files in one another'
	printf 'LABEL a=1 \\' >ctx/parts/f1
	fails 1 cairn build -q ctx
	says 'parts/f1 ends within an instruction'
	ln -sf /etc/hostname ctx/parts/f1
	fails 1 cairn build -q ctx
	fails 1 cairn build -q -f - ctx <ctx/Recipe
	says 'there is no directory to include from'
	sed -i 1d ctx/Recipe
	fails 1 cairn build -q ctx
	says 'Recipe:2: unknown instruction: INCLUDE'
	says "the line '# syntax=cairn/1' at the top allows them"
}
