# USER before npm install, COPY with a wildcard, COPY --chown by names.
origin=yjs/y-websocket
bases=(node:12-alpine)
change_recipe() {
	# Debian's npm is newer and writes the lock file anew, which USER node may not.
	change 's/npm install$/npm install --no-package-lock/' Dockerfile
}
see_it_run() {
	serve app
	answers 'okay' curl -sS --noproxy '*' http://localhost:1234/
}
