# tests/e2e/security.bats - what a step may do when the command line says so: capabilities, system calls.
#
# podman with runc is the judge of what a flag sets. A step of ours begins with docker's 14 capabilities
# and podman's with 11, so compared is what does not depend on where one begins.

load robust

setup_file() {
	need_root
}

# caps OPTION...: the five sets of a command, without blanks.
caps() {
	timeout 60 cairn run --network none "$@" base grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status | tr -d ' \t' | xargs
}

@test "capabilities are added to the usual ones and taken from them" {
	import_base
	while IFS='|' read -r flags want; do
		# shellcheck disable=SC2086
		equal "$flags: $(caps $flags)" "$flags: CapInh:0000000000000000 CapPrm:$want CapEff:$want CapBnd:$want CapAmb:0000000000000000 NoNewPrivs:0 Seccomp:2"
	done <<-'END'
		|00000000a80425fb
		--cap-drop ALL|0000000000000000
		--cap-drop all --cap-add CHOWN|0000000000000001
		--cap-add SYS_ADMIN|00000000a82425fb
		--cap-add cap_sys_ptrace,NET_ADMIN|00000000a80c35fb
		--cap-drop CAP_MKNOD --cap-drop net_raw|00000000a00405fb
		--cap-drop ALL --cap-add SYS_ADMIN --cap-add KILL|0000000000200020
	END
	equal "$(timeout 60 cairn run --network none -u 1000 --cap-add SYS_ADMIN base grep -E 'CapEff|CapPrm' /proc/self/status | xargs)" \
		"CapPrm: 0000000000000000 CapEff: 0000000000000000"
}

@test "what no capability or option is is refused" {
	while IFS='|' read -r flags text; do
		# shellcheck disable=SC2086
		fails 2 cairn run $flags base true
		says "$text"
		# shellcheck disable=SC2086
		fails 2 cairn build $flags .
		says "$text"
	done <<-'END'
		--cap-add NOTHING|option --cap-add: 'NOTHING' is no capability
		--cap-drop CAP_|option --cap-drop: 'CAP_' is no capability
		--cap-add KILL --cap-drop kill|option --cap-add: CAP_KILL cannot be both added and dropped
		--security-opt label=disable|option --security-opt: 'label=disable' is none of
		--security-opt seccomp|option --security-opt: 'seccomp' is none of
		--security-opt no-new-privileges=maybe|option --security-opt: 'no-new-privileges=maybe' is none of
	END
	fails 125 cairn run --security-opt seccomp=absent.json base true
	echo '{"defaultAction":"SCMP_ACT_NONSENSE"}' >p.json
	fails 2 cairn run --security-opt seccomp=p.json base true
	says "defaultAction: action 'SCMP_ACT_NONSENSE' is not known"
}

@test "a capability brings the system calls that the default profile leaves to it" {
	import_base
	fails 1 timeout 60 cairn run --network none base mount -t tmpfs none /tmp
	timeout 60 cairn run --network none --cap-add SYS_ADMIN base sh -c 'mount -t tmpfs none /tmp && unshare -m true && hostname x'
	fails 1 timeout 60 cairn run --network none --security-opt seccomp=unconfined base mount -t tmpfs none /tmp
}

@test "a filter can be left out, or be the user's own" {
	import_base
	equal "$(caps --security-opt seccomp=unconfined --cap-drop ALL)" \
		"CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:0000000000000000 CapAmb:0000000000000000 NoNewPrivs:0 Seccomp:2"
	cat >p.json <<-'END'
		{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],
		"syscalls":[{"names":["mkdir","mkdirat","no_such_call"],"action":"SCMP_ACT_ERRNO","errnoRet":28},
		{"names":["sethostname"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_SYS_ADMIN"]}},
		{"name":"kill","action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}]}
	END
	fails 1 timeout 60 cairn run --network none --security-opt seccomp=p.json base mkdir /x
	says "No space left"
	fails 1 timeout 60 cairn run --network none --security-opt seccomp=p.json base sh -c 'kill -0 1 && kill -USR1 1'
	says "Operation not permitted"
	timeout 60 cairn run --network none --cap-add SYS_ADMIN --security-opt seccomp=p.json base hostname x
}

@test "no new privileges are had by set-id programs" {
	import_base
	probe='cp /bin/busybox /tmp/bb && chmod 4755 /tmp/bb && grep NoNew /proc/self/status'
	[[ $(timeout 60 cairn run --network none --security-opt no-new-privileges base sh -c "$probe") == *1 ]]
	[[ $(timeout 60 cairn run --network none --security-opt no-new-privileges=true base sh -c "$probe") == *1 ]]
	[[ $(timeout 60 cairn run --network none --security-opt no-new-privileges:false base sh -c "$probe") == *0 ]]
}

@test "what a RUN may do is in its key" {
	import_base
	printf 'FROM base\nRUN grep CapEff /proc/self/status >/caps\n' >Recipe
	build() {
		run -0 timeout 60 cairn build --network none --progress plain -t app "$@" .
	}
	build
	build --cap-add SYS_ADMIN
	[[ $output != *CACHED* ]]
	equal "$(cairn run --network none app cat /caps | tr -d '\t')" CapEff:00000000a82425fb
	build --cap-add SYS_ADMIN
	says CACHED
	build --security-opt seccomp=unconfined
	[[ $output != *CACHED* ]]
	build --security-opt no-new-privileges
	[[ $output != *CACHED* ]]
	build --cap-add CHOWN
	says CACHED # it has that anyway
}

@test "podman gives the same capabilities" {
	import_base
	need podman
	podman_here() {
		podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman-run" \
			--storage-driver vfs --tmpdir "$BATS_TEST_TMPDIR/podman-tmp" \
			--cgroup-manager cgroupfs --events-backend none --runtime "$runtime" "$@"
	}
	runtime=$(command -v runc) || runtime=crun # of which not every one knows both versions at once
	podman_here import -q "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
	for flags in '--cap-drop ALL' '--cap-drop all --cap-add CAP_CHOWN --cap-add sys_admin' \
		'--cap-drop ALL --cap-add KILL --security-opt no-new-privileges'; do
		# shellcheck disable=SC2086
		run podman_here run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 $flags base \
			grep -E '^(CapPrm|CapEff|CapBnd|NoNew|Seccomp:)' /proc/self/status
		if [ "$status" -ne 0 ]; then
			podman_here rmi -a -f
			skip "podman runs nothing here: $output"
		fi
		# shellcheck disable=SC2086
		equal "$(timeout 60 cairn run --network none $flags base grep -E '^(CapPrm|CapEff|CapBnd|NoNew|Seccomp:)' /proc/self/status)" "$output"
	done
	podman_here rmi -a -f
}
