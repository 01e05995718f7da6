# tests/e2e/build.bats - what build promises about its base, its outputs and its blobs.

load robust

@test "an output that cannot be written is found before anything runs" {
	import_base
	printf 'FROM base\nRUN echo ran >&2; touch /x\n' >Recipe
	fails 3 cairn build -t app -o type=oci,dest=nowhere/app.tar .
	says "nowhere"
	[[ $output != *ran* ]]
	fails 3 cairn inspect app
}

@test "whatever cannot be written is found before anything runs" {
	import_base
	printf 'FROM base\nRUN touch /x\n' >Recipe
	mkdir dir
	echo old >file
	while IFS='|' read -r code text option; do
		# shellcheck disable=SC2086
		fails "$code" cairn build -t app $option .
		says "$text"
		[[ $output != *RUN* ]]
	done <<-'END'
		1|option --output: dir is a directory|-o type=oci,dest=dir
		1|option --output: dir is a directory|-o type=docker,dest=dir
		1|option --output: dir is a directory|-o type=tar,dest=dir
		3|option --output: absent/: no such directory|-o type=tar,dest=absent/x
		3|option --output: file/: no such directory|-o type=tar,dest=file/x
		2|option --output: it is empty|--output=
		1|directory 'file' cannot be made|-o file
		1|directory 'file/x/y' cannot be made|-o type=local,dest=file/x/y
		2|option --output: type 'zip' is none of: image, registry, oci|-o type=zip,dest=x
		2|option --output: 'to' is none of: type, dest|-o type=tar,to=x
		3|option --iidfile: absent/: no such directory|--iidfile absent/x
		1|option --iidfile: dir is a directory|--iidfile dir
		3|option --metadata-file: absent/: no such directory|--metadata-file absent/x
	END
	fails 3 cairn inspect app
	equal "$(cat file)" old
	equal "$(ls -A dir)" ""
	# a terminal is no place for a tar
	need script
	printf 'FROM base\nRUN echo ran >ran; cat ran\n' >Recipe
	fails 2 script -qec 'cairn build -o - .' /dev/null
	says "standard output is a terminal"
	[[ $output != *ran* ]]
	# what is missing and can be made is made
	run -0 cairn build -q -o type=local,dest=new/dir .
	[ -e new/dir/ran ]
}

@test "two outputs cannot share standard output" {
	printf 'FROM scratch\n' >Recipe
	fails 2 cairn build -o - -o type=oci,dest=- .
	says "share standard output"
}

@test "rows over a base obey the epoch, those of the base stay" {
	import_base
	created=$(cairn inspect --format json base | jq -r '.. | .created? // empty' | head -n 1)
	printf 'FROM base\nENV a=b\nRUN touch /x\nLABEL c=d\n' >Recipe
	run -0 cairn build -q --timestamp 1000 -t app .
	run -0 bash -c "cairn save --format oci-dir -o out app && jq -r .config.digest out/blobs/sha256/\$(jq -r '.manifests[0].digest' out/index.json | cut -d: -f2)"
	config=out/blobs/sha256/${output#sha256:}
	equal "$(jq -r .created "$config")" 1970-01-01T00:16:40Z
	equal "$(jq -r '[.history[] | select(.comment == "buildkit.dockerfile.v0") | .created] | unique[]' "$config")" \
		1970-01-01T00:16:40Z
	equal "$(jq -r '.history[0].created' "$config")" "$created"
}

@test "a compression that is asked for also applies to layers from the cache" {
	import_base
	printf 'FROM base\nRUN touch /x\n' >Recipe
	run -0 cairn build -q -t app .
	run -0 cairn build -q --compression gzip -t app .
	run -0 skopeo inspect --raw "oci:$CAIRN_ROOT:app:latest"
	says 'tar+gzip"'
}

@test "a base whose layer is gone is told before a name is given" {
	import_base
	printf 'FROM base\nENV a=b\n' >Recipe
	layer=$(skopeo inspect --raw "oci:$CAIRN_ROOT:base:latest" | jq -r '.layers[0].digest')
	run -0 cairn build -q -t warm .
	rm "$CAIRN_ROOT/blobs/sha256/${layer#sha256:}"
	printf 'FROM base\nENV a=c\n' >Recipe
	fails 1 cairn build -t app .
	says "$layer"
	says "load or import"
	fails 3 cairn inspect app
}

@test "a recipe may come from a pipe" {
	import_base
	run -0 bash -c "printf 'FROM base\nLABEL a=b\n' | cairn build -q -t app -f - ."
	run -0 bash -c "cairn build -q -t app -f <(printf 'FROM base\nLABEL a=b\n') ."
}

@test "an image without a name is kept, too" {
	import_base
	printf 'FROM base\nRUN touch /x\n' >Recipe
	# What watches for leaks cannot be traced.
	run -0 env ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=fsync,fdatasync -o trace cairn build -q .
	grep -q 'fsync(' trace
}

@test "a stage cannot copy from itself, nor from one that there is not" {
	printf 'FROM scratch AS a\nCOPY --from=a x /\n' >Recipe
	fails 1 cairn build .
	says "cannot copy from itself"
	printf 'FROM scratch AS a\nCOPY --from=7 x /\n' >Recipe
	fails 1 cairn build .
	says "no stage 7"
}

@test "a base may be named by its id, and a digest belongs to its name" {
	import_base
	id=$(cairn images -q --no-trunc | head -n 1)
	digest=$(cairn images --format json | jq -r '.[0].digest')
	for from in "${id#sha256:}" "$(printf %.12s "${id#sha256:}")" "base@$digest"; do
		printf 'FROM %s\nLABEL a=b\n' "$from" >Recipe
		run -0 cairn build -q .
	done
	run -0 cairn run "base@$digest" true
	fails 3 cairn inspect "other@$digest"
	fails 3 cairn inspect "base@$id"
	printf 'FROM Base/UP\nCOPY --from=9 /etc/passwd /\n' >Recipe # names of contexts may be any
	run -0 cairn build -q --build-context Base/UP=docker-image://base --build-context 9=docker-image://base .
	printf 'FROM other@%s\n' "$digest" >Recipe
	fails 3 cairn build --pull=never .
	fails 2 cairn tag base "$id"
	says "would hide an image"
}

@test "an id that is asked for is there, whatever else is put out" {
	import_base
	printf 'FROM base\nRUN touch /x\n' >Recipe
	run -0 cairn build -q --iidfile id --metadata-file meta -o out .
	[ -e out/x ]
	run -0 cairn inspect "$(jq -r '."containerimage.digest"' meta)"
	equal "$(jq -r '."containerimage.config.digest"' meta)" "$(cat id)"
}

@test "an ordinary user builds and runs, alone in a namespace of his own" {
	need_root
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	mkdir -m 777 there
	cp "$(command -v cairn)" there/cairn
	cp /bin/busybox there/busybox
	printf 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox","touch","/made"]\n' >there/Recipe
	as_nobody() {
		(cd there && setpriv --reuid 65534 --regid 65534 --clear-groups \
			env CAIRN_ROOT="$PWD/store" ./cairn "$@")
	}
	as_nobody build -q -t app .
	equal "$(as_nobody run app /bin/busybox stat -c %u:%g /made)" 0:0
}

@test "directories of caches may go" {
	import_base
	echo a >a
	printf 'FROM base\nCOPY a /\nRUN touch /x\n' >Recipe
	rm -rf "$CAIRN_ROOT/contexts" "$CAIRN_ROOT/cache"
	run -0 cairn build -q .
}
