# tests/e2e/contexts.bats - what a build reads: contexts of all kinds, by name and by place.
#
# Named contexts are younger than the BuildKit that the distribution has; of these Buildah is the
# judge, where it knows the kind. What both do not know is held by what the reference says.

load helper
load judge

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox buildah jq python3
	judge_open
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_base "$BATS_FILE_TMPDIR/base.tar"
}

teardown_file() {
	judge_close
}

# recipe: standard input becomes Recipe in the context `ctx`, in which there is a base.
recipe() {
	both_have "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
	mkdir -p ctx
	cat >ctx/Recipe
}

# put PATH [TEXT]: a file, and the directories that it is in.
put() {
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "${2-$1}" >"$1"
}

# build OPTION...: quietly, as the image `it`.
build() {
	cairn build --progress quiet -t it "$@" >/dev/null
}

# holds PATH TEXT: what a file of the image `it` says.
holds() {
	cairn export -o it.tar it
	equal "$(tar -xOf it.tar "$1")" "$2"
}

# lists: the files of the image `it`.
lists() {
	cairn export -o it.tar it
	tar -tf it.tar | grep -v '/$' | sort | tr '\n' ' ' | sed 's/ $//'
}

@test "a named context is a directory that COPY --from reads" {
	recipe <<-'EOF'
		FROM base
		COPY --from=extra a b/c /x/
		COPY --from=extra . /all/
	EOF
	put extra/a
	put extra/b/c
	put extra/hidden
	put extra/.dockerignore hidden
	EXCEPT_PATHS="all/hidden" same_image ctx --build-context extra=extra
	# the judge has no ignore rules for it; the language has
	! tar -tf ours.tar all/hidden
}

@test "a named context stands for an image in FROM" {
	cairn import "$BATS_FILE_TMPDIR/base.tar" pinned
	judge_has pinned
	recipe <<-'EOF'
		FROM docker.io/library/wanted:latest
		RUN echo built >/here
		COPY --from=tools /etc/passwd /tools
	EOF
	sed -i 's|docker.io/library/wanted:latest|wanted|' ctx/Recipe
	same_image ctx --build-context wanted=docker-image://pinned \
		--build-context tools=container-image://pinned
	sed -i 's|wanted|docker.io/library/Wanted:latest|; s|W|w|' ctx/Recipe
	cairn build --progress quiet --build-context WANTED=docker://pinned \
		--build-context tools=docker-image://pinned ctx
}

@test "a named context of a stage's name stands for all of that stage" {
	cairn import "$BATS_FILE_TMPDIR/base.tar" base
	put ctx/Recipe "$(
		cat <<-'EOF'
			FROM nowhere.example/never-asked AS deps
			RUN not executed
			FROM deps AS middle
			FROM scratch
			COPY --from=deps /f /by-name
			COPY --from=0 /f /by-number
			COPY --from=middle /f /through
		EOF
	)"
	put made-before/f text
	build --build-context Deps=made-before ctx
	equal "$(lists)" "by-name by-number through"
	holds through text
	# an image in its place: with its config
	cairn build --progress quiet -t dep -f - . >/dev/null <<-'EOF'
		FROM base
		ENV FROM_IMAGE=yes
		RUN echo image >/f
	EOF
	put ctx/Recipe "$(printf 'FROM nowhere.example/x AS deps\nRUN no\nFROM deps\nRUN cat /f >/g; echo $FROM_IMAGE >>/g')"
	build --build-context deps=docker-image://dep ctx
	holds g "$(printf 'image\nyes')"
	build --target deps --build-context deps=docker-image://dep ctx
	holds f image
}

@test "a directory can be what a stage is built on" {
	mkdir -p rootfs
	tar -C rootfs -xf "$BATS_FILE_TMPDIR/base.tar"
	put ctx/Recipe "$(printf 'FROM mine\nRUN echo ran >/ran\n')"
	build --build-context mine=rootfs ctx
	holds ran ran
	equal "$(cairn inspect --raw config it | jq -r '.config.Env[0]')" \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

@test "an OCI layout is a context by its tag, its digest or alone" {
	local digest
	cairn import "$BATS_FILE_TMPDIR/base.tar" base
	for name in one two; do
		printf 'FROM base\nRUN echo %s >/f\n' "$name" |
			cairn build --progress quiet -t "$name" -f - . >/dev/null
		skopeo copy --quiet "oci:$CAIRN_ROOT:$name:latest" "oci:layout:$name"
	done
	skopeo copy --quiet "oci:$CAIRN_ROOT:one:latest" oci:single:any
	rm -rf "$CAIRN_ROOT"
	put ctx/Recipe "$(printf 'FROM dep\nRUN cat /f >/g\n')"
	build --build-context dep=oci-layout://layout:two ctx
	holds g two
	digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "one").digest' layout/index.json)
	build --build-context "dep=oci-layout://layout@$digest" ctx
	holds g one
	build --build-context "dep=oci-layout://$PWD/single" ctx
	holds g one
	fails 3 cairn build --build-context dep=oci-layout://layout:three ctx
	says "three"
	fails 1 cairn build --build-context dep=oci-layout://layout ctx
	fails 3 cairn build --build-context dep=oci-layout://gone ctx
	says "gone"
}

@test "a context that cannot be is a wrong command line" {
	put ctx/Recipe "FROM scratch"
	for bad in x =x x= x=ftp://h/p x=docker-image:// x=docker-image://NO x=oci-layout://; do
		fails 2 cairn build --build-context "$bad" ctx
		says "--build-context"
	done
	put ctx/Recipe "$(printf 'FROM scratch\nCOPY --from=x a /\n')"
	fails 3 cairn build --build-context x=gone ctx
	says "context 'x'"
}
