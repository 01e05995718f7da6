# tests/e2e/judged_trees.bats - Recipes that copy and change odd trees: the image is the judges'.
#
# Names, links, modes, times and what an ignore file leaves of them; then what steps do to what is
# there. The rules are those of judged.bats.
#
# run.sh: first

load helper
load judge
load buildkit

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox buildah dockerd jq python3
	judge_open
	buildkit_open
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR make_base "$BATS_FILE_TMPDIR/base.tar"
}

teardown_file() {
	judge_close
	buildkit_close
}

@test "an ignore file for a large tree" {
	recipe <<-'EOF'
		FROM base
		COPY . /all
		COPY src/*/lib* /some/
		COPY docs /docs
	EOF
	local one two three
	for one in src docs build vendor .cache "a b"; do
		for two in one two lib .hid; do
			for three in main.c main.o lib.so.1 README.md .keep "x y" 'q[1]'; do
				put "$one/$two/$three"
				put "$one/$two/deep/er/$three"
			done
		done
	done
	cat >ctx/.dockerignore <<-'EOF'
		  # not a comment, but it matches nothing
		# a comment
		**/*.o
		!src/one/main.o
		build
		!build/two/**
		build/two/deep/er/README.md
		vendor/*/*.c
		vendor/**/deep/**/x*
		/.cache/
		!.cache/lib/.keep
		a?b/[!ol]*
		docs/**/*.md
		!docs/*/README.md
		src/../docs/two
		**/q\[1\]
		!**/.hid/q\[1\]
		./vendor/lib/lib.so.?
		*/.hid/main.?
	EOF
	# Today one may come back from anywhere below a directory that is ignored. Both judges look there
	# only where the rule begins with its name.
	local lost="all/.cache/.hid all/build/.hid"
	EXCEPT_PATHS=$lost BUILDKIT_PATHS=$lost same_image ctx
	holds 'all/build/.hid/q[1]' 'build/.hid/q[1]'
	tar -tf ours.tar | grep -qx all/src/one/main.o
}

@test "ignoring everything but a few" {
	recipe <<-'EOF'
		FROM base
		COPY . /all
	EOF
	put a/keep/x
	put a/keep/y/z
	put a/gone/x
	put b/c/d/e
	put b/c/f
	put top
	put .hidden
	mkdir -p ctx/empty/one
	printf '*\n!a/keep\n!b/*/d\n!empty\na/keep/y\n!Recipe\n' >ctx/.dockerignore
	# See above.
	EXCEPT_PATHS=all/b BUILDKIT_PATHS=all/b same_image ctx
	equal "$(tar -tf ours.tar | grep -c '^all/.*[^/]$')" 3
}

@test "links within a context, named and met" {
	recipe <<-'EOF'
		FROM base
		COPY tree /tree
		COPY tree/chain1 /followed
		COPY tree/dirs/2 /dirs2
		COPY tree/dirs/2/file tree/up/* /more/
		COPY tree/root /root-of-context
		RUN ln -s /target /into && mkdir -p /target/sub && ln -s sub /target/rel && ln -s /new/place /later
		COPY tree/real /into/
		COPY tree/real /target/rel/
		COPY tree/real /later/file
	EOF
	put tree/real/file
	ln -s chain2 ctx/tree/chain1
	ln -s chain3 ctx/tree/chain2
	ln -s real/file ctx/tree/chain3
	mkdir ctx/tree/dirs
	ln -s ../real ctx/tree/dirs/1
	ln -s 1 ctx/tree/dirs/2
	ln -s ../../../../tree/real ctx/tree/up
	ln -s /tree/real ctx/tree/root
	ln -s loop2 ctx/tree/loop1
	ln -s loop1 ctx/tree/loop2
	ln -s . ctx/tree/self
	ln -s /etc/passwd ctx/tree/absolute
	same_image ctx
	holds followed tree/real/file
}

@test "hard links of the context, of a stage, and made by a step" {
	recipe <<-'EOF'
		FROM base AS made
		RUN mkdir -p /m/a /m/b && echo 1 >/m/a/1 && ln /m/a/1 /m/a/2 && ln /m/a/1 /m/b/3 && \
			ln -s x /m/a/s && ln /m/a/s /m/b/s
		FROM base
		COPY tree /tree
		COPY tree/one tree/sub/two /flat/
		COPY --from=made /m /m
		COPY --from=made /m/a /m/b /merged/
		RUN ln /tree/one /linked && ln /bin/busybox /bb && rm /tree/sub/two
		RUN echo changed >>/linked && chmod 0600 /m/a/2
	EOF
	put tree/one
	mkdir ctx/tree/sub
	ln ctx/tree/one ctx/tree/sub/two
	ln ctx/tree/one ctx/outside
	put tree/three
	ln ctx/tree/three ctx/tree/sub/three
	# With the judge a stage is one layer, in which links survive a change; over layers, as it is
	# with the overlay of the kernel, the name that is changed parts from the others. Nor does it
	# keep hard links of symbolic ones, and BuildKit does not either.
	EXCEPT_PATHS="m tree/one linked" BUILDKIT_PATHS="m/a/s m/b/s" same_image ctx
}

@test "modes of every kind" {
	recipe <<-'EOF'
		FROM base AS made
		RUN mkdir /m && for mode in 0000 0111 0400 0644 1644 2755 4711 7777; do \
			touch /m/f$mode && chmod $mode /m/f$mode && mkdir /m/d$mode && chmod $mode /m/d$mode; done
		FROM base
		COPY modes /modes
		COPY --from=made /m /m
		COPY --from=made --chown=1:2 /m /owned
		RUN chmod 0000 /modes/d0755 && chmod -R a-w /m
	EOF
	mkdir ctx/modes
	local mode
	for mode in 0000 0111 0400 0600 0666 0755 1777; do
		put "modes/f$mode"
		mkdir "ctx/modes/d$mode"
		chmod "$mode" "ctx/modes/f$mode" "ctx/modes/d$mode"
	done
	# The judge takes set-id bits away.
	EXCEPT_PATHS="owned m" same_image ctx
}

@test "fifos, sockets and devices" {
	recipe <<-'EOF'
		FROM base AS made
		RUN mkdir /m && mkfifo -m 0620 /m/fifo && mknod /m/null c 1 3 && mknod /m/loop b 7 0 && \
			chown 1000 /m/fifo
		FROM base
		COPY tree /tree
		COPY --from=made /m /m
		RUN mkfifo /own && rm /m/null && mkdir /m/null
	EOF
	mkdir ctx/tree
	mkfifo -m 0600 ctx/tree/fifo
	# BuildKit of 2021 copies neither fifos nor block devices.
	OWN_OPTIONS="--userns host" BUILDKIT_PATHS="m/fifo m/loop tree/fifo" same_image ctx
	equal "$(owned m/loop)" "brw-r--r-- 0/0"
}

@test "names of every kind" {
	recipe <<-'EOF'
		FROM base
		COPY names /names
		COPY ["names/two words", "names/\\'quoted\\'", "/some names/"]
		COPY names/*ü* names/\[set\] names/--flag /glob/
		RUN cd /names && mv 'two words' "it's \"that\"" && rm -r '$HOME' && mkdir 'new dir ' && \
			echo x >'new dir /	tab' && printf x >"$(printf 'with\nnewline2')"
	EOF
	local name
	for name in 'two words' "'quoted'" '"double"' '$HOME' '\back\slash' 'ümlaut' '雪' '-dash' '--flag' \
		'*' '?' '[set]' '#hash' ' leading' 'trailing ' '...' '..x' '~' 'a:b' 'a=b' '%41' '&;|<>' \
		$'new\nline' $'tab\there' $'bell\a' '.wh' 'wh.x' 'x.wh.y' '{a,b}' '!not' '@at' 'CON' 'e\u0301'; do
		put "names/$name" x
	done
	same_image ctx
}

@test "bytes that are no UTF-8" {
	recipe <<-'EOF'
		FROM base
		RUN mkdir /n && touch "/n/$(printf 'latin\351')" && ln -s "$(printf 'to\377')" /n/link
		RUN mv "/n/$(printf 'latin\351')" "/n/$(printf '\200\376')"
	EOF
	same_image ctx
}

@test "long paths and long names" {
	recipe <<-'EOF'
		FROM base
		COPY deep /deep
		COPY deep/*/*/*/l* /taken/
		RUN cd /deep && dir=$(printf 'n%.0s' $(seq 240)) && mkdir -p $dir/$dir/$dir && \
			echo x >$dir/$dir/$dir/$dir && ln $dir/$dir/$dir/$dir short && \
			ln -s $dir/$dir/$dir/$dir link && rm -r d*/d*/d*/d*
	EOF
	local dir path=deep turn
	dir=$(printf 'd%.0s' {1..60})
	for ((turn = 0; turn < 12; turn++)); do
		path+=/$dir
		put "$path/$(printf 'f%.0s' {1..99})"
		put "$path/$(printf 'l%.0s' {1..100})"
		put "$path/$(printf 'g%.0s' {1..255})"
	done
	same_image ctx
}

@test "directories without anything" {
	recipe <<-'EOF'
		FROM base AS made
		RUN mkdir -p /e/one/two /e/three && chmod 0700 /e/three && chown 5:6 /e/one
		FROM base
		COPY empty /empty
		COPY empty/a /made/
		COPY empty /etc
		COPY --from=made /e /e
		COPY --from=made /e/* /flat/
		RUN mkdir /own && rmdir /empty/a/b
	EOF
	mkdir -p ctx/empty/a/b ctx/empty/c
	chmod 0711 ctx/empty/c
	same_image ctx
}

@test "times of what is copied stay" {
	recipe <<-'EOF'
		FROM base AS made
		RUN mkdir -p /m/d && echo 1 >/m/d/f && ln -s f /m/d/l && touch -h -d @123456789 /m/d/l /m/d/f /m/d /m
		FROM base
		COPY tree /tree
		COPY tree/old /single
		COPY --from=made /m /m
		COPY --chown=1000 tree/sub /owned
	EOF
	put tree/old
	put tree/sub/new
	ln -s new ctx/tree/sub/link
	touch -d '1980-01-02 03:04:05Z' ctx/tree/old
	touch -d '2030-01-02 03:04:05Z' ctx/tree/sub/new
	touch -h -d '1999-12-31 23:59:59Z' ctx/tree/sub/link
	touch -d '2005-05-05 05:05:05Z' ctx/tree/sub ctx/tree
	BUILDKIT=no same_image ctx
	same_times tree/old tree/sub single m/d owned/new
	# BuildKit of 2021 loses the times of directories that come from the context.
	same_as_buildkit ctx
	same_times tree/old tree/sub/new tree/sub/link single m/d owned/new
}

@test "extended attributes" {
	need setfattr
	recipe <<-'EOF'
		FROM base AS one
		COPY tree /tree
		FROM base
		COPY --from=one /tree/file /again
		COPY --from=one /tree /all
		RUN chmod 0600 /again
	EOF
	put tree/file
	setfattr -n user.note -v "some text" ctx/tree/file
	setfattr -n user.dir -v x ctx/tree
	same_image ctx
}

# ---- what steps do to what is there ----

@test "deleted and made again, layer over layer and stage over stage" {
	recipe <<-'EOF'
		FROM base AS one
		RUN mkdir -p /t/keep/a /t/gone/a/b /t/opaque && touch /t/keep/a/f /t/gone/a/b/f /t/opaque/old /t/x
		RUN rm -r /t/gone /t/opaque && mkdir /t/opaque && touch /t/opaque/new
		FROM one AS two
		COPY d /t/gone/
		RUN rm -r /t/opaque /t/keep/a && mkdir -p /t/opaque/deep && rm /t/x
		FROM two
		COPY d /t/keep/a
		COPY --from=one /t /t
		RUN rm -rf /t/keep && mkdir /t/keep && mv /t/gone /t/keep/gone
		RUN mv /t/keep/gone /t/gone && mv /t/opaque /t/keep/ && touch /t/opaque
	EOF
	put d/a
	put d/b/c
	same_image ctx
}

@test "files become directories, and directories files" {
	recipe <<-'EOF'
		FROM base
		COPY tree /t
		RUN rm /t/file && mkdir /t/file && echo in >/t/file/in && rm -r /t/dir && echo now >/t/dir
		COPY over /t/file
		RUN rm -r /t/link && cp -r /home /t/link && rm -r /t/file && ln -s dir /t/file
		COPY tree/dir/a /t/dir
		RUN mv /t/dir /t/dir2 && mkdir /t/dir && mv /t/dir2 /t/dir/dir && mv /t/sub/sub /t/s && \
			rm -r /t/sub && mv /t/s /t/sub
	EOF
	put tree/file
	put tree/dir/a
	put tree/dir/b/c
	put tree/sub/sub/x
	ln -s dir ctx/tree/link
	put over/more
	same_image ctx
	holds t/dir/dir tree/dir/a
}

@test "what a step only touches, renames or gives away" {
	recipe <<-'EOF'
		FROM base
		COPY tree /t
		RUN touch -d @1 /t/a && mv /t/b /t/b2 && chown -R 1000:2000 /t/d && chmod g+s /t/d && \
			sed -i s/t/T/ /t/c && cp -p /t/e /t/e2 && truncate -s 1000000 /t/sparse && : >/t/e && \
			ln -sf /new /t/link && mv /t/x/y /t/z
		RUN chown 0:0 /t/d/f && rmdir /t/x && touch -h /t/link && mv /t/a /t/A
	EOF
	put tree/a
	put tree/b
	put tree/c
	put tree/d/f
	put tree/e
	put tree/x/y/z
	ln -s /old ctx/tree/link
	same_image ctx
	holds t/c Tree/c
}

@test "copies from many places to one" {
	recipe <<-'EOF'
		FROM base AS a
		RUN mkdir -p /o/d && echo a >/o/f && echo a >/o/d/a && chown -R 11:11 /o && chmod 0750 /o/d
		FROM base AS b
		RUN mkdir -p /o/d && echo b >/o/f && echo b >/o/d/b && chown -R 22:22 /o && ln -s d /o/l
		FROM base
		COPY --from=a /o /x
		COPY --from=b /o /x
		COPY --from=a --chown=user /o/d /y
		COPY --from=b --chown=0:2000 /o/d /z
		COPY --from=b /o/l /w
		COPY --from=a /o/f /v/
		COPY local /x/d/
		COPY --from=base /etc/group /bin/busybox /u/
		COPY --from=1 /o/../o/./f /s
	EOF
	put local
	same_image ctx
	holds x/f b
}

@test "fifty layers" {
	{
		echo 'FROM base'
		for ((turn = 1; turn <= 46; turn++)); do
			echo "COPY f /layers/$((turn % 7))/$turn"
			[ $((turn % 3)) -ne 0 ] || echo "ENV turn=$turn"
		done
		echo 'RUN rm -r /layers/3 && echo "$turn" >/layers/4/4'
		echo 'COPY f /layers/3/3'
		echo 'RUN rm -r /layers/2/* /layers/5 && touch /layers/5 && chown 1000 /layers/0/7'
		echo 'COPY f /layers/5'
	} >fifty
	recipe <fifty
	put f
	same_image ctx
	holds layers/4/4 45
	equal "$(cairn inspect --raw config judged | jq '.rootfs.diff_ids | length')" 51
}
