# tests/e2e/corners.bats - odd corners of the language, which the judges know as well as we do.
#
# The rules are those of judged.bats. What is refused is refused by all, but for what stands there.
# tests/CORNERS.md says which test holds which corner.

load helper
load judge
load buildkit

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox buildah dockerd jq python3
	judge_open
	buildkit_open
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_base "$BATS_FILE_TMPDIR/base.tar"
}

teardown_file() {
	judge_close
	buildkit_close
}

@test "sources and destinations of every spelling" {
	recipe <<-'EOF'
		FROM base
		RUN mkdir /have && ln -s have /ln
		WORKDIR /w
		COPY a/ /slash/
		COPY nothing* b /one/
		COPY [z]nothing* a /one/
		COPY l? /links/
		COPY a $none
		COPY ["b", ""]
		COPY d/. dot
		COPY d/../e/y ./
		COPY ../../e /up
		COPY deep/**/f /stars/
		COPY st\*r /star1/
		COPY st[*]r /star2/
		COPY a ~/x
		COPY a /ln/new/
		COPY empty d /e/f
		COPY --chown=root:5 a /owned/1
		COPY --chown=:6 a /owned/2
		COPY arr[[]0].txt /bracket/
	EOF
	put a
	put b
	put d/x
	put e/y
	put deep/x/f
	put deep/x/y/f
	put 'st*r'
	put stir
	put 'arr[0].txt'
	put arr0.txt
	mkdir ctx/empty
	ln -s a ctx/l1
	ln -s d ctx/l2
	ln -s ../outside ctx/d/out
	# The judge does not know what brackets protect.
	EXCEPT_PATHS="bracket star2" same_image ctx
	holds 'bracket/arr[0].txt' 'arr[0].txt'
	fails 2 tar -xOf ours.tar star2/stir
	fails 2 tar -xOf ours.tar stars/y
}

# Of several files and a destination without a slash BuildKit keeps the last one, the documentation
# says that it is an error, and Buildah takes a directory unless it is one pattern that matches them.
@test "several files have a directory for a destination" {
	recipe <<-'EOF'
		FROM base
		COPY a b* /several
	EOF
	put a
	put b.c
	put b.d
	BUILDKIT=no same_image ctx
	printf 'FROM base\nCOPY b* /several\n' >ctx/Recipe
	JUDGE=no BUILDKIT=no same_image ctx
	equal "$(tar -tf ours.tar several | tr '\n' ' ')" "several/ several/b.c several/b.d "
}

@test "settings of every spelling" {
	recipe <<-'EOF'
		FROM base AS parent
		ENTRYPOINT ["e"]
		CMD ["c"]
		HEALTHCHECK --interval=5s --retries=2 CMD true
		FROM parent AS one
		WORKDIR ~
		EXPOSE 0 65535 8000-8001:80-81/udp 127.0.0.1:90:91
		VOLUME /etc/../tmp/ /b /etc/../tmp/
		ENV A=1 A=2
		ENV A=3 B=$A
		ENV C=4 A=5
		ENV old  b=c  "d" 
		LABEL a=1 a=2
		STOPSIGNAL sigterm
		USER nobody-has:this
		ENTRYPOINT []
		HEALTHCHECK --retries=3 NONE
		FROM parent AS other
		ENV a='it"s' b="it's" c=\"q\" d=a\ b
		HEALTHCHECK --start-period=1h2m3.5s CMD x --retries=7
		STOPSIGNAL 64
		CMD []
		USER 007
	EOF
	same_image ctx --target one
	equal "$(config '.config.Volumes | keys')" '["/b","/etc/../tmp/"]'
	equal "$(config .config.WorkingDir)" '"/~"'
	same_image ctx --target other
}

@test "lines of an ignore file, of every spelling" {
	recipe <<-'EOF'
		FROM base
		COPY . /all
	EOF
	local name
	for name in a b 'c d' 'e ' f g '#h' '!i' 'q[1]' j/k j/l/k m.log n/m.log; do
		put "$name"
		put "deep/$name"
	done
	printf '%b\n' '# a comment' ' #h' '\ta\r' '/ b' 'c d /' './f/' '/../g' '\\!i' 'q\\[1]' 'j//x/../k' \
		'*.log' '/ /' '.dockerignore' 'deep/j' '!deep/j/l' '! deep/j/k ' >ctx/.dockerignore
	# The judge keeps the blank behind a `!`, and lets .. lead out of the root.
	EXCEPT_PATHS="all/deep/j/k all/g" same_image ctx
	equal "$(tar -tf ours.tar all | grep -v -e '^all/deep/' -e '/$' | sort | tr '\n' '|')" \
		'all/Recipe|all/e |all/j/l/k|all/n/m.log|'
}

# refuse WHO LINES: nobody builds a Recipe of these lines; `buildkit` alone is asked what the other
# judge lets pass.
refuse() {
	printf 'FROM base\n%b\n' "$2" >ctx/Recipe
	run cairn build -q ctx
	[ "$status" -eq 1 ] || [ "$status" -eq 3 ] || fail "$2: $status $output"
	[ "$1" != buildkit ] || ! buildkit build --quiet --network host -f ctx/Recipe ctx &>/dev/null ||
		fail "BuildKit builds: $2"
	[ "$1" != all ] || refuse buildkit "$2"
	[ "$1" = buildkit ] || ! judge bud --quiet --isolation chroot -f ctx/Recipe ctx </dev/null &>/dev/null ||
		fail "Buildah builds: $2"
}

fail() {
	echo "$*"
	return 1
}

@test "what cannot be is refused by all" {
	recipe <<<"FROM base"
	put a
	put b
	put d/x
	ln -s gone ctx/dangling
	refuse all 'COPY d /etc/passwd'
	refuse buildkit 'RUN mkdir /a\nCOPY a /'
	refuse all 'COPY a /etc/passwd/x'
	refuse all 'COPY nothing /'
	refuse all 'COPY dangling /'
	refuse all 'COPY http://127.0.0.1/x /'
	refuse judge 'COPY --chmod=999 a /'
	refuse judge 'COPY --chown=nobody-here a /'
	refuse buildkit 'EXPOSE 65536'
	refuse buildkit 'EXPOSE 80/icmp'
	refuse all 'STOPSIGNAL 0'
	refuse all 'STOPSIGNAL SIGWHAT'
	refuse all 'HEALTHCHECK --retries=-1 CMD x'
	refuse buildkit 'HEALTHCHECK --interval=50us CMD x'
	refuse all 'ONBUILD ONBUILD RUN x'
	refuse all 'USER nobody-here\nRUN true'
	refuse buildkit 'WORKDIR /etc/passwd'
	refuse all 'RUN [1]'
}

# Docker loads no image with more rows of layers than layers.
@test "the history has a row for each layer, whatever that of the base has" {
	recipe <<<"FROM base"
	for rows in '[]' '[{"created_by":"x"},{"created_by":"y"},{"created_by":"z","empty_layer":true}]'; do
		rm -rf layout
		cairn save --format oci-dir -o layout base >/dev/null
		python3 - layout "$rows" <<-'END'
			import hashlib, json, sys
			top = sys.argv[1]
			def read(digest):
			    return json.load(open(f"{top}/blobs/sha256/{digest[7:]}"))
			def write(document):
			    text = json.dumps(document).encode()
			    name = hashlib.sha256(text).hexdigest()
			    open(f"{top}/blobs/sha256/{name}", "wb").write(text)
			    return {"digest": "sha256:" + name, "size": len(text)}
			index = json.load(open(f"{top}/index.json"))
			manifest = read(index["manifests"][0]["digest"])
			config = read(manifest["config"]["digest"])
			config["history"] = json.loads(sys.argv[2])
			manifest["config"].update(write(config))
			index["manifests"][0].update(write(manifest))
			index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "localhost/odd:latest"}
			json.dump(index, open(f"{top}/index.json", "w"))
		END
		cairn load layout >/dev/null
		printf 'FROM localhost/odd\nCOPY Recipe /\n' >ctx/Recipe
		cairn build -q -t fits ctx >/dev/null
		equal "$(cairn inspect --raw config fits | jq -c '[.history[].empty_layer != true] | [length, (map(select(.)) | length)]')" \
			"$([ "$rows" = '[]' ] && echo '[2,2]' || echo '[4,2]')"
		buildkit_has fits
		equal "$(cairn history --format json fits | jq -r '.[0].created_by')" 'COPY Recipe / # buildkit'
	done
}
