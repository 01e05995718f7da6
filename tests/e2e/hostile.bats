# tests/e2e/hostile.bats - what hostile layers come to, by every way in, and a canary outside.
# shellcheck disable=SC2154 # bats sets status and output
#
# hostile.py makes them; bombs of gigabytes are in faults.bats, since they take their time; this table says what is right for each: `taken` or `refused` as a layer of an
# image and as an archive of ADD, which knows no whiteouts, and copies what is no archive. Whatever is
# taken is also seen through a mount. Both as root and as an ordinary user, who may write to the canary.
#
# run.sh: first

load faults
load ordinary

AUTH=null

SHAPES='
	write-through-symlink     | taken   | taken
	new-through-symlink       | taken   | taken
	through-relative-symlink  | taken   | taken
	through-two-symlinks      | taken   | taken
	through-symlink-loop      | refused | refused
	through-magic-link        | taken   | taken
	over-symlink              | taken   | taken
	directory-over-symlink    | taken   | taken
	mode-through-symlink      | taken   | taken
	root-is-a-symlink         | refused | refused
	hard-link-out             | refused | refused
	hard-link-upwards         | refused | refused
	hard-link-through-symlink | refused | refused
	hard-link-of-symlink      | taken   | taken
	upwards                   | refused | refused
	upwards-in-the-middle     | refused | refused
	absolute                  | taken   | taken
	whiteout-of-nothing       | refused | refused
	whiteout-of-itself        | refused | refused
	whiteout-upwards          | refused | refused
	whiteout-as-parent        | refused | refused
	whiteout-through-symlink  | taken   | refused
	opaque-through-symlink    | taken   | refused
	whiteout-by-device        | refused | refused
	device-that-is-cut        | refused | refused
	device                    | taken   | taken
	fifo                      | taken   | taken
	set-id                    | taken   | taken
	overlay-attributes        | taken   | taken
	zstd-window               | refused | refused
	sparse-bomb               | refused | refused
	sparse-beyond             | refused | refused
	depth                     | taken   | taken
	path-too-long             | refused | refused
	name-too-long             | refused | refused
	twice                     | taken   | taken
	type-changes              | taken   | taken
	parent-is-a-file          | refused | refused
	bad-checksum              | refused | taken
	owner-beyond              | refused | refused
	owner-of-nobody           | refused | refused
	size-beyond               | refused | refused
	size-negative             | refused | refused
	cut-content               | refused | refused
	no-end-of-gzip            | refused | refused
	rubbish-behind-gzip       | refused | refused
	bad-sum-of-gzip           | refused | refused
	several-members           | taken   | taken
	no-utf-8                  | taken   | taken
	wrong-diff-id             | digest  | taken
'

# The tars, and their copies as images in the layout that the registry serves.
setup_file() {
	need_root
	need jq getfattr
	make_user
	export CANARY=$BATS_FILE_TMPDIR/canary TARS=$BATS_FILE_TMPDIR/tars
	mkdir -m 777 "$CANARY"
	echo alive >"$CANARY/file"
	chmod 666 "$CANARY/file"
	mkdir "$TARS"
	python3 -B "$BATS_TEST_DIRNAME/hostile.py" "$TARS" "$CANARY" >"$TARS/list"
	chmod -R a+rX "$TARS"
	export LAYOUT=$TARS/layout LAYER='' SIZE=''
}

teardown() {
	servers_stop
	[ -z "${MEMORY-}" ] || rm -rf "$MEMORY"
}

teardown_file() {
	BATS_TEST_TMPDIR='' servers_stop
	teardown_user
}

# canary: all that could have changed of it.
canary() {
	find "$CANARY" -printf '%P %y %m %U:%G %n links %s bytes %T@ %l\n' | sort
	cat "$CANARY/file"
}

# wrong TEXT...: told now, a failure at the end.
wrong() {
	echo "== $*"
	echo "$output"
	failures=$((failures + 1))
}

# comes WANT WHAT COMMAND...: it ends so and no other way, and nothing outside has changed.
comes() {
	local want=$1 what=$2 code=0
	shift 2
	output=$("$@" 2>&1 </dev/null) || code=$?
	case $want$code in
	taken0 | refused1) ;;
	*) wrong "$what: exit code $code, but it is to be $want" ;;
	esac
	[ "$(canary)" = "$UNHARMED" ] || output=$(canary) wrong "$what: the canary"
	return "$code"
}

# becomes WANT NAME WAY COMMAND...: an image that is seen through a mount, or none.
becomes() {
	local want=$1 name=$2 way=$3
	shift 3
	comes "$want" "$way of $name" "$@" || return 0
	[ "$want$way" != takenimport ] && [ "$want$way" != takenload ] || return 0 # the layer is the pulled one
	comes "$want" "the use of $name after $way" "${AS[@]}" timeout 100 cairn export -o /dev/null "${*: -1}" || :
}

# hostile_layers [COMMAND]: all shapes by all ways in, by whom this command makes us.
hostile_layers() {
	local name layer add image failures=0 AS=("$@") host
	UNHARMED=$(canary)
	fault_start f --layout "$LAYOUT" --listen main <<<'{}'
	host=$(address f)
	mkdir -m 755 ctx one one/blobs
	chmod 755 "$BATS_TEST_TMPDIR"
	cp -al "$LAYOUT/blobs/sha256" one/blobs/
	cp "$LAYOUT/oci-layout" one/
	while IFS='| ' read -r name layer add; do
		name=${name//[[:space:]]/} layer=${layer//[[:space:]]/}
		[ -n "$name" ] || continue
		echo "$name" >>seen
		image=$layer
		[ "$layer" != digest ] || layer=taken image=refused
		becomes "$layer" "$name" import "${AS[@]}" timeout 100 cairn import "$TARS/$name.tar" "$name"
		becomes "$image" "$name" pull "${AS[@]}" timeout 100 cairn pull -q "$host/a/b:$name"
		jq --arg tag "$name" '.manifests |= map(select(.annotations[] == $tag))' \
			"$LAYOUT/index.json" >one/index.json
		becomes "$image" "loaded-$name" load "${AS[@]}" timeout 100 cairn load one --name "loaded-$name"
		ln -f "$TARS/$name.tar" ctx/evil.tar
		printf 'FROM scratch\nADD evil.tar /x/\n' >ctx/Recipe
		comes "$add" "ADD of $name" "${AS[@]}" timeout 100 cairn build -q --no-cache -t "added-$name" ctx &&
			comes "$add" "the use of $name after ADD" \
				"${AS[@]}" timeout 100 cairn export -o /dev/null "added-$name" || :
	done <<<"$SHAPES"
	equal "$(sort seen)" "$(cut -d' ' -f1 "$TARS/list" | sort)" # each of them was tried
	equal "$failures" 0
}

@test "hostile layers end as they should, by every way in" {
	MEMORY=$(mktemp -d /dev/shm/cairn-hostile-XXXXXX)
	CAIRN_ROOT=$MEMORY/store
	hostile_layers
	no_leases
	# the marks of overlayfs never got to where the kernel would see them
	equal "$(getfattr -R -h -d -m '^(trusted|user)\.overlay\.(opaque|redirect|metacopy|origin)' --absolute-names \
		"$CAIRN_ROOT/layers" 2>/dev/null | grep -c redirect)" 0
	# set-id files are for nobody but the owner of the store
	[ -n "$(find "$CAIRN_ROOT" -name setid -perm -6000 -print -quit)" ]
	fails 1 user find "$(find "$CAIRN_ROOT" -name setid -print -quit)"
}

@test "hostile layers do no harm when an ordinary user takes them" {
	hostile_layers user
	CAIRN_ROOT=$RL_HOME/store-$BATS_TEST_NUMBER
	no_leases
	# a device is a record of one
	equal "$(find "$RL_HOME" -type b -o -type c ! -perm 0 ! -perm 600 ! -perm 644)" ""
	# nothing of them has an owner or a right that the user could not give
	equal "$(find "$RL_HOME" -uid 0 ! -path "$RL_HOME/cairn" | head)" ""
}
