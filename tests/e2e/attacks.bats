# tests/e2e/attacks.bats - what other builders have fallen to, and no other file tries: see CVES.md.
# shellcheck disable=SC2154 # bats sets status and output

load robust

recipe() {
	mkdir -p context
	cat >context/Recipe
}

setup() {
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1
	unset SOURCE_DATE_EPOCH
	cd "$BATS_TEST_TMPDIR" || return 1
	import_base
	mkdir canary
	echo alive >canary/file
	CANARY=$BATS_TEST_TMPDIR/canary
}

unharmed() {
	equal "$(cd canary && find . -printf '%p %y %m %n\n' | sort && cat file)" \
		$'. d 755 2\n./file f 644 1\nalive'
}

# B03: what takes a mount point away again may not follow a link there. Nothing takes ours away.
@test "a mount point that a step replaces by a link does nothing outside" {
	recipe <<-EOF
		FROM base
		RUN --mount=type=tmpfs,target=/a/b --mount=type=cache,target=/a/file \\
			mv /a /z; ln -s $CANARY /a; true
		RUN mkdir -p /d && ln -s $CANARY /d/out
		RUN --mount=type=tmpfs,target=/d/out/new --mount=type=bind,target=/d/out/file,source=Recipe true
	EOF
	build_in context || true
	unharmed
	verify_store --idle
}

# S05: a /proc or /sys of the image itself is covered, and never asked for anything.
@test "an image with a /proc of its own deceives nobody" {
	mkdir -p context/tree/proc/self/attr context/tree/proc/self/fd context/tree/proc/sys/kernel context/tree/sys/fs
	for file in self/attr/exec self/attr/current self/mountinfo self/uid_map self/setgroups sys/kernel/core_pattern keys; do
		mkdir -p "context/tree/proc/$(dirname $file)"
		echo false >"context/tree/proc/$file"
	done
	ln -s "$CANARY/file" context/tree/proc/self/exe
	recipe <<-'EOF'
		FROM base
		COPY tree /
		RUN ! grep -r false /proc/self/mountinfo /proc/keys /proc/sys/kernel/core_pattern; \
			grep -q ' /proc .* proc ' /proc/self/mountinfo && [ "$(readlink /proc/self/exe)" = /bin/busybox ] && \
			grep CapEff /proc/self/status
	EOF
	run -0 build_in context -t app
	says 00000000a80425fb
	[ "$(cairn export app | tar -xOf - proc/self/mountinfo)" = false ] # it was not written to
	unharmed
}

# L07: what decompresses is in the program; nothing of the image is run for it.
@test "no decompressor of an image is run" {
	mkdir -p context/bin
	for name in gzip unpigz pigz xz unxz zstd bzip2 tar git; do
		printf '#!/bin/sh\necho run >>/harm\necho run >>%s/file\n' "$CANARY" >context/bin/$name
		chmod 755 context/bin/$name
	done
	echo contents >file
	for packer in gzip xz zstd bzip2; do
		tar -c file | $packer -c >"context/$packer.tar"
	done
	recipe <<-'EOF'
		FROM base
		COPY bin /bin
		COPY bin /usr/bin
		ADD gzip.tar /gzip/
		ADD xz.tar /xz/
		ADD zstd.tar /zstd/
		ADD bzip2.tar /bzip2/
		RUN [ "$(cat /gzip/file /xz/file /zstd/file /bzip2/file | wc -l)" = 4 ] && [ ! -e /harm ]
	EOF
	(cd context && build_in .)
	unharmed
}

# The container's own labels and settings are data: what other tools let reach a logger or a shell.
@test "labels, names and variables of an image run nothing" {
	recipe <<-EOF
		FROM base
		LABEL run="\$(touch $CANARY/run)" io.containers.hook="touch $CANARY/hook" "a;touch $CANARY/x"=y
		ENV LD_PRELOAD=/evil.so GCONV_PATH=/evil LOCPATH=/evil BASH_ENV=/evil NSS=/evil GIT_SSH_COMMAND="touch $CANARY/git"
		RUN true
	EOF
	build_in context -t app
	cairn inspect app >/dev/null
	cairn history app >/dev/null
	cairn run app true || true
	printf 'FROM app\nRUN true\n' >context/Recipe
	build_in context --no-cache
	unharmed
}

# 6.8: what the compiler and the linker can do for us.
@test "the program is position-independent, and its tables are read-only" {
	need readelf
	local elf
	elf=$(command -v cairn)
	! readelf -d "$elf" | grep -q 'asan\|ubsan\|tsan' || skip "a program with sanitizers"
	readelf -h "$elf" | grep -q 'Type: *DYN'
	readelf -d "$elf" | grep -q 'NOW'
	readelf -lW "$elf" | grep -q GNU_RELRO
	readelf -lW "$elf" | grep GNU_STACK | grep -q 'RW ' # not executable
	[ ! -u "$elf" ] && [ ! -g "$elf" ]
}
