# tests/e2e/cli.bats - options, help, manual pages and completions agree; exit codes are right.

load helper
load ../registry/registry

commands() {
	cairn help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# The options that the help of a command tells as its own.
options_in_help() {
	cairn "$1" --help | sed -n '/^Options:/,/^$/p' | grep -oE '^  .{3} --[a-z-]+' |
		grep -oE -- '--[a-z-]+' | sort
}

# The options that a manual page explains: those that begin a paragraph.
options_in_page() {
	grep -E '^\*-' "$1" | grep -v 'are accepted' | grep -oE -- '--[a-z-]+' | grep -v '^--$' | sort
}

source_dir() {
	cd "$BATS_TEST_DIRNAME/../.." && pwd
}

@test "every command has help that names it" {
	[ "$(commands | wc -l)" -ge 7 ]
	for command in $(commands); do
		run -0 cairn "$command" --help
		equal "${lines[0]%% \[*}" "usage: cairn $command" || [[ ${lines[0]} == "usage: cairn $command "* ]]
		equal "$(cairn help "$command")" "$output"
	done
}

@test "no line of help is wider than 80 columns" {
	for command in help $(commands); do
		wide=$(cairn "$command" --help | awk 'length > 80')
		equal "$wide" ""
	done
}

@test "help and manual pages tell the same options" {
	dir=$(source_dir)
	for command in $(commands); do
		[ -f "$dir/cli/$command.1.scd" ]
		equal "$(options_in_help "$command")" "$(options_in_page "$dir/cli/$command.1.scd")"
	done
	equal "$(cairn --help | grep -oE '^  .{3} --[a-z-]+' | grep -oE -- '--[a-z-]+' | sort)" \
		"$(options_in_page "$dir/cli/cairn.1.scd")"
}

@test "help is told in sentences, options in phrases" {
	dir=$(source_dir)
	for command in $(commands); do
		help=$(cairn "$command" --help)
		about=$(sed -n '3,/^$/p' <<<"$help")
		[[ $about == [A-Z]*. ]] || { echo "$command: $about"; return 1; }
		# the summary is a phrase, and the same in every place
		summary=$(cairn --help | grep -E "^  $command " | sed 's/^  [a-z]* *//')
		[[ $summary == [a-z]* && $summary != *. ]]
		grep -qxF "cairn-$command - $summary" "$dir/cli/$command.1.scd"
		grep -qF ":  $summary, *cairn-$command*(1)" "$dir/cli/cairn.1.scd" ||
			grep -qF ":< $summary, *cairn-$command*(1)" "$dir/cli/cairn.1.scd"
	done
	# explanations of options begin in lower case and end without a period
	for command in $(commands); do
		cairn "$command" --help | sed -n '/^Options/,/^Examples/p' >options
		equal "$(grep -E '^  .{3} --' options | cut -c 29- | grep -E '^[A-Z][a-z]')" ""
		equal "$(grep -E '^ .*\.$' options)" ""
	done
}

@test "help and manual pages give the same examples" {
	dir=$(source_dir)
	for command in $(commands); do
		examples=$(cairn "$command" --help | sed -n '/^Examples:$/,$s/^  //p')
		[ -n "$examples" ] || [[ $command == help || $command == version ]]
		equal "$(sed -n '/^# EXAMPLES/,/^# SEE/s/^\t//p' "$dir/cli/$command.1.scd" | tr -d '\\')" "$examples"
	done
}

@test "manual pages say what help says about choices" {
	dir=$(source_dir)
	for command in $(commands); do
		for choice in $(cairn "$command" --help | grep -oE -- '--[a-z-]+ [a-z-]+\|[a-z|-]+' | tr ' ' '='); do
			name=${choice%%=*} words=${choice#*=}
			equal "$(grep -E "^(\*-.\*, )?\*$name\* " "$dir/cli/$command.1.scd" |
				grep -oE '\*[a-z-]+\*(\|\*[a-z-]+\*)+' | tr -d '*')" "$words"
		done
	done
}

@test "every manual page is in order" {
	need scdoc
	dir=$(source_dir)
	for page in "$dir"/cli/*.scd "$dir"/store/*.scd; do
		scdoc <"$page" >page
		[ -s page ]
	done
}

@test "every command is in the page of the program" {
	dir=$(source_dir)
	for command in $(commands); do
		grep -q "\*cairn-$command\*(1)" "$dir/cli/cairn.1.scd"
	done
}

@test "a wrong command line is exit code 2, with a suggestion" {
	fails 2 cairn
	says "a command is missing"
	fails 2 cairn imagse
	says "did you mean 'images'?"
	fails 2 cairn images --fromat json
	says "did you mean '--format'?"
	fails 2 cairn images --format xml
	says "'xml' is none of: table, json"
	fails 2 cairn images surplus
	says "does not know what to do with 'surplus'"
	fails 2 cairn inspect
	says "usage: cairn inspect"
	fails 2 cairn help nothing
}

@test "global options stand before a command or behind it" {
	cairn --root "$BATS_TEST_TMPDIR/a" images
	[ -f a/store.json ]
	cairn images --root="$BATS_TEST_TMPDIR/b"
	[ -f b/store.json ]
	[ ! -e store ]
	run -0 cairn --version
	[[ $output =~ ^cairn\ [0-9] ]]
	equal "$(cairn version)" "$output"
	equal "$(cairn images --version)" "$output"
}

@test "what is not there is exit code 3" {
	fails 3 cairn inspect nothing
	says "nothing"
	fails 3 cairn tag nothing something
	fails 3 cairn rmi nothing
	run -0 cairn rmi --force nothing
}

@test "a result that cannot be written is an error" {
	[ -c /dev/full ] || skip "no /dev/full"
	run -1 bash -c 'cairn help >/dev/full'
	says "No space left on device"
}

@test "errors are escaped" {
	run cairn inspect "$(printf 'a\033[2Jb')"
	says 'a\x1b[2Jb'
	[[ $output != *$'\033'* ]]
}

@test "starting and stopping takes a few milliseconds" {
	! ldd "$(command -v cairn)" | grep -qE 'lib[at]san' || skip "a sanitizer starts with it"
	cairn version
	# of the processor's time: what others do on this machine is not counted
	TIMEFORMAT='%3U %3S'
	spent=$({ time for _ in 1 2 3 4 5 6 7 8 9 10; do cairn version; done >/dev/null; } 2>&1)
	echo "$spent"
	awk '{ exit $1 + $2 >= 10 * 0.020 }' <<<"$spent" # the budget is 0.003
}

# complete WORD...: what bash offers for the last word.
complete_bash() {
	bash -c '
		source "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_cairn
		printf "%s\n" "${COMPREPLY[@]}"' - "$BATS_TEST_TMPDIR/bash" "$@" | sort
}

@test "bash completes commands, options, choices and files" {
	cairn __complete bash >bash
	bash -n bash
	equal "$(complete_bash cairn ima)" images
	equal "$(complete_bash cairn images --fo)" --format
	equal "$(complete_bash cairn images --format '')" "$(printf 'json\ntable')"
	equal "$(complete_bash cairn --root /x images --no)" --no-trunc
	touch zebra.tar
	equal "$(complete_bash cairn --root zeb)" zebra.tar
	equal "$(complete_bash cairn help histo)" history
}

@test "zsh and fish scripts are in order" {
	cairn __complete zsh >zsh
	cairn __complete fish >fish
	grep -q '^#compdef cairn build' zsh
	grep -q -- '-l format' fish
	if command -v zsh >/dev/null; then zsh -n zsh; fi
	if command -v fish >/dev/null; then fish -n fish; fi
}

# Install below $BATS_TEST_TMPDIR; $root is where.
installed() {
	dir=$(source_dir)
	[ -f "$dir/Makefile" ] || skip "not run from the source tree"
	make -s -C "$dir" install DESTDIR="$BATS_TEST_TMPDIR/dest" PREFIX=/usr
	root=$BATS_TEST_TMPDIR/dest/usr
}

@test "an installation has everything in its place" {
	need make scdoc
	installed
	"$root/bin/cairn" --version
	[ "$(readlink "$root/bin/build")" = cairn ]
	for command in $(commands); do
		[ -s "$root/share/man/man1/cairn-$command.1" ]
	done
	[ -s "$root/share/man/man1/cairn.1" ]
	[ -s "$root/share/man/man5/cairn-store.5" ]
	bash -n "$root/share/bash-completion/completions/cairn"
	[ -s "$root/share/zsh/site-functions/_cairn" ]
	[ -s "$root/share/fish/vendor_completions.d/cairn.fish" ]
}

@test "the installed program is hard to take over" {
	need make readelf
	installed
	program=$root/bin/cairn
	readelf -hW "$program" | grep -q 'Type: *DYN' # at another address each time
	readelf -lW "$program" >segments
	grep -q GNU_RELRO segments
	grep 'GNU_STACK' segments | grep -qv RWE
	readelf -dW "$program" >dynamic
	grep -q 'FLAGS_1.*NOW' dynamic # with RELRO: no pointer to a library's function is writable
	[ "$(grep -cE 'TEXTREL|RPATH|RUNPATH' dynamic)" -eq 0 ]
	readelf --dyn-syms -W "$program" >symbols
	grep -q __stack_chk_fail symbols
	grep -qE '__(memcpy|snprintf|vsnprintf|read|fprintf)_chk' symbols
	# What leaves no trace in the program is told by its debugging information.
	if readelf -SW "$program" | grep -q debug_str; then
		readelf -p .debug_str -W "$program" >strings
		for flag in -ftrivial-auto-var-init=zero -fstack-clash-protection; do
			"${CC:-cc}" -Werror "$flag" -x c -S -o /dev/null /dev/null || continue
			grep -q -- "$flag" strings
		done
	fi
	# the helper that steps are cloned from
	readelf -lW "$dir/build/release/overlay/helper/spawner" >segments
	grep 'GNU_STACK' segments | grep -qv RWE
	grep -q GNU_RELRO segments
}

@test "a low soft limit of open files is no limit" {
	need_root
	path=ctx/src
	for n in {1..60}; do
		path+=/d$n
		mkdir -p "$path"
		touch "$path"/{1..9}
	done
	printf 'FROM scratch\nCOPY src /src\n' >ctx/Recipe
	(ulimit -Sn 64 && cairn build --progress quiet -t deep ctx)
}

@test "closed standard descriptors hurt neither store nor exit code" {
	need_root
	make_rootfs base.tar
	cairn import base.tar base
	mkdir context
	fault_start f <<<"{\"rules\": [{\"hold\": \"$PWD/go\"}]}"
	printf 'FROM base\nRUN busybox wget -q -O /dev/null http://%s/v2/\n' "$(address f)" >context/Recipe
	touch go
	fails 1 sh -c 'cairn build --network host -q -t app context <&- >&- 2>&-'
	rm go
	cairn build --no-cache --network host -q context <&- >&- 2>&- 3>&- &
	eventually 60 held f 2
	for fd in 0 1 2; do # else a file of the store could have the number
		equal "$(readlink "/proc/$!/fd/$fd")" /dev/null
	done
	touch go
	code=0
	wait $! || code=$?
	equal "$code" 1
}

@test "the network's libraries are not loaded at every start" {
	run -0 ldd "$(command -v cairn)"
	[[ $output == *libcrypto* ]]
	[[ $output != *libcurl* && $output != *libssl* ]]
}
