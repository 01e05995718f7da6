# tests/e2e/stages.bats - images of stages, what the first FROM says, indexes that builds add to, and
# what is refused of the options of others.

load helper

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need jq
}

recipe() {
	mkdir -p ctx
	cat >ctx/Recipe
}

three() {
	recipe <<-'END'
		FROM scratch AS one
		COPY <<a /
		text
		a
		LABEL own=1
		FROM one
		COPY <<b /
		text
		b
		FROM scratch AS unneeded
		COPY gone /
		FROM scratch AS empty
		FROM empty AS last
		COPY --from=1 /b /
		COPY --from=one /a /
	END
}

# label NAME IMAGE: a label of an image.
label() {
	cairn inspect --raw config "$2" | jq -r --arg name "$1" '.config.Labels[$name] // ""'
}

@test "every stage that is needed becomes an image, and says which stage it is" {
	three
	run -0 --separate-stderr cairn build --progress plain --label l=v --save-stages --stage-labels -t app ctx
	equal "${#lines[@]}" 1 # the id of the target alone
	one=$(sed -n 's/.*stage one is image sha256://p' <<<"$stderr")
	two=$(sed -n 's/.*stage stage-1 is image sha256://p' <<<"$stderr")
	equal "$(grep -c ' is image ' <<<"$stderr")" 2
	equal "$(label io.buildah.stage.name "$one") $(label io.buildah.stage.base "$one")" 'one scratch'
	equal "$(label io.buildah.stage.name "$two") $(label io.buildah.stage.base "$two")" "1 $one"
	equal "$(label io.buildah.stage.name app) $(label io.buildah.stage.base app)" 'last empty'
	# what is given for the target is the target's alone
	equal "$(label l "$one")$(label l "$two")$(label l app)" v
	equal "$(label own "$two")" 1
	cairn export "$two" | tar -t | grep -qx '\(./\)\?b'
	# without the labels, and they are the same steps
	run -0 --separate-stderr cairn build --progress plain --save-stages -t app ctx
	[[ $stderr == *CACHED* ]]
	one=$(sed -n 's/.*stage one is image sha256://p' <<<"$stderr")
	equal "$(label io.buildah.stage.name "$one")$(label own "$one")" 1
	fails 2 cairn build --stage-labels ctx
	says "option --stage-labels: it is for --save-stages"
}

@test "what was in the cache becomes an image as well, with a layer for each of its own" {
	three
	cairn build -q -o type=cacheonly ctx
	run -0 --separate-stderr cairn build --progress plain --save-stages --squash -t app ctx
	two=$(sed -n 's/.*stage stage-1 is image sha256://p' <<<"$stderr")
	cairn export "$two" | tar -t | grep -qx '\(./\)\?a'
	equal "$(cairn inspect --raw config "$two" | jq '.rootfs.diff_ids | length')" 1
	run -0 --separate-stderr cairn build --progress plain --save-stages -t app ctx
	two=$(sed -n 's/.*stage stage-1 is image sha256://p' <<<"$stderr")
	equal "$(cairn inspect --raw config "$two" | jq '.rootfs.diff_ids | length')" 2
}

@test "--from takes the place of what the first FROM says, and of no other" {
	recipe <<-'END'
		FROM other AS one
		COPY <<x /
		text
		x
		FROM one
		FROM scratch
		COPY --from=one / /
	END
	printf '%s\n' 'FROM scratch' 'COPY <<below /' text below >other
	cairn build -q -t localhost/mine -f other ctx
	cairn build -q --pull=never --from localhost/mine -t app ctx
	equal "$(cairn export app | tar -t | sed 's,^./,,' | sort | xargs)" 'below x'
	cairn build -q --from scratch -t app ctx
	equal "$(cairn export app | tar -t | sed 's,^./,,' | sort | xargs)" x
	# as Buildah does
	fails 2 cairn build --from '' ctx
	fails 2 cairn build --from '$x' ctx
	says "option --from: '\$x' is no image"
}

@test "several files after -f are one Recipe, and errors are told of each" {
	mkdir -p ctx
	printf '%s\n' 'FROM scratch AS one' 'COPY a /a' >ctx/a
	printf '%s' 'FROM scratch' >ctx/b
	printf '\nCOPY --from=one /a /c\nLABEL x=y\n' >c
	cairn build -q -f ctx/a -f b -f c -t app ctx
	equal "$(cairn export app | tar -t | sed 's,^./,,' | xargs)" c
	equal "$(label x app)" y
	echo WRONG >>c
	fails 1 cairn build -f ctx/a -f b -f c ctx
	says "c:4: unknown instruction: WRONG"
	fails 3 cairn build -f ctx/a -f nothing ctx
	fails 2 cairn build -f ctx/a -f - ctx
	says "can only be the first"
	fails 2 cairn build --check -f ctx/a -f b ctx
}

@test "--manifest makes an index, and adds to one" {
	three
	one=$(cairn build -q --platform linux/amd64 --metadata-file meta --manifest list -t a ctx)
	digest=$(jq -r '.["containerimage.digest"]' meta)
	equal "$(cairn index inspect --format json list | jq -r '[.. | .digest? // empty] | index("'"$digest"'") != null')" true
	cairn build -q --platform linux/arm64 --manifest list ctx >/dev/null
	equal "$(cairn index inspect list | grep -oE 'linux/(amd64|arm64)' | sort -u | xargs)" "linux/amd64 linux/arm64"
	equal "$(cairn inspect --raw config a | sha256sum | cut -d' ' -f1)" "${one#sha256:}"
	before=$(cairn index inspect list)
	# the same platform again takes the place of the one before
	cairn build -q --platform linux/arm64 --label new=1 --manifest list ctx >/dev/null
	[ "$before" != "$(cairn index inspect list)" ]
	equal "$(cairn index inspect list | grep -oE 'linux/(amd64|arm64)' | sort -u | xargs)" "linux/amd64 linux/arm64"
	# an image is no index, and that is told before anything is built
	fails 1 cairn build --manifest a ctx
	says "option --manifest"
	fails 2 cairn build --manifest 'A B' ctx
}

@test "eight builds at once add to one index, and none is lost" {
	three
	for arch in amd64 arm64 arm/v7 386 s390x ppc64le riscv64 loong64; do
		cairn build -q --platform "linux/$arch" --label "one=$arch" --manifest list ctx >/dev/null 2>"said-${arch%/*}" 3>&- &
	done
	wait
	equal "$(cat said-*)" ""
	equal "$(cairn index inspect --format json list | grep -oE '"linux/[^"]*"' | sort -u | wc -l)" 8
}

@test "options of others that do not exist say what there is instead" {
	three
	while IFS='|' read -r options text; do
		# shellcheck disable=SC2086 # words
		fails 2 cairn build $options ctx
		says "$text"
	done <<-'END'
		--all-platforms|option --all-platforms: say which, with --platform
		--cpp-flag -DX|INCLUDE brings in the lines of another file
		-f Recipe.in|option --file: 'Recipe.in' is for a preprocessor
		--os-version 10|option --os-version
		--os-feature win32k|option --os-feature
		-t oci-archive:file.tar|say -o type=oci,dest=FILE
		-t docker-archive:file.tar|say -o type=docker,dest=FILE
		-t oci:dir/x:tag|say -o type=oci,tar=false,dest=DIRECTORY
		-t dir:./x|option --tag: 'dir:./x' is no name
		-t docker://localhost/x|option --tag: 'docker://localhost/x' is no name
	END
	cairn build -q -t oci:1 ctx >/dev/null # an image of that name may be
}
