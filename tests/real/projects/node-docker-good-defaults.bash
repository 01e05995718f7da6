# ARG with defaults into ENV and EXPOSE, COPY --chown with a wildcard that may match nothing, USER
# before WORKDIR, ENV PATH, HEALTHCHECK.
origin=BretFisher/node-docker-good-defaults
bases=(node:18-slim)
change_recipe() {
	# The latest npm does not run on Debian's node.
	change 's/npm@latest/npm@10/' Dockerfile
}
see_it_run() {
	serve app
	answers 'happy and healthy' curl -sS --noproxy '*' http://127.0.0.1:3000/healthz
	says 1000:1000 cairn run app stat -c %u:%g /opt/node_app /opt/node_app/app/index.js
}
