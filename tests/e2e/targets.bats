# tests/e2e/targets.bats - several targets in one build.

load helper

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need jq
}

recipe() {
	mkdir -p ctx
	printf '%s\n' 'FROM scratch AS base' 'COPY <<base /' x base 'FROM base AS api' 'COPY <<api /' x api \
		'FROM base AS worker' 'COPY <<worker /' x worker 'FROM scratch AS broken' 'COPY gone /' >ctx/Recipe
}

@test "each target has its image and its name, and what they share is made once" {
	recipe
	run -0 --separate-stderr cairn build --progress plain --label l=v --target api=api:1 \
		--target worker=localhost/w --target api=again ctx
	equal "${#lines[@]}" 2
	equal "$(grep -c ' COPY ' <<<"$stderr")" 3
	equal "$(cairn images --format json | jq -r '[.[].name] | sort | join(" ")')" \
		'again:latest api:1 localhost/w:latest'
	equal "$(cairn inspect --raw config api:1 | jq -r .config.Labels.l)" v
	equal "sha256:$(cairn inspect --raw config localhost/w | sha256sum | cut -d' ' -f1)" "${lines[1]}"
	cairn export api:1 | tar -t | grep -qx 'api'
	run -0 cairn export -o w.tar localhost/w
	run -0 tar -tf w.tar
	equal "$output" "$(printf '%s\n' ./ base worker)"
}

@test "the ids and the metadata tell of every target" {
	recipe
	run -0 --separate-stderr cairn build -q --iidfile ids --metadata-file meta --target api --target worker=w ctx
	equal "$(cat ids)" "$output"
	equal "$(jq -r '.api["containerimage.config.digest"], .worker["containerimage.config.digest"]' meta)" "$output"
	equal "$(jq -r '.worker["image.name"]' meta)" docker.io/library/w:latest
	# and one alone as ever
	cairn build -q --metadata-file meta --target api ctx
	equal "$(jq -r '.["containerimage.config.digest"]' meta)" "${lines[0]}"
}

@test "names without a target belong to the only one that has none" {
	recipe
	cairn build -q --target api=a --target worker -t b ctx
	cairn export b | tar -t | grep -qx worker
	fails 2 cairn build -q --target api --target worker -t b ctx
	says "could be for each of 2 targets: say --target STAGE=NAME"
	fails 2 cairn build -q --push --target api=localhost/a --target worker ctx
	says "option --push: say where to"
	fails 2 cairn build -q --target api --target nothing ctx
	says "Recipe has no stage 'nothing'"
}

@test "an archive has all targets, a root filesystem is that of one" {
	recipe
	cairn build -q --target api=localhost/a --target worker=localhost/w -o type=docker,dest=all.tar ctx
	equal "$(tar -xOf all.tar manifest.json | jq -r '[.[].RepoTags[]] | sort | join(" ")')" \
		'localhost/a:latest localhost/w:latest'
	fails 2 cairn build -q --target api --target worker -o out ctx
	says "a root filesystem is that of one target"
	[ ! -e out ]
}
