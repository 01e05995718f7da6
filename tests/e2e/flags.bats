# tests/e2e/flags.bats - options of `cairn build` that other builders have, with their meaning.
#
# Expectations come from section 2 of what docker buildx, docker and buildah document; buildah is the
# judge where the distribution's has the option.

load robust
load judge

setup_file() {
	judge_open
}

teardown_file() {
	judge_close
}

# manifest NAME, config NAME: the documents of an image.
manifest() {
	cairn inspect --raw manifest "$1"
}

config() {
	cairn inspect --raw config "$1"
}

# quiet_build OPTION...: ./Recipe becomes `app`.
quiet_build() {
	timeout 60 cairn build -q --network none -t app "$@" . >id
}

# ---- outputs ----

@test "an id without its algorithm" {
	printf 'FROM scratch\nLABEL a=b\n' >Recipe
	quiet_build --iidfile with --iidfile-raw without
	equal "$(cat with)" "$(cat id)"
	equal "sha256:$(cat without)" "$(cat with)"
	judge bud -q --timestamp 0 --iidfile judged -f Recipe . >/dev/null
	[[ $(cat judged) == sha256:* ]]
	equal "$(tail -c 1 judged | wc -l) $(tail -c 1 with | wc -l)" "0 0" # no newline
	fails 1 cairn build --iidfile-raw absent/x .
	says "option --iidfile-raw: absent/: no such directory"
}

@test "the documents of --format docker are Docker's" {
	import_base # whose layer is zstd
	need skopeo jq
	printf 'FROM base\nRUN touch /x\nHEALTHCHECK CMD true\n' >Recipe
	quiet_build
	equal "$(manifest app | jq -r '.mediaType, .config.mediaType, .layers[].mediaType' | sed 's/.*vnd.//')" \
		"$(printf 'oci.image.%s\n' manifest.v1+json config.v1+json layer.v1.tar+zstd layer.v1.tar+zstd)"
	quiet_build --format docker
	manifest app | jq -r '.mediaType, .config.mediaType, (.layers[] | .mediaType)' >ours
	# the judge's, as it would push it
	both_have "$BATS_FILE_TMPDIR/base.tar" base
	judge bud -q --format docker --isolation chroot -t judged -f Recipe . >/dev/null
	judge push -q judged dir:pushed
	jq -r '.mediaType, .config.mediaType, (.layers[] | .mediaType)' pushed/manifest.json >theirs
	diff ours theirs
	equal "$(config app | jq -c .config.Healthcheck)" '{"Test":["CMD-SHELL","true"]}'
	run -0 cairn run app ls /x
	cairn save --format docker-archive -o app.tar app
	skopeo copy -q docker-archive:app.tar dir:copied
	fails 2 cairn build --format docker --compression zstd .
	says "docker's has no zstd"
	# the environment's wish counts where the command line has none
	BUILDAH_FORMAT=docker quiet_build
	equal "$(manifest app | jq -r .mediaType)" application/vnd.docker.distribution.manifest.v2+json
	BUILDAH_FORMAT=docker quiet_build --format oci
	equal "$(manifest app | jq -r .mediaType)" application/vnd.oci.image.manifest.v1+json
}

@test "compression, in all spellings, and of the base only by force" {
	import_base
	need skopeo jq
	printf 'FROM base\nRUN touch /x\n' >Recipe
	codecs() {
		manifest app | jq -r '[.layers[].mediaType | sub(".*[.+]"; "")] | join(" ")'
	}
	quiet_build --compression-format gzip
	equal "$(codecs)" "zstd gzip"
	quiet_build --compression-format gzip --compression-level 9
	equal "$(codecs)" "zstd gzip"
	quiet_build --compression none
	equal "$(codecs)" "zstd tar"
	diff_ids=$(config app | jq -c .rootfs.diff_ids)
	quiet_build --compression gzip:1 --force-compression
	equal "$(codecs)" "gzip gzip"
	equal "$(config app | jq -c .rootfs.diff_ids)" "$diff_ids"
	run -0 cairn run app ls /x
	for layer in $(manifest app | jq -r '.layers[].digest'); do
		gzip -dc "$CAIRN_ROOT/blobs/sha256/${layer#sha256:}" | sha256sum
	done | cut -d' ' -f1 >ours
	jq -r '.[]' <<<"$diff_ids" | cut -d: -f2 | diff - ours
	quiet_build -o type=image,compression=uncompressed,force-compression=true
	equal "$(codecs)" "tar tar"
	quiet_build -o type=oci,dest=a.tar,compression=gzip,compression-level=3
	equal "$(codecs)" "zstd gzip"
	fails 2 cairn build --compression gzip --compression-level 3 .
	says "said twice"
	fails 2 cairn build -o type=oci,dest=a,compression=gzip -o type=docker,dest=b,compression=zstd .
	says "one image is made for all outputs"
}

@test "outputs that buildx has: no dest, a layout as it is, nothing at all" {
	import_base
	need skopeo jq
	printf 'FROM base\nRUN touch /x\n' >Recipe
	timeout 60 cairn build -q --network none -o type=cacheonly . >id
	equal "$(cat id)" ""
	equal "$(cairn images -a | grep -c none)" 0
	timeout 60 cairn build --progress plain --network none . 2>log >id
	grep -q CACHED log
	timeout 60 cairn build -q --network none -o type=oci . >a.tar
	equal "$(tar -xOf a.tar oci-layout | jq -r .imageLayoutVersion)" 1.0.0
	timeout 60 cairn build -q --network none -o type=tar . | tar -t | grep -qx x
	timeout 60 cairn build -q --network none -o type=oci,tar=false,dest=layout,name=app:1 . >id
	equal "$(skopeo inspect --config --raw oci:layout | sha256sum | cut -d' ' -f1)" \
		"$(cut -d: -f2 id)"
	run -0 cairn inspect app:1
	timeout 60 cairn build -q --network none -o type=docker,name=docker-app . >id
	run -0 cairn inspect docker-app
	# a root filesystem alone makes no image, unless it is loaded, too
	timeout 60 cairn build -q --network none -o root . >id
	equal "$(cat id)" ""
	timeout 60 cairn build -q --network none -o root --load . >id
	run -0 cairn inspect "$(cat id)"
}
