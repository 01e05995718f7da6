# tests/e2e/shapes.bats - images of unusual shape, read by other tools out of the store in place.
#
# Each image is unpacked by umoci and by the storage of skopeo and buildah; both must find what
# `cairn export` writes. What the file system holds is stated by the test besides, since three
# tools might agree on a loss. Layers are gzip where umoci reads them: Debian 12's knows no zstd.

load helper
load judge

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox buildah jq openssl python3 setcap setfattr skopeo umoci zstd
	judge_open
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_base "$BATS_FILE_TMPDIR/base.tar"
}

teardown() {
	judge umount --all >/dev/null 2>&1 || true
	judge rm --all >/dev/null 2>&1 || true
}

teardown_file() {
	judge_close
}

# make [OPTION...]: build the image `shape` of the Recipe on standard input.
make() {
	mkdir -p ctx
	cat >ctx/Recipe
	cairn import "$BATS_FILE_TMPDIR/base.tar" base --compression gzip >/dev/null
	cairn build --progress quiet --compression gzip -t shape "$@" -f ctx/Recipe ctx >/dev/null
}

# everyone_agrees: export, umoci and the judge's storage find one root filesystem in `shape`.
everyone_agrees() {
	cairn export -o ours.tar shape
	umoci unpack --image "$CAIRN_ROOT:shape:latest" bundle >/dev/null
	python3 "$BATS_TEST_DIRNAME/compare.py" ours.tar bundle/rootfs
	judge_has shape
	container=$(judge from localhost/shape)
	python3 "$BATS_TEST_DIRNAME/compare.py" ours.tar "$(judge mount "$container")" .
	rootfs=$PWD/bundle/rootfs
}

@test "a program on scratch, and nothing else" {
	mkdir ctx
	cp "$(command -v busybox)" ctx/busybox
	make <<-'EOF'
		FROM scratch
		COPY busybox /bin/true
		ENTRYPOINT ["/bin/true"]
	EOF
	cairn run shape
	everyone_agrees
	equal "$(cd "$rootfs" && find . | sort | xargs)" ". ./bin ./bin/true"
}

@test "sixty layers" {
	mkdir ctx
	echo text >ctx/file
	make < <(
		echo "FROM base"
		for i in $(seq 1 30); do
			echo "COPY file /copied/$i"
			echo "RUN echo $i >/ran-$i && rm -f /copied/$((i - 1)) && echo $i >>/all"
		done
	)
	equal "$(cairn inspect --raw manifest shape | jq '.layers | length')" 61
	equal "$(cairn inspect --raw config shape |
		jq '[.history[] | select(.empty_layer != true)] | length')" 61
	equal "$(cairn run shape wc -l /all)" "30 /all"
	everyone_agrees
	equal "$(ls "$rootfs/copied")" 30
	equal "$(find "$rootfs" -name 'ran-*' | wc -l)" 30
}

@test "directories and files deleted and made again" {
	mkdir -p ctx/d/sub
	echo copied >ctx/d/sub/copied
	make <<-'EOF'
		FROM base
		RUN mkdir -p /d/sub/deep /e/x && touch /d/old /d/sub/old /d/sub/deep/old /e/x/old /f
		RUN rm -r /d && mkdir /d && touch /d/new
		RUN mkdir -p /d/sub/deep && touch /d/sub/deep/new
		RUN rm -r /d/sub && mkdir -m 0711 /d/sub
		COPY d/ /d/
		RUN rm -r /e && touch /e && rm /f && mkdir -p /f/g
		RUN rm /e && mkdir -p /e/x && touch /e/x/new && mv /f/g /f/h
		RUN rm -r /f && ln -s e/x /f && chmod 0700 /e
	EOF
	everyone_agrees
	equal "$(cd "$rootfs" && find d e f | sort | xargs)" \
		"d d/new d/sub d/sub/copied e e/x e/x/new f"
	equal "$(readlink "$rootfs/f")" e/x
	# A directory that is copied gives its mode to one that is there.
	equal "$(stat -c %a "$rootfs/d/sub" "$rootfs/e" | xargs)" "755 700"
}

@test "hard links, in one layer, broken by another, and made of a file below" {
	mkdir -p ctx/links
	echo one >ctx/links/a
	ln ctx/links/a ctx/links/b
	make <<-'EOF'
		FROM base
		RUN mkdir /l /l/sub && echo 1 >/l/m && ln /l/m /l/a && ln /l/m /l/sub/z && ln -s m /l/s && ln /l/s /l/t
		RUN echo 1 >/broken && ln /broken /whole && ln /broken /third
		RUN echo 2 >>/third
		RUN echo low >/low
		RUN ln /low /high
		COPY links /copied
	EOF
	everyone_agrees
	cd "$rootfs"
	[ l/a -ef l/m ] && [ l/m -ef l/sub/z ]
	equal "$(stat -c %h l/m)" 3
	equal "$(cat broken whole third | xargs)" "1 1 1 2"
	equal "$(cat low high | xargs)" "low low"
	[ copied/a -ef copied/b ]
}

@test "file capabilities and user attributes" {
	mkdir -p ctx/tree/d
	echo a >ctx/tree/capable
	chmod 0755 ctx/tree/capable
	setcap cap_net_raw,cap_net_admin=ep ctx/tree/capable
	echo b >ctx/tree/d/named
	setfattr -n user.text -v "some text" ctx/tree/d/named
	setfattr -n user.bytes -v 0x00ff0a3d00 ctx/tree/d/named
	setfattr -n user.long -v "$(printf '%01000d' 7)" ctx/tree/d/named
	setfattr -n user.dir -v "of a directory" ctx/tree/d
	tar -C ctx/tree --xattrs --xattrs-include='*' -cf tree.tar .
	cairn import tree.tar tree
	make <<-'EOF'
		FROM tree AS tree
		FROM base
		COPY tree /context
		COPY --from=tree / /stage
		RUN mv /stage/capable /stage/moved && chmod 0700 /stage/moved && echo more >>/stage/d/named
	EOF
	everyone_agrees
	cd "$rootfs"
	getcap stage/moved context/capable
	equal "$(getcap stage/moved context/capable | sed 's/.* //' | sort -u)" "cap_net_admin,cap_net_raw=ep"
	for file in stage/d/named context/d/named; do
		equal "$(getfattr --only-values -n user.text "$file")" "some text"
		equal "$(getfattr -e hex --only-values -n user.bytes "$file" | od -An -tx1 | tr -d ' ')" 00ff0a3d00
		equal "$(getfattr --only-values -n user.long "$file" | wc -c)" 1000
	done
	equal "$(getfattr --only-values -n user.dir stage/d)" "of a directory"
}

@test "long names and names of any bytes" {
	mkdir -p ctx/names
	(
		cd ctx/names
		long=$(printf '%0255d' 1)
		echo 255 >"$long"
		echo 101 >"$(printf '%0101d' 2)"
		mkdir "$(printf '%0254d' 3)"
		cd "$(printf '%0254d' 3)"
		mkdir "$long"
		cd "$long"
		mkdir "$long" # with the name of the file, a path of 1277 bytes
		cd "$long"
		echo 1000 >"$long"
		ln "$long" twin
		ln -s "/$long/$long" link
	)
	echo newline >$'ctx/names/a\nb\n'
	echo bytes >$'ctx/names/\xff\xfe not utf-8 \x80'
	echo utf-8 >$'ctx/names/\xc3\xa9\xe2\x82\xac'
	echo blanks >$'ctx/names/ \t* [x] \\ "q" =1'
	make <<-'EOF'
		FROM base
		COPY names /copied
		RUN cp -a /copied /run-copied && mkdir "/$(printf 'n\n\377')" && touch "/$(printf 'n\n\377')/f"
		RUN rm /copied/*utf-8* && rm -r /copied/0*3
	EOF
	everyone_agrees
	diff -r --no-dereference ctx/names "$rootfs/run-copied"
	equal "$(find "$rootfs/copied" -mindepth 1 -printf x)" xxxxx
	[ -f $'bundle/rootfs/n\n\xff/f' ]
}

@test "large owners, fifos and devices" {
	mkdir tree
	(
		cd tree
		mknod char c 1 3
		mknod block b 259 1048575
		chmod 0640 char
		mkfifo -m 0622 fifo
		echo x >large
		chown 3000000:4294967294 large
		echo x >limit
		chown 2097151:2097152 limit
	)
	tar -C tree --numeric-owner -cf tree.tar .
	cairn import tree.tar tree
	make --userns host <<-'EOF'
		FROM tree AS tree
		FROM base
		COPY --from=tree / /copied
		COPY --chown=2147483647:5000000 Recipe /
		RUN mkfifo -m 0600 /fifo && mknod /null c 1 3 && mknod /disk b 8 17 && cp -a /copied /again
		RUN chown 2147483648:7 /fifo
	EOF
	everyone_agrees
	cd "$rootfs"
	for dir in copied again; do
		equal "$(stat -c '%F %Hr,%Lr %a' $dir/char)" "character special file 1,3 640"
		equal "$(stat -c '%F %Hr,%Lr' $dir/block)" "block special file 259,1048575"
		equal "$(stat -c '%F %a' $dir/fifo)" "fifo 622"
		equal "$(stat -c %u:%g $dir/large $dir/limit | xargs)" "3000000:4294967294 2097151:2097152"
	done
	equal "$(stat -c %u:%g Recipe fifo | xargs)" "2147483647:5000000 2147483648:7"
	equal "$(stat -c %Hr,%Lr null disk | xargs)" "1,3 8,17"
}

@test "a sparse file of more than 8 GiB" {
	cairn import "$BATS_FILE_TMPDIR/base.tar" base
	mkdir ctx
	cat >ctx/Recipe <<-'EOF'
		FROM base
		RUN echo begin >/large && truncate -s 8589934592 /large && echo end >>/large
	EOF
	cairn build -q -t shape ctx
	equal "$(cairn run shape sh -c 'stat -c %s /large; head -n 1 /large; tail -c 4 /large')" \
		"$(printf '8589934596\nbegin\nend')"
	[ "$(du -sk "$CAIRN_ROOT" | cut -f1)" -lt 100000 ] # in the store it stays sparse
	layer=$(cairn inspect --raw manifest shape | jq -r '.layers[-1].digest')
	mkfifo pipe
	openssl dgst -sha256 -r <pipe >sum 3>&- &
	zstd -dc "$CAIRN_ROOT/blobs/sha256/${layer#sha256:}" | tee pipe | tar -tvf - >list
	wait
	grep -q ' 8589934596 .* large$' list
	equal "sha256:$(cut -d' ' -f1 sum)" "$(cairn inspect --raw config shape | jq -r '.rootfs.diff_ids[-1]')"
}

@test "skopeo and umoci read the store in place, with every compression" {
	for codec in gzip zstd none; do
		cairn import "$BATS_FILE_TMPDIR/base.tar" "base-$codec:1.0" --compression "$codec"
	done
	equal "$(umoci ls --layout "$CAIRN_ROOT" | sort | xargs)" "base-gzip:1.0 base-none:1.0 base-zstd:1.0"
	umoci stat --image "$CAIRN_ROOT:base-gzip:1.0" --json | jq -e '.history | length == 1'
	for codec in gzip zstd none; do
		skopeo inspect "oci:$CAIRN_ROOT:base-$codec:1.0" | jq -e '.Layers | length == 1'
		skopeo copy -q "oci:$CAIRN_ROOT:base-$codec:1.0" "dir:$codec"
		[ "$codec" = zstd ] || # which docker's format does not have
			skopeo copy -q "oci:$CAIRN_ROOT:base-$codec:1.0" "docker-archive:$codec.tar:base:$codec"
		equal "$(skopeo inspect --raw "oci:$CAIRN_ROOT:base-$codec:1.0")" \
			"$(cairn inspect --raw manifest "base-$codec:1.0")"
	done
}

@test "every document of the store is what the OCI says" {
	make -t registry.example:5000/with/a/name:tag <<-'EOF'
		FROM base
		RUN touch /f
		COPY Recipe /
		ENV a=b
		WORKDIR /w
		CMD ["x"]
	EOF
	python3 - "$CAIRN_ROOT" <<-'EOF'
		import hashlib, json, os, re, sys
		root = sys.argv[1]
		OCI = "application/vnd.oci.image."
		DIGEST = re.compile(r"sha256:[0-9a-f]{64}$")
		TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
		def blob(descriptor):
		    assert DIGEST.match(descriptor["digest"]), descriptor
		    with open(os.path.join(root, "blobs", *descriptor["digest"].split(":")), "rb") as f:
		        content = f.read()
		    assert len(content) == descriptor["size"], descriptor
		    return content
		with open(os.path.join(root, "oci-layout")) as f:
		    assert json.load(f) == {"imageLayoutVersion": "1.0.0"}
		with open(os.path.join(root, "index.json")) as f:
		    index = json.load(f)
		assert index["schemaVersion"] == 2
		assert index["mediaType"] == OCI + "index.v1+json"
		names = [m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]]
		assert sorted(names) == sorted(set(names)) and len(names) == 3, names
		for entry in index["manifests"]:
		    assert entry["mediaType"] == OCI + "manifest.v1+json"
		    manifest = json.loads(blob(entry))
		    assert manifest["schemaVersion"] == 2 and manifest["mediaType"] == entry["mediaType"]
		    assert manifest["config"]["mediaType"] == OCI + "config.v1+json"
		    config = json.loads(blob(manifest["config"]))
		    assert config["os"] == "linux" and config["architecture"]
		    assert config["rootfs"]["type"] == "layers"
		    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"])
		    assert all(DIGEST.match(d) for d in config["rootfs"]["diff_ids"])
		    rows = [h for h in config["history"] if not h.get("empty_layer")]
		    assert len(rows) == len(manifest["layers"])
		    for time in [config["created"]] + [h["created"] for h in config["history"]]:
		        assert TIME.match(time), time
		    for layer in manifest["layers"]:
		        assert layer["mediaType"] == OCI + "layer.v1.tar+gzip"
		        blob(layer)
		for name in os.listdir(os.path.join(root, "blobs/sha256")):
		    with open(os.path.join(root, "blobs/sha256", name), "rb") as f:
		        assert hashlib.sha256(f.read()).hexdigest() == name
	EOF
}

@test "what is saved in each format is one image for skopeo" {
	cairn import "$BATS_FILE_TMPDIR/base.tar" base:1
	cairn save --format oci-dir -o dir base:1
	cairn save --format oci-archive -o archive.tar base:1
	cairn save --format docker-archive -o docker.tar base:1
	want=$(cairn inspect --raw config base:1 | jq -S '[.architecture, .os, .rootfs]')
	for from in oci:dir oci-archive:archive.tar docker-archive:docker.tar; do
		equal "$(skopeo inspect --config --raw "$from" | jq -S '[.architecture, .os, .rootfs]')" "$want"
	done
	for path in dir archive.tar docker.tar; do
		cairn --root "$BATS_TEST_TMPDIR/other" load --name loaded "$path"
		cairn --root "$BATS_TEST_TMPDIR/other" export loaded | cmp - <(cairn export base:1)
	done
}
