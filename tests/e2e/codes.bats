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
		1|import /etc/passwd|cairn import /etc/passwd b
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
		1|option --platform: only |build --platform linux/s390x context
		2|option --output|build -o type=zip,dest=x context
		1|only a directory can be one|build https://example.com/x.git
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
		125|no user 'someone'|cairn run -u someone base true
		127|cannot execute 'absent'|cairn run base absent
		126|cannot execute '/etc/passwd'|cairn run base /etc/passwd
	END
	untouched
}
