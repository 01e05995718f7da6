#!/usr/bin/env bats
# Storage drivers on many file systems: the same image everywhere, and files that share their data where they can.
# Behind `make storage`, as root: it makes and mounts file systems.

load ../e2e/helper

teardown() {
	local at
	for at in "$BATS_TEST_TMPDIR"/at/*; do
		! mountpoint -q "$at" || umount "$at" || umount -l "$at"
	done
}

# recipe [TREES]: so many directories with files of all kinds, changed by steps in every way.
recipe() {
	local i
	need busybox
	mkdir -p at fs/bin
	cp "$(command -v busybox)" fs/bin/busybox
	for name in sh rm mv mkdir chmod ln touch test cp; do ln -sf busybox fs/bin/$name; done
	for i in $(seq "${1:-4}"); do
		mkdir -p fs/t$i/a/b/c fs/t$i/d
		for name in f a/f a/b/f a/b/c/f d/f; do echo "$i$name" >fs/t$i/$name; done
		ln fs/t$i/f fs/t$i/linked
		ln -s f fs/t$i/symbolic
		head -c 300000 /dev/urandom >fs/t$i/large
		echo end | dd of=fs/t$i/holes bs=1M seek=5 status=none
	done
	find fs -exec touch -h -d @1000 {} +
	{
		echo 'FROM scratch'
		echo 'COPY fs /'
		for i in $(seq "${1:-4}"); do
			echo "RUN rm -r /t$i/d && mkdir /t$i/d && echo n >/t$i/d/n && ln /t$i/d/n /t$i/d/m && rm /t$i/symbolic && mkdir /t$i/symbolic"
			echo "RUN echo x >>/t$i/a/b/c/f && chmod 600 /t$i/a/f && rm /t$i/a/b/f && chmod 700 /t$i/a && echo x >>/t$i/large"
			echo "RUN rm -r /t$i/a && mkdir -p /t$i/a/b && echo f >/t$i/a/b/new && cp /t$i/holes /t$i/more"
			echo "RUN rm -r /t$i/symbolic /t$i/d && ln -s f /t$i/symbolic"
		done
	} >Recipe
}

build() {
	SOURCE_DATE_EPOCH=100000 cairn build -q -t x -f Recipe .
}

# make_disk TYPE OPTION...: mounted at at/TYPE.
make_disk() {
	local type=$1
	shift
	need "mkfs.$type"
	truncate -s 400M "$type.img"
	"mkfs.$type" -q "$@" "$type.img" 2>/dev/null
	mkdir at/"$type"
	mount -o loop "$type.img" at/"$type"
}

# each_driver DIR DRIVER...: the same image by each of them, in stores below a directory.
each_driver() {
	local dir=$1 driver
	shift
	for driver; do
		export CAIRN_ROOT=$dir/$driver CAIRN_STORAGE_DRIVER=$driver
		equal "$driver $(build)" "$driver $want"
		cairn check -q
	done
	unset CAIRN_STORAGE_DRIVER
}

@test "on ext4, xfs and tmpfs all drivers make the same image" {
	need_root
	need fuse-overlayfs
	recipe 2
	want=$(build)
	make_disk ext4
	make_disk xfs -m reflink=1
	mkdir at/tmpfs
	mount -t tmpfs tmpfs at/tmpfs
	for dir in ext4 xfs tmpfs; do
		each_driver "$PWD/at/$dir" overlay fuse-overlayfs copy auto
	done
}

@test "on an overlay and without attributes what works makes it" {
	need_root
	need fuse-overlayfs
	recipe 2
	want=$(build)
	mkdir lower upper work at/over at/ram at/fuse
	mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work at/over
	mount -t ramfs ramfs at/ram
	each_driver "$PWD/at/over" fuse-overlayfs copy auto
	each_driver "$PWD/at/ram" copy auto # the program keeps in attributes what it has copied
	fails 1 env CAIRN_ROOT="$PWD/at/over/no" cairn --storage-driver overlay build -q -f Recipe .
	mkdir upper2 work2
	fuse-overlayfs -o lowerdir=lower,upperdir=upper2,workdir=work2 at/fuse
	# the program hides what whiteouts are made of: that is said, and what helps
	run -1 env CAIRN_ROOT="$PWD/at/fuse/store" cairn build -q -f Recipe .
	says "no storage driver works here"
	says "is hidden by the file system of the store, as by a mount of fuse-overlayfs"
	says "--root"
	run -1 env CAIRN_ROOT="$PWD/at/fuse/store" cairn --storage-driver copy build -q -f Recipe .
	says "is hidden by the file system of the store, as by a mount of fuse-overlayfs"
	says "--root"
}

@test "copies share their data on xfs" {
	need_root
	need filefrag
	recipe 1
	make_disk xfs -m reflink=1
	export CAIRN_ROOT=$PWD/at/xfs/store CAIRN_STORAGE_DRIVER=copy
	number=$(own_number)
	ln -s busybox fs/bin/sleep
	printf 'FROM scratch\nCOPY fs /\nRUN sleep %s\n' "$number" >Sleep
	cairn build -q -f Sleep . 3>&- &
	eventually 20 sleeps "$number"
	file=$(find "$CAIRN_ROOT/tmp" -path '*/tree/t1/large')
	run -0 filefrag -v "$file"
	says shared
	file=$(find "$CAIRN_ROOT/tmp" -path '*/tree/t1/holes')
	[ "$(stat -c %b "$file")" -lt 2048 ]
	kill -9 $!
	wait $! || :
	eventually 20 sleeps_not "$number"
	run -0 cairn info
	says "reflink"
}

@test "with one id alone all drivers make what root makes" {
	need_root
	need fuse-overlayfs
	recipe 1
	want=$(build)
	mkdir -m 777 there
	chmod -R a+rX . && chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR"
	cp "$(command -v cairn)" there/cairn
	mknod -m 666 fuse c 10 229
	for driver in overlay copy fuse-overlayfs; do
		got=$(unshare -m sh -c "mount --bind fuse /dev/fuse && exec setpriv --reuid 65534 --regid 65534 --clear-groups \
			env SOURCE_DATE_EPOCH=100000 there/cairn --root there/$driver --storage-driver $driver build -q -f Recipe .")
		equal "$driver $got" "$driver $want"
	done
}
