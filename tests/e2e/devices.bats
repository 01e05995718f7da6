# tests/e2e/devices.bats - devices of the machine in a step, by path and by name.

load robust

@test "a step uses a device of the machine, and no trace of it is in the layer" {
	import_base
	# shellcheck disable=SC2016
	look='test -c /dev/nil && [ "$(head -c 4 /dev/nil | wc -c)" = 4 ] && echo x >/dev/nil'
	printf 'FROM base\nRUN %s && touch /x\n' "$look" >Recipe
	timeout 60 cairn build --network none -q -t app --device /dev/zero:/dev/nil .
	cairn export -o all.tar app
	equal "$(tar -tf all.tar | grep -cE 'dev/.|^(\./)?x$')" 1
	timeout 60 cairn run --network none --device /dev/zero:/dev/nil:rwm base sh -c "$look"
	timeout 60 cairn run --network none --device /dev/full:rw --device /dev/zero:/dev/a/nil base \
		sh -c '[ "$(head -c 4 /dev/a/nil | wc -c)" = 4 ]'
	fails 1 timeout 60 cairn run --network none base sh -c "$look"
	# a node that the step makes itself is none
	fails 1 timeout 60 cairn run --network none --userns host \
		--device /dev/zero:/dev/nil base sh -c 'mknod /dev/own c 1 5; head -c 1 /dev/own'
	says "denied"
}

@test "what is no device is refused" {
	while IFS='|' read -r code value text; do
		fails "$code" cairn build --device "$value" .
		says "option --device: $text"
		((code == 2)) || code=125
		fails "$code" cairn run --device "$value" base
		says "option --device: $text"
	done <<-'END'
		2|/dev|'/dev' is not below /dev
		2|/dev/shm|'/dev/shm' is not a device
		2|/etc/passwd:/dev/x|'/etc/passwd' is not a device
		2|/dev/zero:/zero|'/zero' is not below /dev
		2|/dev/zero:/dev/../x|'/x' is not below /dev
		2|/dev/zero:/dev/x:q|'/dev/zero:/dev/x:q' is not PATH[:PLACE][:rwm]
		1|/dev/zero:r|'/dev/zero:r': a device can be given to read and write
		3|/dev/absent-device|'/dev/absent-device' is not there
		3|vendor.example/no-such-gpu=all|device 'vendor.example/no-such-gpu=all' is in no file of
		2|vendor.example/gpu=a b|'vendor.example/gpu=a b' is no device
	END
}

# ---- by name ----

# cdi NAME JSON: a file for it in ./cdi.
cdi() {
	mkdir -p cdi
	printf '%s\n' "$2" >"cdi/$1.json"
}

# The devices nil (read from it: zeros), one and two of cairn.test/dev, and what comes with them.
usual_cdi() {
	mkdir -p tools/bin
	printf '#!/bin/sh\necho "tool of $WHO"\n' >tools/bin/tool
	chmod 755 tools/bin/tool
	cdi usual "{\"cdiVersion\":\"0.6.0\",\"kind\":\"cairn.test/dev\",
		\"containerEdits\":{\"env\":[\"WHO=vendor\"],
			\"mounts\":[{\"hostPath\":\"$PWD/tools\",\"containerPath\":\"/opt/vendor/tools\",\"options\":[\"ro\",\"nosuid\",\"rbind\"]}]},
		\"devices\":[
			{\"name\":\"nil\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/vendor/nil\",\"hostPath\":\"/dev/zero\"}]}},
			{\"name\":\"one\",\"annotations\":{\"org.mobyproject.buildkit.device.class\":\"numbers\"},
				\"containerEdits\":{\"env\":[\"ONE=1\"]}},
			{\"name\":\"two\",\"annotations\":{\"org.mobyproject.buildkit.device.class\":\"numbers\",
				\"org.mobyproject.buildkit.device.autoallow\":\"true\"},\"containerEdits\":{\"env\":[\"TWO=2\"]}}]}"
}

# build_device OPTION...: ./Recipe, its output in $output.
build_device() {
	timeout 60 cairn build --network none --progress plain --cdi-spec-dir cdi -t app "$@" .
}

@test "a RUN has the device that it asks for, and what comes with it" {
	import_base
	usual_cdi
	cat >Recipe <<-'END'
		FROM base
		RUN --device=cairn.test/dev=nil [ "$(head -c 4 /dev/vendor/nil | wc -c)" = 4 ] && \
			[ "$(/opt/vendor/tools/bin/tool)" = "tool of vendor" ] && \
			! touch /opt/vendor/tools/x && touch /made
		RUN [ ! -e /dev/vendor ] && [ ! -e /opt ] && [ -z "$WHO" ]
	END
	run -0 build_device --allow device
	cairn export -o all.tar app
	equal "$(tar -tf all.tar | grep -E 'vendor|dev/.|^(\./)?(made|opt)')" made
	[[ $(cairn inspect app) != *vendor* ]]
	run -0 build_device --allow device
	says CACHED
}

@test "a name asks for the first device, for all, or for those of a class" {
	import_base
	usual_cdi
	while IFS='|' read -r name want; do
		printf 'FROM base\nRUN --device=%s,required=true [ "$ONE$TWO$WHO$(ls /dev/vendor)" = "%s" ]\n' "$name" "$want" >Recipe
		run -0 build_device --allow device
	done <<-'END'
		cairn.test/dev|vendornil
		name=cairn.test/dev=one|1vendor
		cairn.test/dev=*|12vendornil
		cairn.test/dev=numbers|12vendor
	END
}

@test "what a RUN asks for has to be allowed, by name, kind or annotation" {
	import_base
	usual_cdi
	printf 'FROM base\nRUN --device=cairn.test/dev=numbers true\n' >Recipe
	fails 4 build_device
	says "Recipe:2"
	says "RUN --device: cairn.test/dev=numbers has to be allowed: say --allow device=cairn.test/dev=one"
	fails 4 build_device --allow device=cairn.test/dev=two,device=cairn.test/other
	for allowed in device device=cairn.test/dev=one device=cairn.test/dev 'device=cairn.test/dev=*' \
		device=cairn.test/dev=numbers security.insecure,device; do
		run -0 build_device --allow "$allowed"
	done
	printf 'FROM base\nRUN --device=cairn.test/dev=two true\n' >Recipe
	run -0 build_device
	fails 2 build_device --allow devices
	says "option --allow: 'devices' is none of"
}

@test "a device that is not there" {
	import_base
	usual_cdi
	printf 'FROM base\nRUN --device=cairn.test/none=a,required true\n' >Recipe
	fails 3 build_device --allow device
	says "Recipe:2"
	says "device 'cairn.test/none=a' is in no file of cdi"
	# not required: done without, and run again when it is there
	printf 'FROM base\nRUN --device=cairn.test/none=a [ "$N" = "" ] && touch /without || touch /with\n' >Recipe
	run -0 build_device
	equal "$(cairn run --network none app ls / | grep with)" without
	cdi none '{"cdiVersion":"1.0.0","kind":"cairn.test/none","devices":[{"name":"a","containerEdits":{"env":["N=1"]}}]}'
	fails 4 build_device
	run -0 build_device --allow device
	equal "$(cairn run --network none app ls / | grep with)" with
	# its file names something that the machine lacks
	cdi none '{"cdiVersion":"1.0.0","kind":"cairn.test/none","devices":[{"name":"a","containerEdits":{"deviceNodes":[{"path":"/dev/no-such-node"}]}}]}'
	fails 3 build_device --allow device
	says "cdi/none.json: '/dev/no-such-node' is not there"
	printf 'FROM base\nRUN --device=/dev/zero true\n' >Recipe
	fails 1 build_device --allow device
	says "'/dev/zero' is no device: VENDOR/CLASS"
}

@test "the command line takes devices by name as well, for build and run" {
	import_base
	usual_cdi
	printf 'FROM base\nRUN [ "$ONE$WHO" = 1vendor ] && tool=/opt/vendor/tools/bin/tool && [ -x "$tool" ]\n' >Recipe
	fails 1 build_device
	run -0 build_device --device cairn.test/dev=one
	run -0 timeout 60 cairn run --network none --cdi-spec-dir cdi --device cairn.test/dev=nil \
		--device cairn.test/dev=one base \
		sh -c 'echo $ONE $(head -c 4 /dev/vendor/nil | wc -c) $(/opt/vendor/tools/bin/tool); touch /opt/vendor/tools/x || ls /opt'
	says "1 4 tool of vendor"
	says "Read-only file system"
	run -0 timeout 60 cairn run --network none -e ONE=mine --cdi-spec-dir cdi --device cairn.test/dev=one base env
	says "ONE=mine"
}

@test "a file that is broken, of YAML or with hooks is told of" {
	import_base
	usual_cdi
	cdi broken '{'
	echo 'kind: x' >cdi/x.yaml
	cdi hooks '{"cdiVersion":"0.5.0","kind":"cairn.test/hooks","devices":[{"name":"a","containerEdits":{"env":["H=1"],
		"hooks":[{"hookName":"createContainer","path":"/bin/false"}]}}]}'
	run -0 timeout 60 cairn run --network none --cdi-spec-dir cdi --device cairn.test/hooks=a base env
	says "H=1"
	says "cdi/broken.json: line"
	says "device 'cairn.test/hooks=a': hooks and other changes"
	fails 125 timeout 60 cairn run --network none --cdi-spec-dir cdi --device cairn.test/gpu=a base env
	says "cdi/x.yaml is YAML"
}

@test "podman gives a step the same for a name" {
	import_base
	need podman
	usual_cdi
	local kind=cairn.test/own$$-$BASHPID probe
	podman_here() {
		podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/podman-run" \
			--storage-driver vfs --tmpdir "$BATS_TEST_TMPDIR/podman-tmp" \
			--cgroup-manager cgroupfs --events-backend none --runtime "$runtime" "$@"
	}
	runtime=$(command -v runc) || runtime=crun # of which not every one knows both versions at once
	mkdir -p /var/run/cdi 2>/dev/null || skip "no /var/run/cdi"
	# of a version that podman of 2022 knows
	cat >"/var/run/cdi/${kind#*/}.json" <<-END
		{"cdiVersion":"0.5.0","kind":"$kind","containerEdits":{"env":["WHO=vendor"],"mounts":[{"hostPath":"$PWD/tools",
			"containerPath":"/opt/vendor/tools","options":["ro","nosuid","rbind"]}]},
		"devices":[{"name":"nil","containerEdits":{"deviceNodes":[{"path":"/dev/vendor/nil","hostPath":"/dev/zero"}]}},
			{"name":"one","containerEdits":{"env":["ONE=1"]}}]}
	END
	# shellcheck disable=SC2016
	probe='echo $WHO $ONE $TWO; head -c 4 /dev/vendor/nil | wc -c; /opt/vendor/tools/bin/tool; touch /opt/vendor/tools/x 2>&1
		ls -A /dev/vendor; stat -c %t:%T /dev/vendor/nil'
	podman_here import -q "$BATS_FILE_TMPDIR/base.tar" base >/dev/null
	run podman_here run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --device "$kind=nil" --device "$kind=one" base sh -c "$probe"
	judged=$output judged_status=$status
	run timeout 60 cairn run --network none --device "$kind=nil" --device "$kind=one" base sh -c "$probe"
	rm "/var/run/cdi/${kind#*/}.json"
	rmdir /var/run/cdi 2>/dev/null || true
	podman_here rmi -a -f >/dev/null
	[ "$judged_status" = 0 ] || skip "podman runs nothing here: $judged"
	equal "$output" "$judged"
}
