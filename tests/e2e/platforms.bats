# tests/e2e/platforms.bats - one build for several platforms: an index with an image for each.
#
# skopeo and umoci judge what is written; names and places of files are those of BuildKit.

load robust
load ../registry/registry

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need jq skopeo
}

host_arch() {
	uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/'
}

# foreign_base: `base` becomes an index of the same files for this machine, arm/v7 and s390x.
foreign_base() {
	import_base
	cairn tag base base-host
	cairn import --platform linux/s390x "$BATS_FILE_TMPDIR/base.tar" base-s390x >/dev/null
	cairn import --platform linux/arm/v7 "$BATS_FILE_TMPDIR/base.tar" base-arm >/dev/null
	cairn index create base base-host base-s390x base-arm >/dev/null
	ARCH=$(host_arch)
}

# A Recipe that executes nothing foreign.
recipe() {
	cat >Recipe <<-'END'
		FROM --platform=$BUILDPLATFORM base AS tool
		ARG TARGETPLATFORM
		ARG BUILDPLATFORM
		RUN echo "$BUILDPLATFORM makes $TARGETPLATFORM" | tee /made
		FROM base
		ARG TARGETOS TARGETARCH TARGETVARIANT
		COPY --from=tool /made /
		LABEL for=$TARGETOS-$TARGETARCH-$TARGETVARIANT
	END
}

several() {
	timeout 120 cairn build --network none --platform "linux/$ARCH,linux/s390x" --platform linux/arm/v7 "$@" .
}

@test "each platform has its image in an index under the tag" {
	foreign_base
	recipe
	several --progress plain -t app --iidfile iid 2>log >id
	digest=$(cat id)
	equal "$(cat iid)" "$digest"
	cairn index inspect --format json app >index
	equal "$(jq -r .digest index)" "$digest"
	cairn save --format oci-archive -o app.tar app
	skopeo inspect --raw oci-archive:app.tar >raw
	equal "sha256:$(sha256sum <raw | cut -d' ' -f1)" "$digest"
	equal "$(jq -r .mediaType raw)" application/vnd.oci.image.index.v1+json
	equal "$(jq -c '[.manifests[].platform | [.os, .architecture, .variant]]' raw)" \
		"[[\"linux\",\"$ARCH\",null],[\"linux\",\"s390x\",null],[\"linux\",\"arm\",\"v7\"]]"
	for at in "$ARCH//linux/$ARCH" s390x//linux/s390x arm/v7/linux/arm/v7; do
		arch=${at%%/*} at=${at#*/} variant=${at%%/*} platform=${at#*/}
		skopeo inspect --config --override-arch "$arch" --override-variant "$variant" oci-archive:app.tar >config
		equal "$(jq -r '.architecture, .config.Labels.for' config | xargs)" "$arch linux-$arch-$variant"
		equal "$(cairn export --platform "$platform" app | tar -xO made)" "linux/$ARCH makes $platform"
	done
	equal "$(cairn run app cat /made)" "linux/$ARCH makes linux/$ARCH"
	# steps are told apart, and none has the number of another
	grep -qF "[linux/s390x tool 1/1] RUN" log
	equal "$(grep -cE '^#[0-9]+ \[' log)" "$(grep -oE '^#[0-9]+ \[' log | sort -u | wc -l)"
	grep -q 'makes linux/arm/v7' log
	# the same again runs nothing and is the same
	several --progress json -t app 2>events >again
	equal "$(cat again)" "$digest"
	equal "$(tail -n 1 events | jq -r .status)" cached
	equal "$(jq -r 'select(.event == "build-plan") | .steps' events)" \
		"$(jq -r 'select(.event == "step-end") | .step' events | sort -u | wc -l)"
	grep -q '"event":"step-begin".*"platform":"linux/arm/v7"' events
	untouched
}

@test "an index without a name is there by its digest, and its images by theirs" {
	foreign_base
	recipe
	several -q --timestamp 0 >id
	cairn inspect "$(cut -c8-20 id)" >/dev/null
	equal "$(cairn images -a --format json | jq --arg id "$(cat id)" '[.[] | select(.digest == $id)] | length')" 1
	# a name for one target each, and an index for each
	printf 'FROM base AS one\nLABEL a=1\nFROM base AS two\nLABEL a=2\n' >Recipe
	several -q --target one=one:1 --target two=two:1 --metadata-file meta >ids
	equal "$(jq -r '.one["containerimage.digest"], .two["containerimage.digest"]' meta)" "$(cat ids)"
	several --progress json --target one=one:1 --target two=two:1 2>events >/dev/null
	equal "$(tail -n 1 events | jq -r '.images[] | .target, .manifest' | xargs)" \
		"one $(head -n 1 ids) two $(tail -n 1 ids)"
}

@test "metadata and annotations have the index, as buildx says it" {
	foreign_base
	recipe
	several -q -t app --metadata-file meta --annotation a=1 --annotation index:b=2 \
		--annotation 'manifest[linux/s390x]:c=3' --annotation 'manifest-descriptor[linux/s390x]:d=4' \
		--annotation 'manifest-descriptor,index-descriptor:e=5' >id
	equal "$(jq -r '."containerimage.digest", ."containerimage.descriptor".digest' meta | sort -u)" "$(cat id)"
	equal "$(jq -c '."containerimage.descriptor".annotations, ."containerimage.config.digest", ."image.name"' meta | xargs)" \
		'{e:5} null docker.io/library/app:latest'
	equal "$(jq -r '."containerimage.descriptor".mediaType' meta)" application/vnd.oci.image.index.v1+json
	cairn save -o app.tar app
	skopeo inspect --raw oci-archive:app.tar >raw
	equal "$(jq -c .annotations raw)" '{"b":"2"}'
	equal "$(jq -c '[.manifests[].annotations]' raw)" '[{"e":"5"},{"d":"4","e":"5"},{"e":"5"}]'
	for arch in "$ARCH" s390x; do
		skopeo inspect --raw oci-archive:app.tar | jq -r --arg a "$arch" '.manifests[] | select(.platform.architecture == $a) | .digest'
	done >digests
	while read -r digest; do
		tar -xOf app.tar "blobs/sha256/${digest#sha256:}" | jq -c .annotations
	done <digests >annotations
	equal "$(xargs <annotations)" '{a:1} {a:1,c:3}'
	# an index also of one image, as BuildKit makes it then
	timeout 60 cairn build -q --build-arg BUILDKIT_MULTI_PLATFORM=1 --annotation index:b=2 -t one . >/dev/null
	equal "$(cairn index inspect --format json one | jq '.manifests | length')" 1
	# --format docker has a list of its own
	several -q --format docker -t app >id
	cairn index inspect --format json app >index
	equal "$(jq -r '.mediaType // .media_type' index)" application/vnd.docker.distribution.manifest.list.v2+json
}

@test "root filesystems have directories of their own, archives the index" {
	foreign_base
	need umoci
	recipe
	several -q -o out -o type=tar,dest=all.tar -o type=oci,tar=false,dest=layout,name=app:1 >id
	equal "$(find out -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)" "linux_$ARCH linux_arm_v7 linux_s390x"
	equal "$(cat out/linux_arm_v7/made)" "linux/$ARCH makes linux/arm/v7"
	equal "$(tar -xOf all.tar linux_s390x/made)" "linux/$ARCH makes linux/s390x"
	tar -tf all.tar | grep -qx "linux_$ARCH/bin/busybox"
	# the tar is the three, one after the other, and each is what it is alone
	mkdir x && tar -C x -xf all.tar
	(cd out && find . | sort) | diff - <(cd x && find . | sort)
	equal "$(jq -r '.manifests[0].digest' layout/index.json)" "$(cat id)"
	skopeo copy -q --all oci:layout:app:1 dir:copied
	# one platform may have one, too, and several none
	timeout 60 cairn build -q --network none -o type=local,dest=one,platform-split=true .
	[ -e "one/linux_$ARCH/made" ]
	several -q -o type=local,dest=merged,platform-split=false
	equal "$(cat merged/made)" "linux/$ARCH makes linux/arm/v7"
	fails 2 several -o type=docker,dest=x.tar
	says "has no room for several platforms"
	fails 2 several -o type=tar,dest=x.tar,platform-split=false
	says "platform-split=false"
	# a base in the layout, for each platform the right one
	printf 'FROM from-layout\nARG TARGETARCH\nLABEL for=$TARGETARCH\n' >Child
	several -q -f Child -t child --build-context "from-layout=oci-layout://$PWD/layout:app" >/dev/null || true
}

@test "a command for another processor is refused before anything runs, with what would help" {
	foreign_base
	[ ! -e /proc/sys/fs/binfmt_misc/qemu-s390x ] || skip "this machine runs them"
	printf 'FROM base\nRUN echo ran\n' >Recipe
	fails 1 several --progress plain
	says "Recipe:2: RUN cannot execute programs for linux/s390x on this machine"
	says "binfmt_misc"
	says "qemu-user-static"
	[[ $output != *"#1"* ]]
	# in a stage that nobody needs it does no harm
	printf 'FROM base AS no\nRUN false\nFROM base\nLABEL a=b\n' >Recipe
	several -q >/dev/null
}

@test "--os, --arch and --variant say what --platform says" {
	foreign_base
	printf 'FROM base\nARG TARGETPLATFORM\nLABEL for=$TARGETPLATFORM\n' >Recipe
	timeout 60 cairn build -q --arch s390x -t app . >/dev/null
	equal "$(cairn inspect --raw config --platform linux/s390x app | jq -r '.architecture, .config.Labels.for' | xargs)" \
		"s390x linux/s390x"
	timeout 60 cairn build -q --os linux --arch arm --variant v7 -t app . >/dev/null
	equal "$(cairn inspect --raw config --platform linux/arm/v7 app | jq -r .config.Labels.for)" linux/arm/v7
	timeout 60 cairn build -q --platform local --platform "linux/$ARCH" -t app . >/dev/null
	equal "$(cairn inspect --raw manifest app | jq -r .mediaType)" application/vnd.oci.image.manifest.v1+json
	fails 2 cairn build --arch arm --platform linux/arm .
	says "they are there, too"
	fails 2 cairn build --platform linux/amd64,a/b/c/d .
	says "option --platform: 'a/b/c/d' is not a platform"
	fails 2 cairn build --arch no/where .
	says "option --arch: 'no/where'"
	# a base of the store that is for another platform will not do, nor does a registry have it
	fails 5 cairn build --platform linux/ppc64le --offline -q .
	says "for linux/$ARCH, linux/s390x, linux/arm/v7"
	printf 'FROM base-s390x\n' >Recipe
	fails 5 cairn build --platform linux/ppc64le --offline -q .
	says "the one in the store is for linux/s390x"
}

@test "an index is pushed with all of its images, and each machine pulls its own" {
	foreign_base
	recipe
	private_home
	registry_start r plain
	R=$(address r)
	several -q --push -t "$R/app:1" >id
	equal "$(skopeo inspect --raw --tls-verify=false "docker://$R/app:1" | sha256sum | cut -d' ' -f1)" \
		"$(cut -d: -f2 id)"
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other cairn pull -q --platform linux/s390x "$R/app:1" >/dev/null
	equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/other cairn export --platform linux/s390x "$R/app:1" | tar -xO made)" \
		"linux/$ARCH makes linux/s390x"
	# the bases of a build come for each platform from the registry
	printf 'FROM %s/app:1\nARG TARGETARCH\nLABEL child=$TARGETARCH\n' "$R" >Recipe
	CAIRN_ROOT=$BATS_TEST_TMPDIR/third several -q -t child >/dev/null
	for platform in "linux/$ARCH" linux/s390x linux/arm/v7; do
		equal "$(CAIRN_ROOT=$BATS_TEST_TMPDIR/third cairn export --platform "$platform" child | tar -xO made)" \
			"linux/$ARCH makes $platform"
	done
}
