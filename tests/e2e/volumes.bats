#!/usr/bin/env bats
# What `cairn run` mounts, and volumes that stay.
# shellcheck disable=SC2154

load helper

setup_file() {
	need_root
	export VOLUMES_ROOT=$BATS_FILE_TMPDIR/store
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_rootfs "$BATS_FILE_TMPDIR/plain.tar"
	mkdir "$BATS_FILE_TMPDIR/more" && tar -C "$BATS_FILE_TMPDIR/more" -xf "$BATS_FILE_TMPDIR/plain.tar"
	(
		cd "$BATS_FILE_TMPDIR/more" || exit 1
		for name in touch stat mkdir rm ps; do ln -sf busybox "bin/$name"; done
		mkdir -m 750 var && mkdir var/data && echo kept >var/data/file && chown 33:44 var/data var/data/file
		ln -s data var/link
		tar --sort=name --numeric-owner -cf "$BATS_FILE_TMPDIR/base.tar" .
	)
	cairn --root "$VOLUMES_ROOT" import "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
}

setup() {
	need_root
	export CAIRN_ROOT=$VOLUMES_ROOT NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "a directory and a file of the machine, to write to or not" {
	mkdir d && echo in >d/f && echo one >one
	equal "$(cairn run -v "$PWD/d:/not/there" -v "$PWD/one:/bin/single:ro" base sh -c \
		'cat /not/there/f /bin/single; echo back >/not/there/g; echo no >/bin/single || echo refused' 2>/dev/null)" \
		"$(printf 'in\none\nrefused')"
	equal "$(cat d/g one)" "$(printf 'back\none')"
	fails 1 cairn run --mount "type=bind,src=$PWD/d,dst=/x,readonly" base touch /x/y
	says "Read-only"
}

@test "a volume begins with what the image has, owners too, and stays" {
	cairn run -v first:/var/data base sh -c 'echo more >>/var/data/file; touch /var/data/new'
	equal "$(cairn run -v first:/elsewhere base sh -c 'stat -c %u:%g /elsewhere /elsewhere/file; cat /elsewhere/file; ls /elsewhere')" \
		"$(printf '33:44\n33:44\nkept\nmore\nfile\nnew')"
	equal "$(cairn run base ls /var/data)" file
	equal "$(cairn run -v empty:/var/data:nocopy base ls /var/data)" ""
	equal "$(cairn volume ls -q)" "$(printf 'empty\nfirst')"
	equal "$(cairn volume ls --format json | jq -c 'map([.name, .in_use])')" '[["empty",false],["first",false]]'
	cairn volume rm first empty
	equal "$(cairn volume ls -q)" ""
	fails 3 cairn volume rm first
	says "there is no volume 'first'"
}

@test "a volume without a name begins with what the image has, and does not stay" {
	equal "$(cairn run -v /var/data -v /not/there base sh -c \
		'stat -c %u:%g:%a /var/data /var/data/file; echo more >>/var/data/file; cat /var/data/file; ls /not/there')" \
		"$(printf '33:44:755\n33:44:644\nkept\nmore')"
	equal "$(cairn run --mount type=volume,target=/var/data,ro base sh -c 'cat /var/data/file; touch /var/data/x || echo fixed' 2>/dev/null)" \
		"$(printf 'kept\nfixed')"
	equal "$(cairn volume ls -q)" ""
}

@test "a volume that is in use is not deleted" {
	mkfifo go
	# it ends when the pipe does
	cairn run -i -v busy:/b base sh -c 'touch /b/here; cat' <go >/dev/null 3>&- &
	exec 9>go
	eventually 60 test -e "$CAIRN_ROOT/volumes/busy/fs/here"
	fails 1 cairn volume rm busy
	says "volume 'busy' is in use"
	# two at once are fine
	cairn run -v busy:/b base rm /b/here
	exec 9>&-
	wait "$!"
	cairn volume rm busy
}

@test "memory, one mount in another, and nothing else to write to" {
	mkdir outer && echo o >outer/o
	equal "$(cairn run --read-only --tmpfs /t:size=1m,mode=700 --tmpfs /t/ro:ro -v "$PWD/outer:/t/in" base sh -c \
		'stat -c %a /t; touch /t/x && cat /t/in/o; touch /t/ro/x 2>/dev/null || echo fixed; touch /y 2>/dev/null || echo fixed; head -c 2000000 /dev/zero >/t/big 2>/dev/null || echo full')" \
		"$(printf '700\no\nfixed\nfixed\nfull')"
}

@test "memory takes the options that others give it" {
	equal "$(cairn run --tmpfs /t:rw,noexec,nosuid,nodev,size=65536k,mode=1770,uid=7,gid=8,nr_inodes=99 base sh -c \
		'stat -c "%a %u %g" /t; cp /bin/busybox /t/true; /t/true 2>/dev/null || echo $?; grep -o "nr_inodes=[0-9]*" /proc/mounts | tail -1')" \
		"$(printf '1770 7 8\n126\nnr_inodes=99')"
}

@test "a link of the image leads to its own files, never to the machine's" {
	mkdir d && touch d/mine
	equal "$(cairn run -v "$PWD/d:/var/link" base ls /var/data)" mine
	fails 125 cairn run -v "$PWD/none:/x" base true
	says "is not there"
}

@test "what cannot be read is refused, and says which word" {
	for words in \
		"-v rel/path:|is no absolute path" "-v a:b|'b' is no absolute path" "-v a:/|below '/'" \
		"-v .x:/y|neither a path" "-v a:/y:wo|'wo' is none of: ro, rw" "-v a:/y -v b:/y|two things for '/y'" \
		"--mount type=bind,target=/x|source= is missing" "--mount type=zip,target=/x|none of: bind, volume, tmpfs" \
		"--mount source=a|target= is missing" "--mount type=tmpfs,source=a,target=/x|a tmpfs has no source" \
		"--mount target=/x,colour=red|'colour' is none of" "--tmpfs /x:mode=9|no octal number" \
		"--tmpfs /x:size=much|much"; do
		# shellcheck disable=SC2086 # words
		fails 2 cairn run ${words%%|*} base true
		says "${words#*|}"
	done
	fails 2 cairn volume prune
	fails 2 cairn volume rm
	fails 2 cairn volume rm first ../steps
	says "'../steps' is no name of a volume"
	fails 2 cairn volume ls x
}

@test "an init hands on signals, and its code is the command's" {
	equal "$(cairn run --init base sh -c 'cat /proc/1/comm; exit 0')" init
	fails 7 cairn run --init base sh -c 'exit 7'
	fails 127 cairn run --init base /no/such/program
	number=$(own_number)
	cairn run --init base sleep "$number" 3>&- &
	eventually 60 sleeps "$number"
	kill -TERM "$!"
	code=0
	wait "$!" || code=$?
	equal "$code" 143
}
