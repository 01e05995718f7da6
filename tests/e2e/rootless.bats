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

# alone COMMAND...: run it as a user without subordinate ids, with a store of the test's own in there/.
alone() {
	(cd there && setpriv --reuid 65534 --regid 65534 --clear-groups \
		env HOME=/nonexistent CAIRN_ROOT="$BATS_TEST_TMPDIR/there/store" NO_COLOR=1 \
		${EPOCH:+SOURCE_DATE_EPOCH=$EPOCH} "$RL_HOME/cairn" "$@")
}

# there/, which is everybody's, with the base of many owners
give_place() {
	mkdir -m 777 there
	chmod 755 "$BATS_TEST_TMPDIR" "$RL_HOME"
	mkdir tree
	tar -C tree -xf "$RL_HOME/base.tar"
	ln tree/etc/owned tree/etc/twin
	ln -s owned tree/etc/link && chown -h 5:6 tree/etc/link
	mkfifo tree/etc/fifo && chown 7:8 tree/etc/fifo
	mknod tree/etc/device c 1 3 && chown 9:10 tree/etc/device && chmod 620 tree/etc/device
	mknod tree/etc/block b 7 8
	install -d -m 3777 -o 100 -g 101 tree/etc/dir
	tar -C tree --sort=name --mtime=@0 --numeric-owner -cf there/base.tar .
	chmod 644 there/base.tar
}

# give_program NAME: to tree/, with what it is linked to
give_program() {
	local file
	for file in $(command -v "$1") $(ldd "$(command -v "$1")" | grep -o '/[^ ]*'); do
		mkdir -p "tree/$(dirname "$file")"
		cp -L "$file" "tree/$file"
	done
}

@test "a user with one id alone builds the image that root builds, byte for byte" {
	EPOCH=1
	give_place
	cat >there/Recipe <<-'EOF'
		FROM base
		COPY --chown=user:44 Recipe /r
		COPY --chown=33 d /srv/d
		RUN chown 7:8 /etc/owned && chmod 4755 /etc/owned && mkdir -m 2770 /d && chown user:1234 /d && touch /d/x && ln -s x /d/l
		RUN chown -h 55:56 /d/l && chown -R 33:33 /srv && chmod g+s /srv && touch /srv/new /srv/own && chown 0:0 /srv/own
		RUN cd /d && chown 12:13 ./x && mv x y && chown 3:4 /etc/fifo && mv /etc/link /etc/link2 && touch /etc/dir/new
		RUN chmod 777 /srv/d/a && echo more >>/srv/d/a && chown 1:2 /dev/null /dev/stdout
		USER user
		WORKDIR /home/user/w
		RUN touch f && id -u >g && mkdir sub && ln -s a b && ! chown 0 f
		USER 77:78
		RUN touch /etc/dir/mine
		FROM base
		COPY --from=0 / /
	EOF
	mkdir there/d && echo a >there/d/a && ln -s a there/d/b
	chmod -R a+rX there/d
	alone import base.tar base >/dev/null
	run -0 --separate-stderr alone build -q -t app .
	[[ $stderr == *"this user has one id alone (/etc/subuid has no line for nobody): owners are recorded"* ]]
	theirs=$output
	SOURCE_DATE_EPOCH=1 cairn import there/base.tar base >/dev/null
	equal "$theirs" "$(SOURCE_DATE_EPOCH=1 cairn build -q --userns host -t app there)"
	equal "$(alone digest app)" "$(cairn digest app)"
	# the same where files are copied instead of stacked
	export CAIRN_STORAGE_DRIVER=copy
	equal "$(alone build -q --no-cache .)" "$(SOURCE_DATE_EPOCH=1 cairn build -q --userns host --no-cache there)"
	unset CAIRN_STORAGE_DRIVER
	alone export -q -o theirs.tar app 2>/dev/null || alone export -o theirs.tar app >/dev/null
	listing=$(tar --numeric-owner -tvf there/theirs.tar)
	for line in "crw--w---- 9/10 .* 1,3 .* etc/device" "brw-.* 0/0 .* 7,8 .* etc/block" "prw.* 3/4 .* etc/fifo" \
		"lrwx.* 5/6 .* etc/link2" "-rwsr-xr-x 7/8 .* etc/owned" "lrwx.* 55/56 .* d/l " "-rw.* 0/1234 .* d/y|-rw.* 12/13 .* d/y" \
		"-rw.* 0/33 .* srv/new" "-rw.* 0/0 .* srv/own" "-rw.* 1000/1000 .* home/user/w/f" "-rw.* 77/101 .* etc/dir/mine"; do
		grep -qE "^$line" <<<"$listing" || fail "no $line in $listing"
	done
	equal "$(alone run app sh -c 'test -f /etc/device && id -u' 2>/dev/null)" 0
}

@test "with one id alone what a user replaces is his, and what he writes to is whose it was" {
	EPOCH=1
	give_place
	mkdir -m 777 tree/work tree/work/{dir,gone} tree/work/swap
	for name in written replaced roots moved removed first dir/in gone/in; do
		echo "$name" >"tree/work/$name" && chmod 666 "tree/work/$name" && chown 5:6 "tree/work/$name"
	done
	chown 0:0 tree/work/roots tree/work/gone/in
	ln tree/work/first tree/work/second
	ln -s a tree/work/link1 && ln -s a tree/work/link2 && ln -s a tree/work/link3 && chown -h 5:6 tree/work/link[13]
	mknod -m 666 tree/work/null c 1 3 && mknod -m 666 tree/work/zero c 1 5 && chown 9:10 tree/work/null
	install -d -m 2777 -o 5 -g 6 tree/work/shared && echo x >tree/work/shared/x && mknod tree/work/shared/tty c 5 0
	chown -h 5:6 tree/work/dir
	# a link to a place of the machine, where a link of that name and time is
	mkdir -m 755 machine && ln -s x machine/trap && touch -h -d @1000 machine/trap && ln -s "$PWD/machine" tree/work/way
	tar -C tree --sort=name --mtime=@0 --numeric-owner -cf there/base.tar .
	cat >there/Recipe <<-'EOF'
		FROM base
		RUN chmod 600 /work/shared/tty && echo y >>/work/shared/x && mknod /work/shared/p p
		USER 1000:1001
		RUN cd /work && echo more >>written && echo more >>second && echo new >n && mv n replaced && rm roots && echo new >roots && \
			mv moved moved2 && rm removed && rm dir/in && echo new >dir/in && rm -r gone && mkdir gone && echo new >gone/in
		RUN cd /work && mv null null2 && rm zero && touch zero && mv link1 link1b && rm link2 && ln -s a link2 && rm link3 && ln -s b link3
		RUN cd /work && rm way && mkdir way && ln -s x way/trap && touch -h -d @1000 way/trap && rm shared/x && echo z >shared/x
		FROM scratch
		COPY --from=0 /work /work
	EOF
	SOURCE_DATE_EPOCH=1 cairn import there/base.tar base >/dev/null
	alone import base.tar base >/dev/null
	mknod -m 666 there/fuse c 10 229
	export -f alone
	for driver in overlay copy fuse-overlayfs; do
		[ $driver != fuse-overlayfs ] || command -v fuse-overlayfs >/dev/null || continue
		ours=$(SOURCE_DATE_EPOCH=1 cairn build -q --userns host -t app there)
		theirs=$(CAIRN_STORAGE_DRIVER=$driver EPOCH=1 unshare -m bash -ec 'mount --bind there/fuse /dev/fuse; alone build -q --no-cache -t app .')
		[ "$theirs" = "$ours" ] || diff <(cairn export -o - app | tar --numeric-owner -tvf -) \
			<(alone export -o - app 2>/dev/null | tar --numeric-owner -tvf -)
		equal "$theirs" "$ours"
		# the copy driver writes to all names of a file; fuse-overlayfs forgets set-gid bits and the attributes of links
		case $driver in
		overlay) sed -i 's/ && echo more >>second//' there/Recipe ;;
		copy) sed -i '/shared.tty/d; s/ && mv link1 link1b//; s/ && rm shared.x .*//' there/Recipe ;;
		esac
	done
}

@test "with one id alone programs give up their user and keep what capabilities they may" {
	need setpriv
	give_place
	give_program setpriv
	grep -q ^nobody: tree/etc/passwd || echo nobody:x:65534:65534::/:/bin/sh >>tree/etc/passwd
	echo extra:x:777:nobody >>tree/etc/group
	tar -C tree --sort=name --mtime=@0 --numeric-owner -cf there/tools.tar .
	cat >there/Recipe <<-'EOF'
		FROM tools
		RUN setpriv --reuid=33 --regid=44 --clear-groups sh -c 'id -u; id -g; id -G' >/a
		RUN setpriv --reuid nobody --init-groups sh -c 'id -u; id -G' >/b
		RUN setpriv --reuid=33 --regid=44 --clear-groups --inh-caps=-all --bounding-set=-all id -u >/c
		RUN setpriv --reuid=33 --regid=44 --clear-groups sh -c '! setpriv --reuid=0 true' 2>/dev/null
		RUN setpriv --reuid=33 sh -c '(while [ ! -e /go ]; do :; done; id -u >/d) & exit 0' && touch /go && while [ ! -s /d ]; do :; done && rm /go
	EOF
	sed -i "s|setpriv --|$(command -v setpriv) --|g" there/Recipe # and not busybox's
	alone import tools.tar tools
	alone build --progress plain -t app .
	equal "$(alone run app sh -c 'echo $(cat /a /b /c /d)')" "33 44 44 65534 0 777 65534 33 33"
}

@test "nobody forges an owner or a device by the attributes that record them" {
	need setfattr
	give_place
	mkdir forged there/ctx
	echo x | tee forged/owner forged/device >there/ctx/f
	setfattr -n user.cairn.owner -v 33:33 forged/owner
	setfattr -n user.cairn.device -v "c 1:3" forged/device
	setfattr -n user.cairn.device -v "c 1:3" there/ctx/f
	setfattr -n user.cairn.owner -v 33:33 there/ctx/f
	setfattr -n user.other -v kept forged/owner
	tar -C forged --xattrs --format=posix --numeric-owner -cf there/forged.tar .
	printf 'FROM forged\nADD forged.tar /a/\nCOPY f /f\n' >there/ctx/Recipe
	cp there/forged.tar there/ctx
	chmod -R a+rX there
	for as in alone env; do
		(
			[ "$as" = alone ] || { cd there; as=cairn; }
			$as import forged.tar forged
			$as build -q -t app ctx
			$as export -o out.tar app
		) >/dev/null 2>&1
		equal "$(tar --numeric-owner -tvf there/out.tar | awk '$1 ~ /^[^d]/ {print $1, $2, $3, $6}' | sort)" "$(
			printf '%s\n' "-rw-r--r-- 0/0 2 "{a/device,a/owner,device,f,owner}
		)"
		equal "$(grep -ac "cairn.owner\|cairn.device" there/out.tar)" 0
		equal "$(grep -ac "user.other=kept" there/out.tar)" 2
	done
}

@test "a step under a USER forges no file of root's and no device" {
	need setfattr
	give_place
	mkdir -m 777 tree/work tree/work/roots
	echo content | tee tree/work/whole >tree/work/emptied && touch tree/work/empty
	chmod 666 tree/work/whole tree/work/empt*
	mknod -m 666 tree/work/null c 1 3 && mknod -m 644 tree/work/tty c 5 0
	give_program setfattr
	tar -C tree --sort=name --mtime=@0 --numeric-owner -cf there/tools.tar .
	cat >there/Recipe <<-'EOF'
		FROM tools
		USER 1000
		RUN cd /work && cp /bin/busybox su && chmod 4755 su && setfattr -n user.cairn.owner -v 0:0 su && \
			mkdir d && setfattr -n user.cairn.owner -v 0:0 d && \
			touch disk other && chmod 666 disk && setfattr -n user.cairn.device -v "b 8:0" disk && \
			setfattr -n user.cairn.device -v "c 1:1" other && setfattr -n user.cairn.owner -v 0:6 other && \
			: >emptied && for name in whole emptied empty; do setfattr -n user.cairn.device -v "c 1:1" $name || exit; done && \
			setfattr -n user.cairn.owner -v 70000:70000 roots && chmod 600 other && mv tty tty2
		USER 0
		RUN chown 0:0 /work/other && mv /work/null /work/null2
	EOF
	mkdir there/ctx && cp there/Recipe there/ctx && chmod -R a+rX there
	for as in alone "user cairn"; do
		(
			[ "$as" = alone ] || cd there
			$as import tools.tar tools
			$as build --progress plain -t app ctx
			$as export -o "$([ "$as" = alone ] || echo "$RL_HOME/")forged.tar" app
		) >log 2>&1 || fail "$(tail -n 20 log)"
		[ "$as" = alone ] && out=there/forged.tar || out=$RL_HOME/forged.tar
		# with one id all users may write to what root has, and say whose it is
		[ "$as" = alone ] && roots=70000/70000 || roots=0/0
		equal "$(tar --numeric-owner -tvf "$out" | awk '$NF ~ "^(./)?work/." {print $1, $2, $NF}' | sed 's,[.]/,,' | sort)" "$(
			printf '%s\n' "-rw------- 0/0 work/other" "-rw-rw-rw- 1000/1000 work/disk" "-rwsr-xr-x 1000/1000 work/su" \
				"drwxr-xr-x 1000/1000 work/d/" "drwxrwxrwx $roots work/roots/" "-rw-rw-rw- 0/0 work/"{whole,emptied,empty} \
				"crw-rw-rw- 0/0 work/null2" "crw-r--r-- 0/0 work/tty2" | sort
		)"
		equal "$(tar -xOf "$out" work/whole ./work/whole 2>/dev/null)" content
	done
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
	says 'one id alone (no \x1b[31mgroups for you)'
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

# A source of subordinate ids besides the files, as libsubid loads it: everybody has 4000000 to 4065535.
subid_library() {
	${CC:-cc} -shared -fPIC -o libsubid_cairntest.so -x c - <<-'END'
		#include <stdlib.h>
		struct range { unsigned long start, count; };
		int shadow_subid_has_any_range(const char *o, int t, _Bool *r) { return *r = 1, 0; }
		int shadow_subid_has_range(const char *o, unsigned long s, unsigned long c, int t, _Bool *r)
		{
			return *r = s >= 4000000 && s + c <= 4065536, 0;
		}
		int shadow_subid_find_subid_owners(unsigned long i, int t, unsigned **u, int *n) { return *n = 0; }
		int shadow_subid_list_owner_ranges(const char *o, int t, struct range **r, int *n)
		{
			*r = malloc(sizeof(**r));
			**r = (struct range){ 4000000, 65536 };
			return *n = 1, 0;
		}
		void shadow_subid_free(void *p) { free(p); }
	END
}

@test "where nsswitch.conf names another source of subordinate ids it is asked" {
	need getsubids cc
	chmod 755 "$BATS_TEST_TMPDIR" "$RL_HOME"
	subid_library
	mkdir -m 755 up work
	mv libsubid_cairntest.so up
	sed '/^subid/d' /etc/nsswitch.conf >nsswitch && echo 'subid: cairntest' >>nsswitch
	chmod 644 nsswitch
	libraries=$(dirname "$(ldconfig -p | sed -n 's/.*libc\.so\.6.* => //p' | head -n 1)")
	elsewhere() {
		unshare -m bash -ec 'mount --bind nsswitch /etc/nsswitch.conf
			[ -z "$1" ] || mount -t overlay -o "lowerdir=$1,upperdir=up,workdir=work" none "$1"
			setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent CAIRN_ROOT=/nonexistent "$2" info' \
			- "$1" "$RL_HOME/cairn"
	}
	run elsewhere "$(realpath "$libraries")"
	says "root of a user namespace, with subordinate ids"
	run elsewhere ""
	says "getsubids has no ids of nobody ('subid: cairntest' in /etc/nsswitch.conf)"
}

@test "where parts of /proc are hidden a step has that /proc, and it is said" {
	give_context <<-'EOF'
		FROM base
		RUN test "$(cat /proc/self/comm)" = cat && test -z "$(cat /proc/interrupts)" && ! touch /proc/sys/kernel/x && echo /proc/[0-9]* >/seen
		RUN ! cat /proc/[0-9]*/environ 2>/dev/null | grep -q CANARY_OF_THE_BUILDER
	EOF
	export -f user
	CANARY_OF_THE_BUILDER=1 run -0 unshare -m bash -ec 'mount --bind /dev/null /proc/interrupts && user env CANARY_OF_THE_BUILDER=1 cairn build -q -t app context'
	says "parts of /proc are hidden here"
	user cairn run app grep -qw "/proc/$$" /seen # our own process, in the same /proc
}

@test "what forbids user namespaces is named with its remedy" {
	chmod 755 "$RL_HOME"
	# sysctl NAME VALUE: the user's command fails, on a machine with that setting
	forbidden() {
		setpriv --reuid "$RL_USER" --regid "$RL_USER" --init-groups unshare --user --map-root-user --mount sh -ec \
			"echo 0 >/proc/sys/user/max_user_namespaces
			mount -t tmpfs none /proc/sys && mkdir /proc/sys/kernel && echo $2 >/proc/sys/kernel/$1
			exec setpriv --bounding-set=-all --inh-caps=-all env CAIRN_ROOT=$RL_HOME/off $RL_HOME/cairn export x"
	}
	run forbidden apparmor_restrict_unprivileged_userns 1
	equal "$status" 4
	says "AppArmor restricts user namespaces here: install the profile"
	run forbidden unprivileged_userns_clone 0
	equal "$status" 4
	says "kernel.unprivileged_userns_clone to 1"
}

@test "a user enters a step that failed, and has its files brought out" {
	give_context <<-'END'
		FROM base
		RUN mkdir /r && echo left >/r/left && chown 7:8 /r/left && chmod 4711 /r/left && exit 3
	END
	chown "$RL_USER:" "$BATS_TEST_TMPDIR"
	fails 1 user cairn build --on-fail export:/r=out context
	says "exit code 3"
	equal "$(stat -c '%U %a' out/left)" "$RL_USER 711"
	run -0 --separate-stderr user cairn shell -- sh -c 'cat /r/left; stat -c "%u:%g %a" /r/left; rm -r /r'
	equal "$output" "$(printf 'left\n7:8 4711')"
	run -0 --separate-stderr user cairn shell -u user -- sh -c 'cat /etc/owned; id -u; ls -d /r'
	equal "$output" "$(printf '1000\n/r')"
	run -0 user cairn prune --all --filter type=failed
	fails 125 user cairn shell -- true
}

@test "a user with one id alone enters a step that failed, as its owners are recorded" {
	mkdir -p there/ctx && cp "$RL_HOME/base.tar" there
	printf 'FROM base\nRUN mkdir /r && echo left >/r/left && chown 7:8 /r/left && exit 3\n' >there/ctx/Recipe
	chown -R nobody: there
	chmod 755 there "$BATS_TEST_TMPDIR"
	alone import base.tar base >/dev/null
	fails 1 alone build --on-fail export:/r=out ctx
	says "exit code 3"
	equal "$(stat -c %U there/out/left)" nobody
	run -0 --separate-stderr alone shell -- cat /r/left
	equal "$output" left
	run -0 --separate-stderr alone shell --before -- ls /
	[[ $output != *"r"$'\n'"root"* ]]
}

@test "a user locks a Recipe: the file is his, and his builds use it" {
	echo "FROM base" | give_context
	user cairn lock -q --offline context
	equal "$(stat -c '%U %a' context/Recipe.lock)" "$RL_USER 644"
	user cairn build -q --locked context
	cp context/Recipe.lock before
	chown root: context
	run user cairn lock -q --offline context
	equal "$status" 1
	[[ $output == *"write Recipe.lock"* ]]
	cmp before context/Recipe.lock
}
