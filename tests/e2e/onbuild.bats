# tests/e2e/onbuild.bats - ONBUILD with all that an instruction can have, in order, once.

load helper

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need jq
}

# trigger LINE...: localhost/base has these triggers.
trigger() {
	mkdir -p ctx
	printf '%s\n' 'FROM localhost/root' "$@" >Base
	make_rootfs root.tar
	cairn import root.tar localhost/root
	cairn build -q -f Base -t localhost/base ctx >/dev/null
}

build_it() {
	printf '%s\n' "$@" >Recipe
	cairn build -q -f Recipe -t localhost/out ctx >/dev/null
	cairn export -o out.tar localhost/out
}

holds() {
	equal "$(tar -xOf out.tar "$1")" "$2"
}

@test "triggers run in order, see the child's context, arguments and stages, and are gone then" {
	trigger 'ONBUILD ARG who=user' 'ONBUILD ENV name=$who' 'ONBUILD COPY --chown=$name:0 app /app/' \
		'ONBUILD RUN echo "$name $who" >/ran' 'ONBUILD COPY --from=made /thing /thing' \
		'ONBUILD COPY --from=0 --link /thing /linked' 'ONBUILD LABEL l="$name"' 'ONBUILD CMD ["x"]'
	equal "$(cairn inspect --raw config localhost/base | jq '.config.OnBuild | length')" 8
	echo content >ctx/app
	build_it 'FROM scratch AS made' 'COPY <<thing /' made thing 'FROM localhost/base' 'ENV after=$name'
	equal "$(cairn inspect --raw config localhost/out | jq -c '[.config.OnBuild, .config.Labels.l, .config.Cmd]')" \
		'[null,"user",["x"]]'
	holds thing made
	holds linked made
	holds ran 'user user'
	# ONBUILD has no row of its own, what it triggers has
	equal "$(cairn inspect --raw config localhost/base | jq '[.history[] | select(.created_by | startswith("ONBUILD"))] | length')" 0
	equal "$(cairn inspect --raw config localhost/out | jq -r '.history[-1].created_by')" 'ENV after=user'
	equal "$(cairn inspect --raw config localhost/out | jq -r '[.history[-9:][].created_by | split(" ")[0]] | join(" ")')" \
		'ARG ENV COPY RUN COPY COPY LABEL CMD ENV'
}

@test "triggers hold heredocs, mounts and flags" {
	trigger 'ONBUILD COPY <<one <<"two" /d/' '$name' one '$name' two 'ONBUILD COPY --parents --exclude=a/b a/* /p/' \
		'ONBUILD RUN --mount=type=bind,source=a,target=/m cat /m/x >/seen' \
		'ONBUILD RUN <<EOF' 'echo first >/script' 'echo $name >>/script' EOF
	mkdir -p ctx/a
	echo x >ctx/a/x
	echo b >ctx/a/b
	build_it 'FROM localhost/base' 'RUN true'
	holds d/one ''
	holds d/two '$name'
	holds seen x
	holds script "$(printf 'first\n')"
	tar -tf out.tar p/a/x
	run ! tar -tf out.tar p/a/b
}

@test "a stage's triggers are for the stage that is built on it alone" {
	trigger 'ONBUILD RUN echo 1 >>/count'
	build_it 'FROM localhost/base AS one' 'ONBUILD RUN echo 2 >>/count' 'FROM one AS two' 'FROM two'
	holds count "$(printf '1\n2')"
	equal "$(cairn inspect --raw config localhost/out | jq -c .config.OnBuild)" null
}

@test "what is wrong with a trigger is told with the trigger" {
	trigger 'ONBUILD COPY gone /'
	printf '%s\n' '' 'FROM localhost/base' >Recipe
	fails 3 cairn build -q -f Recipe ctx
	says "Recipe:2: ONBUILD COPY gone / of 'localhost/base': 'gone' is not in the build context"
}
