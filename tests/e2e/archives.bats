# tests/e2e/archives.bats - save and load, judged by skopeo, podman and umoci.

load helper

digest_of() {
	cairn inspect --format json "$1" | jq -r '.[0].digest'
}

id_of() {
	cairn inspect --format json "$1" | jq -r '.[0].id'
}

# An image made without a builder, "app:1", its layer compressed by zstd or as the argument says.
make_app() {
	make_rootfs rootfs.tar
	export SOURCE_DATE_EPOCH=86400
	cairn import --compression "${1:-zstd}" rootfs.tar app:1
}

copy() {
	skopeo --insecure-policy copy -q "$@"
}

# podman with a store of its own, which it can forget.
podman_here() {
	podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman-run" \
		--storage-driver vfs --tmpdir "$BATS_TEST_TMPDIR/podman-tmp" \
		--cgroup-manager cgroupfs --events-backend none "$@"
}

@test "an OCI archive is what skopeo expects" {
	need skopeo
	make_app
	cairn save -o app.tar app:1
	skopeo inspect oci-archive:app.tar:app:1 >skopeo.json
	equal "$(jq -r .Digest skopeo.json)" "$(digest_of app:1)"
	copy oci-archive:app.tar:app:1 dir:copied
	equal "sha256:$(sha256sum <copied/manifest.json | cut -d' ' -f1)" "$(digest_of app:1)"
}

@test "an OCI directory is what skopeo and umoci expect, and keeps its other images" {
	need skopeo umoci
	make_app gzip # what umoci unpacks
	cairn tag app:1 other:2
	cairn save --format oci-dir -o layout app:1
	equal "$(umoci ls --layout layout)" app:1
	skopeo inspect oci:layout:app:1 >/dev/null
	cairn save --format oci-dir -o layout other:2
	equal "$(umoci ls --layout layout | sort | tr '\n' ' ')" "app:1 other:2 "
	cairn save --format oci-dir -o layout other:2
	equal "$(jq '.manifests | length' layout/index.json)" 2
	equal "$(find layout -name '.*' -type f)" ""
	if [ "$(id -u)" -eq 0 ]; then
		umoci unpack --image layout:app:1 bundle
		cmp bundle/rootfs/bin/busybox rootfs/bin/busybox
	fi
}

@test "an OCI directory keeps images without a name beside another one" {
	need jq
	for n in 1 2; do
		printf 'FROM scratch\nLABEL n=%s\n' $n >Recipe$n
		cairn build -q -f Recipe$n . >id$n
		cairn save --format oci-dir -o layout "$(cat id$n)"
	done
	cairn save --format oci-dir -o layout "$(cat id2)" # the same again is no other one
	equal "$(jq '.manifests | length' layout/index.json)" 2
	equal "$(jq -r '.manifests[].digest' layout/index.json | sort | uniq -d)" ""
}

@test "a docker archive is what skopeo expects, with the same image id" {
	need skopeo
	make_app
	cairn save --format docker-archive -o app.tar app:1
	equal "$(skopeo inspect --config docker-archive:app.tar | jq -r '.rootfs.diff_ids[0]')" \
		"sha256:$(sha256sum <rootfs.tar | cut -d' ' -f1)"
	copy docker-archive:app.tar:docker.io/library/app:1 oci:copied:x
	equal "$(jq -r .config.digest copied/blobs/sha256/"$(jq -r '.manifests[0].digest' copied/index.json |
		cut -d: -f2)")" "$(id_of app:1)"
}

@test "podman loads and runs what was saved" {
	need podman
	need_root
	make_app
	cairn save --format docker-archive -o docker.tar app:1
	cairn save -o oci.tar app:1
	podman_here load -q -i docker.tar
	equal "$(podman_here images --no-trunc --quiet)" "$(id_of app:1)"
	equal "$(podman_here images --format '{{.Repository}}:{{.Tag}}')" docker.io/library/app:1
	run podman_here run --rm --network none --cgroups disabled --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 app:1 cat /etc/group
	case $output in
	*cgroup* | *setrlimit*) echo "# podman cannot run containers here: $output" >&3 ;;
	*) equal "$output" "$(cat rootfs/etc/group)" ;;
	esac
	podman_here rmi -a -f
	podman_here load -q -i oci.tar
	equal "$(podman_here images --no-trunc --quiet)" "$(id_of app:1)"
	podman_here rmi -a -f
}

@test "buildah runs what was saved" {
	need buildah
	need_root
	make_app
	cairn save --format docker-archive -o docker.tar app:1
	cairn save -o oci.tar app:1
	buildah_here() {
		buildah --root "$BATS_TEST_TMPDIR/buildah" --runroot "$BATS_TEST_TMPDIR/buildah-run" \
			--storage-driver vfs "$@"
	}
	for archive in docker-archive:docker.tar oci-archive:oci.tar; do
		container=$(buildah_here from "$archive")
		cmp "$(buildah_here mount "$container")/etc/group" rootfs/etc/group
		# (its status alone: on a busy machine buildah 1.28 has lost what a command printed)
		buildah_here run --isolation chroot "$container" cat /etc/group
		buildah_here rm "$container"
	done
	buildah_here rmi -a -f
}

@test "what podman saves is loaded with the same image id" {
	need podman
	need_root
	make_app gzip # podman converts no zstd
	cairn save -o oci.tar app:1
	podman_here load -q -i oci.tar
	name=$(podman_here images --format '{{.Repository}}:{{.Tag}}')
	podman_here save -q --format docker-archive -o podman-docker.tar "$name"
	podman_here save -q --format oci-archive -o podman-oci.tar "$name"
	podman_here save -q --format oci-dir -o podman-oci-dir "$name"
	for path in podman-docker.tar podman-oci.tar podman-oci-dir; do
		CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn load --name loaded $path
		equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new id_of loaded)" "$(id_of app:1)"
		rm -r new
	done
	podman_here rmi -a -f
}

@test "every archive comes back as it was, compressed or not" {
	make_app
	for format in oci-archive docker-archive; do
		cairn save --format $format -o $format.tar app:1
		gzip -k $format.tar
		zstd -q $format.tar
		for path in $format.tar $format.tar.gz $format.tar.zst; do
			export CAIRN_ROOT=$BATS_TEST_TMPDIR/new
			equal "$(cairn load $path)" app:1
			digest=$(digest_of app:1) id=$(id_of app:1)
			rm -r new
			equal "$(cairn load - <$path)" app:1
			rm -r new
			equal "$(cat $path | cairn load -)" app:1 # can be read once only
			no_leases
			rm -r new
			export CAIRN_ROOT=$BATS_TEST_TMPDIR/store
			equal "$id" "$(id_of app:1)"
			equal "$digest" "$(digest_of app:1)"
		done
	done
}

@test "saving twice gives the same bytes" {
	make_app
	for format in oci-archive docker-archive; do
		cairn save --format $format -o one app:1
		touch -d yesterday rootfs.tar
		cairn save --format $format app:1 >two
		cmp one two
	done
}

@test "skopeo's archives are loaded" {
	need skopeo
	make_app gzip # skopeo converts no zstd
	cairn save -o app.tar app:1
	copy oci-archive:app.tar:app:1 oci:alpine:3.20
	copy oci-archive:app.tar:app:1 oci-archive:full.tar:team/app:2
	copy oci-archive:app.tar:app:1 docker-archive:docker.tar:some/name:3
	equal "$(cairn load alpine)" alpine:3.20
	equal "$(cairn load full.tar)" team/app:2
	equal "$(cairn load docker.tar)" some/name:3
	for name in alpine:3.20 team/app:2 some/name:3; do
		equal "$(id_of $name)" "$(id_of app:1)"
	done
	equal "$(digest_of alpine:3.20)" "$(digest_of app:1)"
}

@test "several images in one archive, and one name for one image" {
	make_app
	cairn import --platform linux/arm64 rootfs.tar b
	cairn tag app:1 c
	for format in oci-archive docker-archive; do
		cairn save --format $format -o many.tar app:1 b c
		rm -rf new
		export CAIRN_ROOT=$BATS_TEST_TMPDIR/new
		equal "$(cairn load many.tar | sort | tr '\n' ' ')" "app:1 b:latest c:latest "
		fails 1 cairn load --name one many.tar
		says "one name is not enough"
		export CAIRN_ROOT=$BATS_TEST_TMPDIR/store
		cairn save --format $format -o two.tar app:1 c
		CAIRN_ROOT=$BATS_TEST_TMPDIR/new run -0 cairn load --name one two.tar
		equal "$output" one:latest
	done
}

@test "of several images in an archive, a copy takes the one that is named" {
	make_app
	cairn import --timestamp 3 --compression gzip rootfs.tar b
	for format in oci-archive docker-archive; do
		cairn save --format $format -o many.tar app:1 b
		export CAIRN_ROOT=$BATS_TEST_TMPDIR/store
		for image in app:1 b; do
			rm -rf new
			CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn copy "$format:many.tar:$image" "$image"
			equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn images -q | wc -l)" 1
			# a manifest, a config and a layer
			equal "$(find new/blobs/sha256 -type f | wc -l)" 3
		done
		fails 3 cairn copy "$format:many.tar:c" c
		says "app:1"
	done
}

@test "of nameless images that suit this host alike none is chosen" {
	make_app
	cairn import --timestamp 2 rootfs.tar b
	cairn save --format oci-dir -o layout app:1 b
	jq '.manifests |= map(del(.annotations))' layout/index.json >index.json
	cp index.json layout/index.json
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/new
	fails 1 cairn load --name one layout
	says "there are 2 images: one name is not enough"
	fails 1 cairn load layout
	says "there are 2 images, none of which has a name"
	equal "$(cairn images -q)" ""
	# the same one twice is one
	jq '.manifests[1] = .manifests[0]' index.json >layout/index.json
	equal "$(cairn load --name one layout)" one:latest
}

@test "an index is kept whole, and the image of this host is found in it" {
	make_app
	cairn import --platform linux/s390x rootfs.tar foreign
	cairn save --format oci-dir -o layout app:1 foreign
	# one index in front of both, as multi-platform builds write it
	jq -c '{schemaVersion:2,mediaType:"application/vnd.oci.image.index.v1+json",manifests:[
		(.manifests[0] | del(.annotations) | .platform={os:"linux",architecture:$arch}),
		(.manifests[1] | del(.annotations) | .platform={os:"linux",architecture:"s390x"})]}' \
		--arg arch "$(cairn inspect --raw config app:1 | jq -r .architecture)" \
		layout/index.json | tr -d '\n' >inner
	digest=$(sha256sum <inner | cut -d' ' -f1)
	cp inner "layout/blobs/sha256/$digest"
	jq -nc --arg d "sha256:$digest" --argjson s "$(stat -c %s inner)" \
		'{schemaVersion:2,manifests:[{mediaType:"application/vnd.oci.image.index.v1+json",
		digest:$d,size:$s,annotations:{"org.opencontainers.image.ref.name":"multi:1"}}]}' >layout/index.json
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/new
	equal "$(cairn load layout)" multi:1
	equal "$(cairn inspect --format json multi:1 | jq -r '.[0].digest')" \
		"$(jq -r '.manifests[0].digest' inner)"
	fails 3 cairn inspect --platform linux/mips multi:1
	says "nothing for linux/mips, only for linux/"
	says "linux/s390x"
	equal "$(cairn inspect --platform linux/s390x --format json multi:1 | jq -r '.[0].digest')" \
		"$(jq -r '.manifests[1].digest' inner)"
	cairn save --format oci-dir -o again multi:1
	cmp inner "again/blobs/sha256/$digest"
	# a sparse index will do, as long as one image is whole
	rm "layout/blobs/sha256/$(jq -r '.manifests[1].digest' inner | cut -d: -f2)"
	rm -r new
	equal "$(cairn load layout)" multi:1
	rm "layout/blobs/sha256/$(jq -r '.manifests[0].digest' inner | cut -d: -f2)"
	rm -r new
	fails 3 cairn load layout
	equal "$(cairn images -q)" ""
}

@test "an image without a name asks for one" {
	make_app
	cairn save -o app.tar "$(id_of app:1)"
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/new
	fails 1 cairn load app.tar
	says "--name NAME"
	equal "$(cairn images -q)" ""
	equal "$(cairn load --name mine app.tar)" mine:latest
}

# spoil FORMAT: unpack an archive of app:1 into ./spoilt, to be changed and packed again.
spoil() {
	rm -rf spoilt new
	mkdir spoilt
	cairn save --format "$1" app:1 | tar -C spoilt -x
}

# refused TEXT [CODE]: loading ./spoilt, as a tar and as a directory, fails and leaves no name.
refused() {
	tar -C spoilt -cf spoilt.tar .
	for path in spoilt.tar spoilt; do
		CAIRN_ROOT=$BATS_TEST_TMPDIR/new fails "${2:-1}" cairn load --name x $path
		says "$1"
		equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn images -q)" ""
		CAIRN_ROOT=$BATS_TEST_TMPDIR/new no_leases
	done
}

@test "damaged and hostile OCI layouts are refused" {
	make_app
	layer=$(cairn inspect --format json app:1 | jq -r '.[0].layers[0].digest' | cut -d: -f2)
	config=$(id_of app:1 | cut -d: -f2)
	manifest=$(digest_of app:1 | cut -d: -f2)

	spoil oci-archive
	printf x | dd of="spoilt/blobs/sha256/$layer" conv=notrunc bs=1 seek=100 status=none
	refused "sha256:$layer"
	spoil oci-archive
	truncate -s -1 "spoilt/blobs/sha256/$layer"
	refused "bytes, not"
	spoil oci-archive
	rm "spoilt/blobs/sha256/$layer"
	refused "missing" 3
	spoil oci-archive
	printf '{}' >"spoilt/blobs/sha256/$config"
	refused "bytes, not"
	spoil oci-archive
	tr 1 2 <"spoilt/blobs/sha256/$manifest" >x
	mv x "spoilt/blobs/sha256/$manifest"
	refused "digest"
	spoil oci-archive
	echo '{"imageLayoutVersion":"2.0.0"}' >spoilt/oci-layout
	refused "version"
	spoil oci-archive
	echo 'no json' >spoilt/index.json
	refused "index.json"
	spoil oci-archive
	sed -i 's/sha256:[0-9a-f]*/sha256:..\/..\/..\/etc\/passwd/' spoilt/index.json
	refused "digest"
	spoil oci-archive
	ln -sf /etc/passwd "spoilt/blobs/sha256/$layer"
	refused "missing" 3
	spoil oci-archive
	echo '{"manifests":[]}' >spoilt/index.json
	refused "no image" 3
}

@test "damaged and hostile docker archives are refused" {
	make_app
	layer=$(sha256sum <rootfs.tar | cut -d' ' -f1)
	config=$(id_of app:1 | cut -d: -f2)

	spoil docker-archive
	printf x | dd of="spoilt/$layer.tar" conv=notrunc bs=1 seek=100000 status=none
	refused "as the config says"
	spoil docker-archive
	rm "spoilt/$layer.tar"
	refused "not in the archive" 3
	spoil docker-archive
	echo ' ' >>"spoilt/$config.json"
	refused "has the digest"
	spoil docker-archive
	sed -i 's/\["[0-9a-f]*.tar"\]/[]/' spoilt/manifest.json
	refused "layers"
	spoil docker-archive
	sed -i "s/$layer.tar/..\/..\/..\/etc\/passwd/" spoilt/manifest.json
	refused "not in the archive" 3
	spoil docker-archive
	ln -sf ../../../../../../../../etc/passwd "spoilt/$layer.tar"
	refused "not in the archive" 3
	spoil docker-archive
	ln -sf "$layer.tar" "spoilt/$layer.tar"
	refused "not in the archive" 3
	spoil docker-archive
	sed 's/"type":"layers"/"type":"lawyers"/' "spoilt/$config.json" >spoilt/config
	sed -i "s/$config.json/config/" spoilt/manifest.json
	refused "'lawyers' instead of 'layers'"
	spoil docker-archive
	echo '[{"Config":1}]' >spoilt/manifest.json
	refused "manifest.json"
	spoil docker-archive
	rm spoilt/manifest.json
	refused "neither"
}

@test "links inside a docker archive are followed" {
	make_app
	spoil docker-archive
	layer=$(sha256sum <rootfs.tar | cut -d' ' -f1)
	mkdir spoilt/a spoilt/b
	mv "spoilt/$layer.tar" spoilt/a/layer.tar
	ln -s ../a/layer.tar spoilt/b/layer.tar
	sed -i "s/$layer.tar/b\/layer.tar/" spoilt/manifest.json
	tar -C spoilt -cf linked.tar .
	equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn load linked.tar)" app:1
	equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn load spoilt)" app:1
	# compressed layers are kept as they come, for the same diff id
	gzip -nc < <(cat spoilt/a/layer.tar) >x && mv x spoilt/a/layer.tar
	CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn load --name gz spoilt
	equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn inspect --format json gz | jq -r '.[0].layers[0].digest')" \
		"sha256:$(sha256sum <spoilt/a/layer.tar | cut -d' ' -f1)"
	equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new id_of gz)" "$(id_of app:1)"
}

@test "an archive that ends early is refused" {
	make_app
	for format in oci-archive docker-archive; do
		cairn save --format $format -o whole.tar app:1
		gzip -kf whole.tar
		for cut in 100 5000 200000; do
			head -c $cut whole.tar >cut.tar
			head -c $cut whole.tar.gz >cut.tar.gz
			CAIRN_ROOT=$BATS_TEST_TMPDIR/new run cairn load cut.tar
			[ "$status" -ne 0 ]
			CAIRN_ROOT=$BATS_TEST_TMPDIR/new run cairn load cut.tar.gz
			[ "$status" -ne 0 ]
		done
	done
	equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/new cairn images -q)" ""
	fails 3 cairn load nothing.tar
}

@test "a failed save leaves the old file, and nothing else" {
	make_app
	cairn save -o app.tar app:1
	cp app.tar before
	blob=$(cairn inspect --format json app:1 | jq -r '.[0].layers[0].digest' | cut -d: -f2)
	for format in oci-archive docker-archive oci-dir; do
		cairn import rootfs.tar app:1 # makes anew what was found damaged
		chmod 644 "$CAIRN_ROOT/blobs/sha256/$blob"
		printf x | dd of="$CAIRN_ROOT/blobs/sha256/$blob" conv=notrunc bs=1 seek=100 status=none
		path=app.tar
		[ $format != oci-dir ] || path=layout
		fails 1 cairn save --format $format -o $path app:1
		says "$blob"
		cmp app.tar before
		[ ! -e layout ]
		fails 3 cairn save --format $format -o $path app:1
	done
	cairn import rootfs.tar app:1
	fails 3 cairn save -o no/such/dir.tar app:1
	equal "$(find . -maxdepth 1 -name '.tmp*')" ""
	fails 3 cairn save -o x.tar nothing
	[ ! -e x.tar ]
	fails 2 cairn save --format oci-dir app:1
}

@test "save adds to layouts alone" {
	make_rootfs rootfs.tar
	cairn import rootfs.tar app
	mkdir empty home
	echo mine >home/file
	fails 1 cairn save --format oci-dir -o home app
	says "neither empty nor an OCI layout"
	equal "$(ls -A home)" file
	fails 1 cairn save --format oci-dir -o home/file app
	says "is a file"
	cairn save --format oci-dir -o empty app
	cairn save --format oci-dir -o empty app
	run -0 cairn load empty
}

@test "a name stands for one image of an archive" {
	make_rootfs rootfs.tar
	cairn import --timestamp 1 rootfs.tar one
	cairn import --timestamp 2 rootfs.tar two
	cairn save --format oci-dir -o layout one two
	# the same image twice, by two spellings of its name
	jq '.manifests |= [.[0], .[0], .[1]] | .manifests[1].annotations["io.containerd.image.name"] = "library/one"' \
		layout/index.json >index.json
	mkdir twice
	cp -r layout/. twice
	cp index.json twice/index.json
	equal "$(cairn load twice)" "$(printf 'one:latest\ntwo:latest')"
	# two images of one name
	cairn rmi one two
	jq '.manifests[1].annotations = .manifests[0].annotations' layout/index.json >index.json
	cp index.json layout/index.json
	fails 1 cairn load layout
	says "two images are called"
	equal "$(cairn images -q)" ""
}

@test "load says what it has instead of an archive, and what to do" {
	need xz bzip2
	make_app
	cairn save -o app.tar app:1
	xz -k app.tar
	fails 1 cairn load app.tar.xz
	says "app.tar.xz: it is compressed by xz, not a tar"
	says "xz -dc app.tar.xz | cairn load -"
	equal "$(xz -dc app.tar.xz | cairn load -)" app:1
	bzip2 -k app.tar
	fails 1 cairn load - <app.tar.bz2
	says "bzip2 -dc FILE | cairn load -"
}

@test "a directory of skopeo's other form is refused by its name" {
	need skopeo
	make_app
	cairn save -o app.tar app:1
	copy oci-archive:app.tar:app:1 dir:copied
	fails 1 cairn load copied
	says "it is an image as skopeo's 'dir:' writes it"
	copy dir:copied oci:layout:app:2
	equal "$(cairn load layout)" app:2
}

@test "what cannot be loaded is named once" {
	fails 3 cairn load nothing.tar
	equal "$output" "error: open nothing.tar: No such file or directory"
	: >empty
	fails 1 cairn load empty
	equal "$output" "error: empty: it is no archive, or an empty one"
}

@test "a layout that contradicts itself is refused, whatever the store has" {
	make_app
	cairn save --format oci-dir -o layout app:1
	blob=$(find layout/blobs/sha256 -type f -size +100k)
	printf 'wrong' | dd of="$blob" conv=notrunc bs=1 seek=5000 status=none
	fails 1 cairn load layout
	says "${blob#layout/}': its content has another digest"
	run -0 cairn check
}

@test "a full disk leaves nothing half-written" {
	need_root
	make_app
	mkdir small
	mount -t tmpfs -o size=500k none small || skip "cannot mount a tmpfs"
	run cairn save --format docker-archive -o small/app.tar app:1
	code=$status left=$(ls -A small)
	run cairn save --format oci-dir -o small/layout app:1
	code2=$status left2=$(ls -A small)
	eventually 60 umount small
	equal "$code $code2" "1 1"
	equal "$left$left2" ""
	says "No space left on device"
}
