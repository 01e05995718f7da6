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
	fails 3 cairn build --iidfile-raw absent/x .
	says "option --iidfile-raw: absent/: no such directory"
	fails 1 cairn build --iidfile '' .
	says "option --iidfile: the path is empty"
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

# ---- what is in the image ----

@test "variables, labels and the history are changed besides the Recipe, as by the judge" {
	import_base
	both_have "$BATS_FILE_TMPDIR/base.tar" base
	printf 'FROM base\nENV A=1 B=2 C=3\nLABEL x=1 y=2\n' >Recipe
	printf 'FROM parent\nENV D=4\nLABEL z=3\nRUN ["env"]\n' >Child
	set -- --env B=new --env E=5 --env GIVEN --unsetenv C,D --unsetenv E
	export GIVEN=value
	cairn build -q -t parent . >/dev/null
	timeout 60 cairn build --progress plain --network none -t app -f Child "$@" . 2>log >id
	judge bud -q --identity-label=false -t parent -f Recipe . >/dev/null
	judge bud -q --identity-label=false --isolation chroot -t app -f Child \
		--env B=new --env E=5 --env GIVEN=value --unsetenv C,D --unsetenv E . >/dev/null
	equal "$(config app | jq -c .config.Env)" \
		"$(judge inspect --type image app | jq -c .OCIv1.config.Env)"
	grep -q 'B=2$' log # RUN does not see it
	# those of the reference
	quiet_build -f Child --unsetlabel x --label y=mine --unsetlabel y
	equal "$(config app | jq -cS .config.Labels)" '{"y":"mine","z":"3"}'
	quiet_build -f Child --inherit-labels=false --identity-label=false
	equal "$(config app | jq -cS .config.Labels)" '{"z":"3"}'
	quiet_build -f Child --inherit-labels
	equal "$(config app | jq -cS .config.Labels)" '{"x":"1","y":"2","z":"3"}'
	# no step ran again for any of that
	timeout 60 cairn build --progress plain --network none -f Child --env Q=1 . 2>log >id
	grep -q CACHED log
	quiet_build -f Child --omit-history
	equal "$(config app | jq -c '.history // []')" '[]'
	run -0 cairn run app true
	fails 2 cairn build --env =x .
	says "option --env: '=x' has no name"
}

@test "annotations have the places and platforms that buildx gives them" {
	need jq
	arch=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
	printf 'FROM scratch\nLABEL a=b\n' >Recipe
	quiet_build --annotation a=1 --annotation manifest:b=2=3 --annotation "manifest[linux/$arch]:c=4" \
		--annotation 'manifest[linux/s390x]:d=no' --annotation 'manifest,manifest-descriptor:e=5' \
		-o type=image,annotation.f=6 --metadata-file meta
	equal "$(manifest app | jq -cS .annotations)" '{"a":"1","b":"2=3","c":"4","e":"5","f":"6"}'
	equal "$(jq -c '."containerimage.descriptor".annotations' meta)" '{"e":"5"}'
	cairn tag app parent
	printf 'FROM parent\n' >Child
	quiet_build -f Child --annotation g=7
	equal "$(manifest app | jq -cS .annotations)" '{"g":"7"}' # as in BuildKit
	quiet_build -f Child --annotation g=7 --inherit-annotations --unsetannotation a,b --unsetannotation c
	equal "$(manifest app | jq -cS .annotations)" '{"e":"5","f":"6","g":"7"}'
	quiet_build -f Child --created-annotation --timestamp 1000
	equal "$(manifest app | jq -cS .annotations)" \
		'{"org.opencontainers.image.created":"1970-01-01T00:16:40Z"}'
	quiet_build -f Child --created-annotation=false
	equal "$(manifest app | jq -c .annotations)" null
	timeout 60 cairn build -q --format docker --annotation a=b -t app . 2>log >id
	grep -q "have no annotations" log
	while IFS='|' read -r option text; do
		fails 2 cairn build --annotation "$option" .
		says "option --annotation: $text"
	done <<-'END'
		index:a=b|no index is made
		index-descriptor:a=b|no index is made
		a|'a' is not NAME=VALUE
		=b|'=b' has no name
		layer:a=b|'layer' is none of: index, index-descriptor, manifest, manifest-descriptor
		manifest[linux:a=b|'manifest[linux' lacks a ]
	END
}

@test "--source-date-epoch is the time of the image, and of its files if they are rewritten" {
	import_base
	need jq
	printf 'FROM base\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH >/epoch; touch -d @500 /old; touch -d @5000 /new\n' >Recipe
	times() {
		quiet_build --no-cache "$@"
		cairn export -o app.tar app
		tar --utc --full-time -tvf app.tar old new | awk '{ print $5 }' | xargs
		tar -xOf app.tar epoch
		config app | jq -r '.created, .history[-1].created' | xargs
	}
	at="1970-01-01T00:16:40Z 1970-01-01T00:16:40Z"
	equal "$(times --source-date-epoch 1000 | xargs)" "01:23:20 00:08:20 1000 $at"
	equal "$(times --source-date-epoch 1000 --rewrite-timestamp | xargs)" "00:16:40 00:08:20 1000 $at"
	equal "$(times --timestamp 1000 | xargs)" "00:16:40 00:08:20 1000 $at"
	equal "$(times --timestamp 1000 --rewrite-timestamp=false | xargs)" "01:23:20 00:08:20 1000 $at"
	equal "$(times --source-date-epoch 1000 -o type=image,rewrite-timestamp=true | xargs)" \
		"00:16:40 00:08:20 1000 $at"
	# each has its own place in the cache
	quiet_build --source-date-epoch 1000
	cairn export app | tar --utc --full-time -tv new | grep -q 01:23:20
	# an image of metadata alone, on an older base, is from then, too
	printf 'FROM base\nLABEL a=b\n' >Recipe
	judge inspect --type image base >/dev/null 2>&1 || judge_has base
	judge bud -q --timestamp 1000 -t meta -f Recipe . >/dev/null
	quiet_build --timestamp 1000
	equal "$(config app | jq -r .created)" "$(judge inspect --type image meta | jq -r .OCIv1.created)"
	fails 2 cairn build --timestamp 1 --source-date-epoch 2 .
	fails 2 cairn build --source-date-epoch x .
	says "option --source-date-epoch: 'x'"
}

@test "--no-cache-filter runs a stage again, and what needs it" {
	import_base
	printf '%s\n' 'FROM base AS one' 'RUN cat /proc/sys/kernel/random/uuid >/one' \
		'FROM base AS two' 'RUN cat /proc/sys/kernel/random/uuid >/two' \
		'FROM base' 'COPY --from=one /one /' 'COPY --from=two /two /' >Recipe
	both() {
		quiet_build "$@"
		cairn export app | tar -xO one two | xargs
	}
	before=$(both)
	equal "$(both)" "$before"
	after=$(both --no-cache-filter ONE)
	[ "${after% *}" != "${before% *}" ]
	equal "${after#* }" "${before#* }"
	again=$(both --no-cache-filter 0,two)
	[ "${again% *}" != "${after% *}" ]
	[ "${again#* }" != "${after#* }" ]
	equal "$(both --no-cache-filter other)" "$again"
	run -0 cairn build --no-cache-filter other,ONES,1,stage-2 .
	says "warning: --no-cache-filter other has no effect: no stage is called so"
	says "warning: --no-cache-filter ONES has no effect: no stage is called so (did you mean one?)"
	[[ $output != *"filter 1 "* ]]
	[[ $output != *"filter stage-2 "* ]]
}

@test "BUILDKIT_PROGRESS is the default of --progress" {
	printf 'FROM scratch\nLABEL a=b\n' >Recipe
	BUILDKIT_PROGRESS=json cairn build . 2>&1 >id | jq -e .event | grep -q build-begin
	BUILDKIT_PROGRESS=quiet cairn build . 2>log >id
	equal "$(cat log)" ""
	BUILDKIT_PROGRESS=json cairn build --progress quiet . 2>log >id
	equal "$(cat log)" ""
	BUILDKIT_PROGRESS=unheard-of cairn build . >id
}

@test "--ulimit sets the limits of a RUN, and no key knows of it" {
	import_base
	printf 'FROM base\nRUN ulimit -Sn >/l; ulimit -Hn >>/l; ulimit -Ss >>/l; ulimit -Hc >>/l\n' >Recipe
	limits() {
		quiet_build "$@"
		cairn export app | tar -xO l | xargs
	}
	equal "$(limits --ulimit nofile=200:300 --ulimit stack=1048576 --ulimit core=-1 --ulimit nofile=100:150)" \
		"100 150 1024 unlimited"
	equal "$(limits --ulimit nofile=7)" "100 150 1024 unlimited" # from the cache
	# as the judge has it
	both_have "$BATS_FILE_TMPDIR/base.tar" base
	judge bud -q --isolation chroot --ulimit nofile=100:150 --ulimit stack=1048576 --ulimit core=-1 \
		-o type=tar,dest=theirs.tar -f Recipe . >/dev/null
	equal "$(tar -xOf theirs.tar l | xargs)" "100 150 1024 unlimited"
	while IFS='|' read -r value text; do
		fails 2 cairn build --ulimit "$value" .
		says "option --ulimit: $text"
	done <<-'END'
		nofile|'nofile' is not NAME=SOFT[:HARD]
		files=1|'files' is none of: core, cpu
		nofile=2:1|nofile=2:1: the soft limit is above the hard one
		nofile=x|'x'
	END
}
