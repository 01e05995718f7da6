# tests/e2e/npm.bats - an application with a tree of packages: npm ci, tests, production files.
#
# The registry, its certificates and proxies are those of this machine, told to the build by
# arguments and a file. The lock file names versions and digests but no address.
#
# run.sh: first

load helper
load judge

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	need apt-get jq mmdebstrap npm
	cd "$BATS_FILE_TMPDIR" || return 1
	export CAIRN_ROOT=$BATS_FILE_TMPDIR/store
	# Unpacked only, which is enough to run node and takes half the time.
	make_debian base.tar --variant=extract --include=nodejs,npm,ca-certificates,dash,coreutils
	cairn import base.tar node
	rm base.tar
	context
	registry=$(npm config get registry 2>/dev/null)
	mapfile -t arguments < <(proxies)
	cairn build --progress plain --network host --build-arg "REGISTRY=$registry" "${arguments[@]}" \
		-f ctx/Recipe -t app ctx
}

setup() {
	export CAIRN_ROOT=$BATS_FILE_TMPDIR/store NO_COLOR=1
	cd "$BATS_TEST_TMPDIR" || return 1
}

context() {
	mkdir ctx
	cp "$BATS_TEST_DIRNAME"/npm/* ctx
	local certificates
	certificates=$(npm config get cafile 2>/dev/null)
	[ -f "$certificates" ] || certificates=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
	cp "$certificates" ctx/certificates.pem
	cat >ctx/Recipe <<-'EOF'
		FROM node AS packages
		ARG REGISTRY
		WORKDIR /srv/app
		COPY certificates.pem /
		ENV npm_config_registry=$REGISTRY npm_config_cafile=/certificates.pem \
		    npm_config_update_notifier=false
		COPY package.json package-lock.json ./
		RUN npm ci --no-audit --no-fund

		FROM packages AS tested
		COPY app.js test.js ./
		RUN npm test && touch passed

		FROM packages AS production
		RUN npm prune --omit=dev --offline --no-audit --no-fund

		FROM node
		ENV NODE_ENV=production
		WORKDIR /srv/app
		COPY --from=tested /srv/app/passed /srv/app/app.js /srv/app/package.json ./
		COPY --from=production --chown=1000:1000 /srv/app/node_modules node_modules
		USER 1000:1000
		CMD ["node", "app.js"]
	EOF
}

# packages FILTER: where the lock file says that packages go.
packages() {
	jq -r ".packages | to_entries[] | select(.key != \"\" and (.value | $1)) | .key" \
		"$BATS_TEST_DIRNAME/npm/package-lock.json" | sort
}

@test "the application answers with what its packages work out" {
	equal "$(cairn run --network none app)" '{"newest":"1.10.0"}'
}

@test "the packages of production are there, each, and no others" {
	[ "$(packages 'true' | wc -l)" -gt 100 ]
	cairn export app | tar -tf - | sed -nE 's,^(\./)?srv/app/(.*[^/])/?$,\2,p' | sort >files
	packages '.dev != true' >wanted
	grep -E '(^|/)node_modules/(@[^/]+/)?[^/.@][^/]*/package\.json$' files |
		sed 's,/package\.json$,,' | sort >found
	diff -u wanted found
}

@test "nothing of building is in the image" {
	cairn inspect --raw config app >config
	run -1 grep -i -e registry -e certificates config
	run -1 cairn run app test -e /certificates.pem
	run -1 cairn run app test -e /srv/app/test.js
	equal "$(cairn run app stat -c %u:%g node_modules/express/index.js node_modules | xargs)" \
		"1000:1000 1000:1000"
}

@test "a change of the source builds again what it has to" {
	cp -r "$BATS_FILE_TMPDIR/ctx" changed
	sed -i 's/newest:/chosen:/' changed/app.js
	mapfile -t arguments < <(proxies)
	cairn build --progress plain --network host "${arguments[@]}" -t changed -f changed/Recipe \
		--build-arg "REGISTRY=$(npm config get registry 2>/dev/null)" changed >log 2>&1
	cairn run changed
	equal "$(cairn run changed)" '{"chosen":"1.10.0"}'
	grep -A1 'RUN npm ci' log | grep -q CACHED
	grep -A1 'RUN npm prune' log | grep -q CACHED
	run -1 sh -c 'grep -A1 "RUN npm test" log | grep CACHED'
}
