# tests/e2e/judged.bats - Recipes with contexts, as large as real ones: the image is the judges'.
#
# language.bats goes through the language instruction by instruction; here many meet in one build.
# The same rules hold: where a judge does otherwise than the language says, EXCEPT_PATHS,
# EXCEPT_CONFIG, BUILDKIT_PATHS or BUILDKIT_CONFIG takes the difference away and a line above says
# what it is; docs/compatibility.md lists them all. JUDGE=no and BUILDKIT=no leave one out of what
# it does not know. A Recipe.plain says the same as the Recipe in words of 2021.
#
# run.sh: first

load helper
load judge
load buildkit

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox buildah dockerd jq python3 xz bzip2
	judge_open
	buildkit_open
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_base "$BATS_FILE_TMPDIR/base.tar"
}

teardown_file() {
	judge_close
	buildkit_close
}

teardown() {
	[ -z "${SERVER:-}" ] || kill "$SERVER"
}

# serve DIRECTORY: by http on this machine, as $SERVED; ends with the test.
serve() {
	python3 "$BATS_TEST_DIRNAME/files_server.py" "$1" >port 3>&- &
	SERVER=$!
	eventually 20 test -s port
	SERVED=http://127.0.0.1:$(cat port)
}

# all_known_as NAME: what was just built is a base for all.
all_known_as() {
	cairn tag judged "$1"
	judge tag judged "$1"
	buildkit tag judged "$1"
}

# ---- ADD ----

# some_tree DIRECTORY: what an archive of a release may hold.
some_tree() {
	mkdir -p "$1"/{bin,lib,share/empty}
	echo '#!/bin/sh' >"$1/bin/tool"
	chmod 0755 "$1/bin/tool"
	ln "$1/bin/tool" "$1/bin/twin"
	ln -s ../bin/tool "$1/lib/link"
	ln -s /nowhere "$1/lib/dangling"
	echo data >"$1/share/data"
	chmod 0640 "$1/share/data"
	chown 1000:2000 "$1/share/data"
	mkfifo "$1/share/fifo"
	chmod 0700 "$1/share"
	find "$1" -exec touch -h -d @1000000007 {} +
}

@test "ADD unpacks archives of every kind, whatever they are called" {
	recipe <<-'EOF'
		FROM base
		ADD release.tar /plain
		ADD release.tar.gz release.tbz /both/
		ADD renamed.jpg /xz
		ADD no-archive.tar.gz /files/
		ADD empty.tar /files/
		ADD cut.gz /files/cut
		ADD --chown=1000:2000 release.tar /owned/
	EOF
	some_tree tree
	tar -C tree -cf ctx/release.tar .
	gzip -nk <ctx/release.tar >ctx/release.tar.gz
	bzip2 <ctx/release.tar >ctx/release.tbz
	xz <ctx/release.tar >ctx/renamed.jpg
	put no-archive.tar.gz "text"
	: >ctx/empty.tar
	echo text | gzip -n >ctx/cut.gz
	# The judge gives nothing of an archive to --chown, BuildKit of 2021 the top alone.
	EXCEPT_PATHS=owned BUILDKIT_PATHS=owned same_image ctx
	same_times plain/share plain/lib plain/bin xz/share
	equal "$(owned plain/share/data)" "-rw-r----- 1000/2000"
}

@test "ADD of an archive over what is there" {
	recipe <<-'EOF'
		FROM base
		RUN mkdir -p /app/bin /app/etc /elsewhere && echo old >/app/bin/tool && \
			ln -s /elsewhere /app/lib && echo mine >/app/etc/own && chmod 0711 /app /app/etc
		WORKDIR /app
		ADD release.tgz .
		RUN ls -R /app | sort >/after
	EOF
	some_tree tree
	rm tree/lib/link tree/lib/dangling
	rmdir tree/lib
	mkdir tree/etc
	chmod 0750 tree/etc
	echo theirs >tree/etc/other
	tar -C tree -czf ctx/release.tgz .
	# The judge gives the destination the mode of the archive's top.
	EXCEPT_PATHS=app same_image ctx
	equal "$(owned app/)" "drwx--x--x 0/0"
	holds app/bin/tool '#!/bin/sh'
}

@test "ADD of an archive with odd entries" {
	recipe <<-'EOF'
		FROM base
		ADD odd.tar /odd/
		COPY odd.tar /kept/
	EOF
	python3 - ctx/odd.tar <<-'END'
		import io, sys, tarfile
		with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as tar:
		    def file(name, text, **more):
		        entry = tarfile.TarInfo(name)
		        entry.size = len(text)
		        for key, value in more.items():
		            setattr(entry, key, value)
		        tar.addfile(entry, io.BytesIO(text))
		    file("no/parents/here", b"a", mode=0o600, uid=12, gid=34)
		    file("twice", b"first")
		    file("twice", b"second", mode=0o751)
		    file("/rooted", b"b")
		    file("./dot/./slash", b"c", mtime=1.75)
		    file("na\u00efve \u2603 name", b"d")
		    file("l" * 120 + "/" + "m" * 200, b"e")
		    file("big-owner", b"f", uid=3000000, gid=4000000)
		    for name, kind, target in (("hard", tarfile.LNKTYPE, "twice"),
		                               ("soft", tarfile.SYMTYPE, "x" * 150)):
		        entry = tarfile.TarInfo(name)
		        entry.type, entry.linkname, entry.mode = kind, target, 0o751
		        tar.addfile(entry)
	END
	same_image ctx
}

@test "ADD of files and directories is COPY" {
	recipe <<-'EOF'
		FROM base
		ADD dir /dir
		ADD dir/*.txt link single /some/
		ADD --chown=user:extra dir/sub /owned
		ADD ["with blank", "/with blank/"]
	EOF
	put dir/a.txt
	put dir/sub/b
	put "with blank"
	put single
	tar -cf ctx/dir/inner.tar -C ctx single
	ln -s dir/sub ctx/link
	same_image ctx
	# an archive within a directory stays one
	tar -xOf ours.tar dir/inner.tar | tar -t | grep -qx single
}

@test "ADD fetches files by http, with their name and time" {
	recipe <<-'EOF'
		FROM base
		ARG site
		ADD $site/dir/app.conf /etc/app/
		ADD $site/dir/app.conf /etc/other.conf
		ADD $site/release.tar.gz local /opt/
		ADD --chown=1000:2000 $site/dir/app.conf /owned/by/user
		ADD $site/with%20blank /named/
	EOF
	mkdir -p site/dir
	echo "conf" >site/dir/app.conf
	echo "blank" >"site/with blank"
	touch -d '2001-02-03 04:05:06Z' site/dir/app.conf
	tar -C site -czf site/release.tar.gz dir
	touch -d '2011-12-13 14:15:16Z' site/release.tar.gz
	put local
	serve site
	same_image ctx --build-arg site="$SERVED"
	same_times etc/app/app.conf etc/other.conf opt/release.tar.gz
	equal "$(owned etc/app/app.conf)" "-rw------- 0/0"
}

# ---- RUN --mount ----

@test "bind mounts of the context, of a stage and of an image" {
	recipe <<-'EOF'
		FROM base AS tools
		RUN mkdir -p /opt/tools && printf '#!/bin/sh\necho made "$@"\n' >/opt/tools/make && \
			chmod 0755 /opt/tools/make
		FROM base
		WORKDIR /src
		RUN --mount=type=bind,source=src,target=/in \
			--mount=type=bind,from=tools,source=/opt/tools,target=/tools \
			--mount=type=bind,from=base,source=/etc/passwd,target=/users \
			/tools/make $(cat /in/*.txt) >made && wc -l </users >>made && ls -a /in >>made
		RUN ls -A /src >/left
	EOF
	put src/a.txt
	put src/b.txt
	put src/ignored.tmp
	put .dockerignore '**/*.tmp'
	# The judge mounts what is ignored, too; BuildKit of 2021 leaves mount points behind.
	EXCEPT_PATHS="src/made" BUILDKIT_PATHS="in tools" same_image ctx
	holds src/made $'made src/a.txt src/b.txt\n2\n.\n..\na.txt\nb.txt'
}

@test "what is written to a bind mount is thrown away" {
	recipe <<-'EOF'
		FROM base AS tools
		RUN mkdir -p /opt/tools && echo made >/opt/tools/make
		FROM base
		RUN --mount=type=bind,target=/ctx,rw \
			--mount=type=bind,from=tools,source=/opt,target=/tmp,rw \
			echo new >/ctx/src/a && rm /tmp/tools/make && cat /ctx/src/a /ctx/src/b >/result
		RUN --mount=type=bind,target=/ctx --mount=type=bind,from=tools,source=/opt,target=/tmp \
			cat /ctx/src/a /tmp/tools/make >>/result
	EOF
	put src/a
	put src/b
	# The judge writes into the context itself.
	JUDGE=no BUILDKIT_PATHS=ctx same_image ctx
	holds result $'new\nsrc/b\nsrc/a\nmade'
}

@test "cache mounts live from one build to the next, and never in a layer" {
	recipe <<-'EOF'
		FROM base
		ARG TURN
		RUN --mount=type=cache,target=/var/cache/pkg \
			--mount=type=cache,id=named,target=/var/cache/named,sharing=locked \
			echo "$TURN" >>/var/cache/pkg/list && cp /var/cache/pkg/list /turns && \
			touch "/var/cache/named/$TURN"
		RUN --mount=type=cache,id=named,target=/other ls /other >/named
		RUN ls -A /var/cache/pkg >/empty 2>/dev/null; true
	EOF
	# The judge leaves mount points behind, and keeps a lock in its caches. So does BuildKit of 2021.
	local left="var other"
	EXCEPT_PATHS="$left named" BUILDKIT_PATHS=$left same_image ctx --build-arg TURN=first
	holds turns first
	EXCEPT_PATHS="$left named" BUILDKIT_PATHS=$left same_image ctx --build-arg TURN=second
	holds turns $'first\nsecond'
	holds named $'first\nsecond'
}

@test "tmpfs mounts are empty, and gone" {
	recipe <<-'EOF'
		FROM base
		RUN mkdir -p /job/keep && echo below >/job/keep/file
		RUN --mount=type=tmpfs,target=/job --mount=type=tmpfs,target=/tmp/scratch \
			ls -A /job >/seen && echo lost >/job/lost && echo lost >/tmp/scratch/lost
		RUN cat /job/keep/file >>/seen && ls -A /job >>/seen
	EOF
	# The judge deletes what was below a tmpfs; BuildKit of 2021 leaves mount points behind.
	JUDGE=no BUILDKIT_PATHS=tmp/scratch same_image ctx
	holds seen $'below\nkeep'
}

@test "secrets are files for one step" {
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=secret,id=token \
			wc -c </run/secrets/token >/length && stat -c '%a %u %g' /run/secrets/token >>/length
		RUN --mount=type=secret,id=token,target=/etc/app/token,mode=0440,uid=1000,gid=2000 \
			stat -c '%a %u %g' /etc/app/token >/mode
		RUN --mount=type=secret,id=missing cat /run/secrets/missing >/missing 2>/dev/null || echo none >/missing
		RUN cat /run/secrets/token >/after 2>/dev/null; cat /etc/app/token >>/after 2>/dev/null; true
	EOF
	printf 'a secret of 22 letters' >token
	# Both judges leave directories behind in which they mounted something.
	EXCEPT_PATHS="etc/app run" BUILDKIT_PATHS="etc/app run" same_image ctx --secret id=token,src=token
	holds mode "440 1000 2000"
	holds after ""
}

@test "an ssh agent is a socket for one step" {
	need ssh-agent
	recipe <<-'EOF'
		FROM base
		RUN --mount=type=ssh [ -S "$SSH_AUTH_SOCK" ] && echo there >/with
		RUN --mount=type=ssh,id=other,mode=0666,uid=1000 \
			stat -c '%a %u' "$SSH_AUTH_SOCK" >/other
		RUN echo "[$SSH_AUTH_SOCK]" >/without
	EOF
	ssh-agent -D -a "$PWD/agent" >/dev/null 3>&- &
	SERVER=$!
	eventually 10 test -S agent
	# See above.
	EXCEPT_PATHS=run BUILDKIT_PATHS=run same_image ctx --ssh default=agent --ssh other=agent
	holds with there
	holds without "[]"
}

# ---- whole applications ----

@test "a program is made in one stage and put into an empty one" {
	recipe <<-'EOF'
		ARG BASE=base
		FROM $BASE AS build
		WORKDIR /src
		COPY Makefile.sh version ./
		COPY src src
		ARG CFLAGS="-O2 -g"
		RUN sh Makefile.sh build >log && chmod 0755 out/program

		FROM build AS check
		COPY tests tests
		RUN sh tests/all.sh && exit 1

		FROM scratch AS final
		COPY --from=build --chown=65534:65534 /src/out/ /usr/lib/program/
		COPY --from=build /src/log /usr/share/doc/program/log
		COPY --from=build /bin/busybox /bin/sh
		COPY LICENSE* /usr/share/doc/program/
		ENV PATH=/usr/lib/program:/bin LANG=C.UTF-8
		USER 65534:65534
		WORKDIR /var/lib/program
		EXPOSE 8080
		STOPSIGNAL SIGINT
		ENTRYPOINT ["program"]
		CMD ["--serve"]
	EOF
	put version 1.2.3
	put LICENSE
	put src/one.c 'int one;'
	put src/two.c 'int two;'
	put tests/all.sh 'exit 1'
	cat >ctx/Makefile.sh <<-'EOF'
		mkdir -p out/lib
		for source in src/*.c; do
			object=out/$(basename "$source" .c).o
			{ echo "$CFLAGS"; sha256sum "$source"; } >"$object"
			echo "CC $source"
		done
		ar -rc out/lib/libprogram.a out/*.o 2>/dev/null || cat out/*.o >out/lib/libprogram.a
		rm out/*.o
		printf '#!/bin/sh\necho program %s\n' "$(cat version)" >out/program
		ln -s libprogram.a out/lib/libprogram.a.1
	EOF
	# The judge makes a WORKDIR root's; and knows no working directory of scratch.
	EXCEPT_PATHS="var" same_image ctx
	equal "$(owned var/lib/program/)" "drwxr-xr-x 65534/65534"
	equal "$(cairn run judged)" "program 1.2.3"
}

@test "an application of packages: first what rarely changes, then all" {
	recipe <<-'EOF'
		FROM base AS packages
		WORKDIR /app
		COPY package*.json ./
		RUN mkdir -p modules/.bin modules/left/lib && cp package.json modules/left/ && \
			printf '#!/bin/sh\n' >modules/left/lib/cli && chmod 0755 modules/left/lib/cli && \
			ln -s ../left/lib/cli modules/.bin/left

		FROM base
		ENV NODE_ENV=production PORT=3000
		RUN echo 'app:x:101:101:app:/app:/bin/false' >>/etc/passwd && \
			echo 'app:x:101:' >>/etc/group && mkdir /app && chown app:app /app
		WORKDIR /app
		COPY --chown=app:app --from=packages /app/modules modules
		COPY --chown=app:app . .
		USER app
		RUN id -un >who && echo "$NODE_ENV $HOME" >>who && ls -l modules/.bin/left >/dev/null
		EXPOSE $PORT
		VOLUME /app/uploads
		HEALTHCHECK --interval=30s --timeout=3s CMD wget -q -O - "http://127.0.0.1:$PORT/" || exit 1
		CMD [ "node", "server.js" ]
	EOF
	put package.json '{"name":"app"}'
	put package-lock.json '{}'
	put server.js
	put src/routes/index.js
	put public/css/site.css
	put modules/left/stale
	put .env SECRET=1
	put .git/HEAD
	put .dockerignore $'.git\n.env\nmodules\nRecipe\n.dockerignore'
	# The judge makes directories of volumes.
	EXCEPT_PATHS="app/uploads" same_image ctx
	holds app/who $'app\nproduction /app'
	equal "$(owned app/src/routes/index.js)" "-rw-r--r-- 101/101"
}

@test "a server with its configuration, users, volumes and script" {
	recipe <<-'EOF'
		FROM base
		LABEL org.opencontainers.image.title="A server" \
		      org.opencontainers.image.vendor='Nobody in "particular"' \
		      empty="" spaced\ key=value
		ENV SERVER_VERSION=2.4.1 \
		    SERVER_HOME=/srv/server
		ENV PATH=$SERVER_HOME/bin:$PATH DATA=${SERVER_HOME}/data-${SERVER_VERSION:+2}
		RUN set -eux; \
			# users first, so that their numbers stay
			echo 'server:x:999:999::/srv/server:/bin/sh' >>/etc/passwd; \
			echo 'server:x:999:user' >>/etc/group; \
			mkdir -p "$SERVER_HOME/bin" "$DATA"; \
			chown -R server:server "$SERVER_HOME"; \
			chmod 1777 "$DATA"
		COPY --chown=0:server conf/ $SERVER_HOME/conf/
		COPY docker-entrypoint.sh /usr/local/bin/
		RUN ln -s usr/local/bin/docker-entrypoint.sh / && chmod +x /docker-entrypoint.sh && \
			sed -i 's/^#listen/listen/' $SERVER_HOME/conf/main.conf
		VOLUME ["/srv/server/data-2", "/var/log/server"]
		WORKDIR $SERVER_HOME
		EXPOSE 5432/tcp 5432/udp 8000-8002
		STOPSIGNAL SIGQUIT
		HEALTHCHECK --retries=5 --start-period=1m CMD ["server", "--ping"]
		ENTRYPOINT ["docker-entrypoint.sh"]
		CMD ["server", "--config", "conf/main.conf"]
	EOF
	put conf/main.conf '#listen 5432'
	put conf/sites/default
	put docker-entrypoint.sh $'#!/bin/sh\nexec "$@"'
	# The judge makes directories of volumes.
	EXCEPT_PATHS="var/log srv/server/data-2" same_image ctx
	holds srv/server/conf/main.conf "listen 5432"
}

@test "stages like a diamond, one of them twice" {
	recipe <<-'EOF'
		FROM base AS common
		RUN mkdir /c && echo common >/c/common
		FROM common AS left
		RUN echo left >/c/left && rm /c/common
		FROM common AS right
		COPY --from=left /c/left /c/from-left
		RUN echo right >>/c/common
		FROM left
		COPY --from=right /c /c
		COPY --from=common /c/common /c/again
		COPY --from=2 --chown=5:6 /c/from-left /bin/busybox /c/deep/
		COPY --from=0 /c/* /c/
	EOF
	same_image ctx
	holds c/common common
}

@test "targets of one Recipe, each with its own settings" {
	recipe <<-'EOF'
		ARG MODE=release
		FROM base AS common
		ENV LEVEL=0
		WORKDIR /app
		COPY app .
		FROM common AS debug
		ENV LEVEL=9
		RUN echo debug >mode
		CMD ["debug"]
		FROM common AS release
		RUN echo release >mode && rm notes
		CMD ["release"]
		FROM ${MODE} AS chosen
		LABEL mode=$MODE
		ARG MODE
		LABEL mode2=$MODE
	EOF
	put app/main
	put app/notes
	same_image ctx --target debug
	equal "$(config .config.Cmd)" '["debug"]'
	same_image ctx --target chosen --build-arg MODE=debug
	holds app/mode debug
	# The judge does not see that a default names a stage.
	JUDGE=no same_image ctx
	fails 2 tar -xOf ours.tar app/notes
}

@test "ONBUILD over three generations" {
	recipe <<-'EOF'
		FROM base
		ENV who=grandparent
		ONBUILD ARG version=0
		ONBUILD ENV who=$who-child
		ONBUILD COPY --chown=1000:1000 app/ /app/
		ONBUILD WORKDIR /app
		ONBUILD RUN echo "$who $version $(pwd)" >built
		ONBUILD LABEL version=$version
		ONBUILD CMD ["run", "$who"]
	EOF
	put app/main
	same_image ctx
	equal "$(config '.config.OnBuild | length')" 7
	all_known_as grandparent
	recipe <<-'EOF'
		FROM grandparent
		ONBUILD RUN echo "$who" >>/app/built
		ONBUILD USER user
	EOF
	same_image ctx --build-arg version=3
	equal "$(config '.config.OnBuild | length')" 2
	all_known_as parent
	recipe <<-'EOF'
		FROM parent AS one
		RUN id -un >/tmp/who
		ONBUILD ENV never=here
		FROM scratch
		COPY --from=one /app/built /tmp/who /
	EOF
	EXCEPT_CONFIG='del(.config.WorkingDir)' same_image ctx
	holds built $'grandparent-child 3 /app\ngrandparent-child'
}

@test "a child changes all that its base says" {
	recipe <<-'EOF'
		FROM base
		ENV A=1 B=2 PATH=/opt/bin:$PATH
		LABEL a=1 b=2
		EXPOSE 80
		VOLUME /one
		USER user
		WORKDIR /home/user
		STOPSIGNAL 9
		HEALTHCHECK --interval=5s CMD true
		ENTRYPOINT ["/one"]
		CMD ["two"]
		SHELL ["/bin/busybox", "sh", "-c"]
	EOF
	same_image ctx
	all_known_as parent
	recipe <<-'EOF'
		FROM parent
		ENV B="$A$B" C=3
		LABEL b=3 c=$C
		EXPOSE 81/udp 80
		VOLUME /two
		RUN id -u >~/id && echo "$0" >>~/id
		USER 0
		WORKDIR ..
		HEALTHCHECK NONE
		ENTRYPOINT []
		CMD ["sh"]
	EOF
	EXCEPT_PATHS="one two" same_image ctx
	holds home/user/id $'1000\nsh'
	equal "$(config '.config | [.WorkingDir, .User]')" '["/home","0"]'
}

@test "arguments and variables in every place, given and not" {
	recipe <<-'EOF'
		ARG FROM=base
		ARG TAG
		FROM ${FROM}:${TAG:-latest} AS one
		ARG A=a
		ARG B=${A}b
		ARG C
		ARG OWNER=1000
		ARG DIR=/data/$A
		ENV D=${C:-none} E="$A $B" F='$A'
		COPY --chown=$OWNER in/${A}* $DIR/
		WORKDIR $DIR/${UNKNOWN}sub
		USER ${OWNER}
		RUN echo "$A|$B|$C|$D|$E|$F|${TAG-unset}" >/tmp/one
		LABEL "$A"="$B" C="${C}"
		EXPOSE ${PORT:-7000}/udp
		FROM one
		ARG A
		ENV A=${A}-env
		RUN echo "$A|$B|$C|$D" >/tmp/two
	EOF
	put in/a
	put in/alpha
	put in/x
	# The judge forgets the arguments of the stage that another is built on.
	local env='del(.config.Env[] | select(startswith("A=")))'
	EXCEPT_PATHS=tmp/two EXCEPT_CONFIG=$env same_image ctx
	holds tmp/one 'a|ab||none|a ab|$A|unset'
	EXCEPT_PATHS=tmp/two EXCEPT_CONFIG=$env same_image ctx --build-arg A=x --build-arg C=given --build-arg OWNER=7
	holds tmp/two 'x-env|xb|given|given'
}

@test "working directories and users by turns" {
	recipe <<-'EOF'
		FROM base
		RUN mkdir -m 0777 /open && ln -s open /link
		WORKDIR /link/inner
		RUN pwd >/tmp/1 && touch here
		USER user
		WORKDIR /open
		RUN touch mine && mkdir made && pwd >made/where
		COPY file copied
		USER 2000:2000
		WORKDIR made
		RUN id -g >/tmp/2; touch not-mine 2>/dev/null || echo refused >>/tmp/2
		USER user:extra
		RUN touch /open/group
		USER root
		WORKDIR "/a dir/with blanks"
		RUN pwd >where
		WORKDIR ../../etc/./
	EOF
	put file
	same_image ctx
	holds open/made/where /open
	equal "$(config .config.WorkingDir)" '"/etc"'
}

# ---- words that are younger than the judges ----

@test "heredocs say what commands and files say" {
	recipe <<-'EOF'
		FROM base
		ENV name=world
		RUN <<END
		set -e
		mkdir /here
		echo "hello $name" >/here/greeting
		END
		COPY <<one <<-"two" /files/
		to $name
		one
			not to $name
		two
		RUN cat <<END >/here/cat
		kept
		END
	EOF
	cat >ctx/Recipe.plain <<-'EOF'
		FROM base
		ENV name=world
		RUN mkdir /here && echo "hello $name" >/here/greeting
		COPY one two /files/
		RUN echo kept >/here/cat
	EOF
	put one "to world"
	put two 'not to $name'
	same_image ctx
}

@test "--exclude and --parents say what many copies say" {
	recipe <<-'EOF'
		FROM base
		COPY --exclude=**/*.o --exclude=sub/private src /src
		COPY --parents src/./sub/a src/sub/private /kept/
		COPY --link other /linked/
	EOF
	cat >ctx/Recipe.plain <<-'EOF'
		FROM base
		COPY src/main.c /src/
		COPY src/sub/a /src/sub/a
		COPY src/sub/a /kept/sub/a
		COPY src/sub/private /kept/src/sub/private
		COPY other /linked/
	EOF
	put src/main.c
	put src/main.o
	put src/sub/a
	put src/sub/b.o
	put src/sub/private/key
	put other
	same_image ctx
}
