# COPY --chown by a name of the image, ENTRYPOINT with an interpreter.
origin=simpleanalytics/fail-on-found-action
bases=(debian:9.5-slim)
see_it_run() {
	says "Found 'root' in file './passwd'" cairn run -w /etc/apt -e QUERY_TERMS=root -e INPUT_EXCLUDE=x \
		--entrypoint sh app -c 'mkdir /w && cd /w && cp /etc/passwd . && bash /entrypoint.sh'
}
