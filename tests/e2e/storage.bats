#!/usr/bin/env bats
# The ladder of storage drivers: the same images by each, and who has to do with less hears why.

load helper
load ordinary

setup_file() {
	[ "$(id -u)" -ne 0 ] || make_user
}

teardown_file() {
	teardown_user
}

teardown() {
	! mountpoint -q "$BATS_TEST_TMPDIR/over" || eventually 60 umount "$BATS_TEST_TMPDIR/over"
}

# What upper directories are made of: deletions, directories made anew, links, attributes, renames.
# (This mv copies a directory that overlayfs does not rename without its attributes: it has none.)
recipe() {
	need busybox setfattr
	mkdir -p fs/{bin,tmp,links,gone,old/sub,group}
	chmod 2755 fs/group
	cp "$(command -v busybox)" fs/bin/busybox
	for name in sh rm mv mkdir chmod ln test true sleep; do ln -sf busybox fs/bin/$name; done
	echo a >fs/old/a
	echo b >fs/old/sub/b
	echo h >fs/links/1
	ln fs/links/1 fs/links/2
	echo g >fs/gone/g
	echo end | dd of=fs/holes bs=1M seek=3 status=none
	echo k >fs/keep
	setfattr -n user.test -v 1 fs/keep
	find fs -exec touch -h -d @1000 {} +
	cat >Recipe <<'END'
FROM scratch
COPY fs /
RUN rm -r /gone /old && mkdir /old && echo new >/old/new && test /links/1 -ef /links/2 && test -s /holes
RUN --mount=type=cache,target=/cache echo c >/cache/f; echo x >/tmp/deep; mkdir -p /a/b/c && echo 1 >/a/b/c/1 && ln /a/b/c/1 /a/same && ln -s x /a/link
RUN echo more >>/tmp/deep && echo more >>/keep && echo x >/group/new && chmod 700 /a && rm /a/link && mkdir /a/link && echo 2 >/a/link/in
COPY fs/old /a/b
RUN rm -rf /a/b/sub && mv /a /b && rm /tmp/deep && mkdir -p /etc && echo y >/etc/new
WORKDIR /w/x
RUN true
RUN --mount=from=scratch,target=/mnt,rw test -f /b/b/a && test ! -e /gone && test /b/b/c/1 -ef /b/same && echo 1 >/mnt/1
END
}

build() {
	SOURCE_DATE_EPOCH=100000 cairn build -q -t x -f Recipe .
}

# drivers: those that this machine can have.
drivers() {
	echo overlay copy
	[ ! -w /dev/fuse ] || ! command -v fuse-overlayfs >/dev/null || echo fuse-overlayfs
}

@test "each driver makes the same image, and cairn run has it" {
	need_root
	recipe
	for driver in $(drivers); do
		export CAIRN_STORAGE_DRIVER=$driver CAIRN_ROOT=$BATS_TEST_TMPDIR/$driver
		id=$(build)
		equal "$id" "${first:=$id}"
		cairn check -q
		equal "$(cairn run --rm x sh -c 'rm /b/same && echo $(echo /b/*)')" "/b/b /b/link"
		printf 'FROM x\nRUN echo 1 >/b/1\nRUN echo 2 >/b/b/2\n' >Squashed
		squashed=$(SOURCE_DATE_EPOCH=100000 cairn build -q --squash -f Squashed .)
		equal "$driver $squashed" "$driver ${one:=$squashed}"
	done
}

@test "of a file of two names the one that stays is in no layer of a copy" {
	need_root
	need busybox
	mkdir -p fs/bin fs/l fs/m
	cp "$(command -v busybox)" fs/bin/busybox
	for name in sh rm mv; do ln -s busybox fs/bin/$name; done
	for name in 1 2 3; do echo $name >fs/l/$name && ln fs/l/$name fs/m/$name; done
	ln -s target fs/l/4 && ln fs/l/4 fs/m/4
	printf '%s\n' 'FROM scratch' 'COPY fs /' 'RUN rm /l/1' 'RUN rm /l/4' 'RUN mv /l/2 /l/new' 'RUN echo x >/y && mv /y /m/3' \
		'RUN echo more >>/m/2' >Recipe
	find fs -exec touch -h -d @1000 {} +
	for driver in overlay copy; do
		export CAIRN_STORAGE_DRIVER=$driver CAIRN_ROOT=$BATS_TEST_TMPDIR/$driver
		id=$(build)
		equal "$driver $id" "$driver ${first:=$id}"
		cairn check -q
	done
}

@test "neither a step nor COPY can make a whiteout of a file of that name" {
	need_root
	mkdir -p fs/{bin,tmp} evil
	cp "$(command -v busybox)" fs/bin/busybox
	for name in sh chmod; do ln -s busybox fs/bin/$name; done
	echo f >fs/f
	touch evil/.wh.f
	chmod 0 evil/.wh.f
	for driver in overlay copy; do
		export CAIRN_STORAGE_DRIVER=$driver CAIRN_ROOT=$BATS_TEST_TMPDIR/$driver
		for line in 'RUN : >/.wh.f && chmod 0 /.wh.f' 'RUN : >/tmp/.wh..wh..opq && chmod 0 /tmp/.wh..wh..opq' \
			'COPY evil /' 'COPY evil/.wh.f /tmp/'; do
			printf '%s\n' 'FROM scratch' 'COPY fs /' "$line" >Recipe
			fails 1 build
			says 'cannot be in a layer: it would be a whiteout there'
		done
	done
}

@test "for an ordinary user, too" {
	need_root
	recipe
	chmod -R a+rX . && chmod a+x "$BATS_TEST_TMPDIR"
	want=$(CAIRN_STORAGE_DRIVER=overlay build)
	# where the device is root's alone the user gets one that is everybody's
	mknod -m 666 fuse c 10 229 2>/dev/null || :
	for driver in $(drivers); do
		export RL_DRIVER=$driver EPOCH=100000
		[ "$driver" != fuse-overlayfs ] || [ -c fuse ] || continue
		got=$(
			export -f user
			unshare -m bash -c '[ ! -c fuse ] || mount --bind fuse /dev/fuse
				user cairn --root "$RL_HOME/store-$RL_DRIVER" --storage-driver "$RL_DRIVER" \
					build -q -t x -f Recipe .'
		)
		equal "$got" "$want"
	done
}

@test "a store on an overlay builds, and why it is slow is told in every kind of output" {
	need_root
	need jq
	recipe
	want=$(build)
	mkdir over lower upper work
	mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work over
	export CAIRN_ROOT=$PWD/over/store
	run -0 --separate-stderr build
	equal "$output" "$want"
	[[ $stderr == *"warning: storage driver "*", which is slower than overlay ("*"--root"* ]]
	# what was found is known from then on, and copies do as well
	grep -q "^overlay no " over/store/cache/storage
	export CAIRN_ROOT=$PWD/over/copied CAIRN_STORAGE_REFUSE=fuse-overlayfs
	cairn build --progress json --no-cache -f Recipe . 2>&1 | grep '^{' >events
	grep 'storage driver copy, which is slower' events | jq -e . >/dev/null
	cairn check -q
	run -0 cairn info
	says "copy, which is slower than overlay"
	says "CAIRN_STORAGE_REFUSE refuses it"
	unset CAIRN_STORAGE_REFUSE
	fails 1 cairn --storage-driver overlay build --no-cache -f Recipe .
	says "--storage-driver auto"
	eventually 60 umount over
}

@test "an answer that may be another one next time is not kept, and nobody waits for a program for ever" {
	need_root
	need fuse-overlayfs
	printf 'FROM scratch\nCOPY Recipe /\nCOPY Recipe /again\n' >Recipe
	mkdir over lower upper work bin
	mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work over
	export CAIRN_ROOT=$PWD/over/store
	printf '#!/bin/sh\necho "no: Cannot allocate memory" >&2\nexit 1\n' >bin/fuse-overlayfs
	chmod +x bin/fuse-overlayfs
	run -0 env PATH="$PWD/bin:$PATH" cairn build --no-cache -f Recipe .
	says "storage driver copy"
	says "fuse-overlayfs: fuse-overlayfs has ended: no: Cannot allocate memory"
	equal "$(sed 1d over/store/cache/storage | cut -d ' ' -f 1,2 | xargs)" "overlay no copy ok"
	run -0 cairn build --no-cache -f Recipe .
	says "storage driver fuse-overlayfs"
	number=$(own_number)
	printf '#!/bin/sh\nexec sleep %s\n' "$number" >bin/fuse-overlayfs
	PATH=$PWD/bin:$PATH cairn build --no-cache -f Recipe . >out 2>&1 3>&- &
	eventually 20 sleeps "$number"
	kill -TERM $!
	wait $! && false || equal $? 143
	sleeps_not "$number"
	eventually 60 umount over
}

@test "what was tried is kept until the machine is another" {
	need_root
	printf 'FROM scratch\nCOPY Recipe /\nCOPY Recipe /again\n' >Recipe
	build
	grep -q '^overlay ok$' store/cache/storage
	sed -i 's/^overlay ok$/overlay no, it is said/; s/no, /no /' store/cache/storage
	echo "copy ok" >>store/cache/storage
	run -0 env CAIRN_STORAGE_REFUSE= cairn build --no-cache -f Recipe .
	[[ $output != *"it is said"* ]] # a variable for tests: nothing is recalled
	run -0 cairn build --no-cache -f Recipe .
	says "slower than overlay (it is said"
	sed -i '1s/ [0-9a-f-]* / another-boot /2' store/cache/storage
	run -0 cairn build --no-cache -f Recipe .
	[[ $output != *"slower"* ]]
	fails 2 cairn --storage-driver zfs images
	says "auto, overlay, fuse-overlayfs or copy"
}

@test "kill -9 leaves no mount and no process" {
	need_root
	recipe
	number=$(own_number)
	printf 'FROM scratch\nCOPY fs /\nRUN sleep %s\n' "$number" >Sleep
	for driver in $(drivers); do
		export CAIRN_STORAGE_DRIVER=$driver CAIRN_ROOT=$BATS_TEST_TMPDIR/$driver
		cairn build -q -f Sleep . 3>&- &
		eventually 20 sleeps "$number"
		kill -9 $!
		wait $! || :
		eventually 20 sleeps_not "$number"
		cairn check -q
		equal "$(grep -c "$BATS_TEST_TMPDIR" /proc/self/mountinfo)" 0
	done
}
