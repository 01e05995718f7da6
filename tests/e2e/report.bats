# tests/e2e/report.bats - build --report: a page and a document of what a build did.

load helper

setup_file() {
	export BASE_ROOT=$BATS_FILE_TMPDIR/base BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	command -v busybox >/dev/null || return 0
	make_rootfs "$BATS_FILE_TMPDIR/rootfs.tar"
	cairn --root "$BASE_ROOT" import "$BATS_FILE_TMPDIR/rootfs.tar" base
}

setup() {
	need busybox jq python3
	need_root
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
	cp -a "$BASE_ROOT" "$CAIRN_ROOT"
	mkdir ctx
}

recipe() {
	cat >ctx/Recipe
}

# report CODE OPTION...: build with both reports; the page must be sound, and agree with the document.
report() {
	local code=$1
	shift
	fails "$code" cairn build --progress plain --report r.html --report r.json "$@" ctx
	python3 "$BATS_TEST_DIRNAME/report_judge.py" r.html r.json
}

# has FILTER: jq says true of the document.
has() {
	jq -e "$1" r.json >/dev/null || {
		echo "not so: $1"
		jq . r.json
		return 1
	}
}

@test "the critical path of a diamond of stages goes along its slow side" {
	recipe <<-'END'
		FROM base AS start
		RUN sleep 0.2; echo start >/start
		FROM start AS fast
		RUN echo fast >/fast
		FROM start AS slow
		RUN sleep 0.8; echo slow >/slow
		FROM start
		COPY --from=fast /fast /
		COPY --from=slow /slow /
	END
	report 0 -j 4
	has '.version == 1 and .status == "done" and .jobs == 4 and .recipe == "Recipe" and .context == "ctx"'
	has '[.steps[] | select(.critical).text] == ["RUN sleep 0.2; echo start >/start",
		"RUN sleep 0.8; echo slow >/slow", "COPY --from=slow /slow /"]'
	has '.critical_path.steps == [.steps[] | select(.critical).step]'
	has '.critical_path.duration == ([.steps[] | select(.critical).duration] | add)'
	has '[.steps[] | select(.stage == "slow") | .cpu_time > 0 and .memory_peak > 0] == [true]'
}

@test "layers are those of the image, with their sizes" {
	recipe <<-'END'
		FROM base
		RUN busybox dd if=/dev/zero of=/big bs=1000 count=300
		COPY Recipe /
	END
	report 0 -t app
	equal "$(jq -c '[.images[0].layers[].size]' r.json)" \
		"$(cairn history --format json app | jq -c '[.[] | select(.layer).size] | reverse')"
	has '.images[0].layers[1] | .uncompressed >= 300000 and .entries >= 1'
	has '.images[0].layers[2].created_by | startswith("COPY Recipe")'
}

# count_waste DIRECTORY: bytes and number of wasted files of the image in an OCI layout, counted by others' tools.
count_waste() {
	python3 - "$1" <<-'END'
		import io, json, os, subprocess, sys, tarfile
		blobs = os.path.join(sys.argv[1], "blobs", "sha256")
		def document(d): return json.load(open(os.path.join(blobs, d["digest"][7:])))
		index = json.load(open(os.path.join(sys.argv[1], "index.json")))
		seen, files, total = {}, 0, 0
		for layer in document(index["manifests"][0])["layers"]:
		    data = subprocess.run(["zstd", "-dcf", os.path.join(blobs, layer["digest"][7:])], check=True, stdout=-1).stdout
		    new, gone = {}, set()
		    for entry in tarfile.open(fileobj=io.BytesIO(data)):
		        path = os.path.normpath(entry.name)
		        head, name = os.path.split(path)
		        if name == ".wh..wh..opq":
		            gone |= {p for p in seen if p.startswith(head + "/")}
		        elif name.startswith(".wh."):
		            path = os.path.join(head, name[4:])
		            gone |= {p for p in seen if p == path or p.startswith(path + "/")}
		        else:
		            gone |= {p for p in seen if p == path or (not entry.isdir() and p.startswith(path + "/"))}
		            new[path] = entry.size if entry.isreg() else 0
		    for path in gone:
		        size = seen.pop(path)
		        total, files = total + size, files + (size > 0)
		    seen.update(new)
		print(total, files)
	END
}

@test "wasted space is what later layers overwrite and delete, as others count it" {
	need zstd
	recipe <<-'END'
		FROM base
		RUN mkdir /d && busybox dd if=/dev/zero of=/over bs=1000 count=100 && busybox dd if=/dev/zero of=/d/gone bs=1000 count=50 && echo 123 >'/d/<b>&'
		RUN echo new >/over
		RUN busybox rm -r /d
	END
	report 0 -t app -o type=oci,tar=false,dest=oci
	has '.images[0].waste | .bytes == 150004 and .files == 3'
	has '[.images[0].layers[].wasted] == [0, 150004, 0, 0]'
	has '[.images[0].waste.biggest[] | [.path, .size, .layer, .by, .kind]] == [
		["over", 100000, 2, 3, "overwritten"], ["d/gone", 50000, 2, 4, "deleted"],
		["d/<b>&", 4, 2, 4, "deleted"]]'
	equal "$(count_waste oci)" "150004 3"
}

@test "an unchanged build is all from the cache, and has no critical path" {
	recipe <<-'END'
		FROM base
		RUN echo one >/one
	END
	report 0
	has '.steps[0] | .status == "done" and .reason == "no step with the same inputs is in the cache"'
	report 0
	has '.status == "cached" and .critical_path == {"duration": 0, "steps": []}'
	has '[.steps[].status] == ["cached"]'
	report 0 --no-cache
	has '.steps[0].reason == "--no-cache"'
	report 0 --no-cache-filter 0
	has '.steps[0].reason == "--no-cache-filter" and .status == "done"'
}

@test "a build that fails has its reports, with the end of the output" {
	recipe <<-'END'
		FROM base
		RUN echo told; echo '<b>bold</b>' >&2; exit 3
		RUN echo never
	END
	report 1
	has '.status == "failed" and (.error | contains("exit code 3"))'
	has '.steps | length == 1 and .[0].exit_code == 3 and .[0].status == "failed"'
	has '.steps[0].output | contains("told") and contains("<b>bold</b>")'
	has '.images == []'
	recipe <<-'END'
		FROM base
		NONSENSE
	END
	report 1
	has '.status == "failed" and .steps == []'
}

@test "nothing hostile is obeyed by the page" {
	printf 'FROM base AS quoted\nARG X="</title><script>alert(1)</script>"\n' >ctx/Recipe
	printf 'LABEL l="<img src=http://example.com/x onerror=alert(1)>"\n' >>ctx/Recipe
	printf "RUN echo '</text></svg><script>alert(2)</script>' \"&amp; ' \\033[31m\" >/x\n" >>ctx/Recipe
	printf 'COPY ["<script src=x>.txt", "/"]\n' >>ctx/Recipe
	printf 'RUN printf "\\377</pre><script>\\033[2J\\n"; exit 1\n' >>ctx/Recipe
	echo >'ctx/<script src=x>.txt'
	report 1 --build-arg '<script>=1'
	has '[.warnings[].text | select(contains("<script>"))] | length > 0'
	! grep -q '<script' r.html
}

@test "values of secrets are in no report" {
	recipe <<-'END'
		FROM base
		RUN --mount=type=secret,id=key cat /run/secrets/key; exit 1
	END
	echo 'very-secret-value' >key
	report 1 --secret id=key,src=key
	has '.steps[0].output == "***"'
	! grep -l very-secret r.html r.json
}

@test "what cannot be written is found before the build, and other names are refused" {
	recipe <<-'END'
		FROM base
		RUN echo ran >/ran
	END
	fails 2 cairn build --report r.txt ctx
	says "ends with neither .html nor .json"
	run ! cairn build --report missing/r.html ctx
	says "option --report"
	[[ $output != *"echo ran"* ]]
	# and one that is there is replaced whole
	echo old >r.html
	report 0
	[ -z "$(ls -A | grep tmp)" ]
}
