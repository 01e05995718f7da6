# tests/e2e/check.bats - cairn check: what is damaged is found, told, and made anew where that can be.

load robust

# make_app: an image on `base` with two layers of its own, which delete, replace and link; a step that left
# nothing behind; and a copy of the store for each case.
make_app() {
	need jq
	when_idle rm -rf "$CAIRN_ROOT"
	import_base
	mkdir -p context
	cat >context/Recipe <<-'END'
		FROM base
		RUN mkdir -p /d/e; echo a >/d/a; ln /d/a /d/hard; ln -s a /d/soft; mkfifo /d/pipe; chmod 4755 /bin
		RUN rm /d/a; rm -r /d/e; mkdir /d/e; echo new >/d/e/new
	END
	SOURCE_DATE_EPOCH=1700000000 build_in context -q -t app >/dev/null 2>&1
	fine
	layer=$(layer_with d/soft)
	other=$(layer_with d/e/new)
}

# layer_with PATH: the directory of the layer that has it.
layer_with() {
	find "$CAIRN_ROOT/layers" -path "*/fs/$1" | head -1 | sed "s|/fs/$1||"
}

# blob_of LAYER: the file of its blob.
blob_of() {
	echo "$CAIRN_ROOT/blobs/sha256/$(sed -n 's/^blob sha256:\([0-9a-f]*\) .*/\1/p' "$1/meta")"
}

# flip FILE [OFFSET]: one bit of it is another.
flip() {
	python3 - "$1" "${2:-7}" <<-'END'
		import os, sys
		path, at = sys.argv[1], int(sys.argv[2])
		with open(path, "r+b") as file:
		    file.seek(at)
		    byte = file.read(1)
		    file.seek(at)
		    file.write(bytes([byte[0] ^ 4]))
	END
}

# changed LAYER COMMANDS: by these, with the times of its directories as they were.
changed() {
	local dir
	for dir in fs fs/d fs/bin; do [ ! -d "$1/$dir" ] || touch -r "$1/$dir" "time-${dir//\//-}"; done
	(cd "$1" && sh -c "$2")
	[[ $2 != "touch fs/d" ]] || return 0
	for dir in fs fs/d fs/bin; do [ ! -d "$1/$dir" ] || touch -r "time-${dir//\//-}" "$1/$dir"; done
}

# cut_short FILE: it has lost its end.
cut_short() {
	truncate -s -3 "$1"
}

# fine [OPTION]...: nothing is wrong.
fine() {
	run cairn check "$@"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	says ": 0 wrong, 0 repaired"
}

# found TEXT: something is wrong, and that is told.
found() {
	fails 1 cairn check
	says "$1"
}

# mended: a repair makes all of it good.
mended() {
	run cairn check --repair
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	says repaired:
	fine
	verify_store --idle
}

# works: the image is what it was.
works() {
	equal "$(cairn run --network none app cat /d/hard /d/e/new)" "$(printf 'a\nnew')"
	cairn save app -o out.tar >/dev/null
}

# each KIND...: for flipping, cutting and deleting.
harms=(flip cut_short rm)

@test "a store in order is fine, and so is one that is asked in a hurry or by name" {
	make_app
	fine --quick
	fine app
	fine base app:latest
	fails 3 cairn check nothing
	run -0 cairn check --format json
	equal "$(jq -c '[.wrong, .repaired, .note, .images, (.findings | length)]' <<<"$output")" "[0,0,0,2,0]"
}

@test "the blob of a layer that was made here is made anew from its tree, byte for byte" {
	make_app
	for harm in "${harms[@]}"; do
		"$harm" "$(blob_of "$layer")"
		found "image app:latest: its layer 2, sha256:$(basename "$(blob_of "$layer")") is missing or damaged"
		[ "$harm" = rm ] || says "its bytes have another digest"
		mended
		works
	done
}

@test "a tree is compared with its list, and made anew from its blob" {
	changes=(
		"d/a' has changed:printf b >fs/d/a"
		"d/a' has changed:chmod 600 fs/d/a"
		"d/a' has changed:touch fs/d/a"
		"d/a' has changed:chown 5 fs/d/a"
		"d/hard' has changed:cp -p fs/d/hard x; mv x fs/d/hard"
		"d/' has changed:touch fs/d"
		"d/soft' is missing:rm fs/d/soft"
		"d/soft' has changed:ln -sfn b fs/d/soft"
		"d/pipe' is missing:rm fs/d/pipe"
		"d/more' was not in the layer:touch fs/d/more"
		"bin/' has changed:chmod 700 fs/bin"
		"its list is cut off:truncate -s -3 list"
		"has changed:sed -i s/0644/0640/ list"
	)
	for change in "${changes[@]}"; do
		echo "${change#*:}"
		make_app
		changed "$layer" "${change#*:}"
		found "${change%%:*}"
		says "layer $(basename "$layer")"
		mended
		works
	done
}

@test "a whiteout that is lost is missed" {
	make_app
	changed "$other" "rm fs/d/a"
	found "d/.wh.a' is missing"
	mended
	works
}

@test "the tree of an image that was loaded is compared with its blob" {
	make_app
	cairn save app -o app.tar >/dev/null
	rm -rf "$CAIRN_ROOT"
	cairn load app.tar >/dev/null
	equal "$(cairn run --network none app cat /d/hard)" a
	fine
	layer=$(layer_with d/soft)
	[ ! -e "$layer/list" ]
	printf b >"$layer/fs/d/hard"
	found "the tree is not what its blob unpacks to"
	mended
	works
}

@test "a blob that only others can make is told, and the image keeps its name" {
	make_app
	SOURCE_DATE_EPOCH=1700000000 build_in context -q --compression zstd:9 --no-cache -t app >/dev/null 2>&1
	cairn save app -o app.tar >/dev/null
	when_idle rm -rf "$CAIRN_ROOT"
	cairn load app.tar >/dev/null
	flip "$CAIRN_ROOT/blobs/sha256/$(jq -r '.layers[1].digest' "$CAIRN_ROOT/blobs/sha256/$(ref_digest app)" |
		sed 's/sha256://')"
	found "build, pull or load the image again"
	fails 1 cairn check --repair
	says "image app:latest"
	fails 1 cairn check
	cairn images | grep -q '^app'
	cairn load app.tar >/dev/null
	fine
	works
}

@test "records that are damaged are taken away" {
	for harm in flip cut_short; do
		make_app
		"$harm" "$layer/meta"
		found "layer $(basename "$layer")"
		mended
		works
		make_app
		step=$(find "$CAIRN_ROOT/steps" -type f | head -1)
		"$harm" "$step"
		found "step $(basename "$step")"
		mended
		works
	done
	make_app
	rm -r "$layer"
	run -0 cairn check # as after a flush that failed: a build takes the step for absent
	says "its layer $(basename "$layer") is not in the store"
	mended
	works
	make_app
	rm -r "$layer/fs"
	found "it has no tree"
	mended
	works
}

@test "records that never reached the disk are no damage, and are made again" {
	make_app
	truncate -s 0 "$layer/meta"
	find "$CAIRN_ROOT/steps" -type f -exec sh -c 'head -c "$(wc -c <"$1")" /dev/zero >"$1"' _ {} \;
	fine
	says "note: layer $(basename "$layer"): it did not reach the disk before a power cut"
	says "note: step"
	works
	fine
	make_app
	truncate -s 0 "$layer/meta"
	run -0 cairn check --repair
	says "repaired: layer $(basename "$layer")"
	[ ! -e "$layer" ]
	works
}

@test "a document that is lost is told, and its image keeps its name" {
	make_app
	cairn save app -o app.tar >/dev/null
	config=$(jq -r .config.digest "$CAIRN_ROOT/blobs/sha256/$(ref_digest app)" | sed 's/sha256://')
	for harm in "${harms[@]}"; do
		for file in "$CAIRN_ROOT/blobs/sha256/$config" "$CAIRN_ROOT/blobs/sha256/$(ref_digest app)"; do
			[ -s "$file" ]
			"$harm" "$file"
			found "image app:latest: its"
			says "build, pull or load the image again"
			fails 1 cairn check --repair
			fails 1 cairn check --quick app
			fine base
			[ -e "$CAIRN_ROOT/refs/docker.io%2flibrary%2fapp%3alatest" ]
			cairn load app.tar >/dev/null
			cairn check --repair >/dev/null
			fine
			works
		done
	done
}

# ref_digest NAME: the hex of what it leads to.
ref_digest() {
	jq -r .digest "$CAIRN_ROOT/refs/docker.io%2flibrary%2f$1%3alatest" | sed 's/sha256://'
}

@test "a name whose file is damaged is known from the view" {
	make_app
	before=$(ref_digest app)
	for harm in flip cut_short; do
		"$harm" "$CAIRN_ROOT/refs/docker.io%2flibrary%2fapp%3alatest"
		found "image app:latest: the file of its name is damaged"
		mended
		equal "$(ref_digest app)" "$before"
		works
	done
}

@test "links and the view are notes, which a repair mends" {
	make_app
	ln -s ../layers/aaaaaaaaaaaaaaaaaaaaaaaaaa "$CAIRN_ROOT/diffs/$(printf '%064d' 1)"
	rm "$CAIRN_ROOT"/ids/*/"$(ref_digest app)"
	echo '{}' >"$CAIRN_ROOT/index.json"
	rm "$CAIRN_ROOT/diffs/$(sed -n 's/^diff sha256://p' "$layer/meta")"
	run -0 cairn check
	says "note: link diffs/"
	says "note: view index.json"
	says "note: layer "
	mended
	works
	[ -L "$CAIRN_ROOT/diffs/$(sed -n 's/^diff sha256://p' "$layer/meta")" ]
	[ -L "$(echo "$CAIRN_ROOT"/ids/*/"$(ref_digest app)")" ]
}

@test "what does not belong there is told" {
	make_app
	echo stray >"$CAIRN_ROOT/blobs/sha256/stray"
	found "stray file: it is no blob (blobs/sha256/stray)"
	mended
	mkdir -p "$CAIRN_ROOT/partial"
	echo part >"$CAIRN_ROOT/partial/stray"
	found "it is no download that can go on"
	mended
}
