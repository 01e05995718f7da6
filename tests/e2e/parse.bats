# tests/e2e/parse.bats - cairn parse: the syntax of a Recipe as JSON.

load helper

setup_file() {
	need jq
}

# args N: the operands of the Nth instruction, from 0.
args() {
	jq -c ".instructions[$1].args" document
}

@test "parse prints the document from a file and from standard input" {
	printf '# escape=`\nFROM a\nRUN b `\n  c\nONBUILD ADD d e\n' >Recipe
	cairn parse Recipe >document
	equal "$(jq -c . document)" '{"escape":"`","instructions":[{"cmd":"from","flags":[],"args":["a"],"json":false,"heredocs":[],"start":2,"end":2},{"cmd":"run","flags":[],"args":["b   c"],"json":false,"heredocs":[],"start":3,"end":4},{"cmd":"onbuild","flags":[],"args":[],"json":false,"heredocs":[],"sub":{"cmd":"add","flags":[],"args":["d","e"],"json":false,"heredocs":[],"start":5,"end":5},"start":5,"end":5}]}'
	cairn parse - <Recipe | diff document -
	cairn parse <(cat Recipe) | diff document -
}

@test "parse needs neither a store nor a right Recipe" {
	printf 'RUN --no-such-flag x\nCOPY a\n' >Recipe
	CAIRN_ROOT=$PWD/none run -0 cairn parse Recipe
	[ ! -e none ]
	equal "$(jq -c '[.instructions[].flags]' <<<"$output")" '[["--no-such-flag"],[]]'
}

@test "parse names the line that is no instruction" {
	printf 'FROM a\nCOPPY b c\n' >Recipe
	fails 1 cairn parse Recipe
	says 'Recipe:2: unknown instruction: COPPY (did you mean COPY?)'
	says '2 | >>> COPPY b c'
	fails 1 cairn parse - </dev/null
	says 'holds no instruction'
	fails 3 cairn parse absent
	fails 1 cairn parse .
}

@test "parse --expand shows values, and only where a build expands" {
	cat >Recipe <<-'EOF'
		ARG V=1
		FROM --platform=$BUILDPLATFORM base:${V}
		ARG X=${V:-5} V Y
		ENV A=$X B="$A b" C='$A' D="80 443"
		WORKDIR /w/$A
		RUN --mount=type=cache,target=/c/$A,id="a,$B" echo $A
		COPY --chown=$A <<E <<'F' ${PATH%%:*}/x /to/
		val $A \$A
		E
		val $A
		F
		EXPOSE $D $V
		CMD echo $A
	EOF
	cairn parse --expand --build-arg V=7 Recipe >document
	equal "$(args 0)" '["V=7"]'
	equal "$(args 1)" '["base:7"]'
	[[ $(jq -r '.instructions[1].flags[0]' document) == --platform=linux/* ]]
	# A default counts before the global value, and sees what stands before it.
	equal "$(args 2)" '["X=5","V=7","Y"]'
	equal "$(args 3)" '["A","5","B"," b","C","$A","D","80 443"]'
	equal "$(args 4)" '["/w/5"]'
	equal "$(args 5)" '["echo $A"]'
	equal "$(args 6)" "[\"<<E\",\"<<'F'\",\"/usr/local/sbin/x\",\"/to/\"]"
	equal "$(jq -c '[.instructions[6].heredocs[].content]' document)" '["val 5 $A\n","val $A\n"]'
	equal "$(jq -c '.instructions[6].flags' document)" '["--chown=5"]'
	equal "$(args 7)" '["80","443","7"]'
	equal "$(args 8)" '["echo $A"]'
}

@test "parse --target keeps the stages that it needs" {
	cat >Recipe <<-'EOF'
		ARG V=a
		FROM x AS a
		FROM y AS b
		FROM $V AS c
		COPY --from=b /b /
		FROM c AS d
		FROM z
	EOF
	equal "$(cairn parse --target c Recipe | jq -c '[.instructions[] | .start]')" '[1,2,3,4,5]'
	equal "$(cairn parse --target c --build-arg V=q Recipe | jq -c '[.instructions[] | .start]')" '[1,3,4,5]'
	fails 2 cairn parse --target cc Recipe
	says 'no stage '
}

@test "parse --expand puts included files in their place, and says which lines are whose" {
	mkdir parts
	printf '# syntax=cairn/1\nARG V=1\nFROM x AS a\nINCLUDE parts/env\nRUN c\n' >Recipe
	printf '# two lines\nENV A=$V \\\n  B=2\nINCLUDE more\n' >parts/env
	printf 'LABEL l=$B\n' >parts/more
	equal "$(cairn parse Recipe | jq -c '[.instructions[] | [.cmd, .file, .start]]')" \
		'[["arg",null,2],["from",null,3],["include",null,4],["run",null,5]]'
	equal "$(cairn parse --expand Recipe | jq -c '[.instructions[] | [.cmd, .file, .start, .end]]')" \
		'[["arg","Recipe",2,2],["from","Recipe",3,3],["env","parts/env",2,3],["label","parts/more",1,1],["run","Recipe",5,5]]'
	equal "$(cairn parse --expand Recipe | jq -c '.instructions[3].args')" '["l","2"]'
	equal "$(cairn parse --target a Recipe | jq -c '.instructions[3].args')" '["l","$B"]'
	printf 'LABELL x\n' >parts/more
	fails 1 cairn parse --expand Recipe
	says "parts/more:1: unknown instruction: LABELL"
	fails 1 cairn parse --expand - <Recipe
	says INCLUDE
}

@test "build arguments come out of files, and the command line wins" {
	printf '# a comment\n\nA=1\nB=two words\nA=3\r\nHOME\n' >args
	printf 'C==\n' >more
	printf 'FROM a\nARG A B C HOME\n' >Recipe
	HOME=/h cairn parse --expand --build-arg B=4 --build-arg-file args --build-arg-file more Recipe >document
	equal "$(args 1)" '["A=3","B=4","C==","HOME=/h"]'
	printf 'A=1\n=2\n' >args
	fails 2 cairn parse --expand --build-arg-file args Recipe
	says "args:2: '=2' has no name"
	fails 3 cairn parse --build-arg-file absent Recipe
}
