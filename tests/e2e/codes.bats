# tests/e2e/codes.bats - the exit code of wrong input: 2 for a wrong command line, 3 for what is
# not there, 1 for what is wrong in itself.

load robust

# Each line: code, a piece of the message, the command, in the words of a shell.
expect_codes() {
	local code text command
	while IFS='|' read -r code text command; do
		eval "fails $code timeout 30 $command"
		if [[ $output != *"$text"* ]]; then
			echo "$command does not say '$text':"
			echo "$output"
			return 1
		fi
		# the synopsis stands below every wrong command line, and below nothing else
		if [ "$code" -eq 2 ] && [[ $output != *"--help' shows"* ]] ||
			[ "$code" -ne 2 ] && [[ $output == *"--help' shows"* ]]; then
			echo "$command:"
			echo "$output"
			return 1
		fi
	done
}

@test "wrong command lines of every command" {
	make_rootfs base.tar
	cairn import base.tar app
	expect_codes <<-'END'
		2|a command is missing|cairn
		2|unknown command 'imags'|cairn imags
		2|did you mean 'images'?|cairn imags
		2|unknown option '--rot'|cairn --rot x images
		2|option --root needs a value|cairn --root
		2|unknown command 'x'|cairn help x
		2|does not know what to do with 'x'|cairn images x
		2|unknown option '-z'|cairn images -z
		2|option --format: 'xml' is none of|cairn images --format xml
		2|option --quiet: 'maybe'|cairn images --quiet=maybe
		2|needs an argument|cairn inspect
		2|option --raw: 'x' is none of|cairn inspect --raw x app
		2|option --platform: 'a/b/c/d' is not a platform|cairn inspect --platform a/b/c/d app
		2|reference 'A B'|cairn inspect 'A B'
		3|no image 'absent'|cairn inspect absent
		3|did you mean 'app:latest'?|cairn inspect app:lates
		2|needs an argument|cairn history
		2|option --platform: 'x y' is not a platform|cairn history --platform 'x y' app
		3|no image 'absent'|cairn history absent
		2|needs more arguments|cairn tag app
		2|reference 'B!'|cairn tag app ok 'B!'
		2|reference 'B!'|cairn tag 'B!' ok
		3|no image 'absent'|cairn tag absent ok
		3|no image 'ok'|cairn inspect ok
		2|needs an argument|cairn rmi
		2|reference 'B!'|cairn rmi 'B!'
		3|no image 'absent'|cairn rmi absent
		2|needs more arguments|cairn import base.tar
		2|reference 'B!'|cairn import base.tar 'B!'
		2|option --timestamp: 'x'|cairn import --timestamp x base.tar b
		2|option --compression: 'x'|cairn import --compression x base.tar b
		2|option --platform: 'x y'|cairn import --platform 'x y' base.tar b
		3|absent.tar: No such file|cairn import absent.tar b
		1|it is no tar|cairn import /etc/passwd b
		2|needs an argument|cairn load
		2|option --name: reference 'B!'|cairn load --name 'B!' base.tar
		3|absent.tar: No such file|cairn load absent.tar
		1|base.tar|cairn load base.tar
		2|needs an argument|cairn save
		2|option --format: 'zip' is none of|cairn save --format zip app
		2|option -o needs a value|cairn save app -o
		3|no image 'absent'|cairn save absent
		3|absent/: no such directory|cairn save -o absent/x app
		2|needs an argument|cairn export
		2|option --platform|cairn export --platform 'x y' app
		3|no image 'absent'|cairn export absent
		2|does not know what to do with 'x'|cairn version x
	END
}

@test "wrong command lines of the commands of registries" {
	HOME=$BATS_TEST_TMPDIR/home XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run
	export HOME XDG_RUNTIME_DIR
	unset REGISTRY_AUTH_FILE XDG_CONFIG_HOME
	make_rootfs base.tar
	cairn import base.tar app
	cairn import --timestamp 1 base.tar other
	expect_codes <<-'END'
		2|needs an argument|cairn pull
		2|has no name|cairn pull ''
		2|is a URL: write it without the scheme|cairn pull https://127.0.0.1:1/x
		2|digest has 4 hex digits|cairn pull app@sha256:0000
		2|for cairn login to say|cairn pull me:secret@127.0.0.1:1/x
		2|must be lowercase|cairn pull 127.0.0.1:1/Team/app
		2|'oci:dir:name' is not in a registry|cairn pull oci:dir:name
		2|'containers-storage:x' is not in a registry|cairn pull containers-storage:x
		2|docker.io/library/oci:new|cairn push app oci:new
		2|is not in a registry|cairn push app docker-archive:/tmp/x.tar
		2|is not a platform|cairn pull --platform a/b/c/d 127.0.0.1:1/x
		2|either --platform or --all-platforms|cairn pull --platform linux/amd64 --all-platforms x
		2|option --policy: 'x' is none of|cairn pull --policy x y
		2|option --progress: 'x' is none of|cairn pull --progress x y
		2|option --retry: '101' is larger than 100|cairn pull --retry 101 x
		2|option --retry-delay: |cairn pull --retry-delay 2x x
		2|option --retry-delay: '2h30h' is not between|cairn pull --retry-delay 2h30h x
		5|trying again in 0.1 s|cairn pull --retry 1 --retry-delay 100ms 127.0.0.1:1/x
		2|option --tls-verify|cairn pull --tls-verify=x y
		2|the user is missing|cairn pull --creds '' 127.0.0.1:1/x
		5|--offline|cairn pull --offline 127.0.0.1:1/x
		5|connection refused|cairn pull --retry 0 127.0.0.1:1/x
		3|there is no file|cairn pull --authfile absent 127.0.0.1:1/x
		3|absent: No such file|cairn pull --cert-dir absent --tls-verify 127.0.0.1:1/x
		2|needs an argument|cairn push
		3|no image 'absent'|cairn push absent
		2|must be lowercase|cairn push app 127.0.0.1:1/Team/app
		3|option --digestfile|cairn push --digestfile absent/x app 127.0.0.1:1/x
		5|push 127.0.0.1:1/x:latest|cairn push --retry 0 app 127.0.0.1:1/x
		2|needs more arguments|cairn copy app
		2|either --platform or --all|cairn copy --all --platform linux/amd64 app b
		2|bad name '-'|cairn copy app -
		2|no path|cairn copy app oci:
		2|has no name|cairn copy app docker://
		3|absent/: no such directory|cairn copy app oci-archive:absent/x.tar
		2|for which of the two registries|cairn copy --creds a:b docker://127.0.0.1:1/x docker://127.0.0.1:2/x
		1|save it first|cairn copy app docker-daemon:x:1
		1|/etc/passwd: it is no tar|cairn copy oci-archive:/etc/passwd b
		3|copy oci:absent|cairn copy oci:absent b
		3|no image 'absent'|cairn copy absent oci:new
		1|neither empty nor an OCI layout|cairn copy app oci:/etc
		2|needs an argument|cairn digest
		3|for the image in the registry: docker://absent|cairn digest absent
		2|needs an argument|cairn tags
		2|is one image: name the repository|cairn tags 127.0.0.1:1/x:1
		2|needs an argument|cairn delete
		2|is no image in a registry|cairn delete app
		2|is a whole repository|cairn delete docker://127.0.0.1:1/x
		2|needs more arguments|cairn index create
		2|did you mean 'create'?|cairn index creat x
		2|an index of which images?|cairn index create x
		3|for the image in the registry: docker://absent|cairn index create x absent
		3|for the image in the registry: docker://absent|cairn index inspect absent
		1|app: sha256:|cairn index inspect app
		0|app takes the place of sha256:|cairn index create twice other app
		2|--push makes it there|cairn index create docker://127.0.0.1:1/x app
		2|is not NAME=VALUE|cairn index create --annotation x y app
		2|is no registry|cairn login app
		2|who?|cairn login 127.0.0.1:1 </dev/null
		2|--password-stdin needs --username|cairn login --password-stdin 127.0.0.1:1 </dev/null
		2|either --password or --password-stdin|cairn login -u a -p b --password-stdin 127.0.0.1:1
		2|'a:b' cannot be a user|cairn login -u a:b -p c 127.0.0.1:1
		3|not logged in|cairn login --get-login 127.0.0.1:1
		3|not logged in|cairn logout 127.0.0.1:1
		2|either --all or one registry|cairn logout --all 127.0.0.1:1
	END
}

@test "wrong command lines of build and run" {
	import_base
	mkdir -p context
	printf 'FROM base AS first\nFROM scratch AS last\nLABEL a=b\n' >context/Recipe
	cp context/Recipe wrong
	echo 'RUNN x' >>wrong
	expect_codes <<-'END'
		2|does not know what to do with 'more'|build context more
		2|option -t needs a value, and '-f' is an option|build -t -f context/Recipe context
		2|if it is the value, write -t=-f|build -t -f context/Recipe context
		2|option --tag: reference '.'|build context -t .
		2|option --target: Recipe has no stage 'lst' (did you mean last?)|build --target lst context
		2|option --target: Recipe has no stage '2'|build --target 2 context
		2|option --progress: 'x' is none of|build --progress x context
		2|option --network: 'x' is none of|build --network x context
		2|option -j: 0|build -j 0 context
		2|option --jobs: '257'|build --jobs 257 context
		2|option --compression: 'x'|build --compression x context
		2|option --compression: compression 'zstd' has levels|build --compression zstd:99 context
		2|option --timestamp: 'x'|build --timestamp x context
		2|SOURCE_DATE_EPOCH: 'x'|env SOURCE_DATE_EPOCH=x cairn build context
		2|option --label: '=x' has no name|build --label =x context
		2|option --build-arg: '=x' has no name|build --build-arg =x context
		2|option --platform: 'x y'|build --platform 'x y' context
		5|the one in the store is for|build --platform linux/s390x --offline --target first context
		2|option --arch: 'a/b'|build --arch a/b context
		2|option --output|build -o type=zip,dest=x context
		2|context 'ftp://example.com/x': 'ftp://' is no kind of context|build ftp://example.com/x
		1|is not a directory|build context/Recipe
		3|absent: No such file|build absent
		3|absent: No such file|build -f absent context
		1|the Recipe 'context' is a directory|build -f context context
		1|wrong:4: unknown instruction|build -f wrong context
		2|run needs an argument|cairn run
		2|unknown option '-z'|cairn run -z base
		2|option --network: 'x' is none of|cairn run --network x base
		2|option --env: '=x' has no name|cairn run -e =x base
		2|option --platform: 'x y'|cairn run --platform 'x y' base
		2|option --user: an empty name|cairn run -u '' base
		2|option --workdir: 'x' is not absolute|cairn run -w x base
		125|no image 'absent'|cairn run --pull never absent
		125|absent: |cairn run --offline absent
		125|no image 'absent' in the store|cairn run --offline absent
		125|'/nonexist' is not there|cairn run -v /nonexist:/x base true
		125|'/nonexist' is not there|cairn run --mount type=bind,source=/nonexist,target=/x base true
		125|'/dev/nonexist' is not there|cairn run --device /dev/nonexist base true
		125|open /nonexist: No such file|cairn run --security-opt seccomp=/nonexist base true
		2|reference 'A_B!'|cairn run 'A_B!' true
		2|'type' is said twice|cairn run --mount type=bind,type=tmpfs,target=/x base true
		2|'type' is said twice|cairn build -o type=oci,type=tar .
		2|'type' is said twice|cairn build --cache-to type=local,type=inline .
		2|'b' is no digest|cairn build -t a@b .
		2|neither true, false, min or max|cairn build --provenance=maybe .
		2|an empty path is no file|cairn build --source-policy-file= .
		3|open /nonexist|cairn context /nonexist
		1|'/etc/passwd' is no directory|cairn context /etc/passwd
		125|no user 'someone'|cairn run -u someone base true
		127|cannot execute 'absent'|cairn run base absent
		126|cannot execute '/etc/passwd'|cairn run base /etc/passwd
	END
	untouched
}
