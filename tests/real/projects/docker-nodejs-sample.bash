# "# syntax", ARG before FROM, four stages, RUN with bind and cache mounts, USER, shell form of CMD.
origin=docker/docker-nodejs-sample
bases=(node:18.0.0-alpine)
build_all() {
	# The tests of the project run in a stage of their own.
	real_build tested Dockerfile . --target test
	real_build app Dockerfile . --target prod
}
judge_all() {
	judge_builds app Dockerfile . --target prod
	same_config app
}
see_it_run() {
	serve app
	answers '"name":"milk"' curl -sS --noproxy '*' -H 'Content-Type: application/json' \
		-d '{"name":"milk"}' http://127.0.0.1:3000/items
	says 1000 cairn run app id -u
}
