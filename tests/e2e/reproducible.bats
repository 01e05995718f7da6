# tests/e2e/reproducible.bats - the same inputs give the same digest, wherever, whenever and however.

load robust

# make_context DIR ORDER MODE: always the same files, made in this order (sort's options), with a
# umask that is made good later.
make_context() {
	mkdir -p "$1/src/deep/er"
	seq 40 | sort $2 | while read -r i; do echo "file $i" >"$1/src/$i"; done
	for name in b a 'with space' "$(printf 'n\303\244me')"; do echo "$name" >"$1/src/deep/$name"; done
	ln -sfn deep "$1/src/link"
	ln -f "$1/src/1" "$1/src/hard"
	printf '#!/bin/sh\n' >"$1/src/deep/er/run"
	chmod 0755 "$1/src/deep/er/run"
	cat >"$1/Recipe" <<-'END'
		FROM base AS one
		RUN mkdir -p /a/b && for i in 9 3 7 1; do echo $i >/a/$i; done
		RUN ln /a/9 /a/b/nine; ln -s nine /a/b/link; mkfifo /a/pipe; mknod /a/null c 1 3
		FROM base AS two
		WORKDIR /job/here
		COPY src .
		COPY --chown=1000:1000 --chmod=0640 src/1 src/2 /some/
		FROM base
		ARG GREETING=hello
		ENV B=2 A=1
		LABEL z=1 a=2
		COPY --from=two /job /job
		COPY --from=one /a /a
		RUN rm -rf /job/here/deep && mkdir /job/here/deep && echo $GREETING >/job/here/deep/new
		RUN chmod 4755 /bin/busybox; touch -d '2040-01-01 00:00:00' /future; touch -d '1999-01-01 00:00:00' /past
		USER user
		EXPOSE 80 53/udp
		VOLUME /data
		HEALTHCHECK --interval=5s CMD true
		CMD ["sh"]
	END
	find "$1" -type d -exec chmod 0755 {} +
	find "$1" -type f ! -name run -exec chmod 0644 {} +
}

# build_id OPTION... CONTEXT: the manifest digest and the image id.
build_id() {
	timeout 60 cairn build -q --userns host --network none --metadata-file "$BATS_TEST_TMPDIR/meta.json" "$@" >/dev/null
	jq -Sc 'with_entries(select(.key | test("digest")))' "$BATS_TEST_TMPDIR/meta.json"
}

@test "place, order, umask, jobs and time are in no digest" {
	need jq
	import_base
	export SOURCE_DATE_EPOCH=1700000000
	make_context one -n
	want=$(build_id one)
	[[ $want == *sha256:*sha256:* ]]
	equal "$(build_id one)" "$want" # all cached

	# Another store, another directory, another order of files, later.
	sleep 1.1
	export CAIRN_ROOT=$PWD/other
	import_base
	(umask 077 && make_context elsewhere/two -rn)
	equal "$(umask 027 && build_id -j 1 elsewhere/two)" "$want"
	equal "$(umask 077 && build_id -j 8 --no-cache elsewhere/two)" "$want"
	touch -d '2031-02-03' elsewhere/two/src/* elsewhere/two/src
	equal "$(build_id --no-cache elsewhere/two)" "$want"
	equal "$(build_id --no-cache --timestamp 1700000000 elsewhere/two)" "$want"
	equal "$(cd elsewhere/two && build_id --no-cache -f Recipe .)" "$want"
	equal "$(TZ=Pacific/Chatham LC_ALL=C.UTF-8 HOME=/nowhere build_id --no-cache one)" "$want"
	verify_store --idle

	# What is an input is in the digest.
	[ "$(SOURCE_DATE_EPOCH=1700000001 build_id one)" != "$want" ]
	[ "$(build_id --build-arg GREETING=bye one)" != "$want" ]
	chmod 0600 one/src/3
	[ "$(build_id one)" != "$want" ]
}

@test "no time in an image is later than the epoch" {
	import_base
	export SOURCE_DATE_EPOCH=1700000000
	make_context one -n
	build_id -t app one >/dev/null
	cairn export app >app.tar
	late=$(TZ=UTC tar --full-time -tvf app.tar | awk '$4 " " $5 > "2023-11-14 22:13:20"')
	equal "$late" ""
	TZ=UTC tar --full-time -tvf app.tar | grep -q '1999-01-01 00:00:00 .*past$'
	cairn inspect app --format json | grep -oE '"created": *"[^"]*"' | sort -u >created
	cat created
	grep -q '2023-11-14T22:13:20Z' created
	! grep -v -e '2023-11-14T22:13:20Z' -e '1970-01-01' created
}

@test "every compression gives one digest in every store" {
	export SOURCE_DATE_EPOCH=1700000000
	make_context one -n
	make_context two -rn
	for how in none gzip gzip:9 zstd zstd:1; do
		for store in a b; do
			rm -rf "$CAIRN_ROOT"
			import_base
			context=$([ "$store" = a ] && echo one || echo two)
			build_id --compression "$how" -j $([ "$store" = a ] && echo 1 || echo 4) \
				-t app "$context" >"$store"
		done
		equal "$(cat a)" "$(cat b)"
		verify_store --idle
		# The trees are the same, whatever their blobs look like.
		cairn export app | sha256sum >"tree.$how"
		equal "$(cat "tree.$how")" "$(cat tree.none)"
	done
}

@test "every form of archive is the same each time" {
	import_base
	export SOURCE_DATE_EPOCH=1700000000
	make_context one -n
	build_id -t app one >/dev/null
	for form in oci-archive docker-archive; do
		cairn save --format "$form" -o first.tar app
		sleep 1.1
		cairn save --format "$form" -o second.tar app
		cmp first.tar second.tar
		rm first.tar second.tar
	done
	timeout 30 cairn build -q --userns host --network none -o type=tar,dest=a.tar one
	(umask 077 && timeout 30 cairn build -q --userns host --network none --no-cache -o type=tar,dest=b.tar one)
	cmp a.tar b.tar
}

@test "without an epoch an unchanged build is the same image, and times are the only difference" {
	import_base
	make_context one -n
	first=$(build_id one)
	sleep 1.1
	equal "$(build_id one)" "$first"
	touch one/src/1 one/Recipe # times are no input
	equal "$(build_id one)" "$first"
	again=$(build_id --no-cache -t again one)
	[ "$again" != "$first" ]
	cairn export again | tar -tv --full-time -f - | awk '{ print $1, $2, $3, $6, $7, $8 }' >again.list
	build_id -t first one >/dev/null
	cairn export first | tar -tv --full-time -f - | awk '{ print $1, $2, $3, $6, $7, $8 }' >first.list
	cmp first.list again.list
}

# created [OPTION]...: the time of the image that the Recipe in ctx gives.
created() {
	timeout 60 cairn build -q --network none -t epoch "$@" ctx >/dev/null
	cairn inspect --raw config epoch | jq -r .created
}

@test "SOURCE_DATE_EPOCH is a build argument, too" {
	import_base
	mkdir ctx
	printf 'FROM base\nRUN echo a >/a\n' >ctx/Recipe
	local year1970=1970-01-01T00:00:05Z year1980=1980-01-01T00:00:00Z now
	now=$(date +%Y)
	equal "$(created --build-arg SOURCE_DATE_EPOCH=5)" "$year1970"
	# what is said on the command line counts more than the environment, and an option most
	equal "$(SOURCE_DATE_EPOCH=315532800 created --build-arg SOURCE_DATE_EPOCH=5)" "$year1970"
	equal "$(SOURCE_DATE_EPOCH=315532800 created --build-arg SOURCE_DATE_EPOCH)" "$year1980"
	equal "$(created --timestamp 315532800 --build-arg SOURCE_DATE_EPOCH=5)" "$year1980"
	# an empty one, or the time of a directory, is none
	[[ $(SOURCE_DATE_EPOCH=5 created --build-arg SOURCE_DATE_EPOCH=) == "$now"* ]]
	[[ $(created --build-arg SOURCE_DATE_EPOCH=context) == "$now"* ]]
	fails 2 timeout 60 cairn build --build-arg SOURCE_DATE_EPOCH=yesterday ctx
	says "option --build-arg: SOURCE_DATE_EPOCH: 'yesterday'"
}

@test "an ARG before the first FROM may be the epoch, and an ARG in a stage learns it" {
	import_base
	mkdir ctx
	printf 'ARG SOURCE_DATE_EPOCH=5\nFROM base\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH >/a\n' >ctx/Recipe
	equal "$(created)" 1970-01-01T00:00:05Z
	equal "$(cairn run epoch cat /a)" 5
	equal "$(SOURCE_DATE_EPOCH=7 created)" 1970-01-01T00:00:07Z
	equal "$(cairn run epoch cat /a)" 7
	equal "$(created --timestamp 9)" 1970-01-01T00:00:09Z
	equal "$(cairn run epoch cat /a)" 9
	sed -i 's/=5/=five/' ctx/Recipe
	fails 1 timeout 60 cairn build ctx
	says "Recipe: SOURCE_DATE_EPOCH: 'five'"
}
