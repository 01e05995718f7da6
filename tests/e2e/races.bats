# tests/e2e/races.bats - what a mount shows or lies on is exchanged for a link while it is made.
#
# swap.py exchanges a directory and a link to a canary outside, thousands of times a second, while steps
# are set up. The same path is there within the tree that they may see, with other files: whoever
# looks twice, or follows the link on the machine, sees those of the canary. $RACES steps of each kind;
# `make races` runs more of them than `make check`.

load robust

setup_file() {
	need_root
}

setup() {
	load helper
	bats_require_minimum_version 1.5.0
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
	CANARY=$BATS_TEST_TMPDIR/canary
	mkdir "$CANARY"
	echo alive >"$CANARY/outside"
	: "${RACES:=5}"
	import_base
	UNHARMED=$(canary)
}

teardown() {
	[ -z "${SWAPPER-}" ] || kill "$SWAPPER" 2>/dev/null || :
}

# canary: all that could have changed of it.
canary() {
	find "$CANARY" -printf '%P %y %m %n %s %T@\n' | sort
}

# swap A B, swap_end: exchange them meanwhile; and how often that was.
swap() {
	mkfifo hold
	python3 "$BATS_TEST_DIRNAME/swap.py" "$1" "$2" <hold >swaps 2>&1 3>&- &
	SWAPPER=$!
	exec 9>hold
}

swap_end() {
	exec 9>&-
	wait "$SWAPPER"
	SWAPPER=''
	[ "$(cat swaps)" -gt "$RACES" ]
}

# The tree that a step may see: sub/ and, at the path of the canary, another one; `link` leads there.
make_tree() {
	mkdir -p "$1/sub/t" "$1$CANARY/t"
	echo directory >"$1/sub/inside"
	echo link >"$1$CANARY/inside"
	ln -s "$CANARY" "$1/link"
}

@test "a part of a cache that is exchanged for a link while it is mounted stays a part of the cache" {
	local i cache seen
	printf 'FROM base\nRUN --mount=type=cache,id=x,target=/c touch /c/first\n' >Recipe
	build_in . -q
	cache=$(dirname "$(find "$CAIRN_ROOT/mounts" -name first)")
	make_tree "$cache"
	{
		echo FROM base
		for ((i = 0; i < RACES; i++)); do
			echo "RUN --mount=type=cache,id=x,source=sub,target=/m cat /m/inside && [ ! -e /m/outside ] && touch /m/w$i"
		done
	} >Recipe
	swap "$cache/sub" "$cache/link"
	build_in . -j 1 >log 2>&1 || { cat log; false; }
	swap_end
	seen=$(grep -cE '^#[0-9]+ [0-9.]+ (directory|link)$' log)
	equal "$seen" "$RACES"
	equal "$(canary)" "$UNHARMED"
	equal "$(find "$cache" -name 'w*' | wc -l)" "$RACES"
}

@test "a part of the context that is exchanged for a link is itself, or an error" {
	local i good=0
	mkdir ctx
	mkdir ctx/sub
	echo directory >ctx/sub/inside
	ln -s "$CANARY" ctx/link
	printf 'FROM base\nCOPY sub /x\nRUN --mount=type=bind,source=sub,target=/m [ ! -e /m/outside ] && [ ! -e /x/outside ]; echo "seen $?"\n' >ctx/Recipe
	swap ctx/sub ctx/link
	for ((i = 0; i < RACES; i++)); do
		if build_in ctx --no-cache >log 2>&1; then
			good=$((good + 1))
			grep -q 'seen 0$' log || { cat log; false; }
		fi
		! grep -q alive log
	done
	swap_end
	echo "$good of $RACES were built"
	equal "$(canary)" "$UNHARMED"
}

@test "the place of a mount that a parallel writer exchanges for a link is in the step's own root" {
	local i cache
	printf 'FROM base\nRUN --mount=type=cache,id=x,target=/c touch /c/first\nRUN mkdir -p %s/t\n' "$CANARY" >Recipe
	build_in . -q
	cache=$(dirname "$(find "$CAIRN_ROOT/mounts" -name first)")
	make_tree "$cache"
	{
		cat Recipe
		for ((i = 0; i < RACES; i++)); do
			echo "RUN --mount=type=cache,id=x,target=/c --mount=type=tmpfs,target=/c/sub/t touch /c/sub/t/w$i"
		done
	} >Recipe.more
	swap "$cache/sub" "$cache/link"
	build_in . -f Recipe.more -j 1 >log 2>&1 || { cat log; false; }
	# what is missing is made in the cache, and not in the root of the image: that is an error
	sed -i 's|target=/c/sub/t |target=/c/sub/new |; s|touch .*|true|' Recipe.more
	build_in . -f Recipe.more -j 1 >log 2>&1 || grep -q "cannot mount something on '/c/sub/new': there is nothing" log || { cat log; false; }
	swap_end
	equal "$(canary)" "$UNHARMED"
}
