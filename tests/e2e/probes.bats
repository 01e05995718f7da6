# tests/e2e/probes.bats - from inside a step nothing of the machine is reached beyond the contract.
# shellcheck disable=SC2154 # bats sets status and output
#
# probes.c asks for files, processes, keys, devices, sockets, namespaces and calls of the kernel. The
# table is the contract: a probe that came out in any other way, that is missing in the table or that
# was not made fails the test. podman with runc, another runtime with a profile of its own, runs the
# same probes: nothing may be open for a step that is closed there.

load robust
load ordinary
load ../registry/registry

# NAME | RESULTS of which each will do. A word with : is all probes that begin so.
CONTRACT='
	status:CapInh  | 0000000000000000
	status:CapPrm  | 00000000a80425fb
	status:CapEff  | 00000000a80425fb
	status:CapBnd  | 00000000a80425fb
	status:CapAmb  | 0000000000000000
	status:Seccomp | 2
	namespace:mnt  | other
	namespace:pid  | other
	namespace:ipc  | other
	namespace:uts  | other
	namespace:net  | other
	namespace:user | USER
	namespace:cgroup | other same

	host-file      | ENOENT
	cwd            | inside
	descriptors    | 0
	through-links  | ENOENT
	open_by_handle_at | EPERM

	processes      | own
	kill           | ESRCH
	ptrace         | ESRCH
	process_vm_readv | ESRCH
	pidfd_open     | ESRCH
	prlimit        | ESRCH
	proc-root      | ENOENT

	add_key        | EPERM
	request_key    | EPERM
	keyctl         | EPERM
	shm            | EINVAL

	devices        | 0
	mknod-         | EACCES EPERM
	TIOCSTI        | ENOTTY
	tty            | ENXIO

	write:         | EROFS ENOENT EACCES EPERM
	read:          | empty
	list:          | empty
	oom_score_adj  | EACCES

	bpf            | EPERM
	perf_event_open | EPERM
	userfaultfd    | EPERM
	io_uring_setup | EPERM
	kexec_load     | EPERM
	kexec_file_load | EPERM
	init_module    | EPERM
	finit_module   | EPERM
	delete_module  | EPERM
	acct           | EPERM
	swapon         | EPERM
	quotactl       | EPERM
	reboot         | EPERM
	clock_settime  | EPERM
	syslog         | EPERM
	sethostname    | EPERM
	fanotify_init  | EPERM
	iopl           | EPERM
	ioperm         | EPERM
	capset         | EPERM
	raise-limit    | EPERM

	AF_ALG         | EPERM
	AF_VSOCK       | EPERM
	AF_ALG-i386    | EPERM ENOSYS
	AF_ALG-socketcall | EPERM ENOSYS
	AF_ALG-x32     | EPERM ENOSYS
	unshare-i386   | EPERM ENOSYS
	abstract-socket | ECONNREFUSED
	loopback       | ECONNREFUSED

	mount          | EPERM
	remount        | EPERM
	umount         | EPERM
	fsopen         | EPERM
	open_tree      | EPERM
	move_mount     | EPERM
	mount_setattr  | EPERM
	pivot_root     | EPERM
	setns          | EPERM
	unshare-       | EPERM
	clone-user     | EPERM
	clone3         | ENOSYS
	mounts-of-     | read-only
'

# The probes as a base image, and what they are to look for outside.
setup_file() {
	local dir=$BATS_FILE_TMPDIR/probes
	need_root
	need cc ipcmk python3
	mkdir -p "$dir"/{bin,tmp}
	cc -std=gnu11 -O1 -static -o "$dir/bin/probes" "$BATS_TEST_DIRNAME/probes.c" 2>"$BATS_FILE_TMPDIR/cc" ||
		skip "no static program can be made here: $(tail -n 1 "$BATS_FILE_TMPDIR/cc")"
	tar -C "$dir" --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$BATS_FILE_TMPDIR/probes.tar" .
	make_user
}

teardown_file() {
	BATS_TEST_TMPDIR='' servers_stop
	teardown_user
}

# outside: the arguments of probes: things that are there, and can be reached from here.
outside() {
	echo secret >"$BATS_FILE_TMPDIR/canary"
	chmod 644 "$BATS_FILE_TMPDIR/canary"
	chmod 755 "$BATS_TEST_TMPDIR"
	shm=$(ipcmk -M 64 -p 666 | sed 's/.*: //')
	server_new listener
	server_run python3 -u -c '
import os, socket, sys, time
unix, tcp = socket.socket(socket.AF_UNIX), socket.socket()
unix.bind("\0" + sys.argv[1]); unix.listen()
tcp.bind(("127.0.0.1", 0)); tcp.listen()
with open(sys.argv[2], "w") as file:
    file.write(f"{os.getpid()} {tcp.getsockname()[1]}\n")
time.sleep(1e6)' "cairn-canary-$$" "$SERVER/port"
	server_ready test -s "$SERVER/port"
	read -r listener port <"$SERVER/port"
	OUTSIDE=("$BATS_FILE_TMPDIR/canary" "$listener" "$shm" "cairn-canary-$$" "$port")
}

teardown() {
	servers_stop
	[ -z "${shm-}" ] || ipcrm -m "$shm"
}

# namespaces_seen FILE: the same with `same` or `other` for the name of each namespace.
namespaces_seen() {
	local space edits=()
	for space in mnt pid ipc uts net cgroup user; do
		edits+=(-e "s/^\(namespace:$space\) .*$(readlink "/proc/self/ns/$space" | tr -dc 0-9)\]$/\1 same/")
	done
	sed -i "${edits[@]}" -e 's/^\(namespace:[a-z]*\) .*:.*/\1 other/' "$1"
}

# kept FILE USER: all of it is as the contract says, whose USER namespace is this.
kept() {
	namespaces_seen "$1"
	awk -v user="$2" -v machine="$(uname -m)" '
		FNR == NR && split($0, part, "|") == 2 {
			gsub(/[ \t]/, "", part[1])
			sub(/USER/, user, part[2])
			rows[part[1]] = part[2] " "
		}
		FNR == NR { next }
		{
			row = $1
			if (!(row in rows))
				for (each in rows)
					if (each ~ /[:-]$/ && index($1, each) == 1)
						row = each
			seen[row] = 1
			if (!index(rows[row], " " $2 " ")) {
				print $1 ": " $2 ", not" rows[row]
				wrong = 1
			}
		}
		END {
			for (each in rows)
				if (!(each in seen) && (machine == "x86_64" || each !~ /i386|x32|socketcall|^iop/)) {
					print "not probed: " each
					wrong = 1
				}
			exit wrong
		}' <(echo "$CONTRACT") "$1"
}

# recipe: a context whose only step runs the probes.
recipe() {
	local words
	words=$(printf '"%s", ' /bin/probes "${OUTSIDE[@]}")
	mkdir -p context
	printf 'FROM base\nRUN [%s]\n' "${words%, }" >context/Recipe
	chmod -R a+rX context
}

@test "the probes find what is there when nothing is between" {
	outside
	"$BATS_FILE_TMPDIR/probes/bin/probes" "${OUTSIDE[@]}" >found
	grep -q "^host-file open" found
	for name in kill ptrace pidfd_open prlimit proc-root shm abstract-socket loopback; do
		equal "$(grep "^$name " found | sort -u)" "$name open"
	done
	grep -q '^processes others' found
}

@test "a step of root reaches nothing beyond the contract" {
	outside
	cairn import "$BATS_FILE_TMPDIR/probes.tar" base >/dev/null
	recipe
	build_in context --no-cache >told 2>&1 || { cat told; return 1; }
	cp "$CAIRN_ROOT"/builds/*/1.log step
	kept step 'other same'
	cairn run --network none base /bin/probes "${OUTSIDE[@]}" >ran
	kept ran 'other same'
}

@test "a step of an ordinary user reaches nothing beyond the contract" {
	outside
	user cairn import "$BATS_FILE_TMPDIR/probes.tar" base >/dev/null
	recipe
	user cairn build --network none --progress plain --no-cache context >told 2>&1 || { cat told; return 1; }
	cp "$RL_HOME/store-$BATS_TEST_NUMBER"/builds/*/1.log step
	kept step other
	user cairn run --network none base /bin/probes "${OUTSIDE[@]}" >ran
	kept ran other
}

@test "nothing is open for a step that podman keeps closed" {
	need podman runc
	outside
	podman_here() {
		podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman-run" \
			--storage-driver vfs --tmpdir "$BATS_TEST_TMPDIR/podman-tmp" \
			--cgroup-manager cgroupfs --events-backend none --runtime "$(command -v runc)" "$@"
	}
	podman_here import -q "$BATS_FILE_TMPDIR/probes.tar" base >/dev/null
	run podman_here run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
		base /bin/probes "${OUTSIDE[@]}"
	printf '%s\n' "$output" >theirs
	podman_here rmi -a -f
	[ "$status" -eq 0 ] || skip "podman cannot run containers here: $output"
	cairn import "$BATS_FILE_TMPDIR/probes.tar" base >/dev/null
	cairn run --network none base /bin/probes "${OUTSIDE[@]}" >ours
	equal "$(cut -d' ' -f1 ours)" "$(cut -d' ' -f1 theirs)"
	namespaces_seen ours
	namespaces_seen theirs
	# what is open, or the machine's, for one and not for the other
	join -j 1 <(sort -u ours) <(sort -u theirs) |
		awk '$2 ~ /^(open|same|writable|others|outside)$/ && $3 != $2' >differences
	equal "$(cat differences)" ""
}
