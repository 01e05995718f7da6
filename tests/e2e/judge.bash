# tests/e2e/judge.bash - buildah as the judge: the same Recipe built by both gives the same image.
#
# Loaded after helper.bash. The judge's storage is its own, below $BATS_FILE_TMPDIR: judge_open
# makes it in setup_file, judge_close takes it away in teardown_file, mounts and all. Its version
# is the distribution's, which is why the differences below are named one by one.
#
# Compared: the root filesystems by compare.py, all but the top directory itself (the judge's
# storage has a mode of its own for it), and what a container would get from the configs.
#
# EXCEPT_PATHS and EXCEPT_CONFIG take away a difference that has a reason; JUDGE=no leaves this
# judge out of a test of what it does not know.

# buildkit_runs: see buildkit.bash; without it there is one judge.
buildkit_runs() {
	false
}

JUDGED=$BATS_FILE_TMPDIR/judge

# Its cache mounts are below TMPDIR.
judge() {
	TMPDIR=$JUDGED/tmp buildah --root "$JUDGED/root" --runroot "$JUDGED/run" --storage-driver overlay "$@"
}

judge_open() {
	mkdir -p "$JUDGED/tmp"
}

judge_close() {
	[ -d "$JUDGED" ] || return 0
	judge rm --all >/dev/null 2>&1
	umount "$JUDGED/root/overlay" 2>/dev/null
	rm -rf "$JUDGED"
}

# judge_has NAME: the judge takes the image NAME:latest out of our store.
judge_has() {
	skopeo copy --quiet "oci:$CAIRN_ROOT:$1:latest" \
		"containers-storage:[overlay@$JUDGED/root+$JUDGED/run]localhost/$1:latest"
}

# both_have TAR NAME: both know this root filesystem as the image NAME.
both_have() {
	cairn import "$1" "$2"
	judge inspect --type image "$2" >/dev/null 2>&1 || judge_has "$2"
	! buildkit_runs || buildkit image inspect "$2" >/dev/null 2>&1 || buildkit_has "$2"
}

# make_base TAR: make_rootfs with every applet of busybox, and with the places where the judge
# mounts something into a step: it leaves them behind in the layer where they were not.
make_base() {
	local dir=$BATS_TEST_TMPDIR/rootfs
	make_rootfs "$1"
	mkdir -p "$dir"/{dev,proc,sys,run,home/user}
	mkdir -p "$dir/usr/bin" "$dir/usr/sbin" "$dir/sbin"
	for name in $(busybox --list); do
		[ -e "$dir/bin/$name" ] || ln -s busybox "$dir/bin/$name"
	done
	for name in hosts hostname resolv.conf; do
		[ -e "$dir/etc/$name" ] || : >"$dir/etc/$name"
	done
	chown 1000:1000 "$dir/home/user"
	echo 'extra:x:2000:user' >>"$dir/etc/group"
	tar -C "$dir" --sort=name --mtime=@0 --numeric-owner -cf "$1" .
}

# What of a config counts: what is set. Dropped are the judge's fields that no OCI config has, and
# fields of docker's format which say what is the default.
COUNTS='
	del(.created, .history, .rootfs, .id, .parent, .container, .container_config,
		.docker_version, .size, .os_version, .variant)
	| .config |= (. // {} | del(.Hostname, .Domainname, .Image, .ArgsEscaped))
	| walk(if type == "object" then with_entries(select(.value
		| . != null and . != "" and . != false and . != {} and . != [])) else . end)'

# same_config NAME [FILTER]: FILTER (jq) takes away, from both, a difference that has a reason.
same_config() {
	cairn inspect --raw config "$1" | jq -S "$COUNTS | ${2:-.}" >ours.json
	judge inspect --type image --format '{{.Config}}' "$1" | jq -S "$COUNTS | ${2:-.}" >theirs.json
	diff -U1 ours.json theirs.json
}

# judges_recipe CONTEXT: what the judges build. Where there is a Recipe.plain, it says the same as
# Recipe in a language that they know.
judges_recipe() {
	if [ -e "$1/Recipe.plain" ]; then
		echo "$1/Recipe.plain"
	else
		echo "$1/Recipe"
	fi
}

# same_image CONTEXT [OPTION...]: all build CONTEXT/Recipe, and the images are the same.
# $OWN_OPTIONS are for cairn alone. $EXCEPT_PATHS are not compared, $EXCEPT_CONFIG is the filter of same_config.
same_image() {
	local context=$1
	shift
	# shellcheck disable=SC2086
	cairn build --progress quiet ${OWN_OPTIONS:-} -f "$context/Recipe" -t judged "$@" "$context" >/dev/null
	cairn export -o ours.tar judged
	[ "${JUDGE:-}" = no ] || same_as_judge "$context" "$@"
	! buildkit_runs || same_as_buildkit "$context" "$@"
}

# same_as_judge CONTEXT [OPTION...]: it builds the same to what is in ours.tar and to the config of
# the image `judged`.
same_as_judge() {
	local context=$1
	shift
	judge bud --quiet --format docker --identity-label=false --isolation chroot --network host \
		-f "$(judges_recipe "$context")" -t judged -o type=tar,dest=theirs.tar "$@" "$context" >/dev/null
	# shellcheck disable=SC2086
	python3 "$BATS_TEST_DIRNAME/compare.py" ours.tar theirs.tar . ${EXCEPT_PATHS:-}
	same_config judged "${EXCEPT_CONFIG:-.}"
}

# recipe: standard input becomes Recipe in the context `ctx`, in which there is a base.
recipe() {
	both_have "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
	mkdir -p ctx
	cat >ctx/Recipe
}

# put PATH [TEXT]: a file in the context.
put() {
	mkdir -p "ctx/$(dirname "$1")"
	printf '%s\n' "${2-$1}" >"ctx/$1"
}

# holds PATH TEXT: what a file of the image says.
holds() {
	equal "$(tar -xOf ours.tar "$1")" "$2"
}

# owned PATH: mode and numeric owner of an entry of the image.
owned() {
	tar --numeric-owner -tvf ours.tar "$1" | awk 'NR == 1 { print $1, $2 }'
}

config() {
	cairn inspect --raw config judged | jq -c "$1"
}

# same_times PATH...: what was built last by a judge has the same seconds there.
same_times() {
	python3 - ours.tar theirs.tar "$@" <<-'END'
		import os, sys, tarfile
		def times(path):
		    with tarfile.open(path, errors="surrogateescape") as tar:
		        return {os.path.normpath("/" + member.name)[1:]: int(member.mtime) for member in tar}
		ours, theirs = times(sys.argv[1]), times(sys.argv[2])
		wrong = False
		for name, time in ours.items():
		    if any(name == top or name.startswith(top + "/") for top in sys.argv[3:]):
		        if time != theirs[name]:
		            print(f"{name!r}: {time} != {theirs[name]}")
		            wrong = True
		sys.exit(wrong)
	END
}

# make_debian TAR OPTION...: a root filesystem of the distribution that runs the tests, from where
# this machine gets its packages and as it gets them (proxies, checks).
make_debian() {
	local tar=$1 sources=()
	shift
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
		[ ! -s "$file" ] || sources+=("$file")
	done
	apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)' >"$BATS_FILE_TMPDIR/apt.conf"
	# shellcheck source=/dev/null
	mmdebstrap --quiet --mode=root "$@" --aptopt="$BATS_FILE_TMPDIR/apt.conf" \
		"$(. /etc/os-release && echo "$VERSION_CODENAME")" "$tar" "${sources[@]}"
}

# proxies: the options by which a build learns the proxies of this machine.
proxies() {
	local name
	for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
		[ -z "${!name:-}" ] || printf -- '--build-arg\n%s\n' "$name"
	done
}
