# scene.bash - what the files of projects stand on: bases, changes, building, and services.
# shellcheck disable=SC2154 # run.sh sets work

# debian: the Debian of this machine, from where it gets its packages, made once.
debian() {
	if ! cairn inspect real-debian >/dev/null 2>&1; then
		make_debian "$work/debian.tar" --variant=minbase
		cairn import "$work/debian.tar" real-debian
		rm "$work/debian.tar"
	fi
}

# make_base_image NAME: `debian:TAG` is the Debian of this machine, whatever TAG says; `node:TAG` is
# that with Debian's packages, built from bases/.
make_base_image() {
	cairn inspect "$1" >/dev/null 2>&1 && return
	debian
	local kind=${1%%:*}
	if [ "$kind" = debian ]; then
		cairn tag real-debian "$1"
		return
	fi
	if ! cairn inspect "real-$kind" >/dev/null 2>&1; then
		base_context "$work/base"
		real_build "real-$kind" "$here/bases/$kind.recipe" "$work/base" \
			--build-arg "REGISTRY=$(npm config get registry 2>/dev/null)"
		rm -r "$work/base"
	fi
	cairn tag "real-$kind" "$1"
}

# base_context DIR: the certificates by which this machine trusts where it gets packages.
base_context() {
	local certificates
	mkdir -p "$1"
	certificates=$(npm config get cafile 2>/dev/null || true)
	[ -f "$certificates" ] || certificates=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
	cp "$certificates" "$1/certificates.pem"
}

# change EXPRESSION FILE: edit it by sed, which must have something to change.
change() {
	cp "$2" "$2.before"
	sed -E -i "$1" "$2"
	if cmp -s "$2" "$2.before"; then
		echo "nothing to change in $2 by $1: the project has moved on"
		return 1
	fi
	rm "$2.before"
}

# real_build NAME RECIPE CONTEXT [OPTION...]
real_build() {
	local name=$1 recipe=$2 context=$3 given
	shift 3
	mapfile -t given < <(proxies)
	cairn build --progress plain --network host "${given[@]}" "$@" -f "$recipe" -t "$name" "$context"
}

# judge_builds NAME RECIPE CONTEXT [OPTION...]: the judge gets the bases out of our store.
judge_builds() {
	local name=$1 recipe=$2 context=$3 given base
	shift 3
	for base in "${bases[@]}"; do
		[[ $base == *:* ]] || base=$base:latest
		judge inspect --type image "localhost/$base" >/dev/null 2>&1 ||
			skopeo copy --quiet "oci:$CAIRN_ROOT:$base" \
				"containers-storage:[overlay@$JUDGED/root+$JUDGED/run]localhost/$base"
	done
	mapfile -t given < <(proxies)
	judge bud --quiet --format docker --identity-label=false --isolation chroot --network host \
		"${given[@]}" "$@" -f "$recipe" -t "$name" "$context"
}

# says TEXT COMMAND...: its output holds TEXT, whatever its exit code.
says() {
	local wanted=$1 said
	shift
	said=$("$@" 2>&1) || true
	if [[ $said != *"$wanted"* ]]; then
		printf '%s does not say "%s" but:\n%s\n' "$*" "$wanted" "$said"
		return 1
	fi
}

# serve ARGUMENT...: `cairn run` in the background, alone in a network of its own, so that no port of
# this machine is in the way.
serve() {
	cairn run --network none "$@" >"$work/here/served" 2>&1 &
	served=$!
}

# within COMMAND...: a command of this machine in the network of what is served.
within() {
	local pid=$served child
	while child=$(pgrep -P "$pid" | head -n 1) && [ -n "$child" ]; do
		pid=$child
	done
	[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] &&
		nsenter --target "$pid" --net -- "$@"
}

# answers TEXT COMMAND...: within a minute COMMAND, in the network of what is served, says TEXT.
answers() {
	local end=$((SECONDS + 60)) wanted=$1 said=
	shift
	until said=$(within "$@" 2>&1) || true && [[ $said == *"$wanted"* ]]; do
		if [ "$SECONDS" -gt "$end" ] || ! kill -0 "$served" 2>/dev/null; then
			printf '%s does not say "%s" but:\n%s\nthe service said:\n' "$*" "$wanted" "$said"
			cat "$work/here/served"
			return 1
		fi
		sleep 0.2
	done
}

# leave: nothing that was served outlives its project.
leave() {
	[ -n "${served:-}" ] || return 0
	kill -TERM "$served" 2>/dev/null || true
	wait "$served" 2>/dev/null || true
	served=
}
