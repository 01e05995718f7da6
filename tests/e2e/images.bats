# tests/e2e/images.bats - import, list, name, inspect and forget images.

load helper

id_of() {
	cairn inspect --format json "$1" | jq -r '.[0].id'
}

@test "import keeps the bytes of the tar as the layer" {
	make_rootfs rootfs.tar
	run -0 --separate-stderr cairn import rootfs.tar base
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	equal "$stderr" ""
	equal "$(cairn inspect --format json base | jq -r '.[0].layers[0].diff_id')" \
		"sha256:$(sha256sum <rootfs.tar | cut -d' ' -f1)"
	equal "$(id_of base)" "$output"
	# the blob is zstd of the same bytes
	blob=$(cairn inspect --format json base | jq -r '.[0].layers[0].digest')
	zstd -dc <"$CAIRN_ROOT/blobs/sha256/${blob#sha256:}" | cmp - rootfs.tar
	no_leases
}

@test "import reads standard input and compressed tars alike" {
	make_rootfs rootfs.tar
	export SOURCE_DATE_EPOCH=86400
	cairn import rootfs.tar plain
	cairn import - piped <rootfs.tar
	gzip -k rootfs.tar
	cairn import rootfs.tar.gz gzipped
	zstd -q rootfs.tar
	cairn import rootfs.tar.zst zstd
	equal "$(id_of piped)" "$(id_of plain)"
	equal "$(id_of gzipped)" "$(id_of plain)"
	equal "$(id_of zstd)" "$(id_of plain)"
	equal "$(cairn inspect --raw config plain | jq -r .created)" 1970-01-02T00:00:00Z
	cairn import --timestamp 0 rootfs.tar older
	equal "$(cairn inspect --raw config older | jq -r .created)" 1970-01-01T00:00:00Z
}

@test "import compresses as it is told" {
	make_rootfs rootfs.tar
	for codec in zstd gzip none; do
		cairn import --compression $codec rootfs.tar $codec
	done
	cairn inspect --format json zstd gzip none | jq -r '.[].layers[0].mediaType' >types
	equal "$(cat types)" "$(printf 'application/vnd.oci.image.layer.v1.tar%s\n' +zstd +gzip '')"
	fails 2 cairn import --compression bzip2 rootfs.tar x
}

@test "import refuses what is no root filesystem" {
	echo "this is no tar, but it is a text that is longer than one block" >text
	head -c 2000 /dev/urandom >noise
	: >empty
	make_rootfs rootfs.tar
	head -c 100000 rootfs.tar >cut.tar
	for file in text noise empty cut.tar; do
		fails 1 cairn import $file x
		says "import $file"
	done
	fails 3 cairn import nothing.tar x
	fails 2 cairn import rootfs.tar Upper/Case
	says "lowercase"
	fails 2 cairn import rootfs.tar x@sha256:0000
	equal "$(cairn images -q)" ""
	no_leases
}

@test "import refuses what could not be unpacked" {
	need_root
	mkdir d
	echo x >d/f
	ln d/f d/g
	tar -P --transform 's,^f,../f,' -C d -cf up.tar f
	tar -P --transform 's,^f,a/../f,' -C d -cf across.tar f
	tar -P --transform 'flags=h;s,^f,../f,' --sort=name -C d -cf link.tar f g
	for file in up across link; do
		fails 1 cairn import $file.tar x
		says "the path leads upwards"
	done
	equal "$(cairn images -a -q)" ""
	# all of this means below the root
	tar -P --transform 's,^f,/f,' -C d -cf absolute.tar f
	tar -C d -cf dotted.tar ./f
	for file in absolute dotted; do
		cairn import $file.tar $file
		equal "$(cairn export $file | tar -tf -)" "$(printf './\nf')"
	done
}

@test "import says what it has instead of a tar, and what to do" {
	need xz bzip2
	make_rootfs rootfs.tar
	xz -k rootfs.tar
	fails 1 cairn import rootfs.tar.xz base
	says "compressed by xz"
	says "xz -dc rootfs.tar.xz | cairn import - NAME"
	xz -dc rootfs.tar.xz | cairn import - base
	bzip2 -k rootfs.tar
	fails 1 cairn import - base <rootfs.tar.bz2
	says "bzip2 -dc FILE | cairn import - NAME"
	head -c 2000 /dev/urandom >noise
	fails 1 cairn import noise x
	says "it is no tar"
	: >empty
	fails 1 cairn import empty x
	says "it is empty"
}

@test "an empty tar is an image without files" {
	need_root
	head -c 1024 /dev/zero >two-blocks
	tar -cf record -T /dev/null
	for file in two-blocks record; do
		cairn import $file $file
		equal "$(cairn export $file | tar -tf -)" ./
	done
}

@test "import ends with the stream, or with a signal" {
	make_rootfs rootfs.tar
	fails 1 timeout 60 cairn import - x < <(cat rootfs.tar /dev/zero)
	says "follow the archive's end"
	mkfifo pipe
	(
		cat rootfs.tar
		exec sleep 600
	) >pipe 3>&- &
	writer=$!
	cairn import - x <pipe >said 2>&1 3>&- &
	eventually 60 leased
	kill -TERM $! # what a shell has in the background does not hear SIGINT
	code=0
	wait $! || code=$?
	equal "$code" 143
	kill "$writer" || true # it ends by itself if the reader went before all was written
	equal "$(cairn images -a -q)" ""
	no_leases
}

leased() {
	[ -n "$(ls "$CAIRN_ROOT/leases")" ]
}

@test "images are listed for people and for programs" {
	make_rootfs rootfs.tar
	equal "$(cairn images)" "NAME  ID  PLATFORM  CREATED  SIZE"
	equal "$(cairn images --format json)" "[]"
	cairn import --platform linux/arm64 rootfs.tar team/app:1.0
	cairn import rootfs.tar localhost:5000/x
	run -0 cairn images
	[[ ${lines[2]} =~ ^localhost:5000/x:latest\ +[0-9a-f]{12}\ +linux/ ]]
	[[ ${lines[1]} =~ ^team/app:1.0\ +[0-9a-f]{12}\ +linux/arm64\ +just\ now\ +[0-9.]+\ [kM]B$ ]]
	equal "$(cairn images --format json | jq -r '.[].name')" \
		"$(printf 'team/app:1.0\nlocalhost:5000/x:latest')"
	id=$(id_of team/app:1.0)
	cairn images -q | grep -qx "$(cut -c8-19 <<<"$id")"
	cairn images -q --no-trunc | grep -qx "$id"
}

@test "names are given and taken away" {
	make_rootfs rootfs.tar
	cairn import rootfs.tar base
	cairn tag base a b:2 registry.example.com/c
	equal "$(cairn images --format json | jq -r '.[].name' | sort | tr '\n' ' ')" \
		"a:latest b:2 base:latest registry.example.com/c:latest "
	equal "$(id_of b:2)" "$(id_of base)"
	equal "$(cairn rmi b:2 registry.example.com/c)" "$(printf 'b:2\nregistry.example.com/c:latest')"
	fails 3 cairn inspect b:2
	fails 3 cairn rmi b:2
	run -0 cairn inspect a
}

@test "an image is known by its id and its digest" {
	make_rootfs rootfs.tar
	cairn import rootfs.tar base
	id=$(id_of base)
	digest=$(cairn inspect --format json base | jq -r '.[0].digest')
	short=${id#sha256:}
	for name in "$id" "${short:0:12}" "${short:0:4}" "$digest" "base@$digest" "base:1@$digest"; do
		equal "$(id_of "$name")" "$id"
	done
	fails 3 cairn inspect "${short:0:3}"
	fails 3 cairn inspect "x/y:1@$digest"
	cairn tag "${short:0:12}" again
	fails 1 cairn rmi "${short:0:12}"
	says "2 names"
	equal "$(cairn rmi --force "${short:0:12}" | sort | tr '\n' ' ')" "again:latest base:latest "
	equal "$(cairn images -q)" ""
}

@test "an image for another platform than was asked for is none" {
	need_root
	make_rootfs rootfs.tar
	cairn import --platform linux/s390x rootfs.tar far
	cairn import --platform linux/arm/v6 rootfs.tar arm
	for command in inspect history 'export -o out'; do
		# shellcheck disable=SC2086
		{
			fails 3 cairn $command --platform linux/arm64 far
			says "nothing for linux/arm64, only for linux/s390x"
			[ ! -e out ]
			fails 2 cairn $command --platform neverland far
			says "option --platform: 'neverland' is not a platform"
			run -0 cairn $command --platform s390x far
			run -0 cairn $command far # whatever it is for
			run -0 cairn $command --platform linux/arm/v7 arm # which runs it
			fails 3 cairn $command --platform linux/arm/v5 arm
			rm -f out
		}
	done
	fails 125 cairn run --pull=never --platform linux/arm64 far true
	says "nothing for linux/arm64, only for linux/s390x"
	fails 2 cairn run --platform neverland far true
}

@test "an image without a name is known by its id to every command" {
	need_root
	make_rootfs rootfs.tar
	cairn import rootfs.tar base
	mkdir context
	printf 'FROM base\nRUN echo one >/one\n' >context/Recipe
	id=$(cairn build -q context)
	hex=${id#sha256:}
	for name in "$id" "$hex" "${hex:0:12}" "sha256:${hex:0:5}"; do
		equal "$(id_of "$name")" "$id"
	done
	equal "$(cairn run "$id" cat /one)" one
	run -0 cairn history "${hex:0:12}"
	cairn save -o saved.tar "$id"
	cairn export -o exported.tar "$hex"
	tar -tf exported.tar | grep -qx one
	mkdir second
	printf 'FROM %s\nRUN cat /one >/two\n' "$hex" >second/Recipe
	second=$(cairn build -q second)
	equal "$(cairn run "$second" cat /two)" one
	# only -a shows them, docker's way
	equal "$(cairn images --format json | jq -r '.[].name')" base:latest
	equal "$(cairn images -a --format json | jq -r '.[] | select(.name == null) | .id' | sort)" \
		"$(printf '%s\n' "$id" "$second" | sort)"
	run -0 cairn images --all
	[[ $output =~ \<none\>\ +${hex:0:12}\  ]]
	cairn tag "${hex:0:12}" named
	equal "$(id_of named)" "$id"
	fails 2 cairn images --some
	# without a name, the id is what can be taken away
	equal "$(cairn rmi "${second:7:12}")" "$second"
	fails 3 cairn inspect "$second"
	fails 3 cairn rmi "$second"
	equal "$(cairn rmi "${hex:0:12}")" named:latest
	fails 3 cairn inspect "$id"
	equal "$(cairn images -a --format json | jq -r '.[].name')" base:latest
	python3 "$BATS_TEST_DIRNAME/verify-store.py" "$CAIRN_ROOT" --idle
	# and what was built is found again
	equal "$(cairn build -q context)" "$id"
	run -0 cairn inspect "$id"
}

@test "an image that lost its name to another is still there" {
	make_rootfs rootfs.tar
	cairn import --timestamp 1 rootfs.tar app
	old=$(id_of app)
	cairn import --timestamp 2 rootfs.tar app
	equal "$(cairn images -q | wc -l)" 1
	equal "$(cairn images -aq --no-trunc | sort)" "$(printf '%s\n' "$old" "$(id_of app)" | sort)"
	run -0 cairn inspect "$old"
}

@test "inspect and history show what is there" {
	make_rootfs rootfs.tar
	cairn import rootfs.tar base
	run -0 cairn inspect base
	says "Platform"
	says "$(id_of base)"
	cairn inspect --raw manifest base >manifest
	equal "sha256:$(sha256sum <manifest | cut -d' ' -f1)" \
		"$(cairn inspect --format json base | jq -r '.[0].digest')"
	cairn inspect --raw config base >config
	equal "sha256:$(sha256sum <config | cut -d' ' -f1)" "$(id_of base)"
	run -0 cairn history base
	says "cairn import"
	equal "$(cairn history --format json base | jq -r '.[0].diff_id')" "$(jq -r '.rootfs.diff_ids[0]' config)"
}

@test "export writes the root filesystem as one tar" {
	need_root
	make_rootfs rootfs.tar
	cairn import rootfs.tar base
	cairn export base >out.tar
	cairn export -o again.tar base
	cmp out.tar again.tar
	mkdir out
	tar -C out --numeric-owner -xf out.tar
	diff -r --no-dereference rootfs out
	equal "$(stat -c '%a %u %g' out/tmp)" "1777 0 0"
	fails 3 cairn export nothing
	no_leases
}

# metadata_recipe: every instruction that only describes the image, in ./ctx.
metadata_recipe() {
	mkdir -p ctx
	cat >ctx/Recipe <<-'END'
		FROM scratch
		ENV a=b "c d"=e
		LABEL x=y
		EXPOSE 80 53/udp
		VOLUME /data
		USER someone
		SHELL ["/bin/bash", "-c"]
		STOPSIGNAL SIGQUIT
		HEALTHCHECK --interval=90s --retries=3 CMD curl -f x
		ONBUILD RUN echo "hi"
		ONBUILD COPY a b
		ENTRYPOINT ["it's", "a b"]
		CMD ["c"]
	END
}

@test "inspect shows every setting of an image" {
	need_root
	metadata_recipe
	cairn build -q -t app ctx
	run -0 cairn inspect app
	while IFS= read -r line; do
		grep -qxE "$line" <<<"$output" || { echo "no line '$line':"; echo "$output"; return 1; }
	done <<-'END'
		User +someone
		WorkingDir +/
		Entrypoint +'it'\\''s' 'a b'
		Cmd +c
		Shell +/bin/bash -c
		ExposedPorts +53/udp 80/tcp
		Volumes +/data
		StopSignal +SIGQUIT
		Healthcheck +CMD-SHELL 'curl -f x', interval 1m30s, retries 3
		OnBuild +RUN echo "hi"
		[ ]+COPY a b
		[ ]+a=b
		[ ]+c d=e
		Labels +x=y
	END
}

@test "an image of settings alone has a time, and is the same again" {
	need_root
	metadata_recipe
	before=$(date +%s)
	first=$(cairn build -q -t app ctx)
	created=$(date -d "$(cairn inspect --raw config app | jq -r .created)" +%s)
	[ "$created" -ge "$before" ] && [ "$created" -le "$(date +%s)" ]
	equal "$(cairn build -q -t app ctx)" "$first"
	[ "$(cairn build -q --no-cache -t app ctx)" != "$first" ]
	run -0 cairn images
	says "just now"
	# a time that is no time shows as what it is
	SOURCE_DATE_EPOCH=0 cairn build -q -t app ctx
	run -0 cairn images
	says " 1970-01-01 "
	run -0 cairn history app
	says "1970-01-01  CMD"
}

@test "history has a column of comments only where there is one to read" {
	need_root
	mkdir ctx
	printf 'FROM scratch\nCOPY Recipe /\nCMD ["a"]\n' >ctx/Recipe
	cairn build -q -t app ctx
	run -0 cairn history app
	[[ $output != *COMMENT* && $output != *buildkit.dockerfile* ]]
	equal "$(cairn history --format json app | jq -r '.[0].comment')" buildkit.dockerfile.v0
	need umoci
	cairn save --format oci-dir -o layout app
	umoci config --image layout:app:latest --history.comment "by hand" --config.user x
	cairn load --name changed layout
	run -0 cairn history changed
	says "COMMENT"
	says "by hand"
	[[ $output != *buildkit.dockerfile* ]]
}
