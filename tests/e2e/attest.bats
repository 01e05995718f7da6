# tests/e2e/attest.bats - what is said about an image: provenance and lists of packages.
#
# Judged by jq against what the specifications require (in-toto statement, SLSA provenance, SPDX, and
# BuildKit's documents about where it is kept), by skopeo and a registry that must take it.

load robust
load ../registry/registry

setup_file() {
	need jq skopeo
}

# entry_of NAME NUMBER: the digest of an entry of the index that NAME leads to.
entry_of() {
	index_of "$1" | jq -re ".manifests[$2].digest"
}

index_digest() {
	jq -re --arg name "$1:latest" '.manifests[]
		| select(.annotations["org.opencontainers.image.ref.name"] == $name) | .digest' \
		"$CAIRN_ROOT/index.json"
}

blob() {
	cat "$CAIRN_ROOT/blobs/sha256/${1#*:}"
}

index_of() {
	blob "$(index_digest "$1")"
}

# statement NAME TYPE: the statement of this predicate type about NAME.
statement() {
	local manifest layer
	manifest=$(entry_of "$1" 1)
	layer=$(blob "$manifest" | jq -re --arg type "$2" '.layers[]
		| select(.annotations["in-toto.io/predicate-type"] == $type) | .digest')
	blob "$layer"
}

V1=https://slsa.dev/provenance/v1
V02=https://slsa.dev/provenance/v0.2

# holds NAME TYPE FILTER: the statement makes the filter true.
holds() {
	statement "$1" "$2" >statement.json
	jq -e "$3" statement.json >/dev/null || {
		echo "not so: $3"
		cat statement.json
		return 1
	}
}

simple_context() {
	import_base
	mkdir -p ctx
	echo content >ctx/file
	printf 'FROM base AS one\nARG WORD=none\nRUN echo $WORD >/word\nCOPY file /file\n' >ctx/Recipe
}

@test "without an option nothing is said, and the image is a manifest" {
	simple_context
	build_in ctx -t plain
	blob "$(index_digest plain)" | jq -e 'has("config") and (has("manifests") | not)'
	build_in ctx -t no --provenance=false --sbom=false --attest type=provenance,disabled=true
	equal "$(index_digest no)" "$(index_digest plain)"
}

@test "provenance stands beside the image, in an index" {
	simple_context
	build_in ctx -t plain
	build_in ctx -t app --provenance
	index_of app | jq -e '.mediaType == "application/vnd.oci.image.index.v1+json"
		and (.manifests | length) == 2
		and .manifests[0].platform.os == "linux"
		and .manifests[1].platform == {architecture: "unknown", os: "unknown"}
		and .manifests[1].annotations["vnd.docker.reference.type"] == "attestation-manifest"
		and .manifests[1].annotations["vnd.docker.reference.digest"] == .manifests[0].digest'
	# the image itself is what it is without
	equal "$(entry_of app 0)" "$(index_digest plain)"
	blob "$(entry_of app 1)" >manifest.json
	jq -e '.config.mediaType == "application/vnd.oci.image.config.v1+json"
		and (.layers | length) == 1 and .layers[0].mediaType == "application/vnd.in-toto+json"' manifest.json
	blob "$(jq -r .config.digest manifest.json)" | jq -e --arg layer "$(jq -r '.layers[0].digest' manifest.json)" \
		'.os == "unknown" and .architecture == "unknown" and .rootfs.diff_ids == [$layer]'
	holds app $V1 '._type == "https://in-toto.io/Statement/v1"'
	holds app $V1 '.subject[0].name == "pkg:docker/app@latest?platform=linux%2Famd64"' ||
		[ "$(uname -m)" != x86_64 ]
	equal "sha256:$(jq -r '.subject[0].digest.sha256' statement.json)" "$(entry_of app 0)"
}

@test "what SLSA requires of provenance is there, in both versions" {
	simple_context
	build_in ctx -t app --provenance=mode=max,builder-id=https://ci.example/7
	holds app $V1 '.predicate.buildDefinition
		| (.buildType | test("^https://")) and (.externalParameters | type == "object")'
	holds app $V1 '.predicate.runDetails.builder.id == "https://ci.example/7"'
	holds app $V1 '.predicate.runDetails.metadata
		| (.startedOn | fromdateiso8601? // (sub("\\.[0-9]+";"") | fromdateiso8601)) > 0 and has("finishedOn")'
	holds app $V1 '.predicate.buildDefinition.resolvedDependencies
		| length == 1 and (.[0].uri | startswith("pkg:docker/base@latest"))
			and (.[0].digest.sha256 | test("^[0-9a-f]{64}$"))'
	build_in ctx -t old --attest type=provenance,mode=max,version=v0.2
	holds old $V02 '._type == "https://in-toto.io/Statement/v0.1"'
	holds old $V02 '.predicate | (.builder | has("id")) and (.buildType | test("^https://"))
		and (.invocation.configSource.entryPoint == "Recipe") and (.metadata.completeness.parameters)'
	holds old $V02 '.predicate.materials[0] | (.uri | startswith("pkg:docker/base")) and .digest.sha256'
}

@test "a base is told by the digest that its name leads to" {
	simple_context
	base=$(index_digest base)
	build_in ctx -t app --provenance
	holds app $V1 ".predicate.buildDefinition.resolvedDependencies[0].digest.sha256 == \"${base#*:}\""
	# one that is an index itself
	build_in ctx -t lower --provenance
	printf 'FROM lower\nRUN true\n' >ctx/Recipe
	build_in ctx -t upper --provenance
	lower=$(index_digest lower)
	holds upper $V1 ".predicate.buildDefinition.resolvedDependencies[0].digest.sha256 == \"${lower#*:}\""
}

@test "mode min holds no build argument, no label and no secret; max no secret" {
	import_base
	mkdir -p ctx
	echo the-secret-value >pw
	cat >ctx/Recipe <<-'END'
		FROM base
		ARG WORD=none
		RUN --mount=type=secret,id=pw --mount=type=secret,id=tok,env=TOK test -n "$TOK" && test -s /run/secrets/pw
	END
	TOK=env-secret-value build_in ctx -t min --provenance=mode=min --build-arg WORD=given-word \
		--label made=given-label --secret id=pw,src=pw --secret id=tok,env=TOK --build-arg http_proxy=http://u:proxy-pass@127.0.0.1:1
	statement min $V1 >min.json
	run -1 grep -E 'given-word|given-label|secret-value|proxy-pass|llbDefinition|"pw"' min.json
	jq -e '.predicate.runDetails.metadata.buildkit_completeness.request == false' min.json
	TOK=env-secret-value build_in ctx -t max --provenance=mode=max --build-arg WORD=given-word \
		--label made=given-label --secret id=pw,src=pw --secret id=tok,env=TOK --build-arg http_proxy=http://u:proxy-pass@127.0.0.1:1
	statement max $V1 >max.json
	run -1 grep -E 'secret-value|proxy-pass' max.json
	jq -e '.predicate.buildDefinition.externalParameters.request
		| .args["build-arg:WORD"] == "given-word" and .args["label:made"] == "given-label"
			and ([.secrets[].id] | sort) == ["pw", "tok"]' max.json
	jq -e '.predicate.runDetails.metadata.buildkit_metadata.source.infos[0]
		| .filename == "Recipe" and (.data | @base64d | startswith("FROM base"))' max.json
	jq -e '.predicate.buildDefinition.internalParameters.buildConfig.llbDefinition
		| [.[].id] as $ids | all(.[]; all(.inputs[]?; (.[:-2]) as $in | $ids | index($in)))' max.json
}

@test "nothing tells of the machine, its paths or its directories" {
	simple_context
	mkdir -p named
	printf 'FROM base\nCOPY --from=other . /o\nRUN true\n' >ctx/Recipe
	for mode in min max; do
		build_in "$PWD/ctx" -f "$PWD/ctx/Recipe" -t app --provenance=mode=$mode --build-context "other=$PWD/named"
		statement app $V1 >statement.json
		run -1 grep -F -e "$PWD" -e "$CAIRN_ROOT" -e "$(hostname)\"" statement.json
		jq -e '.predicate.buildDefinition.externalParameters.request.locals == [{name: "context"}, {name: "dockerfile"}, {name: "other"}]' statement.json
	done
}

@test "with an epoch the same inputs give the same index, wherever they are" {
	simple_context
	export SOURCE_DATE_EPOCH=1000000000
	build_in ctx -t one --provenance=mode=max
	holds one $V1 '.predicate.runDetails.metadata | has("startedOn") or has("finishedOn") or has("invocationId") | not'
	first=$(index_digest one)
	cp -r ctx elsewhere
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/other-store
	import_base
	build_in elsewhere -t one -j 1 --provenance=mode=max
	equal "$(index_digest one)" "$first"
}

@test "all commands take the image of the index" {
	simple_context
	run -0 build_in ctx -q -t app --provenance
	id=$(cairn inspect --format json app | jq -r '.. | .Id? // .id? // empty' | head -n 1)
	equal "$(cairn run app cat /file)" content
	cairn inspect --raw manifest app | jq -e '.layers | length == 3'
	cairn inspect --raw config app | jq -e '.os == "linux"'
	cairn history app
	cairn export -o root.tar app
	tar -xOf root.tar file | grep content
	cairn save --format docker-archive -o docker.tar app
	equal "$(tar -xOf docker.tar manifest.json | jq '.[0].Layers | length')" 3
	cairn save -o oci.tar app
	equal "$(cairn images | grep -c app)" 1
	# there is one image, and not another without a name
	equal "$(cairn images --format json | jq -r '.[].name? // empty' | grep -c .)" 2 || cairn images
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/other-store
	cairn load oci.tar
	equal "$(cairn run app cat /file)" content
	holds app $V1 '.subject | length == 1'
}

@test "a registry keeps it, skopeo copies it, and it can be pulled" {
	simple_context
	private_home
	registry_start r plain
	host=$(address r)
	build_in ctx -t "$host/a/app:1" --provenance --push --tls-verify=false
	cairn tag "$host/a/app:1" app
	digest=$(index_digest app)
	equal "$(skopeo inspect --tls-verify=false --raw "docker://$host/a/app:1" | sha256sum | cut -d' ' -f1)" "${digest#*:}"
	skopeo copy --quiet --all --src-tls-verify=false "docker://$host/a/app:1" oci:copy:app
	[ -s "copy/blobs/sha256/$(entry_of app 1 | cut -d: -f2)" ]
	skopeo copy --quiet --src-tls-verify=false "docker://$host/a/app:1" oci:alone:app
	skopeo copy --quiet --all "oci:$CAIRN_ROOT:app:latest" dir:all
	export CAIRN_ROOT=$BATS_TEST_TMPDIR/other-store
	cairn pull --tls-verify=false "$host/a/app:1"
	equal "$(cairn run "$host/a/app:1" cat /file)" content
	cairn pull --tls-verify=false --all-platforms "$host/a/app:1"
	cairn push --tls-verify=false "$host/a/app:1" "$host/b/app:2"
	equal "$(skopeo inspect --tls-verify=false --raw "docker://$host/b/app:2" | sha256sum | cut -d' ' -f1)" "${digest#*:}"
}

@test "files that tell of the result name the index" {
	simple_context
	build_in ctx -t app --provenance --metadata-file meta.json --iidfile id
	equal "$(jq -r '."containerimage.digest"' meta.json)" "$(index_digest app)"
	equal "$(jq -r '."containerimage.descriptor".mediaType' meta.json)" application/vnd.oci.image.index.v1+json
	equal "$(cat id)" "$(blob "$(entry_of app 0)" | jq -r .config.digest)"
	equal "$(jq -r '."containerimage.config.digest"' meta.json)" "$(cat id)"
}

@test "what cannot be attested is said before anything runs" {
	simple_context
	fails 2 build_in ctx --attest type=vex
	says "option --attest: type 'vex' is neither provenance nor sbom"
	fails 2 build_in ctx --provenance=mode=some
	says "option --provenance: mode 'some' is neither min nor max"
	fails 2 build_in ctx --provenance --format docker
	says "option --format"
	fails 1 build_in ctx --sbom=generator=some/scanner
	says "no scanner is run"
	fails 1 build_in ctx --sbom=syft
	says "'syft': no scanner is run"
	fails 1 build_in ctx --sbom-scanner-image some/scanner
	says "no scanner is run"
	fails 3 build_in ctx --sbom-output absent/file
	says "option --sbom-output: absent/: no such directory"
}

# ---- lists of packages ----

# What SPDX 2.3 requires of a document, of each package and of each relationship (its JSON schema).
SPDX='.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .SPDXID == "SPDXRef-DOCUMENT"
	and (.name | length > 0) and (.documentNamespace | test("^https://[^#]+$"))
	and (.creationInfo.created | fromdateiso8601 >= 0) and (.creationInfo.creators | length > 0)
	and all(.creationInfo.creators[]; test("^(Tool|Person|Organization): "))
	and all(.packages[]; (.SPDXID | test("^SPDXRef-[a-zA-Z0-9.-]+$")) and (.name | length > 0)
		and has("downloadLocation") and .filesAnalyzed == false)
	and ([.packages[].SPDXID] | length == (unique | length))
	and all(.packages[].externalRefs[]?; .referenceCategory == "PACKAGE-MANAGER"
		and .referenceType == "purl" and (.referenceLocator | test("^pkg:[a-z]+/[!-~]+$")))
	and ([.SPDXID, .packages[].SPDXID] as $ids | all(.relationships[];
		(.spdxElementId | IN($ids[])) and (.relatedSpdxElement | IN($ids[]))))
	and any(.relationships[]; .spdxElementId == "SPDXRef-DOCUMENT" and .relationshipType == "DESCRIBES")'

# packages_in FILE TYPE: "name version" of the packages whose URLs are of this type.
packages_in() {
	jq -r --arg type "pkg:$2/" '.packages[]
		| select(any(.externalRefs[]?; .referenceLocator | startswith($type)))
		| "\(.name) \(.versionInfo)"' "$1"
}

packages_context() {
	import_base
	mkdir -p ctx/lib ctx/app/node_modules/@scope/one ctx/py/two-2.0.dist-info
	cat >ctx/status <<-'END'
		Package: libc6
		Status: install ok installed
		Architecture: amd64
		Version: 2.36-9+deb12u4

		Package: removed
		Status: deinstall ok config-files
		Architecture: amd64
		Version: 1
	END
	printf 'ID=debian\nVERSION_ID="12"\n' >ctx/os-release
	echo '{"name":"@scope/one","version":"1.0.0"}' >ctx/app/node_modules/@scope/one/package.json
	printf 'Metadata-Version: 2.1\nName: Two_Too\nVersion: 2.0\n' >ctx/py/two-2.0.dist-info/METADATA
	cat >ctx/Recipe <<-'END'
		FROM base
		COPY status /var/lib/dpkg/status
		COPY os-release /etc/os-release
		COPY app /srv/app
		COPY py /usr/lib/python3/dist-packages
	END
}

@test "a list of packages is an SPDX document, beside the image and in a file" {
	packages_context
	build_in ctx -t app --sbom --sbom-output list.json
	jq -e "$SPDX" list.json
	equal "$(packages_in list.json deb)" "libc6 2.36-9+deb12u4"
	equal "$(packages_in list.json npm)" "@scope/one 1.0.0"
	equal "$(packages_in list.json pypi)" "Two_Too 2.0"
	equal "$(jq -r '.packages[].externalRefs[]?.referenceLocator' list.json | grep -v docker | sort)" \
		"$(printf '%s\n' 'pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12' \
			pkg:npm/%40scope/one@1.0.0 pkg:pypi/two-too@2.0)"
	holds app https://spdx.dev/Document '._type == "https://in-toto.io/Statement/v1"'
	equal "sha256:$(jq -r '.subject[0].digest.sha256' statement.json)" "$(entry_of app 0)"
	equal "$(jq -S .predicate statement.json)" "$(jq -S . list.json)"
	equal "$(stat -c %a list.json)" 644
}

@test "the file alone leaves the image a manifest" {
	packages_context
	build_in ctx -t plain
	build_in ctx -t app --sbom-output list.json
	equal "$(index_digest app)" "$(index_digest plain)"
	jq -e "$SPDX" list.json
}

@test "a list and provenance stand in one manifest, and a list is the same each time" {
	packages_context
	build_in ctx -t app --attest type=sbom --attest type=provenance,mode=max
	equal "$(blob "$(entry_of app 1)" | jq -c '[.layers[].annotations["in-toto.io/predicate-type"]] | sort')" \
		"[\"$V1\",\"https://spdx.dev/Document\"]"
	holds app $V1 true
	statement app https://spdx.dev/Document >first.json
	build_in ctx -t app --sbom
	statement app https://spdx.dev/Document >second.json
	cmp first.json second.json
}

@test "a hostile image makes no list but its own, and nothing of this machine" {
	import_base
	echo 'Package: of-the-machine' >secret
	echo 'Version: 1' >>secret
	mkdir -p ctx
	cat >ctx/Recipe <<-END
		FROM base
		RUN mkdir -p /var/lib/dpkg /lib/apk/db /n/node_modules/a /n/node_modules/b /n/node_modules/c /p.egg-info
		RUN ln -s $PWD/secret /var/lib/dpkg/status; ln -s ../../../../../../../../../../../../$PWD/secret /lib/apk/db/installed
		RUN mkfifo /n/node_modules/a/package.json; ln -s /proc/self/environ /p.egg-info/PKG-INFO
		RUN { printf '{"name":"huge","version":"1"}'; head -c 2000000 /dev/zero | tr '\\0' ' '; } >/n/node_modules/b/package.json
		RUN i=0; while [ \$i -lt 5000 ]; do echo -n '['; i=\$((i+1)); done >/n/node_modules/c/package.json
		RUN mkdir -p /n/node_modules/d; printf '{"name":"d\\u0000","version":"\\ud800"}' >/n/node_modules/d/package.json
		RUN mkdir -p /n/node_modules/e; printf '{"name":"evil\\\\n<script>","version":"\\u001b[31m"}' >/n/node_modules/e/package.json
	END
	build_in ctx -t app --sbom --sbom-output list.json
	jq -e "$SPDX" list.json
	equal "$(jq '.packages | length' list.json)" 1
	# not even how large a file of the machine is
	mkdir dpkg && truncate -s 64M dpkg/status
	printf 'FROM base\nRUN mkdir -p /var/lib && ln -s %s/dpkg /var/lib/dpkg\n' "$PWD" >ctx/Recipe
	run -0 build_in ctx --sbom-output list.json
	[[ $output$stderr != *"too large"* ]]
}
