# tests/e2e/debian.bats - a Debian base, apt-get in RUN, an application: the image runs everywhere.
#
# Base and images are made once for the file. The judge builds the same Recipe on the same base.
#
# run.sh: first

load helper
load judge

# What differs between two runs of the same packages on the same day, in any two builders: it
# holds times or numbers of inodes.
TIMES="
	var/log/apt/history.log var/log/apt/term.log
	var/log/dpkg.log var/log/alternatives.log
	var/cache/apt/pkgcache.bin var/cache/apt/srcpkgcache.bin
	var/cache/ldconfig/aux-cache"

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need apt-get buildah jq mmdebstrap python3 skopeo
	judge_open
	cd "$BATS_FILE_TMPDIR" || return 1
	export CAIRN_ROOT=$BATS_FILE_TMPDIR/store
	make_debian base.tar --variant=apt
	both_have base.tar debian
	rm base.tar
	application
	mapfile -t arguments < <(proxies)
	judge bud --quiet --format docker --identity-label=false --isolation chroot --network host \
		"${arguments[@]}" -f ctx/Recipe -t app ctx
	cairn build --progress plain --network host --compression gzip "${arguments[@]}" \
		-f ctx/Recipe -t app ctx
	cairn export -o ours.tar app
}

setup() {
	export CAIRN_ROOT=$BATS_FILE_TMPDIR/store NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown_file() {
	judge_close
}

# both_have imports with gzip here: Debian 12's umoci knows no zstd.
both_have() {
	cairn import --compression gzip "$1" "$2"
	judge_has "$2"
}

application() {
	mkdir -p ctx/app
	cat >ctx/Recipe <<-'EOF'
		FROM debian
		LABEL org.opencontainers.image.title="a small application"
		ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
		RUN apt-get update && apt-get install -y --no-install-recommends python3
		RUN useradd --system --uid 900 --home-dir /srv/app app && install -d -o app -m 0750 /srv/data
		COPY app /srv/app
		WORKDIR /srv/app
		USER app
		EXPOSE 8080
		CMD ["python3", "app.py", "from", "CMD"]
	EOF
	cat >ctx/app/app.py <<-'EOF'
		import json, os, pathlib, sqlite3, ssl, sys, zlib
		pathlib.Path("/srv/data/written").write_text("yes")
		memory = sqlite3.connect(":memory:")
		print(json.dumps({
		    "arguments": sys.argv[1:], "user": os.getuid(), "directory": os.getcwd(),
		    "language": os.environ["LANG"],
		    "sum": memory.execute("select sum(value) from json_each('[1,2,39]')").fetchone()[0],
		}, sort_keys=True))
	EOF
}

answer() {
	echo '{"arguments": ["from", "CMD"], "directory": "/srv/app", "language": "C.UTF-8", "sum": 42, "user": 900}'
}

@test "cairn runs the application" {
	equal "$(cairn run app)" "$(answer)"
	equal "$(cairn run -u 0 app sh -c 'id -u; ls -A /srv/data')" 0
}

@test "the root filesystem is the judge's" {
	container=$(judge from localhost/app)
	# The judge leaves the /etc/hosts behind that it mounts into steps.
	python3 "$BATS_TEST_DIRNAME/compare.py" "$BATS_FILE_TMPDIR/ours.tar" "$(judge mount "$container")" \
		. etc/hosts $TIMES
	judge umount --all
	judge rm --all
}

@test "the config is the judge's" {
	same_config app
	equal "$(cairn inspect --raw config app | jq -r .config.User)" app
}

@test "nothing of the build is left in the image" {
	tar -tf "$BATS_FILE_TMPDIR/ours.tar" >list
	run -1 grep -E '^(\./)?(etc/hosts|proc/.|sys/.|dev/shm)$' list
}

@test "umoci unpacks the same files" {
	need umoci
	umoci unpack --image "$CAIRN_ROOT:app:latest" bundle
	python3 "$BATS_TEST_DIRNAME/compare.py" "$BATS_FILE_TMPDIR/ours.tar" bundle/rootfs
	equal "$(jq -c '[.process.cwd, .process.user.uid, .process.args]' bundle/config.json)" \
		'["/srv/app",900,["python3","app.py","from","CMD"]]'
	rm -r bundle
}

# podman_runs NAME: the application in a container of podman. Which runtime works depends on how the
# host keeps its cgroups.
podman_runs() {
	local runtime
	for runtime in crun runc; do
		own_podman "$runtime" run --rm --network none --ulimit nofile=1024:1024 \
			--ulimit nproc=1024:1024 "$1" 2>>podman.log && return
	done
	cat podman.log
	return 1
}

# own_podman RUNTIME ARGUMENT...: podman in the storage of the judge, which has the base already.
own_podman() {
	local runtime=$1
	shift
	timeout 120 podman --root "$JUDGED/root" --runroot "$JUDGED/run" \
		--tmpdir "$JUDGED/podman" --storage-driver overlay --cgroup-manager cgroupfs \
		--events-backend none --runtime "$runtime" "$@"
}

@test "podman runs what was saved for docker" {
	need podman
	cairn save --format docker-archive -o app.tar app
	own_podman crun load --quiet -i app.tar
	rm app.tar
	equal "$(podman_runs docker.io/library/app)" "$(answer)"
}

@test "podman runs what was saved as an OCI archive" {
	need podman
	cairn tag app other
	cairn save --format oci-archive -o app.tar other
	own_podman crun load --quiet -i app.tar
	rm app.tar
	equal "$(podman_runs docker.io/library/other)" "$(answer)"
}

@test "building it again runs nothing" {
	mapfile -t arguments < <(proxies)
	cairn build --progress plain --network host --compression gzip "${arguments[@]}" \
		-f "$BATS_FILE_TMPDIR/ctx/Recipe" -t again "$BATS_FILE_TMPDIR/ctx" 2>&1 | tee log
	run -1 grep DONE log
	equal "$(cairn inspect --raw manifest again)" "$(cairn inspect --raw manifest app)"
}

@test "the list of packages has what dpkg-query knows, and no more" {
	printf 'FROM app\n' >Recipe
	cairn build --progress plain -t listed --sbom --sbom-output list.json .
	# shellcheck disable=SC2016 # dpkg-query's own variables
	cairn run app dpkg-query -W -f '${db:Status-Status} ${Package} ${Version} ${Architecture}\n' |
		sed -n 's/^installed //p' | sort >theirs
	jq -r '.packages[] | . as $package | .externalRefs[]?.referenceLocator
		| capture("^pkg:deb/debian/.*[?&]arch=(?<arch>[a-z0-9]+)&distro=debian-")
		| "\($package.name) \($package.versionInfo) \(.arch)"' list.json | sort >ours
	[ "$(wc -l <theirs)" -gt 50 ]
	diff theirs ours
}
