# tests/e2e/secrets.bats - secrets and keys are in the step that asks for them, and nowhere else.

load robust

setup() {
	need_root
	need busybox zstd python3 ssh-agent ssh-add ssh-keygen ldd
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1
	unset SOURCE_DATE_EPOCH SSH_AUTH_SOCK
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir ctx left given
	make_rootfs base.tar
	for name in sha256sum grep sleep cut touch; do ln -sf busybox "rootfs/bin/$name"; done
	cp "$(command -v ssh-add)" rootfs/bin/
	for file in $(ldd "$(command -v ssh-add)" | grep -o '/[^ ]*'); do
		mkdir -p "rootfs/$(dirname "$file")"
		cp -L "$file" "rootfs/$file"
	done
	tar -C rootfs -cf base.tar .
	cairn import base.tar base >/dev/null
	# what is looked for, a line each; none of it is in any file that the build may read but by
	# option
	head -c 30 /dev/urandom | base64 -w0 >given/file
	VARIABLE=$(head -c 30 /dev/urandom | od -An -tx1 | tr -d ' \n')
	export VARIABLE
	ssh-keygen -q -t ed25519 -N '' -C key -f given/key
	{ cat given/file; echo; echo "$VARIABLE"; grep -v -e '-----' given/key; } >needles
}

# asks: a Recipe that uses secrets in every way, and proves that it had them.
asks() {
	cat >ctx/Recipe <<-EOF
		# syntax=docker/dockerfile:1
		FROM base AS other
		RUN --mount=type=secret,id=file,target=/deep/in/it,mode=0444 \\
		    sha256sum </deep/in/it | grep -q $(sha256sum <given/file | cut -d' ' -f1) && touch /o
		FROM base
		ENV KEEP=1
		RUN --mount=type=secret,id=file --mount=type=secret,id=variable,env=TOKEN \\
		    --mount=type=secret,id=file,env=TWICE,target=/twice \\
		    --mount=type=ssh,required --mount=type=cache,target=/cache \\
		    --mount=from=other,target=/other,rw --mount=target=/ctx,rw \\
		    [ \${#TOKEN} = 60 ] && [ "\$TWICE" = "\$(cat /twice)" ] && [ -s /run/secrets/file ] && \\
		    ssh-add -L | grep -q ed25519 && touch /cache/used /other/used /ctx/used /done $1
		RUN <<END
		#!/bin/sh
		[ -z "\$TOKEN" ] && ! [ -e /run/secrets ]
		END
	EOF
}

# shellcheck disable=SC2054 # the commas are in the values
asking=(--secret id=file,src=given/file --secret id=variable,env=VARIABLE --ssh default=given/key)

build_asking() {
	timeout 60 cairn --debug build "$@" "${asking[@]}" -t app ctx
}

# nothing_left: none of it in the store, nor in what was written and said.
nothing_left() {
	python3 "$BATS_TEST_DIRNAME/find_bytes.py" needles "$CAIRN_ROOT" left ctx
}

@test "the search finds what is there" {
	for way in cat base64 'od -An -tx1 -v -w999' zstd gzip; do
		mkdir found
		$way <given/file | tr -d ' ' >found/file 2>/dev/null || true
		[ "$way" != zstd ] || zstd -q <given/file >found/file
		[ "$way" != gzip ] || gzip <given/file >found/file
		touch found/other
		run -1 python3 "$BATS_TEST_DIRNAME/find_bytes.py" needles found
		rm -r found
	done
	mkdir found && touch found/x "found/$VARIABLE"
	run -1 python3 "$BATS_TEST_DIRNAME/find_bytes.py" needles found
	nothing_left
}

@test "a build that uses all of them leaves none" {
	asks
	build_asking --progress plain -o type=oci,dest=left/oci.tar -o type=tar,dest=left/tar \
		-o type=docker,dest=left/docker.tar --metadata-file left/metadata --iidfile left/id \
		>left/out 2>left/err
	nothing_left
	build_asking --progress json --no-cache >left/out2 2>left/err2
	cairn history app >left/history
	cairn inspect app >left/inspect
	cairn inspect --raw config app >left/config
	nothing_left
	no_leases
}

@test "a step that fails leaves none" {
	asks '&& sh -c "exit 9"'
	fails 1 build_asking --progress plain >left/out 2>left/err
	echo "$output" >left/said
	says "exit code 9"
	nothing_left
	no_leases
}

@test "a build that is killed in the middle of the step leaves none" {
	asks '&& touch /cache/now && sleep 60'
	cairn --debug build --progress plain "${asking[@]}" ctx >left/out 2>left/err 3>&- &
	local builder=$! agent
	for _ in $(seq 200); do
		! compgen -G "$CAIRN_ROOT/mounts/*/0/fs/now" >/dev/null || break
		sleep 0.05
	done
	compgen -G "$CAIRN_ROOT/mounts/*/0/fs/now" >/dev/null
	agent=$(pgrep -P "$builder" ssh-agent)
	nothing_left # also while it runs
	kill -9 "$builder"
	wait "$builder" || true
	for _ in $(seq 100); do
		kill -0 "$agent" 2>/dev/null || break
		sleep 0.05
	done
	run -1 kill -0 "$agent" # the agent has died with its build
	nothing_left
	equal "$(grep -F "$CAIRN_ROOT" /proc/self/mountinfo)" ""
	# and what is left is swept by the next one, which finds the cache free
	asks
	build_asking --progress plain >left/out2 2>left/err2
	nothing_left
	no_leases
}

@test "no secret is left in memory that is given back" {
	need gcc git
	# looks at whatever is freed; "GET " is how what libcurl itself keeps begins
	cat >look.c <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <fcntl.h>
		#include <malloc.h>
		#include <string.h>
		#include <unistd.h>
		void free(void *p)
		{
			static void (*real)(void *);
			static const char plain[] = "hidden-" "token", coded[] = "eC1hY2Nlc3MtdG9rZW46aGlkZGVuLXRva2Vu";
			size_t size = p ? malloc_usable_size(p) : 0;
			if (!real)
				real = (void (*)(void *))dlsym(RTLD_NEXT, "free");
			if (p && (memmem(p, size, plain, sizeof(plain) - 1) || memmem(p, size, coded, sizeof(coded) - 1)) &&
			    memcmp(p, "GET ", 4) != 0) {
				int fd = open(FOUND, O_WRONLY | O_CREAT | O_APPEND, 0600);
				(void)!write(fd, p, size);
				(void)!write(fd, "\n--\n", 4);
				close(fd);
			}
			real(p);
		}
	END
	gcc -shared -fPIC -DFOUND="\"$PWD/found\"" -o look.so look.c -ldl
	mkdir -p served ctx
	git init -q served/a.git
	echo 1 >served/a.git/file
	git -C served/a.git add .
	git -C served/a.git -c user.name=a -c user.email=a@example.com commit -qm one
	python3 "$BATS_TEST_DIRNAME/web_server.py" served requests >port 2>server.err 3>&- &
	SERVER=$!
	for _ in $(seq 600); do [ ! -s port ] || break; sleep 0.05; done
	cat >ctx/Recipe <<-END
		FROM base
		RUN --mount=type=secret,id=a,env=S --mount=type=secret,id=b,target=/x --mount=type=secret,id=b,env=S \
		    [ "\$S" = hidden-"token" ] && [ "\$(cat /x)" = "\$S" ]
		ADD http://127.0.0.1:$(cat port)/private-git/a.git /git
		ADD http://127.0.0.1:$(cat port)/private/port /file
	END
	cp port served/
	export TOKEN=hidden-token
	printf hidden-token >given/token
	LD_PRELOAD=$PWD/look.so cairn build --progress plain --secret id=a,env=TOKEN --secret id=b,src=given/token \
		--secret id=GIT_AUTH_TOKEN,env=TOKEN --secret "id=HTTP_AUTH_TOKEN_127.0.0.1:$(cat port),src=given/token" \
		-o type=cacheonly ctx 2>log >/dev/null || { cat log; kill "$SERVER"; false; }
	kill "$SERVER"
	! cat -v found 2>/dev/null
}
