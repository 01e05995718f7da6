#!/usr/bin/env bats
# Ordinary users: what they build is what root builds, and they need no more than uidmap.
# shellcheck disable=SC2154

load helper
load ordinary
load ../registry/registry

# A user of our own with subordinate ids, and his home.
setup_file() {
	need_root
	need jq
	make_user
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_rootfs "$RL_HOME/plain.tar"
	mkdir "$BATS_FILE_TMPDIR/more" && tar -C "$BATS_FILE_TMPDIR/more" -xf "$RL_HOME/plain.tar"
	(
		cd "$BATS_FILE_TMPDIR/more" || exit 1
		for name in chown chmod mkdir touch stat ln mount umount mknod find grep; do
			ln -sf busybox "bin/$name"
		done
		touch etc/owned && chown 33:44 etc/owned && chmod 4755 etc/owned
		tar --sort=name --mtime=@0 --numeric-owner -cf "$RL_HOME/base.tar" .
	)
}

teardown_file() {
	teardown_user
}

# A context that belongs to the user, with this Recipe; and the base.
give_context() {
	mkdir -p context
	cat >context/Recipe
	chown -R "$RL_USER:" context
	chmod 755 "$BATS_TEST_TMPDIR"
	user cairn import -q "$RL_HOME/base.tar" base >/dev/null 2>&1 || user cairn import "$RL_HOME/base.tar" base >/dev/null
}

@test "a user builds the image that root builds, byte for byte" {
	EPOCH=1
	give_context <<-'EOF'
		FROM base
		COPY --chown=user:44 Recipe /r
		RUN chown 7:8 /etc/owned && chmod 4755 /etc/owned && mkdir -m 2770 /d && chown user:1234 /d && touch /d/x && ln -s x /d/l
		RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=secret,id=s \
			touch /c/x /t/y && cat /run/secrets/s >/dev/null
		RUN --mount=type=bind,target=/ctx cat /ctx/Recipe >/copy
		USER user
		WORKDIR /home/user/w
		RUN id >f
	EOF
	echo secret >context/s
	user cairn build -q --secret id=s,src=context/s -t app context >theirs
	SOURCE_DATE_EPOCH=1 cairn import "$RL_HOME/base.tar" base >/dev/null
	SOURCE_DATE_EPOCH=1 cairn build -q --secret id=s,src=context/s -t app context >ours
	equal "$(cat theirs)" "$(cat ours)"
	equal "$(user cairn digest app)" "$(cairn digest app)"
	equal "$(user cairn run app cat f)" "uid=1000(user) gid=1000(user) groups=1000(user)"
}

@test "a step has the ids of the user's range, and he himself is root there" {
	give_context <<-'EOF'
		FROM base
		RUN touch /mine && touch /other && chown 1000:5 /other && cat /proc/self/uid_map >/map
	EOF
	user cairn build -q -t app context
	first=$(sed -n "s/^$RL_USER:\([0-9]*\):.*/\1/p" /etc/subuid | head -n 1)
	equal "$(user cairn run app cat /map | wc -l)" 2
	store=$RL_HOME/store-$BATS_TEST_NUMBER
	equal "$(find "$store"/layers/*/fs/mine -printf '%u')" "$RL_USER"
	equal "$(find "$store"/layers/*/fs/other -printf '%U')" "$((first + 999))"
}

@test "nothing of the machine is there but what a step has as root's, too" {
	give_context <<-'EOF'
		FROM base
		RUN test "$(cat /proc/1/comm)" = sh
		RUN ! mount -t tmpfs x /tmp
		RUN ! mknod /null c 1 3
		RUN ! touch /sys/kernel/x && ! touch /proc/sys/kernel/x
		RUN test -z "$(ls /sys/fs/cgroup)" || grep -q "^0::/$" /proc/self/cgroup || test -d /sys/fs/cgroup/unified
		RUN test -z "$(ls /sys/firmware)" && test -c /dev/null && echo x >/dev/null && test -z "$(cat /proc/kcore)"
		RUN test "$(ls /dev | tr '\n' ' ')" = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "
		RUN --network=none test "$(ls /sys/class/net)" = lo
	EOF
	user cairn build -q --progress plain context
}

@test "a user pushes, pulls and runs" {
	need skopeo curl
	private_home
	registry_start r plain
	host=$(address r)
	give_context <<-'EOF'
		FROM base
		RUN chown 1000:1000 /etc/owned
	EOF
	user cairn build -q -t "$host/app:1" context
	user cairn push -q "$host/app:1"
	user cairn rmi "$host/app:1"
	user env CAIRN_ROOT="$RL_HOME/other" cairn pull -q "$host/app:1"
	equal "$(user env CAIRN_ROOT="$RL_HOME/other" cairn run "$host/app:1" stat -c %u:%g /etc/owned)" 1000:1000
	forget r
}

@test "a user who has no other ids is told what to do" {
	mkdir -m 777 there
	chmod 755 "$BATS_TEST_TMPDIR"
	alone() {
		(cd there && setpriv --reuid 65534 --regid 65534 --clear-groups \
			env CAIRN_ROOT="$PWD/store" "$RL_HOME/cairn" "$@")
	}
	chmod 755 "$RL_HOME"
	printf 'FROM base\nRUN true\n' >there/Recipe
	cp "$RL_HOME/base.tar" "$RL_HOME/plain.tar" there
	alone import plain.tar base
	run -0 alone build -t plain .
	says "/etc/subuid has no line for nobody"
	alone import base.tar base
	fails 1 alone build .
	says "entry './etc/owned'"
	says "usermod --add-subuids"
}

@test "where only newgidmap fails a user builds alone, and hears why" {
	EPOCH=1
	give_context <<<'FROM plain'
	user cairn import "$RL_HOME/plain.tar" plain
	mkdir tools && chmod 755 tools
	printf '#!/bin/sh\nprintf "no \\033[31mgroups\\nfor you\\n" >&2\nexit 1\n' >tools/newgidmap
	chmod 755 tools/newgidmap
	run user env PATH="$PWD/tools:$RL_HOME:/usr/bin:/bin" cairn build context
	equal "$status" 0
	says 'one id alone: no \x1b[31mgroups for you'
}

@test "git by ssh goes by the files of the user, not by those of root" {
	mkdir tools && chmod 755 tools "$BATS_TEST_TMPDIR"
	printf '#!/bin/sh\nprintf "<%%s>" "$@" >>"$HOME_OF_LOG"\nexit 255\n' >tools/ssh
	sed -i "s|\$HOME_OF_LOG|$RL_HOME/ssh.log|" tools/ssh
	chmod 755 tools/ssh
	user mkdir -p "$RL_HOME/.ssh"
	user touch "$RL_HOME/.ssh/config" "$RL_HOME/.ssh/id_ed25519"
	give_context <<<$'FROM scratch\nADD git@git.example.com:x.git /x'
	run user env PATH="$PWD/tools:$RL_HOME:/usr/bin:/bin" cairn build context
	equal "$status" 5
	grep -F "<-F><$RL_HOME/.ssh/config>" "$RL_HOME/ssh.log"
	grep -F "<-oUserKnownHostsFile=\"$RL_HOME/.ssh/known_hosts\">" "$RL_HOME/ssh.log"
	grep -F "<-oIdentityFile=\"$RL_HOME/.ssh/id_ed25519\">" "$RL_HOME/ssh.log"
	! grep -F id_rsa "$RL_HOME/ssh.log"
}

@test "where user namespaces are turned off, it is said how to turn them on" {
	chmod 755 "$RL_HOME"
	run setpriv --reuid "$RL_USER" --regid "$RL_USER" --init-groups unshare --user --map-root-user sh -c \
		"echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all env CAIRN_ROOT=$RL_HOME/off $RL_HOME/cairn export x"
	equal "$status" 4
	says "user.max_user_namespaces"
}

@test "kill -9 leaves no process of a user's build" {
	number=$(own_number)
	give_context <<-EOF
		FROM base
		RUN sleep $number
	EOF
	user cairn build context 3>&- &
	eventually 60 sleeps "$number"
	pkill -KILL -u "$RL_USER" -x cairn
	wait "$!" || :
	eventually 60 sleeps_not "$number"
	eventually 60 nobody_left
}

nobody_left() {
	! pgrep -l -u "$RL_USER"
}
