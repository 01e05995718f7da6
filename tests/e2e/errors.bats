# tests/e2e/errors.bats - wrong input gives one clear line, the right exit code, and harms nothing.

load robust

# recipe LINE...: the Recipe in ./context.
recipe() {
	mkdir -p context
	printf '%s\n' "$@" >context/Recipe
}

# refused CODE TEXT OPTION...: the build ends so, its error is one line with this text, and
# nothing is half-written. The first line of the error is in $first.
refused() {
	local want=$1 text=$2
	shift 2
	fails "$want" build_in context "$@"
	first=$(grep -m 1 '^error: ' <<<"$output")
	if [[ $first != *"$text"* ]]; then
		echo "does not begin with '$text':"
		echo "$output"
		return 1
	fi
	untouched
}

# nothing_ran: no step was begun.
nothing_ran() {
	[[ $output != *"#1 "* ]] || { echo "$output"; return 1; }
}

@test "a Recipe that is not there" {
	import_base
	mkdir context
	refused 3 "no Recipe, Containerfile or Dockerfile in 'context'"
	refused 3 "elsewhere: No such file" -f elsewhere
	fails 3 build_in nowhere
	says "nowhere: No such file"
	mkdir context/Recipe
	refused 1 "the Recipe 'Recipe' is a directory"
	refused 1 "the Recipe 'context' is a directory" -f context
	mkfifo context/Containerfile
	rmdir context/Recipe
	refused 1 "Containerfile is not a regular file"
	fails 1 build_in context/Containerfile
	says "the build context 'context/Containerfile' is not a directory: -f names the Recipe"
}

@test "a Recipe that says nothing" {
	import_base
	for text in '' '# a comment' $'\n\n  \n' $'# syntax=docker/dockerfile:1\n#\n'; do
		recipe "$text"
		refused 1 "Recipe: the file holds no instruction"
	done
}

@test "a Recipe that is wrong is refused with its line before anything runs" {
	import_base
	while IFS='|' read -r line text; do
		recipe 'FROM base' 'RUN echo ran' "$line"
		refused 1 "Recipe:3: $text"
		says ">>> $line"
		nothing_ran
	done <<-'END'
		RUM echo|unknown instruction: RUM (did you mean RUN?)
		COYP a b|unknown instruction: COYP (did you mean COPY?)
		COPY --chwon=1 a b|unknown flag: --chwon (did you mean --chown?)
		RUN --netwrok=none true|unknown flag: --netwrok (did you mean --network?)
		SHELL /bin/sh|SHELL requires the JSON form
		SHELL ["/bin/sh", 1]|the JSON form takes strings only
		COPY only|COPY requires
		EXPOSE 99999999|
		STOPSIGNAL SIGNOTHING|
		ENV|ENV requires
		ENV NAME|
		LABEL|LABEL requires
		HEALTHCHECK --interval=xyz CMD true|
		COPY --chmod=9 context /x|
		RUN --network=elsewhere true|--network: 'elsewhere' is none of: default, none, host
		WORKDIR|WORKDIR requires
		ARG|ARG requires
		FROM|FROM requires
	END
}

@test "a JSON form that is not JSON is a shell form, and that is remarked" {
	import_base
	recipe 'FROM base' 'CMD ["a", b]'
	run -0 build_in context
	says "warning"
	says "Recipe:2"
}

@test "a stage that is not there" {
	import_base
	recipe 'FROM base AS build' 'FROM base' 'COPY --from=biuld /a /b'
	refused 3 "Recipe:3: " --pull=never
	says "'biuld'"
	refused 5 "Recipe:3: " --offline
	says "there is no stage 'biuld' either: did you mean 'build'?"
	recipe 'FROM base AS build' 'RUN true'
	refused 2 "option --target: Recipe has no stage 'biuld' (did you mean build?)" --target biuld
	refused 2 "option --target: Recipe has no stage '7'" --target 7
	nothing_ran
}

@test "a file that is not in the context" {
	import_base
	recipe 'FROM base' 'RUN echo ran' 'COPY missing /x'
	refused 3 "Recipe:3: 'missing' is not in the build context"
	says ">>> COPY missing /x"
	nothing_ran
	recipe 'FROM base' 'COPY secret /x'
	echo x >context/secret
	printf '# ignored\nsecret\n' >context/.dockerignore
	refused 3 "Recipe:2: 'secret' is not in the build context"
	says "excluded by line 2 of the ignore file"
	rm context/.dockerignore
	recipe 'FROM base' 'COPY --from=base /missing /x'
	refused 3 "Recipe:2: "
	says "missing"
}

@test "a step that fails says how, where and what it wrote last" {
	import_base
	recipe 'FROM base' 'RUN for i in $(seq 100); do echo line $i; done; exit 7' 'RUN echo after'
	refused 1 "Recipe:2: the command failed with exit code 7"
	says ">>> RUN for i in"
	last=${output#*its last output:}
	[[ $last == *"line 100"* && $last == *"line 90"* && $last != *"line 20"$'\n'* ]]
	[[ $output != *"echo after"$'\n#'* ]]
	log=$(sed -n 's/^the whole of it: //p' <<<"$output")
	equal "$(grep -c '^line' "$log")" 100
	# What the two streams say without a newline stays apart.
	recipe 'FROM base' 'RUN printf "50 %%"; sleep 0.2; echo "no such file" >&2; exit 6'
	refused 1 "Recipe:2: the command failed with exit code 6"
	[[ $output == *"its last output:"$'\n'"no such file"$'\n'"50 %"$'\n'* ]]
	recipe 'FROM base' 'RUN for i in $(seq 100); do echo line $i; done; exit 7' 'RUN echo after'
	# Not kept, so it runs again; and once it works, all is well.
	refused 1 "exit code 7"
	recipe 'FROM base' 'RUN echo good'
	run -0 build_in context
}

@test "a step whose shell is not in the image" {
	import_base
	recipe 'FROM scratch' 'COPY Recipe /' 'RUN true'
	refused 1 "Recipe:3: cannot execute '/bin/sh' in the image: No such file or directory (exit code 127)"
	recipe 'FROM base' 'RUN ["/etc/passwd"]'
	refused 1 "cannot execute '/etc/passwd' in the image: Permission denied (exit code 126)"
	recipe 'FROM base' 'RUN nosuchprogram'
	refused 1 "exit code 127"
}

@test "a user that is not in the image" {
	import_base
	recipe 'FROM base' 'USER nobody' 'RUN true'
	refused 3 "Recipe:3: the image has no user 'nobody'"
	recipe 'FROM base' 'USER 4294967296' 'RUN true'
	fails 1 build_in context
	untouched
}

@test "variables that are not set make nobody root" {
	import_base
	recipe 'FROM base' 'ARG NAME' 'ARG GROUP' 'USER $NAME:$GROUP' 'RUN echo ran'
	refused 1 "Recipe:4: '\$NAME:\$GROUP' names neither a user nor a group"
	nothing_ran
}

@test "an image that is not in the store" {
	import_base
	recipe 'FROM nothing'
	refused 3 "Recipe:1: image 'nothing': no image 'nothing' in the store" --pull=never
	says "'cairn images' lists what there is"
	recipe 'FROM base' 'COPY --from=registry.example.com/a/b:1 /a /b'
	refused 3 "no image 'registry.example.com/a/b:1' in the store" --pull=never
	fails 125 cairn run --pull never nothing # its own codes, apart from those of the command
	fails 3 cairn save -o x nothing
	fails 3 cairn export nothing
}

@test "a wrong option is exit code 2 and touches nothing" {
	import_base
	recipe 'FROM base'
	while read -r option; do
		# shellcheck disable=SC2086
		refused 2 "option" $option
		nothing_ran
	done <<-'END'
		--targte x
		-j 0
		-j x
		-t A!B
		--compression xz
		--compression none:1
		--platform a/b/c/d/e
		--timestamp -5
		--label =x
		--build-arg =x
		-o type=foo,dest=x
		--progress fancy
		--network br0
	END
	SOURCE_DATE_EPOCH=yesterday refused 2 "SOURCE_DATE_EPOCH"
}

@test "links that lead out of the context are not followed" {
	import_base
	echo 'FROM base' >outside
	mkdir context
	ln -s ../outside context/Recipe
	refused 1 "Recipe, which leads out of its directory"
	run -0 build_in context -f context/Recipe # what the user names is the user's choice
	rm context/Recipe
	recipe 'FROM base' 'COPY . /all'
	ln -s ../outside context/.dockerignore
	refused 1 ".dockerignore, which leads out of its directory"
	rm context/.dockerignore
	ln -s ../outside context/link
	ln -s / context/root
	recipe 'FROM base' 'COPY link /x'
	refused 3 "'link' is a symbolic link to '../outside', which is not in the build context"
	says "links are followed within the build context alone"
	ln -s nowhere context/dangling
	recipe 'FROM base' 'COPY dangling/x /x'
	refused 3 "'dangling' is a symbolic link to 'nowhere', which is not in the build context"
	[[ $output != *"links are followed"* ]]
	rm context/dangling
	recipe 'FROM base' 'COPY root/etc/passwd /x'
	refused 3 "is not in the build context"
	recipe 'FROM base' 'COPY ../outside /x'
	refused 3 "is not in the build context"
	recipe 'FROM base' 'COPY . /all' 'RUN test -L /all/link && test -L /all/root'
	run -0 build_in context
}

@test "a fifo or a socket never holds a build up" {
	import_base
	recipe 'FROM base' 'COPY . /all' 'RUN test -p /all/pipe'
	mkfifo context/pipe
	run -0 build_in context
	mkfifo context/.dockerignore
	refused 1 ".dockerignore is not a regular file"
	rm context/.dockerignore context/Recipe
	mkfifo context/Recipe
	refused 1 "Recipe" # nobody writes it, so there is nothing in it
}

# raw: the bytes of the last output that a terminal would obey.
raw() {
	tr -d '\n\t\040-\176\200-\377' <<<"$output" | od -An -c
	LC_ALL=C grep -n $'\302[\200-\237]' <<<"$output"
}

@test "what a step or a name says does not reach the terminal raw" {
	import_base
	recipe 'FROM base' \
		'RUN printf "a\033]0;title\007b \033[31mred\033[0m \302\233 32m c\rd \000 \377\n"; exit 4' \
		$'RUN echo \033[2J' $'LABEL a=\033[2Jb'
	fails 1 build_in context
	equal "$(raw)" ""
	says "exit code 4"
	[[ ${output#*its last output:} == *red* ]]
	name=$(printf 'a\033]31mb\001\177')
	echo x >"context/$name"
	recipe 'FROM base' 'COPY a* /names/' 'RUN ls /names; false'
	fails 1 build_in context
	equal "$(raw)" ""
	recipe 'FROM base' "COPY missing$name /x"
	fails 3 build_in context
	equal "$(raw)" ""
	recipe "FROM base AS x" "RUM $name" $'RUN \033[31m'
	fails 1 build_in context
	equal "$(raw)" ""
	fails 1 build_in context --target "$name"
	equal "$(raw)" ""
	fails 3 build_in "$name"
	equal "$(raw)" ""
	fails 3 build_in context -f "gone$name"
	equal "$(raw)" ""
	untouched
}

# ---- disks and stores ----

# small_disk MEGABYTES: a file system with so much space at ./disk, and the store on it.
small_disk() {
	need_root
	need mkfs.ext4
	truncate -s "$1M" disk.img
	mkfs.ext4 -q -m 0 disk.img
	mkdir disk
	mount -o loop disk.img disk 2>/dev/null || skip "no loop mounts"
	export CAIRN_ROOT=$PWD/disk/store
}

teardown() {
	if mountpoint -q "$BATS_TEST_TMPDIR/disk"; then when_idle umount "$BATS_TEST_TMPDIR/disk"; fi
}

@test "a full disk ends a build with a word about space, and harms nothing" {
	small_disk 24
	import_base
	recipe 'FROM base' 'RUN echo before >/before' 'RUN head -c 40000000 /dev/urandom >/big'
	refused 1 "Recipe:3: "
	says "the disk is full ("
	says "'cairn prune --all'"
	# A COPY, whose bytes the builder writes itself, and a blob that does not fit.
	head -c 40000000 /dev/urandom >context/big
	recipe 'FROM base' 'COPY big /big'
	refused 1 "No space left on device"
	says "the disk is full: 'cairn prune --all'"
	head -c 10000000 /dev/urandom >context/big
	refused 1 "No space left on device"
	# With space again the same build succeeds, from where it stood.
	head -c 1000 /dev/urandom >context/big
	recipe 'FROM base' 'RUN echo before >/before' 'COPY big /big'
	run -0 build_in context -t app
	says "CACHED"
	equal "$(cairn run --network none app cat /before)" before
	verify_store --idle
}

# fill_up: not one more byte fits on the small disk, nor one more file's name.
fill_up() {
	(dd if=/dev/zero of=disk/fill bs=4k; for i in $(seq 400); do echo >"disk/store/fill-$i"; done) 2>/dev/null || true
	dd if=/dev/zero of=disk/fill2 bs=1 count=100000 2>/dev/null || true
}

@test "what is there can be read on a full disk, and the remedy that is told works" {
	small_disk 24
	import_base
	recipe 'FROM base' 'RUN echo built >/built'
	run -0 build_in context -t app
	cairn save -o app.tar app && cairn prune --all && rm -rf "$CAIRN_ROOT"
	run -0 cairn load app.tar # its layers came as blobs: a check unpacks them once more
	recipe 'FROM app' 'RUN head -c 3000000 /dev/urandom >/big'
	run -0 build_in context
	fill_up
	fails 1 cairn load app.tar --name other
	says "'cairn prune --all'"
	run -0 --separate-stderr cairn images
	equal "$stderr" ""
	says "app:latest  "
	run -0 --separate-stderr cairn inspect app
	equal "$stderr" ""
	run -0 cairn save -o again.tar app
	cmp app.tar again.tar
	fails 1 cairn check
	says "could not be checked: unpack its blob"
	says ": No space left on device (layers/"
	[[ $output == *"0 wrong, 0 repaired, "[12]" could not be checked" ]]
	# One that is wrong is told beside it.
	step=$(find "$CAIRN_ROOT/steps" -type f | head -1)
	tr a-z b-za <"$step" >step && cp step "$step"
	fails 1 cairn check --repair
	says "repaired: step $(basename "$step")"
	says "could not be checked"
	run -0 cairn prune --all
	run -0 cairn check
}

@test "a disk that was full while many steps ran holds no wrong layer" {
	small_disk 12
	import_base
	recipe 'FROM base'
	for i in $(seq 20); do echo "RUN head -c 900000 /dev/urandom >/$i" >>context/Recipe; done
	refused 1 "Recipe:"
	says "the disk is full"
	recipe 'FROM base' 'RUN echo fits >/small'
	rm -rf "$CAIRN_ROOT"/builds/*
	run build_in context -t app
	verify_store
}

@test "a store that cannot be written says so, and its images can be read" {
	small_disk 24
	import_base
	recipe 'FROM base' 'RUN echo built >/built'
	run -0 build_in context -t app
	when_idle mount -o remount,ro disk
	run timeout 20 cairn run --network none app cat /built
	[[ $output == built || $output == *"Read-only file system"* ]]
	run -0 cairn images
	says app
	run -0 cairn inspect app
	run -0 cairn history app
	recipe 'FROM base' 'RUN echo other >/other'
	fails 1 build_in context
	says "store $CAIRN_ROOT: take a lease: "
	says "Read-only file system"
	fails 1 cairn tag app more
	says "Read-only file system"
	fails 1 cairn rmi app
	says "Read-only file system"
	CAIRN_ROOT=$PWD/disk/new fails 1 cairn images
	says "Read-only file system"
	mount -o remount,rw disk
	verify_store --idle
}

# damage FILE: other bytes, same length.
damage() {
	local size
	size=$(stat -c %s "$1")
	head -c "$size" /dev/zero >"$1.new"
	chmod --reference="$1" "$1.new"
	mv "$1.new" "$1"
}

@test "a damaged step record, layer record or cache file is a cache miss" {
	import_base
	recipe 'FROM base' 'RUN echo one >/one' 'COPY Recipe /two' 'RUN cat /one /two >/three'
	export SOURCE_DATE_EPOCH=1700000000
	build_in context -t app --iidfile want
	for kind in steps layers/*/meta 'diffs' 'contexts' 'cache'; do
		for how in damage 'truncate -s 0' 'truncate -s 20' 'rm'; do
			for file in $(find "$CAIRN_ROOT"/${kind%%/*} -path "*${kind##*/}*" -type f | head -n 3); do
				$how "$file"
			done
			run -0 build_in context -t app --iidfile got
			equal "$(cat want)" "$(cat got)"
			equal "$(cairn run --network none app cat /one)" one
			verify_store --idle --damaged
		done
	done
}

@test "a damaged blob of a base image is named, with what to do" {
	import_base
	recipe 'FROM base' 'RUN echo one >/one'
	config=$(cairn inspect base --format json | jq -r '.[0].id')
	damage "$CAIRN_ROOT/blobs/sha256/${config#sha256:}"
	fails 1 build_in context
	says "${config#sha256:}"
	fails 1 cairn save --format oci-archive -o out.tar base
	[ ! -e out.tar ]
	import_base # the remedy
	run -0 build_in context
	verify_store --idle
}

# layer_of IMAGE: the file of its last layer's blob.
layer_of() {
	local digest
	digest=$(cairn inspect "$1" --format json | jq -r '.[0].layers[-1].digest')
	echo "$CAIRN_ROOT/blobs/sha256/${digest#sha256:}"
}

@test "a damaged blob of a layer is not handed on, and an unchanged build mends it" {
	need jq
	import_base
	export SOURCE_DATE_EPOCH=1700000000
	recipe 'FROM base' 'RUN for i in $(seq 40); do seq 10000; done >/numbers'
	build_in context -t app --compression none
	layer=$(layer_of app)
	[ "$(stat -c %s "$layer")" -gt 1048576 ] # smaller ones are compared when they are written again
	cairn save --format oci-archive -o good.tar app
	for form in oci-archive docker-archive oci-dir; do
		damage "$layer"
		fails 1 cairn save --format "$form" -o out app
		says "$(basename "$layer")"
		says "damaged"
		says "again"
		[ ! -e out ]
		run -0 build_in context -t app --compression none
		says "CACHED"
		verify_store --idle
		run -0 cairn save --format "$form" -o out app
		rm -r out
	done
	# Likewise one that is cut short or gone, without anybody having looked.
	for how in 'truncate -s 1000' 'truncate -s 0' rm; do
		$how "$layer"
		run -0 build_in context -t app --compression none
		says "CACHED"
		verify_store --idle
	done
	# What came with an archive comes again with it.
	damage "$layer"
	fails 1 cairn save --format oci-archive -o out app
	run -0 cairn load good.tar
	verify_store --idle
}

@test "a damaged blob is not unpacked" {
	need jq
	import_base
	SOURCE_DATE_EPOCH=0 cairn import --compression none "$BATS_FILE_TMPDIR/base.tar" plain
	# shellcheck disable=SC2115
	rm -rf "$CAIRN_ROOT"/layers/* "$CAIRN_ROOT"/diffs/* # the trees can be made again from the blobs
	run -0 cairn run --network none plain true
	rm -rf "$CAIRN_ROOT"/layers/* "$CAIRN_ROOT"/diffs/*
	damage "$(layer_of plain)"
	recipe 'FROM plain' 'RUN true'
	fails 1 build_in context
	says "damaged"
	says "again"
	[ -z "$(ls "$CAIRN_ROOT/layers")" ]
	SOURCE_DATE_EPOCH=0 cairn import --compression none "$BATS_FILE_TMPDIR/base.tar" plain
	run -0 build_in context
	verify_store --idle
}

@test "damaged names and another format of the store are told" {
	import_base
	echo x >"$CAIRN_ROOT/index.json" # nothing of ours reads it
	cairn tag base again
	verify_store --idle
	echo x >"$CAIRN_ROOT"/refs/*again*
	run -0 cairn images
	says "again%3alatest is damaged"
	cairn tag base again
	verify_store --idle
	cp "$CAIRN_ROOT/store.json" good
	for text in '{"format":2,"features":[]}' '{"format":1,"features":["unheard-of"]}'; do
		echo "$text" >"$CAIRN_ROOT/store.json"
		fails 1 cairn images
		says "a newer cairn"
	done
	cp good "$CAIRN_ROOT/store.json"
}
