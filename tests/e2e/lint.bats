# tests/e2e/lint.bats - every rule with a Recipe that breaks it and one that does not, and how it is told.
#
# The examples follow those that BuildKit's documentation of its rules gives.

load helper

setup_file() {
	need jq
}

setup() {
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/none
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p ctx
}

# rules [OPTION...]: the rules of ctx's Recipe, each as RULE:LINE, in order.
rules() {
	cairn lint --format json "$@" ctx | jq -r '.warnings[] | "\(.ruleName):\(.location.ranges[0].start.line)"'
}

# Rows are RULE:LINE | Recipe with \n; one without a rule must be silent.
@test "each rule finds what it is about, and nothing else" {
	local rule recipe
	echo tmp >ctx/.dockerignore
	while IFS='|' read -r rule recipe; do
		echo "== $rule: $recipe"
		printf '%b\n' "${recipe# }" >ctx/Recipe
		equal "$(rules | tr '\n' ' ')" "${rule:+${rule% } }"
	done <<-'END'
		StageNameCasing:1 |FROM x AS BuilderBase
		|FROM x AS builder-base
		FromAsCasing:1 |FROM x as builder
		|from x as builder
		|FROM x AS builder
		NoEmptyContinuation:3 |FROM x\nRUN a \\\n\n  b
		|FROM x\nRUN a \\\n# comment\n  b
		ConsistentInstructionCasing:2 |FROM x\nrun a\nUSER b
		ConsistentInstructionCasing:2 |FROM x\nRuN a\nUSER b
		|from x\nrun a
		DuplicateStageName:3 |FROM x AS a\nRUN b\nFROM y AS a
		|FROM x AS a\nFROM y AS b
		ReservedStageName:1 |FROM x AS scratch
		ReservedStageName:1 |FROM x AS context
		JSONArgsRecommended:2 |FROM x\nENTRYPOINT my-program start
		JSONArgsRecommended:2 |FROM x\nCMD my-program
		|FROM x\nENTRYPOINT ["my-program", "start"]
		|FROM x\nSHELL ["/bin/bash", "-c"]\nCMD my-program
		MaintainerDeprecated:2 |FROM x\nMAINTAINER a@example.com
		|FROM x\nLABEL org.opencontainers.image.authors="a@example.com"
		UndefinedArgInFrom:1 |FROM node:22${VARIANT} AS a
		|ARG VARIANT=-slim\nFROM node:22${VARIANT} AS a
		|ARG VARIANT\nFROM node:22${VARIANT} AS a
		|FROM --platform=$BUILDPLATFORM x
		|FROM x:${TAG:-latest}
		WorkdirRelativePath:2 |FROM x\nWORKDIR usr/share
		|FROM x\nWORKDIR /usr/share
		|FROM x\nWORKDIR /usr\nWORKDIR share
		|FROM x AS a\nWORKDIR /usr\nFROM a AS b\nFROM b\nWORKDIR share
		UndefinedVar:2 |FROM scratch\nCOPY $foo .
		|FROM scratch\nARG foo\nCOPY $foo .
		|FROM scratch\nARG foo\nENV bar=$foo baz=${other:-1} path=$PATH\nEXPOSE $bar
		|FROM scratch\nRUN echo $undefined
		MultipleInstructionsDisallowed:2 |FROM x\nENTRYPOINT ["a"]\nENTRYPOINT ["b"]
		MultipleInstructionsDisallowed:2 |FROM x\nHEALTHCHECK NONE\nHEALTHCHECK CMD a
		|FROM x AS a\nCMD ["a"]\nFROM a\nCMD ["b"]
		LegacyKeyValueFormat:2 |FROM x\nENV DIR /opt/bin
		LegacyKeyValueFormat:2 |FROM x\nLABEL a b
		|FROM x\nENV DIR=/opt/bin
		RedundantTargetPlatform:1 |FROM --platform=$TARGETPLATFORM x
		RedundantTargetPlatform:1 |FROM --platform=${TARGETPLATFORM} x
		SecretsUsedInArgOrEnv:2 |FROM scratch\nARG AWS_SECRET_ACCESS_KEY
		SecretsUsedInArgOrEnv:2 |FROM scratch\nENV github_token=x
		|FROM scratch\nARG PUBLIC_KEY TOKEN_FILE KEY_VERSION KEYBOARD
		InvalidDefaultArgInFrom:2 |ARG TAG\nFROM busybox:${TAG}
		InvalidDefaultArgInFrom:2 |ARG NAME\nFROM ${NAME}
		|ARG TAG=latest\nFROM busybox:${TAG}
		|ARG TAG\nFROM busybox:${TAG:-stable}
		|ARG TAG\nFROM busybox${TAG}
		FromPlatformFlagConstDisallowed:1 |FROM --platform=linux/amd64 x AS base
		|FROM --platform=linux/amd64 x AS build_amd64
		|FROM --platform=linux/amd64 x AS linux-base
		FromPlatformFlagConstDisallowed:1 |FROM --platform=linux/arm/v7 x AS build_v7
		CopyIgnoredFile:2 |FROM scratch\nCOPY ./tmp/hello.txt /hello.txt
		CopyIgnoredFile:2 |FROM scratch\nADD tmp/sub/deep /hello.txt
		|FROM scratch\nCOPY ./forever/hello.txt /hello.txt
		|FROM scratch\nCOPY . /
		|FROM scratch AS a\nFROM scratch\nCOPY --from=a /tmp/hello.txt /
		ExposeProtoCasing:2 |FROM x\nEXPOSE 80/TcP
		|FROM x\nEXPOSE 80/tcp
		ExposeInvalidFormat:2 |FROM x\nEXPOSE 127.0.0.1:80:80
		ExposeInvalidFormat:2 |FROM x\nEXPOSE 80:80
		|FROM x\nEXPOSE 80 443/udp
		HeredocErrexit:2 |FROM x\nRUN <<E\na\nb\nE
		|FROM x\nRUN <<E\nset -e\na\nb\nE
		|FROM x\nRUN <<E\n#!/bin/sh\na\nb\nE
		|# check=experimental=nothing\n# some words\nFROM x AS a\n# some words\nARG V=1
		InvalidDefinitionDescription:3 InvalidDefinitionDescription:5 |# check=experimental=all\n# some words\nFROM x AS a\n# some words\nARG V=1
		|# check=experimental=InvalidDefinitionDescription\n# some words\n\nFROM x AS a\n# some words\n\nARG V=1
		|# check=experimental=all\n# a stage\nFROM x AS a\n# V This is the version number.\nARG V=1
		UndefinedVar:4 |# syntax=cairn/1\nFROM scratch\nUNSET ENV PATH\nWORKDIR /$PATH
		UnknownSyntax:1 |# syntax=example/other:1\nFROM x
	END
}

@test "an ignore file of exceptions hides nothing for sure" {
	printf 'FROM scratch\nCOPY tmp/a /\n' >ctx/Recipe
	printf 'tmp\n' >ctx/.dockerignore
	equal "$(rules)" CopyIgnoredFile:2
	printf 'tmp\n!tmp/a\n' >ctx/.dockerignore
	equal "$(rules)" ""
	printf 'tmp\n' >ctx/Recipe.dockerignore
	equal "$(rules)" CopyIgnoredFile:2
}

@test "directives and comments choose rules" {
	cat >ctx/Recipe <<-'EOF'
		# check=skip=JSONArgsRecommended
		FROM x AS Base
		# check=skip=LegacyKeyValueFormat
		ENV a b
		ENV c d
		CMD e
	EOF
	equal "$(rules | tr '\n' ' ')" "StageNameCasing:2 LegacyKeyValueFormat:5 "
	equal "$(rules --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all)" ""
	equal "$(rules --build-arg 'BUILDKIT_DOCKERFILE_CHECK=skip=StageNameCasing,LegacyKeyValueFormat')" JSONArgsRecommended:6
	fails 2 cairn lint --build-arg BUILDKIT_DOCKERFILE_CHECK=nonsense ctx
}

@test "a finding shows rule, place and lines, and the exit code tells" {
	printf 'FROM x\nRUN a\nMAINTAINER b\n' >ctx/Recipe
	fails 1 cairn lint ctx
	says 'MaintainerDeprecated: Recipe:3: MAINTAINER is deprecated'
	says '  3 | >>> MAINTAINER b'
	says '1 warning'
	printf 'FROM x\n' >ctx/Recipe
	run -0 cairn lint ctx
	equal "$output" 'no warnings'
	run -0 cairn lint -f - <ctx/Recipe
	run -0 build --check ctx
	run -0 build --call=check ctx
	[ ! -e "$CAIRN_ROOT" ]
}

@test "what is wrong is told in every format" {
	printf 'FROM x AS A\nRUN --mont=a b\n' >ctx/Recipe
	fails 1 cairn lint ctx
	says 'Recipe:2: unknown flag: --mont (did you mean --mount?)'
	says '2 | >>> RUN --mont=a b'
	fails 1 cairn lint --format json ctx
	cairn lint --format json ctx 2>/dev/null >out || true
	jq -e '.buildError.message | test("unknown flag")' out
	cairn lint --format sarif ctx 2>/dev/null >out || true
	jq -e '.runs[0].results[] | select(.level == "error") | .locations[0].physicalLocation.region.startLine == 2' out
	fails 3 cairn lint absent
	fails 2 cairn lint --target none ctx </dev/null || true
}

# Rows are MESSAGE | Recipe with \n: values that no build takes are refused by a check, too, where it knows
# them. One without a message is not refused: an argument or the base image may make it right.
@test "a check refuses what a build would refuse before it runs anything" {
	local message recipe
	echo x >ctx/x
	while IFS='|' read -r message recipe; do
		echo "== $message: $recipe"
		printf '# syntax=cairn/1\n%b\n' "${recipe# }" >ctx/Recipe
		if [ -z "$message" ]; then
			run cairn lint ctx
			[[ $output != *error:* ]] || { echo "$output" && return 1; }
		else
			fails 1 cairn lint ctx
			says "${message% }"
			fails 1 build --check ctx
		fi
	done <<-'END'
		Recipe:3: there is no stage 9 before stage 'stage-0' |FROM x\nCOPY --from=9 /a /b
		Recipe:3: stage 'late' comes after stage 'stage-0' |FROM x\nCOPY --from=late /a /b\nFROM x AS late
		Recipe:3: stage 'me' cannot copy from itself |FROM x AS me\nCOPY --from=me /a /b
		Recipe:3: image 'y/UP': reference 'y/UP': the name must be lowercase |FROM x\nCOPY --from=y/UP /a /b
		Recipe:3: image 'y/UP': reference 'y/UP': the name must be lowercase |FROM x\nRUN --mount=from=y/UP,target=/m a
		Recipe:2: image 'UP': reference 'UP': the name must be lowercase |FROM UP
		|FROM 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
		|FROM x\nCOPY --from=$UNKNOWN /a /b
		|FROM x AS first\nFROM x\nCOPY --from=0 /a /b\nCOPY --from=FIRST /a /b
		Recipe:3: --chmod=9: a mode is octal |FROM x\nCOPY --chmod=9 x /x
		Recipe:4: --chmod=u+q: a mode is octal |FROM x\nARG M=u+q\nCOPY --chmod=$M x /x
		|FROM x\nARG M\nCOPY --chmod=$M x /x
		Recipe:3: COPY cannot take a file of the web: that is for ADD |FROM x\nCOPY http://a.example/b /b
		Recipe:3: --checksum: digest 'md5:00' is not sha256 |FROM x\nADD --checksum=md5:00 http://a.example/b /b
		Recipe:3: --checksum is for files of the web and repositories |FROM x\nADD --checksum=sha256:00 x /b
		Recipe:3: --checksum=zz: of a repository it is the commit |FROM x\nADD --checksum=zz https://a.example/b.git /b
		Recipe:3: the git URL has an unknown parameter 'reff' |FROM x\nADD https://a.example/b.git?reff=1 /b
		|FROM x\nADD https://user:password@a.example/b /b
		Recipe:3: 'SIGFOO' is no signal |FROM x\nSTOPSIGNAL SIGFOO
		|FROM x\nSTOPSIGNAL rtmin+3
		Recipe:3: port 'http': 'http' is not a number |FROM x\nEXPOSE http
		Recipe:3: '80/foo': a port's protocol is tcp, udp or sctp |FROM x\nEXPOSE 80/foo
		Recipe:3: port range '90-80' ends before it begins |FROM x\nEXPOSE 90-80
		|FROM x\nEXPOSE $PORT ${OTHER:-no} 127.0.0.1:80:80/TCP
		Recipe:3: ':' names neither a user nor a group |FROM x\nUSER :
		Recipe:3: 'FOO' cannot be unset |FROM x\nUNSET FOO a
		Recipe:3: UNSET ENV needs the names |FROM x\nUNSET ENV
		Recipe:3: UNSET CMD takes no names |FROM x\nUNSET CMD a
		Recipe:3: UNSET EXPOSE takes ports |FROM x\nUNSET EXPOSE http
	END
}

# What the schema of SARIF 2.1.0 requires, of what we write.
@test "SARIF has what its schema requires" {
	mkdir -p 'a dir'
	printf 'FROM x AS A\nCMD b\n' >'a dir/Recipe'
	fails 1 cairn lint --format sarif 'a dir'
	cairn lint --format sarif 'a dir' >out || true
	jq -e '
		.version == "2.1.0" and (."$schema" | test("^https://.*sarif-2.1.0"))
		and (.runs | length == 1)
		and (.runs[0] as $run | $run.tool.driver.name == "cairn"
			and ([$run.tool.driver.rules[].id] | length == (unique | length) and length >= 23)
			and all($run.tool.driver.rules[]; .shortDescription.text | length > 0)
			and all($run.tool.driver.rules[]; .defaultConfiguration.level | IN("warning", "error", "note", "none"))
			and ($run.results | length == 2)
			and all($run.results[]; .ruleId == $run.tool.driver.rules[.ruleIndex].id
				and (.message.text | length > 0)
				and (.level | IN("warning", "error", "note", "none"))
				and (.locations[0].physicalLocation | .artifactLocation.uri == "a%20dir/Recipe"
					and .region.startLine >= 1 and .region.endLine >= .region.startLine)))
	' out
}

@test "JSON is that of buildx: warnings, and the file that they are about" {
	printf 'FROM x AS A\n' >ctx/Recipe
	build --call=check,format=json ctx >out || true
	equal "$(jq -r '.warnings[0].ruleName' out)" StageNameCasing
	jq -e '.warnings[0] | .description and .detail and .location.ranges[0].end.line == 1' out
	equal "$(jq -r '.sources[0].data' out | base64 -d)" 'FROM x AS A'
	equal "$(jq -r '.sources[0].fileName' out)" ctx/Recipe
}

@test "lint looks at all stages, or at those of a target" {
	printf 'FROM scratch AS a\nWORKDIR x\nFROM scratch AS b\nCOPY --from=a / /\nFROM scratch AS c\nWORKDIR y\n' >ctx/Recipe
	equal "$(rules | tr '\n' ' ')" "WorkdirRelativePath:2 WorkdirRelativePath:6 "
	equal "$(rules --target b)" WorkdirRelativePath:2
}

@test "outline tells what a target can be given" {
	cat >ctx/Recipe <<-'EOF'
		ARG UNUSED=1
		# TAG which base
		ARG TAG=3
		# base is the start
		FROM x:$TAG AS base
		# VERSION of it all
		ARG VERSION=5
		RUN --mount=type=secret,id=token,required=true --mount=type=ssh \
			--mount=type=cache,target=/root/.cache a
		FROM scratch AS other
		ARG OTHER
		FROM base AS final
	EOF
	run -0 build --call outline ctx
	says 'TARGET:'
	[[ $output =~ TAG\ +3\ +which\ base ]]
	[[ $output =~ VERSION\ +5\ +of\ it\ all ]]
	[[ $output =~ token\ +true ]]
	[[ $output != *OTHER* && $output != *UNUSED* ]]
	build --call=outline,format=json --build-arg VERSION=6 ctx >out
	equal "$(jq -c '[.args[] | [.name, .value]]' out)" '[["TAG","3"],["VERSION","6"]]'
	equal "$(jq -c '[.secrets[0].name, .secrets[0].required, .ssh[0].name, .cache[0].ID]' out)" \
		'["token",true,"default","/root/.cache"]'
	equal "$(build --call=outline,format=json --target other ctx | jq -c '[.args[].name]')" '["OTHER"]'
	fails 2 build --call outlines ctx
	says "did you mean outline?"
	fails 2 build --call what ctx
	says "it is one of: build, check, outline, targets"
	fails 2 build --check --call outline ctx
	says "do not go together"
}

@test "a base image for another platform is told, unless a context stands in its place" {
	need_root
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store
	mkdir other
	tar -cf empty.tar -T /dev/null
	cairn import --platform linux/s390x empty.tar other >/dev/null
	printf 'FROM other AS a\nFROM a\n' >ctx/Recipe
	equal "$(rules | tr '\n' ' ')" "InvalidBaseImagePlatform:1 "
	check() {
		cairn build --call check,format=json "$@" ctx | jq -r '.warnings[]?.ruleName' | tr '\n' ' '
	}
	equal "$(check)" "InvalidBaseImagePlatform "
	equal "$(check --build-context other=other)" ""
	equal "$(check --build-context docker.io/library/OTHER:latest=other)" ""
	equal "$(check --build-context a=other)" ""
	equal "$(check --build-context b=other)" "InvalidBaseImagePlatform "
}

@test "places in included files are told as such" {
	printf '# syntax=cairn/1\nFROM scratch\nINCLUDE more\nCMD a\n' >ctx/Recipe
	printf '# two lines\nWORKDIR x\n' >ctx/more
	cairn lint --format sarif ctx >out || true
	equal "$(jq -c '[.runs[0].results[].locations[0].physicalLocation | [.artifactLocation.uri, .region.startLine]]' out)" \
		'[["ctx/more",2],["ctx/Recipe",4]]'
	cairn lint --format json ctx >out || true
	line=$(jq -r '.warnings[0].location.ranges[0].start.line' out)
	equal "$(jq -r '.sources[0].data' out | base64 -d | sed -n "${line}p")" "WORKDIR x"
	printf 'FROM scratch\n# check=skpi=all\n' >ctx/Recipe
	run -0 cairn lint ctx
	printf '# escape=`\n# check=skpi=all\nFROM scratch\n' >ctx/Recipe
	fails 1 cairn lint ctx
	says "Recipe:2: check: unknown option 'skpi' (did you mean skip?)"
}

@test "targets tells the stages" {
	printf '# a does it\nFROM x AS a\nFROM y\n# c is last\nFROM a AS c\n' >ctx/Recipe
	run -0 build --call targets ctx
	[[ $output =~ a\ +does\ it ]]
	[[ $output =~ 'c (default)'\ +is\ last ]]
	equal "$(build --call=targets,format=json ctx | jq -c '[.targets[] | [.name, .default, .base, .description]]')" \
		'[["a",null,"x","does it"],[null,null,"y",null],["c",true,"a","is last"]]'
}

@test "options that other builders have, and that change nothing here, are taken" {
	printf 'FROM scratch\n' >ctx/Recipe
	run -0 build --check --builder b --builder=b --compress --disable-content-trust --disable-content-trust=false \
		--rm --rm=true --force-rm --force-rm=false --logsplit --logsplit=true --layers --layers=false \
		--skip-unused-stages --skip-unused-stages=false ctx
}

# Rows are Recipe with \n | what the error suggests.
@test "an error names what may have been meant" {
	need_root
	local recipe text
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store
	while IFS='|' read -r recipe text; do
		printf '%b\n' "$recipe" >ctx/Recipe
		run build --offline ctx
		[ "$status" -ne 0 ]
		says "$text"
	done <<-'END'
		FROM scratch\nRUNN a|did you mean RUN?
		FROM scratch\nCOPY --form=a b c|did you mean --from?
		FROM scratch\nRUN --mount=type=cahce,target=/x y|did you mean cache?
		FROM scratch\nRUN --mount=tpye=cache,target=/x y|did you mean type?
		FROM scratch AS base\nFROM scratch\nCOPY --from=bsae a /b|did you mean 'base'?
		FROM debain:12|did you mean 'debian'?
		ARG VERSION=1\nFROM debian:$VERSOIN|did you mean VERSION?
		ARG VERSION=1\nFROM $VERSOIN|did you mean VERSION?
	END
	fails 2 build --targt a ctx
	says "did you mean '--target'?"
	printf 'FROM scratch AS base\n' >ctx/Recipe
	fails 2 build --target bsae ctx
	says 'did you mean base?'
}
