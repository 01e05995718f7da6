# tests/e2e/robust.bash - for tests of what happens when things go wrong.

load helper

# import_base: the image `base`, a busybox with all its applets; made once per file.
import_base() {
	local dir=$BATS_FILE_TMPDIR/base applet
	need_root
	need busybox
	if [ ! -f "$dir.tar" ]; then
		mkdir -p "$dir"/{bin,etc,proc,sys,dev,root,tmp}
		chmod 1777 "$dir/tmp"
		cp "$(command -v busybox)" "$dir/bin/busybox"
		for applet in $(busybox --list); do
			[ "$applet" = busybox ] || ln -s busybox "$dir/bin/$applet"
		done
		printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' \
			>"$dir/etc/passwd"
		printf 'root:x:0:\nuser:x:1000:\n' >"$dir/etc/group"
		tar -C "$dir" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
			-cf "$dir.tar" .
	fi
	SOURCE_DATE_EPOCH=0 cairn import "$dir.tar" base >/dev/null
}

# build_in CONTEXT OPTION...: a build that cannot hang.
build_in() {
	local context=$1
	shift
	timeout 120 cairn build --network none --progress plain "$@" "$context"
}

# verify_store [OPTION]: every law of the store holds; --idle: and nobody uses it.
verify_store() {
	python3 "$BATS_TEST_DIRNAME/verify-store.py" "$CAIRN_ROOT" "$@"
}

# untouched: nothing of a failed build is left in the store.
untouched() {
	verify_store --idle
}

# when_idle COMMAND...: until it works; a build's syncfs goes on for a moment after it.
when_idle() {
	eventually 60 "$@"
}
