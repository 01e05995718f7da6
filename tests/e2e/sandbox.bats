# tests/e2e/sandbox.bats - what a step finds, what it can do, and what it leaves.

load robust
load ../registry/registry

# step SCRIPT [INSTRUCTION...]: run it as the only RUN on base, after the instructions; what it
# wrote, as the log has it, is in $output.
step() {
	local script=$1 code=0
	shift
	mkdir -p context
	printf '%s\n' 'FROM base' "$@" >context/Recipe
	printf 'RUN %s\n' "${script//$'\n'/ }" >>context/Recipe
	rm -rf "$CAIRN_ROOT"/builds/*
	build_in context --no-cache -t app >told 2>&1 || code=$?
	[ "$code" -eq "${expected_code:-0}" ] || { cat told; return 1; }
	output=$(cat "$CAIRN_ROOT"/builds/*/*.log 2>/dev/null)
}

# entries: the paths in the layers that app has beyond those of base.
entries() {
	rm -rf saved
	cairn save --compression none --format oci-dir -o saved app 2>/dev/null ||
		cairn save --format oci-dir -o saved app
	jq -r '.manifests[0].digest' saved/index.json | cut -d: -f2 >digest
	for layer in $(jq -r '.layers[1:][].digest' "saved/blobs/sha256/$(cat digest)"); do
		if zstd -tq "saved/blobs/sha256/${layer#*:}" 2>/dev/null; then
			zstd -dcq "saved/blobs/sha256/${layer#*:}" | tar -t
		else
			tar -tf "saved/blobs/sha256/${layer#*:}"
		fi
	done
}

layer_count() {
	cairn inspect "$1" --format json | jq '.[0].layers | length'
}

@test "a step is root with 14 capabilities, a filter and sane limits" {
	import_base
	step 'cat /proc/self/status; echo umask $(umask); ulimit -Sn; ulimit -Hn; ulimit -c; id'
	for line in 'CapInh:	0000000000000000' 'CapPrm:	00000000a80425fb' \
		'CapEff:	00000000a80425fb' 'CapBnd:	00000000a80425fb' 'CapAmb:	0000000000000000' \
		'NoNewPrivs:	0' 'Seccomp:	2' 'Uid:	0	0	0	0' 'Gid:	0	0	0	0' 'umask 0022' \
		$'\n0\nuid=0(root) gid=0(root) groups=0(root)'; do
		says "$line"
	done
	# The hard limit cannot be above that of a machine which withholds the right to raise it.
	[[ $output == *$'\n1024\n524288\n'* || $output == *$'\n1024\n'$(ulimit -Hn)$'\n'* ]]
	step 'cat /proc/self/status; id' 'USER user'
	for line in 'CapPrm:	0000000000000000' 'CapEff:	0000000000000000' \
		'CapBnd:	00000000a80425fb' 'uid=1000(user) gid=1000(user) groups=1000(user)'; do
		says "$line"
	done
}

@test "whatever the user's umask, limits and signals are, a step finds the same" {
	import_base
	probe='umask; ulimit -n; ulimit -c; grep Sig /proc/self/status | grep -v SigQ; touch /f; mkdir /d; stat -c %a /f /d'
	step "$probe"
	printf '%s\n' "$output" >want
	(
		umask 077
		ulimit -Sn 256 -c unlimited
		trap '' HUP INT PIPE USR1
		step "$probe"
		printf '%s\n' "$output" >got
	)
	equal "$(cat got)" "$(cat want)"
	equal "$(tail -n 2 got)" "$(printf '644\n755')"
}

@test "a step is alone: first process, own session, own host name, no terminal" {
	import_base
	step 'echo pid $$; hostname; ls -d /proc/[0-9]*; cut -d" " -f5-8 /proc/self/stat; (: </dev/tty) 2>&1 || true'
	says "pid 1"
	equal "$(sed -n 2p <<<"$output")" cairn
	[ "$(grep -c '^/proc/' <<<"$output")" -le 3 ]
	[[ $output != *"$(hostname)"$'\n'* ]] || [ "$(hostname)" = cairn ]
	says "No such device or address"
}

@test "a step has the descriptors 0, 1 and 2 and no other" {
	import_base
	exec 7</dev/null 8</
	step 'ls -l /proc/1/fd; cat; [ ! -t 0 ] && [ ! -t 1 ] && echo no terminal'
	exec 7<&- 8<&-
	equal "$(grep -c -- '->' <<<"$output")" 3
	says "0 -> /dev/null"
	says "no terminal"
}

@test "the environment of a step is the Recipe's and nothing else" {
	import_base
	export LEAKED=yes LANG=xx TRACEPARENT=1
	step 'env | grep -v ^SHLVL= | sort' 'ENV A=1' 'ARG B=2' 'ENV C="x y"'
	equal "$output" "$(printf '%s\n' A=1 B=2 'C=x y' HOME=/root \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PWD=/)"
}

@test "parts of /proc and /sys are hidden or read-only" {
	import_base
	step 'for f in keys timer_list interrupts sched_debug latency_stats; do
		[ ! -e /proc/$f ] || [ -z "$(cat /proc/$f)" ] || echo can read $f; done;
		dd if=/proc/kcore of=/dev/null bs=1 count=1 2>/dev/null | grep -q . && echo can read kcore;
		for d in /proc/acpi /proc/scsi /sys/firmware; do
		[ ! -d $d ] || [ -z "$(ls $d)" ] || echo can list $d; done;
		for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/kernel/mm/ksm/run; do
		[ ! -e $f ] || ! (echo h >$f) 2>/dev/null || echo can write $f; done;
		mount -t tmpfs x /tmp 2>/dev/null && echo can mount;
		umount /proc/keys 2>/dev/null && echo can unmount;
		unshare -m true 2>/dev/null && echo can unshare;
		mknod /tmp/null c 1 3 2>/dev/null; [ -c /tmp/null ] && (echo x >/tmp/null) 2>/dev/null && echo node lives;
		chroot / true && echo root changed'
	equal "$output" "$(printf '%s\n' 'root changed')"
}

@test "/etc/hosts and resolv.conf can be written and are forgotten" {
	import_base
	step 'echo 10.0.0.1 added >>/etc/hosts && echo nameserver 10.0.0.2 >/etc/resolv.conf;
		cat /etc/hosts /etc/resolv.conf'
	says "10.0.0.1 added"
	says "nameserver 10.0.0.2"
	says "localhost"
	step 'cat /etc/hosts /etc/resolv.conf; ls /etc' 'RUN echo 10.0.0.1 added >>/etc/hosts'
	[[ $output != *10.0.0* ]]
	cairn export app >app.tar
	equal "$(tar -tf app.tar | grep -E '^(\./)?etc/(hosts|resolv.conf|hostname)$')" ""
	equal "$(entries)" ""
}

@test "an image's own /etc/hosts and a linked resolv.conf stay as they are" {
	import_base
	mkdir -p context
	printf 'FROM base\nRUN rm -f /etc/hosts; mkdir /run; ln -s ../run/stub.conf /etc/resolv.conf\n' \
		>context/Recipe
	run build_in context -t linked
	# A bind mount cannot be replaced, so the link is made where nothing is mounted.
	dir=$BATS_TEST_TMPDIR/linked
	mkdir "$dir"
	tar -C "$dir" -xf "$BATS_FILE_TMPDIR/base.tar"
	echo "192.0.2.1 own" >"$dir/etc/hosts"
	ln -s ../run/stub.conf "$dir/etc/resolv.conf"
	tar -C "$dir" -cf linked.tar .
	cairn import linked.tar linked
	printf 'FROM linked\nRUN ls -l /etc/resolv.conf; echo x >>/etc/hosts; touch /done\n' \
		>context/Recipe
	run -0 build_in context --no-cache -t app
	cairn export app >app.tar
	mkdir out
	tar -C out -xf app.tar
	equal "$(readlink out/etc/resolv.conf)" ../run/stub.conf
	equal "$(cat out/etc/hosts)" "192.0.2.1 own"
	equal "$(entries)" done
}

@test "without network there is only lo, and no socket of the host" {
	import_base
	fault_start f <<<'{}'
	port=$(address f)
	port=$(printf ':%04X 00000000:0000 0A' "${port#*:}")
	mkdir -p context
	printf 'FROM base\nRUN cut -d: -f1 -s /proc/net/dev; cat /proc/net/tcp /proc/net/unix\n' \
		>context/Recipe
	run timeout 120 cairn build --progress plain --network host --no-cache context
	says "$port" # it would be seen
	run -0 build_in context --no-cache
	[[ $output != *"$port"* ]]
	equal "$(sed -nE 's/^#1 [0-9.]+ +([a-z0-9]+)$/\1/p' <<<"$output")" lo
	equal "$(grep -c '^#1 [0-9.]* [0-9a-f]*: ' <<<"$output")" 0 # no unix socket
	# RUN --network=none means it, whatever the build is given.
	sed -i 's/^RUN/RUN --network=none/' context/Recipe
	run -0 timeout 120 cairn build --progress plain --network host --no-cache context
	equal "$(sed -nE 's/^#1 [0-9.]+ +([a-z0-9]+)$/\1/p' <<<"$output")" lo
}

@test "a step that changes nothing adds no layer, and nothing leaks into one" {
	import_base
	base=$(layer_count base)
	step 'true'
	equal "$(layer_count app)" "$base"
	step 'ls /proc /sys /dev /etc /run >/dev/null 2>&1; cat /etc/hosts; echo x >/dev/shm/x; mkdir -p /tmp'
	equal "$(layer_count app)" "$base"
	step 'echo x >/new; echo x >/dev/file; mkdir /dev/pts/x 2>/dev/null; rm -f /etc/passwd-; touch /etc/own'
	equal "$(entries | sort)" "$(printf 'etc/\netc/own\nnew')"
	step 'true' 'WORKDIR /' 'ENV X=1' 'USER 5'
	equal "$(layer_count app)" "$base"
}

@test "the mounts of a base without any directory leave no trace" {
	import_base
	mkdir -p context/bin
	cp "$BATS_FILE_TMPDIR/base/bin/busybox" context/bin/
	printf 'FROM scratch\nCOPY bin /bin\nRUN ["/bin/busybox", "ls", "/", "/dev", "/proc/self"]\n' \
		>context/Recipe
	run -0 build_in context -t app
	says resolv.conf || says dev
	cairn export app >app.tar
	equal "$(tar -tf app.tar | sed 's,^\./,,' | grep -v '^$' | sort)" "$(printf 'bin/\nbin/busybox')"
}

@test "how a step ends is told: exit code, signal, no such program" {
	import_base
	while IFS='|' read -r script text; do
		expected_code=1 step "$script"
		grep -qF -- "$text" told || { cat told; false; }
	done <<-'END'
		exit 200|exit code 200
		sh -c 'kill -9 $$'; exit $?|exit code 137
		["/bin/sh", "-c", "exec /nowhere"]|exit code 127
		["/nowhere"]|exit code 127
	END
	nap=$(own_number)
	printf 'FROM base\nRUN exec sleep %s\n' "$nap" >context/Recipe
	build_in context >told 2>&1 3>&- &
	build=$!
	eventually 60 sleeps "$nap"
	sleeper=$(sleeps "$nap")
	equal "$(sed -n 's/^NSpid:.*\t//p' "/proc/$sleeper/status")" 1
	kill -TERM "$sleeper" # PID 1 has no handler: the kernel drops it
	kill -KILL "$sleeper"
	wait "$build" || code=$?
	equal "$code" 1
	grep -q 'killed by signal 9' told
	grep -q 'exit code 137' told
}

@test "a process in the background does not hold a build up, and ends with its step" {
	import_base
	nap=$(own_number)
	# a build that waited for them would be ended by build_in
	step "(setsid sleep $nap </dev/null >/dev/null 2>&1 &) ; (setsid sleep 1$nap &) ; echo over"
	says over
	eventually 60 sleeps_not "$nap"
	eventually 60 sleeps_not "1$nap"
}

@test "all that a step writes is in its log, in order, however much it is" {
	import_base
	step 'seq 400000; printf "no newline"'
	equal "$(sha256sum <"$(echo "$CAIRN_ROOT"/builds/*/1.log)")" \
		"$({ seq 400000; printf 'no newline'; } | sha256sum)"
	step 'seq 400000 & seq 400000 >&2; wait'
	equal "$(stat -c %s "$CAIRN_ROOT"/builds/*/1.log)" "$((2 * $(seq 400000 | wc -c)))"
	step 'head -c 3000000 /dev/zero; head -c 1000000 /dev/urandom'
	equal "$(stat -c %s "$CAIRN_ROOT"/builds/*/1.log)" 4000000
	expected_code=1 step 'seq 400000; exit 9'
	equal "$(tail -n 1 "$CAIRN_ROOT"/builds/*/1.log)" 400000
}

@test "a working directory cannot be the way out" {
	import_base
	for path in /proc/self/fd/3 /proc/1/fd/7 /proc/self/cwd /proc/1/root; do
		mkdir -p context
		printf 'FROM base\nWORKDIR %s\nRUN pwd; ls ..; ls /; cat /proc/1/status\n' "$path" \
			>context/Recipe
		run build_in context
		[[ $output != *"$CAIRN_ROOT"/* ]] || [[ $output == *"$CAIRN_ROOT/builds"* ]]
		[[ $status -eq 1 || $path == /proc/*/cwd || $path == /proc/*/root ]]
	done
	printf 'FROM base\nRUN ln -s /proc/self/fd/7 /w\nWORKDIR /w\nRUN pwd\n' >context/Recipe
	fails 1 build_in context
	verify_store --idle
}

@test "run gives a container the same sandbox and passes its exit code through" {
	import_base
	run -0 cairn run --network none base sh -c 'grep -E "CapEff|Seccomp:" /proc/self/status; umask; hostname'
	says 'CapEff:	00000000a80425fb'
	says 'Seccomp:	2'
	fails 7 cairn run --network none base sh -c 'exit 7'
	run -127 cairn run --network none base /nowhere
	fails 126 cairn run --network none base /etc/passwd
	fails 137 cairn run --network none base sh -c 'sh -c "kill -9 \$\$; true"; exit $?'
	run -0 cairn run --network none base sh -c 'echo x >/forgotten'
	fails 1 cairn run --network none base cat /forgotten
	verify_store --idle
}
