# tests/e2e/userns.bats - root of a step as root of a user namespace: nothing looks different, in the
# step or in the image, and nobody outside is who the step thinks it is.

load robust

setup() {
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1
	unset SOURCE_DATE_EPOCH
	cd "$BATS_TEST_TMPDIR" || return 1
	need_root
	printf '%s\n' 6.15 "$(uname -r)" | sort -CV || skip "needs Linux 6.15"
	unshare --user true 2>/dev/null || skip "user namespaces are forbidden here"
	import_base
	mkdir ctx
}

# both [OPTION...]: build ctx/Recipe in a user namespace and without, from nothing, to the same image.
both() {
	local mode
	for mode in private host; do
		build_in ctx --no-cache --timestamp 0 --userns $mode --iidfile $mode.id -t $mode "$@" \
			>$mode.told 2>&1 || { cat $mode.told; return 1; }
	done
	equal "$(cat private.id)" "$(cat host.id)"
}

# tool NAME: it and its libraries as files of the context, in ctx/tools.
tool() {
	local path
	path=$(command -v "$1")
	mkdir -p ctx/tools/bin
	cp -L "$path" ctx/tools/bin/
	for path in $(ldd "$path" | grep -o '/[^ ]*'); do
		mkdir -p "ctx/tools$(dirname "$path")"
		cp -L "$path" "ctx/tools$path"
	done
}

@test "a step is root inside and nobody outside, of ids that no machine has" {
	cat >ctx/Recipe <<-'EOF'
		FROM base
		RUN id; cat /proc/self/uid_map; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
		RUN stat -c '%n %u:%g %a' / /bin/busybox /dev /dev/null /dev/shm /etc/hosts; \
			echo x >/dev/stdout; echo y >/dev/shm/y; su user -c id
	EOF
	run -0 build_in ctx --no-cache --userns private
	says 'uid=0(root) gid=0(root) groups=0(root)'
	says 'CapEff:	00000000a80425fb'
	says 'NoNewPrivs:	0'
	says 'Seccomp:	2'
	[[ ! $output =~ ' 0 '+'0 '+4294967295 ]]
	for line in '/ 0:0 755' '/bin/busybox 0:0 755' '/dev 0:0 755' '/dev/null 0:0 666' \
		'/dev/shm 0:0 1777' '/etc/hosts 0:0 644' ' x' 'uid=1000(user)'; do
		says "$line"
	done
}

@test "owners, modes, links, deletions: the same image either way" {
	cat >ctx/Recipe <<-'EOF'
		FROM base
		RUN mkdir -p /d/e /gone/x && echo a >/d/a && chown 1000:5 /d/a && chgrp 65536 /d/e && \
			chown 2147483646:2147483646 /d && chmod 4755 /bin/busybox && ln /d/a /d/b && \
			ln -s a /d/c && chown -h 7:8 /d/c && mkfifo -m 622 /d/fifo && touch /gone/x/y
		RUN rm -r /gone && mkdir /gone && chown 33 /gone && rm /d/b && echo more >>/d/a && \
			mv /d/e /d/f && chmod 1777 /d && rm /etc/group && chown user /etc/passwd
		WORKDIR /made/here
		USER user
		RUN id -u && touch /tmp/mine && umask
		USER root
		RUN su user -c 'touch /tmp/by-user'; rm /tmp/mine
	EOF
	both
}

@test "capabilities of files are the same, written here and copied up" {
	tool setcap
	tool getcap
	cat >ctx/Recipe <<-'EOF'
		FROM base
		COPY tools /
		RUN cp /bin/busybox /bin/net && setcap cap_net_raw+ep /bin/net && getcap /bin/net
		RUN chmod 700 /bin/net && getcap /bin/net | grep -q cap_net_raw && chown 5:6 /bin/busybox
		RUN mkdir /two && cp /bin/busybox /two && chown 1000:1000 /two/* && setcap cap_chown+ep /two/busybox
		USER user
		RUN touch /tmp/f && /two/busybox chown 12 /tmp/f && [ $(stat -c %u /tmp/f) = 12 ]
	EOF
	both
	cairn export -o out.tar private
	tar --xattrs --xattrs-include='*' -tvvf out.tar | grep -A1 'bin/net$' | grep -q security.capability
}

@test "access control lists and attributes are the same" {
	tool setfacl
	tool getfacl
	tool setfattr
	cat >ctx/Recipe <<-'EOF'
		FROM base
		COPY tools /
		RUN mkdir /d && setfacl -m u:1000:rwx,d:u:1000:rwx,g:70000:r /d && touch /d/x && \
			setfattr -n user.name -v value /d/x
		RUN chmod g+w /d/x && getfacl -n /d/x | grep -q user:1000:rw && su user -c 'touch /d/y'
	EOF
	both
}

@test "mounts show the owners that they show without" {
	mkdir ctx/sub
	echo data >ctx/sub/file
	echo hidden >secret
	mkdir vol
	touch vol/old
	chown 1000:50 vol/old
	cat >ctx/Recipe <<-'EOF'
		FROM base AS other
		RUN echo o >/o && chown 42:43 /o
		FROM base
		RUN --mount=type=cache,target=/c,uid=1000,mode=0700 --mount=type=bind,source=sub,target=/b,rw \
		    --mount=type=bind,from=other,target=/o --mount=type=tmpfs,target=/t \
		    --mount=type=bind,from=other,target=/w,rw \
		    --mount=type=secret,id=s,uid=1000,target=/s --mount=type=secret,id=s \
			exec 2>&1; stat -c '%n %u:%g %a' /c /b /b/file /o/o /t /s /run/secrets/s /v /v/old; touch /c/root /t/x /b/n /v/n /w/o; \
			chown 42:43 /v/n; su user -c 'cat /s; touch /c/user; cat /run/secrets/s'; \
			stat -c '%n %u:%g' /c/* /t/x /b/n /v/n /w/o
	EOF
	both --secret id=s,src=secret -v "$PWD/vol:/v"
	for mode in private host; do
		grep '^#[0-9]* [0-9.]* ' $mode.told | sed 's/^[^ ]* [^ ]* *//' >$mode.lines
	done
	diff private.lines host.lines
	grep -q '/s 1000:0 400' private.lines
	grep -q '/c/user 1000:1000' private.lines
	equal "$(stat -c %u:%g vol/n vol/old | xargs)" "42:43 1000:50"
}

@test "a device cannot be made, and it is said how it can" {
	printf 'FROM base\nRUN mknod /null c 1 3 && (echo x >/null) 2>/dev/null || [ -c /null ]\n' \
		>ctx/Recipe
	fails 1 build_in ctx --no-cache --userns private
	says 'Operation not permitted'
	says '--userns host'
	build_in ctx --no-cache --userns host
}

@test "a device that was given can be used" {
	printf 'FROM base\nRUN stat -c "%%n %%t:%%T %%u:%%g" /dev/mem0; head -c 4 /dev/mem0 | wc -c\n' \
		>ctx/Recipe
	both --device /dev/zero:/dev/mem0
	grep -q '/dev/mem0 1:5 0:0' private.told
	grep -q ' 4$' private.told
}

@test "an insecure step is root of the machine" {
	printf 'FROM base\nRUN --security=insecure cat /proc/self/uid_map\n' >ctx/Recipe
	run -0 build_in ctx --no-cache --userns private --allow security.insecure
	[[ $output =~ 0' '+0' '+4294967295 ]]
}

@test "what cannot show other owners is told, and the step runs all the same" {
	printf 'FROM base\nRUN cat /proc/self/uid_map; ls /v/self >/dev/null\n' >ctx/Recipe
	run -0 build_in ctx --no-cache -v /proc:/v:ro
	says 'and not of a user namespace'
	[[ $output =~ 0' '+0' '+4294967295 ]]
	fails any build_in ctx --no-cache -v /proc:/v:ro --userns private
}

@test "run: a container is root of a user namespace, too" {
	mkdir vol
	run -0 cairn run --userns private --network none -v "$PWD/vol:/v" base sh -c \
		'id -u; echo err >/dev/stderr; touch /v/x; chown 9 /v/x; cat /proc/self/uid_map'
	says err
	[[ ! $output =~ ' 0 '+'0 '+4294967295 ]]
	equal "$(stat -c %u:%g vol/x)" 9:0
	cairn run --userns private --network none --init base true
	# shellcheck disable=SC2016
	cairn run --userns private --network none base sh -c \
		'for i in 1 2 3 4; do echo o$i; echo e$i >&2; echo r$i >/dev/stderr; done' >file 2>&1
	equal "$(xargs <file)" "o1 e1 r1 o2 e2 r2 o3 e3 r3 o4 e4 r4"
	run -0 cairn run --userns host --network none base cat /proc/self/uid_map
	[[ $output =~ 0' '+0' '+4294967295 ]]
}

@test "a low port of the machine's network is not for the root of a namespace, and it is said" {
	[ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 1 ] || skip 'low ports are free here'
	printf 'FROM base\nRUN nc -l -p 1 2>&1\n' >ctx/Recipe
	fails 1 build_in ctx --no-cache --userns private --network host
	says 'Permission denied'
	says 'no right to ports below 1024'
}
