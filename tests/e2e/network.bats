# tests/e2e/network.bats - what RUN reaches: a private network, the host's, none.
#
# Everything happens in a network that each test makes, where this machine is 10.9.9.9 and has a
# resolver on its loopback. Nothing outside is asked.

load helper

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need busybox gcc ip pasta python3 slirp4netns unshare
	[ -c /dev/net/tun ] || skip "this machine has no /dev/net/tun"
	cd "$BATS_FILE_TMPDIR" || return 1
	gcc -O1 -static -o knock "$BATS_TEST_DIRNAME/knock.c"
}

# With a directory that a user can work in, too.
setup() {
	export NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	mkdir -m 777 there
	cp "$(command -v cairn)" /bin/busybox "$BATS_FILE_TMPDIR/knock" there
	cd there || return 1
	export CAIRN_ROOT=$PWD/store
	export PATH=$PWD:$PATH
	mkdir base bin
	cp busybox knock bin
	ln -s busybox bin/sh
	mv bin base
	recipe 'true'
}

# recipe COMMAND...: each is a RUN of its own.
recipe() {
	printf 'FROM scratch\nCOPY base /\nENV PATH=/bin\n' >Recipe
	local command
	for command; do
		printf 'RUN %s\n' "$command" >>Recipe
	done
}

# elsewhere [-w FILE]... COMMAND...: in that network. -w: without this file. $INSIDE and $OUTSIDE are ports.
elsewhere() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --net --mount --propagation private bash -euc '
		ip link set lo up
		ip link add outer type veth peer name inner
		ip address add 10.9.9.9/24 dev outer
		ip link set outer up
		ip link set inner up
		ip route add default via 10.9.9.1
		[ -e resolv ] || echo "nameserver 127.0.0.1" >resolv
		mount --bind resolv /etc/resolv.conf
		while [ "$1" = -w ]; do
			[ ! -e "$2" ] || mount --bind /dev/null "$2"
			shift 2
		done
		: >ports
		python3 "$0" 10.9.9.9 >ports 2>server.err 3>&- &
		trap "kill $!" EXIT
		for _ in $(seq 600); do [ ! -s ports ] || break; sleep 0.05; done
		read -r INSIDE OUTSIDE <ports
		export INSIDE OUTSIDE
		"$@"' "$BATS_TEST_DIRNAME/network_server.py" "$@"
}

# The ports of the server, for the Recipe.
build() {
	cairn build --no-cache --progress plain --build-arg "INSIDE=$INSIDE" \
		--build-arg "OUTSIDE=$OUTSIDE" "$@" . 2>&1
}
export -f build

as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

# A /dev/net/tun that everybody may use, as distributions have it.
with_tun() {
	[ -e tun ] || mknod -m 666 tun c 10 200
	mount --bind tun /dev/net/tun
	"$@"
}
export -f as_nobody with_tun


reaches() {
	sed -i '3a ARG INSIDE\nARG OUTSIDE' Recipe
	run -0 elsewhere "$@"
	says "127.0.0.1: Connection refused"
	says "the host, 0 on its loopback"
	says "Address: 203.0.113.7"
	[[ $output != *"network of this machine"* && $output != *denied* && $output != *"not permitted"* ]]
}

everything() {
	recipe 'knock to 127.0.0.1 $INSIDE; [ -z "$(knock frames)" ]' \
		'for to in 127.0.0.1 127.0.0.9 0.0.0.0 198.19.255.2 198.19.255.3; do knock forge $to $INSIDE 198.19.255.2; done' \
		'knock to 10.9.9.9 $OUTSIDE' \
		'busybox nslookup name.test' \
		'[ "$(ls /sys/class/net)" = "$(printf "lo\ntap0")" ]' \
		'busybox ip address show lo | busybox grep -q "inet 127.0.0.1"' \
		'knock own; busybox ping -q -c 1 127.0.0.1' 'knock own 9'
}

@test "a private network by pasta reaches the host, its resolver, and nothing of its loopback" {
	everything
	reaches bash -c build
}

@test "a private network by slirp4netns does the same" {
	everything
	reaches -w "$(command -v pasta)" bash -c build
}

@test "a resolver that is not on the loopback answers in a private network, too" {
	echo "nameserver 10.9.9.9" >resolv
	recipe 'busybox nslookup name.test'
	run -0 elsewhere bash -c build
	says "Address: 203.0.113.7"
	run -0 elsewhere -w "$(command -v pasta)" bash -c 'build --no-cache'
	says "Address: 203.0.113.7"
}

@test "an ordinary user has a private network, too" {
	everything
	reaches with_tun as_nobody bash -c 'build --network private'
	rm -rf store
	everything
	reaches -w "$(command -v pasta)" with_tun as_nobody bash -c 'build --network private'
}

@test "the host's network has its loopback, and none has nothing" {
	recipe 'knock to 127.0.0.1 $INSIDE; knock to 10.9.9.9 $OUTSIDE; cat /etc/resolv.conf'
	sed -i '3a ARG INSIDE\nARG OUTSIDE' Recipe
	sed -i 's/RUN/RUN --network=host/' Recipe
	run -0 elsewhere bash -c build
	says "the host, 1 on its loopback"
	says "nameserver 127.0.0.1"
	sed -i 's/--network=host/--network=none/' Recipe
	run -0 elsewhere bash -c build
	says "10.9.9.9: Network is unreachable"
}

@test "without a program the default is the host's network, and says so" {
	recipe 'ls /sys/class/net'
	local without=(-w "$(command -v pasta)" -w "$(command -v slirp4netns)")
	run -0 elsewhere "${without[@]}" bash -c build
	says "RUN steps use the network of this machine (neither pasta nor slirp4netns is installed)"
	says outer
	fails 1 elsewhere "${without[@]}" bash -c 'build --network private'
	says "no private network: neither pasta nor slirp4netns is installed"
	run -0 elsewhere "${without[@]}" bash -c 'build --network host'
	[[ $output != *"network of this machine"* ]]
}

@test "a device that may not be opened is named" {
	recipe 'ls /sys/class/net'
	fails 1 elsewhere -w /dev/net/tun bash -c 'build --network private'
	says "no private network: "
}

@test "a machine without a resolver is told which file names none" {
	echo "# nothing" >resolv
	fails 1 elsewhere bash -c 'build --network private'
	says "no private network: /etc/resolv.conf: it names no server"
	run -0 elsewhere bash -c build
	says "RUN steps use the network of this machine (/etc/resolv.conf: it names no server"
	run -0 elsewhere bash -c 'build --network private --dns 10.9.9.9'
}

@test "what --dns says is in the file, in every network that has one" {
	printf 'nameserver 127.0.0.1\nsearch one.test\noptions ndots:3\n' >resolv
	recipe 'cat /etc/resolv.conf'
	run -0 elsewhere bash -c 'build --dns 10.9.9.8 --dns-search two.test --dns-option ndots:2'
	says "nameserver 10.9.9.8"
	says "search two.test"
	says "options ndots:2"
	[[ $output != *one.test* && $output != *ndots:3* && $output != *127.0.0.1* ]]
	run -0 elsewhere bash -c 'build --network host --dns 127.0.0.9'
	says "nameserver 127.0.0.9"
	says "search one.test"
	fails 1 elsewhere bash -c 'build --network private --dns 127.0.0.9'
	says "127.0.0.9 is the loopback's"
	fails 2 cairn build --dns nowhere .
	says "option --dns: 'nowhere' is no address"
}

@test "host-gateway is the address that leads to this machine" {
	recipe 'busybox grep friend /etc/hosts; knock to 10.9.9.9 $OUTSIDE'
	sed -i '3a ARG INSIDE\nARG OUTSIDE' Recipe
	run -0 elsewhere bash -c 'build --add-host friend:host-gateway'
	grep -Eq '10\.9\.9\.9[[:blank:]]friend' <<<"$output"
	says "the host, 0"
	run -0 elsewhere bash -c 'build --network host --add-host friend:host-gateway'
	grep -Eq '127\.0\.0\.1[[:blank:]]friend' <<<"$output"
	fails 1 elsewhere bash -c 'ip route del default; build --add-host friend:host-gateway'
	says "host-gateway: this machine has no address but the loopback's"
}

@test "steps share one network, and a build without a step starts nothing" {
	recipe 'readlink /proc/self/ns/net >/one' '[ "$(readlink /proc/self/ns/net)" = "$(cat /one)" ]'
	elsewhere bash -c 'build --network private'
	# shellcheck disable=SC2016 # the inner shell expands it
	run -0 elsewhere bash -c 'cairn build --network private --progress plain -t app . &&
		strace -f -qq -e trace=execve -o calls cairn build --network private -q . && ! grep -q pasta calls'
}

@test "run has it on demand" {
	cairn build -q --network none -t app .
	run -0 elsewhere bash -c 'cairn run --network private app sh -c "ls /sys/class/net"'
	equal "$output" "$(printf 'lo\ntap0')"
	fails 125 elsewhere -w "$(command -v pasta)" -w "$(command -v slirp4netns)" \
		cairn run --network private app true
}

@test "kill -9 leaves no process behind" {
	recipe 'echo started; while :; do busybox sleep 1; done'
	# shellcheck disable=SC2016 # the inner shell expands it
	run -0 elsewhere bash -c '
		cairn build --no-cache --network private --progress plain . >log 2>&1 3>&- &
		builder=$!
		for _ in $(seq 600); do ! grep -q " started" log || break; sleep 0.05; done
		grep " started" log
		own=$(readlink /proc/self/ns/net)
		kill -9 $builder
		wait $builder || true
		mine() {
			for process in /proc/[0-9]*; do
				[ "$(readlink $process/ns/net)" != "$own" ] ||
					tr "\0" " " <$process/cmdline | grep -E "^[^ ]*(pasta|slirp4netns) " || true
			done
		}
		for _ in $(seq 600); do [ -n "$(mine)" ] || break; sleep 0.05; done
		[ -z "$(mine)" ]'
}

@test "kill -9 leaves nobody alive where process 1 reaps nobody" {
	cairn build -q --network none -t app .
	run -0 elsewhere unshare --pid --fork --mount-proc python3 "$BATS_TEST_DIRNAME/idle_init.py" \
		busybox cairn run --network private app busybox sleep 100
	equal "$output" ""
}

@test "who is root of this machine has no power over a network of theirs, and none over his own" {
	# one mount that cannot be shown in a user namespace makes a step root of the machine
	cairn build -q --network none -t app .
	for flags in '' '-v /proc:/v:ro'; do
		# shellcheck disable=SC2086
		run elsewhere cairn run --network private $flags app sh -c \
			'busybox ip link set lo down; busybox ip link del tap0; ls /sys/class/net; knock own'
		says "not permitted"
		says tap0
		[[ $output != *"port 80"* && $output != *socket* ]]
	done
}

@test "who may administer the network of a step does not reach the loopback of this machine either" {
	cairn build -q --network none -t app .
	attack='busybox ip link >/dev/null; knock unguard; knock forge 127.0.0.1 $0 198.19.255.2; knock to 10.9.9.9 $1'
	for without in /nothing "$(command -v pasta)"; do
		# shellcheck disable=SC2016 # the inner shell expands it
		run -0 elsewhere -w "$without" bash -c 'cairn run --network private --cap-add NET_ADMIN app \
			sh -c "$0" "$INSIDE" "$OUTSIDE"' "$attack"
		says "other: Operation not permitted"
		says "the host, 0 on its loopback"
		[[ $output != *Success* && $output != *127.0.0.1* ]]
	done
	rm -rf store
	# shellcheck disable=SC2016
	run -0 elsewhere with_tun as_nobody bash -c 'cairn build -q --network none -t app . && cairn run \
		--network private --cap-add NET_ADMIN app sh -c "knock own; $0" "$INSIDE" "$OUTSIDE"' "$attack"
	says "other: Operation not permitted"
	says "the host, 0 on its loopback"
	[[ $output != *Success* && $output != *127.0.0.1* && $output != *enied* ]]
	# as whom it cannot be kept from that, it is said
	run -0 elsewhere cairn run --userns host --network private --cap-add NET_ADMIN app knock own
	says "steps with CAP_NET_ADMIN can take away"
}

@test "a published port leads to the container, and one that is taken is named" {
	echo 'EXPOSE 80' >>Recipe
	cairn build -q --network none -t app .
	# shellcheck disable=SC2016 # the inner shell expands it
	run -0 elsewhere bash -c '
		cairn run -P app sh -c "echo hello >/index.html; exec busybox httpd -f -p 80 -h /" >log 2>&1 3>&- &
		server=$!
		port() { sed -n "s/.*0\.0\.0\.0:\([0-9]*\).*/\1/p" log; }
		for _ in $(seq 600); do [ -z "$(port)" ] || break; sleep 0.05; done
		for address in 10.9.9.9 127.0.0.1; do
			for _ in $(seq 600); do
				! said=$(busybox wget -qO- "http://$address:$(port)/" 2>/dev/null) || break
				sleep 0.05
			done
			echo "$address says $said"
		done
		! cairn run -p "127.0.0.1:$(port):1" app knock own || exit 1
		kill -KILL $server
		wait $server || true'
	says "10.9.9.9 says hello"
	says "127.0.0.1 says hello"
	says "publish port "
	says "on 127.0.0.1: Address already in use"
	says "Publish another one, or '-p 1' alone"
	# the port is told as a note, and slirp4netns has none
	run -0 elsewhere cairn run -p 80 app busybox true
	[[ $output == "port 80/tcp of the container is 0.0.0.0:"* ]]
	fails 125 elsewhere -w "$(command -v pasta)" cairn run -p 8080:80 app true
	says "slirp4netns publishes no ports"
	says "Install pasta (package passt)"
	fails 2 cairn run -p '[::1]:8080:80' app true
	says "is of IPv6, and ports are published at addresses of IPv4 alone"
	# where pasta would open others of the loopback
	fails 125 elsewhere cairn run -p 18433:3/udp app true
	says "port 18433 of udp cannot lead to 3"
	run -0 elsewhere cairn run -p 18433-18434:18433-18434/udp app sh -c '! busybox netstat -lnu | busybox grep :'
	fails 2 cairn run -p 80:80 --network none app true
	says "no port leads to --network none"
}

@test "an ordinary user publishes ports, and hears which ones are root's" {
	as_nobody cairn build -q --network none -t app .
	# shellcheck disable=SC2016 # the inner shell expands it
	run -0 elsewhere with_tun as_nobody bash -c '
		cairn run -p 8080:80 app sh -c "echo hello >/index.html; exec busybox httpd -f -p 80 -h /" >log 2>&1 3>&- &
		server=$!
		for _ in $(seq 600); do
			! busybox wget -qO- "http://10.9.9.9:8080/" 2>/dev/null || break
			sleep 0.05
		done
		kill -KILL $server
		wait $server || true
		! cairn run -p 80:80 app true || exit 1'
	says hello
	says "publish port 80/tcp on this machine: Permission denied"
	says "8080:80"
	says "sysctl net.ipv4.ip_unprivileged_port_start=80"
}
