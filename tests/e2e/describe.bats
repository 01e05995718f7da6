# tests/e2e/describe.bats - --print-sandbox: how a step would run, as a document of the OCI runtime-spec.
#
# runc is the judge: it runs the document over the same root filesystem, and the command finds there
# what it finds in a step of ours.

load robust

setup_file() {
	need_root
}

judge() {
	python3 "$BATS_TEST_DIRNAME/runtime_spec.py"
}

# What a command can see of its sandbox. A mount point is known by its place and flags, for a runtime
# mounts other file systems there; a path that is hidden by that it is empty.
# shellcheck disable=SC2016 # for the shell of the step
probe='id
	grep -E "^(Uid|Gid|Groups|Cap|NoNew|Seccomp)" /proc/self/status
	cat /proc/self/limits /proc/self/uid_map /proc/self/gid_map
	pwd; umask; hostname; env | sort; tr "\0" " " </proc/1/cmdline | wc -c
	cat /etc/hosts
	for name in null zero full random urandom tty; do stat -c "%n %t:%T %a" "/dev/$name"; done
	for name in fd stdin stdout stderr ptmx; do readlink "/dev/$name"; done
	stat -c "%n %a" /dev /dev/shm
	for place in /proc /dev/pts /dev/shm /dev/mqueue /sys /own /memory; do
		awk -v place="$place" "\$5 == place { split(\$6, flag, \",\"); line = place
			for (i in flag) on[flag[i]] = 1
			for (i = 1; i <= split(\"ro nosuid nodev noexec\", all, \" \"); i++) if (on[all[i]]) line = line \" \" all[i]
			print line }" /proc/self/mountinfo
	done
	df -k /dev /dev/shm /memory 2>/dev/null | awk "{ print \$2, \$NF }"
	for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats \
		/proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/firmware; do
		[ ! -e "$path" ] || { [ -d "$path" ] && ls -A "$path" || head -c 9 "$path"; } 2>&1 | wc -c
	done
	for path in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/x; do
		(echo 0 >"$path") 2>&1
	done
	ls /sys/class/net; cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start
	mkdir /tmp/m; mount -t tmpfs none /tmp/m 2>&1; unshare -U true 2>&1; rmdir /tmp/m'

# bundle NAME: rootfs/ and what the notes of its config.json hold.
bundle() {
	local name first
	mkdir -p "$1/rootfs"
	tar -C "$1/rootfs" -xf "$BATS_FILE_TMPDIR/base.tar"
	first=$(jq '.linux.uidMappings[0].hostID // 0' "$1/config.json")
	chown -R "$first:$first" "$1/rootfs"
	for name in hosts resolv.conf; do
		jq -j ".annotations[\"cairn.step.$name\"] // empty" "$1/config.json" >"$1/$name"
	done
}

@test "runc runs what is printed, and a command finds there what it finds in a step" {
	local flags n=0
	need runc jq
	import_base
	mkdir own
	while read -r flags; do
		n=$((n + 1))
		mkdir "b$n"
		# shellcheck disable=SC2086
		timeout 60 cairn run --network none $flags base sh -c "$probe" >"ours$n"
		# shellcheck disable=SC2086
		cairn run --print-sandbox --network none $flags base sh -c "$probe" >"b$n/config.json"
		equal "$(judge <"b$n/config.json")" 1
		bundle "b$n"
		timeout 60 runc --root "$BATS_TEST_TMPDIR/runc" run -b "b$n" "cairn-$BASHPID-$n" >"theirs$n"
		diff "ours$n" "theirs$n"
		[ "$(wc -l <"ours$n")" -gt 60 ]
	done <<-END
		--userns host
		--userns auto --user user -e A=b
		--userns host -u 1000:10 -w /tmp --ulimit nofile=100:200 --shm-size 1m -v $PWD/own:/own:ro --tmpfs /memory:size=1m --cap-add SYS_TIME --cap-drop KILL --security-opt no-new-privileges --security-opt seccomp=unconfined
	END
}

@test "a build prints a document for each RUN, and runs none" {
	need jq
	import_base
	cat >Recipe <<-'END'
		FROM base AS one
		COPY Recipe /r
		RUN touch /never
		USER user
		RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t,size=1m \
		    --mount=type=secret,id=word,env=WORD --mount=type=bind,target=/b id
		FROM one AS two
		USER made
		RUN --network=none id
	END
	echo unsaid >word
	cairn build --print-sandbox --secret id=word,src=word --memory 64m --network none -q . >all 2>said
	equal "$(judge <all)" 3
	run ! grep -r unsaid all said
	grep -q "Recipe:9: the image has no user 'made'" said
	equal "$(jq -c '[.process.user.uid, .process.user.additionalGids, .annotations["cairn.step.line"], .annotations["cairn.step.stage"]]' all | xargs)" \
		'[0,[0],3,one] [1000,[1000],5,one] [65534,[],9,two]'
	equal "$(jq -c 'select(.annotations["cairn.step.line"] == "5") | .mounts[] | select(.destination | test("^/[bct]$")) | [.destination, .type, .options]' all)" \
		'["/b","bind",["ro","nodev","rbind"]]
["/c","bind",["nodev","rbind"]]
["/t","tmpfs",["nosuid","nodev","mode=1777","size=1048576"]]'
	equal "$(jq -c '.process.env[] | select(startswith("WORD"))' all)" '"WORD=(secret)"'
	equal "$(jq -s -c 'map(.process.args[-1])' all)" '["touch /never","id","id"]'
	equal "$(jq -c '.linux.resources.memory' all | sort -u)" '{"limit":67108864,"swap":134217728}'
	# one of them: by any of its lines, by its stage
	equal "$(cairn build --print-sandbox=6 --secret id=word,src=word --network none . | jq -r '.annotations["cairn.step.number"]')" 3
	equal "$(cairn build --print-sandbox=two --network none --secret id=word,src=word . 2>/dev/null | jq -r '.annotations["cairn.step.line"]')" 9
	fails 3 cairn build --print-sandbox=1 --network none --secret id=word,src=word .
	says "--print-sandbox: no RUN is in line or stage '1'"
	# nothing was done, and what was done before is told
	[ -z "$(find "$CAIRN_ROOT" -path '*/steps/*' -type f -o -path '*/builds/*')" ]
	printf 'FROM base\nRUN echo "made:x:77:77::/:/bin/sh" >>/etc/passwd\nUSER made\nRUN id\n' >Recipe
	build_in . -q
	equal "$(cairn build --print-sandbox --network none . | jq -r '[.process.user.uid, .annotations["cairn.step.cached"]] | @text' | xargs)" \
		'[0,true] [77,true]'
}

@test "a step without a filter, with all rights or with a profile of the user's own is told so" {
	need jq
	import_base
	printf 'FROM base\nRUN --security=insecure id\n' >Recipe
	cairn build --print-sandbox --allow security.insecure --network none . >c
	equal "$(judge <c)" 1
	equal "$(jq -c '[.linux.seccomp, .linux.maskedPaths, .linux.readonlyPaths, .linux.resources.devices]' c)" \
		'[null,null,null,[{"allow":true,"access":"rwm"}]]'
	jq -e '.process.capabilities.effective | index("CAP_SYS_ADMIN")' c >/dev/null
	cat >p.json <<-'END'
		{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"architectures":["SCMP_ARCH_X86_64"],"syscalls":[
		{"names":["read","write"],"action":"SCMP_ACT_ALLOW"},
		{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]}]}
	END
	equal "$(cairn run --print-sandbox --network none --security-opt seccomp=p.json base id | jq -cS .linux.seccomp)" "$(jq -cS . p.json)"
}
