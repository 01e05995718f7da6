# tests/e2e/squash.bats - many layers as one: of the build, or of the base, too.
#
# The files are what they are without it; umoci judges the whiteouts, buildah the layers.

load robust
load judge

setup_file() {
	judge_open
}

teardown_file() {
	judge_close
}

quiet_build() {
	timeout 100 cairn build -q --network none -t app "$@" . >id
}

config() {
	cairn inspect --raw config app
}

# files: all of the root filesystem, with what it is and how old.
files() {
	cairn export app | tar --utc --full-time --numeric-owner -tv
}

recipe() {
	cat >Recipe <<-'END'
		FROM base
		RUN mkdir -p /a/b /keep && echo 1 >/a/b/one && echo 2 >/a/two && ln /a/two /a/link && chmod 4755 /a/two
		RUN rm /a/b/one && mv /a/b /a/c && echo 3 >/a/c/three && touch -d @1000 /keep
		RUN rm /bin/yes && rm -r /tmp && echo file >/tmp && rm /bin/zcat && mkdir /bin/zcat && touch /bin/zcat/x
		RUN rm /bin/yes && mkdir /bin/yes || mkdir /bin/yes
		LABEL a=b
	END
}

@test "the layers of the build become one, and the files stay as they are" {
	import_base
	need jq umoci skopeo
	recipe
	quiet_build
	files >plain
	history=$(config | jq '.history | length')
	quiet_build --squash
	files | diff plain -
	equal "$(config | jq -c '.rootfs.diff_ids | length')" 2
	equal "$(config | jq -r '.rootfs.diff_ids[0]')" \
		"$(cairn inspect --raw config base | jq -r '.rootfs.diff_ids[0]')"
	equal "$(config | jq '[.history[] | select(.empty_layer | not)] | length')" 2
	equal "$(config | jq '.history | length')" $((history + 1))
	equal "$(config | jq -r '.history[-1].comment')" "4 layers squashed"
	equal "$(config | jq -r .config.Labels.a)" b
	run -0 cairn run app cat /a/c/three /a/link
	equal "$output" "$(printf '3\n2')"
	# what is gone is hidden by whiteouts, and nothing of the first layer is in the second
	cairn save --format oci-dir -o layout app
	layer=$(skopeo inspect --raw oci:layout | jq -r '.layers[1].digest')
	zstd -dcq "layout/blobs/sha256/${layer#sha256:}" | tar -t >names
	grep -qx 'a/two' names
	grep -qx 'bin/yes/' names
	! grep -q 'a/b/one\|busybox\|passwd' names || false
	! grep -q 'wh.yes\|wh.zcat' names || false # another kind takes the place
	quiet_build --squash --compression gzip --force-compression -o type=oci,tar=false,dest=gzip
	skopeo copy -q oci:gzip oci:flat:app
	umoci unpack --image flat:app bundle
	(cd bundle/rootfs && find . -mindepth 1 | sed 's|^./||' | sort) >theirs
	cairn export app | tar -t | sed 's|/$||; /^\.$/d' | sort | diff - theirs
	# the cache knows nothing of it, and the same again is the same
	quiet_build
	files | diff plain -
	timeout 60 cairn build --progress plain --network none --squash -t app . 2>log >again
	! grep -q DONE log || false
	quiet_build --squash
	equal "$(cat again)" "$(cat id)"
	untouched
}

@test "what only is deleted is a layer of whiteouts, and nothing at all is none" {
	import_base
	need jq
	printf 'FROM base\nRUN rm /bin/yes /etc/group\n' >Recipe
	quiet_build --squash
	equal "$(cairn export app | tar -t | grep -c 'bin/yes\|etc/group')" 0
	printf 'FROM base\nRUN touch /x\nRUN rm /x\nLABEL a=b\n' >Recipe
	quiet_build --squash
	cairn export app | tar -t | diff - <(cairn export base | tar -t)
	printf 'FROM base\nLABEL a=b\n' >Recipe
	quiet_build --squash
	equal "$(config | jq -c '.rootfs.diff_ids')" "$(cairn inspect --raw config base | jq -c '.rootfs.diff_ids')"
	# on nothing
	printf 'FROM scratch\nCOPY Recipe /one\nCOPY Recipe /two\n' >Recipe
	quiet_build --squash
	equal "$(cairn export app | tar -t | xargs)" './ one two'
	equal "$(config | jq -c '.rootfs.diff_ids | length')" 1
}

@test "--squash-all takes the base with it, as the judge's --squash" {
	import_base
	need jq
	both_have "$BATS_FILE_TMPDIR/base.tar" base
	import_base # whose time is 0 again
	recipe
	quiet_build
	files >plain
	quiet_build --squash-all --timestamp 1000
	equal "$(config | jq -c '.rootfs.diff_ids | length')" 1
	equal "$(config | jq '[.history[] | select(.empty_layer | not)] | length')" 1
	cairn export app | tar -t | sort | diff - <(sed 's/.* [0-9:]* //; s/ link to .*//; s/ -> .*//' plain | sort)
	judge bud -q --isolation chroot --squash -t app -f Recipe . >/dev/null
	equal "$(judge inspect --type image app | jq '.OCIv1.rootfs.diff_ids | length')" 1
	run -0 cairn run app cat /a/link
	# the same on every machine
	cp id first
	CAIRN_ROOT=$BATS_TEST_TMPDIR/other
	import_base
	quiet_build --squash-all --timestamp 1000
	diff first id
}
