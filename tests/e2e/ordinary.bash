# tests/e2e/ordinary.bash - an ordinary user of our own, with subordinate ids and a home.

# make_user: in setup_file. $RL_USER, whose $RL_HOME has the program; with teardown_user in teardown_file.
make_user() {
	need_root
	need newuidmap
	export RL_USER="cairn-rl-$$" RL_HOME=$BATS_FILE_TMPDIR/home
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR"
	# one at a time: who finds the lists of users locked fails
	flock /etc useradd --home-dir "$RL_HOME" --create-home --shell /bin/sh "$RL_USER"
	# wherever this machine leaves such ids to be given by hand
	grep -q "^$RL_USER:" /etc/subuid ||
		flock /etc usermod --add-subuids 3000000-3065535 --add-subgids 3000000-3065535 "$RL_USER"
	cp "$(command -v cairn)" "$RL_HOME/cairn"
}

teardown_user() {
	[ -z "${RL_USER-}" ] || flock /etc userdel --remove "$RL_USER" 2>/dev/null || :
}

# user COMMAND...: run it as that user, in the directory where we are, with a store of the test's own.
user() {
	setpriv --reuid "$RL_USER" --regid "$RL_USER" --init-groups --reset-env \
		env HOME="$RL_HOME" CAIRN_ROOT="$RL_HOME/store-$BATS_TEST_NUMBER" NO_COLOR=1 \
		PATH="$RL_HOME:/usr/sbin:/usr/bin:/sbin:/bin" ${EPOCH:+SOURCE_DATE_EPOCH=$EPOCH} "$@"
}
