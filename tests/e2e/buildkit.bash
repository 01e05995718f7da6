# tests/e2e/buildkit.bash - BuildKit as a second judge: the one within Debian's docker daemon.
#
# Loaded after judge.bash. The daemon is the tests' own: its socket and all that it keeps are below
# $BATS_FILE_TMPDIR, it makes no bridge and no rule of a firewall, and a RUN uses the network of the
# machine. buildkit_open starts it in setup_file, buildkit_close ends it in teardown_file; while it
# runs, same_image asks it, too.
#
# Its frontend is that of 2021 (1.2): what is younger it does not know. BUILDKIT_PATHS and
# BUILDKIT_CONFIG take away a difference that has a reason, as EXCEPT_PATHS and EXCEPT_CONFIG do
# for the first judge; BUILDKIT=no leaves it out of a test that needs a younger frontend.

BUILDKIT_HOME=$BATS_FILE_TMPDIR/buildkit

# The distribution's client: one that came by other means may want a plugin for building.
buildkit() {
	local client=/usr/bin/docker
	[ -x "$client" ] || client=docker
	DOCKER_CONFIG=$BUILDKIT_HOME/config DOCKER_BUILDKIT=1 \
		"$client" -H "unix://$BUILDKIT_HOME/socket" "$@"
}

buildkit_open() {
	mkdir -p "$BUILDKIT_HOME/config"
	TMPDIR=$BUILDKIT_HOME dockerd -H "unix://$BUILDKIT_HOME/socket" --data-root "$BUILDKIT_HOME/data" \
		--exec-root "$BUILDKIT_HOME/exec" -p "$BUILDKIT_HOME/pid" --storage-driver overlay2 \
		--bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
		>"$BUILDKIT_HOME/log" 2>&1 3>&- &
	local turn
	for ((turn = 0; turn < 600; turn++)); do
		buildkit version >/dev/null 2>&1 && return
		kill -0 "$!" || break
		sleep 0.1
	done
	tail -n 5 "$BUILDKIT_HOME/log"
	return 1
}

buildkit_close() {
	local pid turn
	pid=$(cat "$BUILDKIT_HOME/pid" 2>/dev/null) || return 0
	kill "$pid"
	for ((turn = 0; turn < 300; turn++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	rm -rf "$BUILDKIT_HOME"
}

# buildkit_runs: may it be asked? Its socket is there from buildkit_open to buildkit_close.
buildkit_runs() {
	[ -S "$BUILDKIT_HOME/socket" ] && [ "${BUILDKIT:-}" != no ]
}

# buildkit_has NAME: it takes the image NAME:latest out of our store.
buildkit_has() {
	cairn save --format docker-archive -o "$BATS_TEST_TMPDIR/loaded.tar" "$1"
	buildkit load --quiet --input "$BATS_TEST_TMPDIR/loaded.tar" >/dev/null
	rm "$BATS_TEST_TMPDIR/loaded.tar"
}

# same_as_buildkit CONTEXT [OPTION...]: it builds CONTEXT/Recipe to what is in ours.tar and to the
# config of the image `judged`.
same_as_buildkit() {
	local context=$1 recipe
	recipe=$(judges_recipe "$context")
	shift
	buildkit build --quiet --network host -f "$recipe" -t judged "$@" "$context" >/dev/null
	buildkit build --quiet --network host -f "$recipe" -o type=tar,dest=theirs.tar "$@" \
		"$context" >/dev/null
	# shellcheck disable=SC2086
	python3 "$BATS_TEST_DIRNAME/compare.py" ours.tar theirs.tar . ${BUILDKIT_PATHS:-}
	cairn inspect --raw config judged |
		jq -S "{config, author, os, architecture} | $COUNTS | ${BUILDKIT_CONFIG:-.}" >ours.json
	buildkit image inspect judged |
		jq -S ".[0] | {config: .Config, author: .Author, os: .Os, architecture: .Architecture}
			| $COUNTS | ${BUILDKIT_CONFIG:-.}" >theirs.json
	diff -U1 ours.json theirs.json
}
