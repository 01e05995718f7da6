# A wildcard in COPY, stages for development and production, tini as ENTRYPOINT.
origin=dockersamples/example-voting-app
context=result
bases=(node:18-slim)
see_it_run() {
	serve app
	answers 'Cats vs Dogs' curl -sS --noproxy '*' http://127.0.0.1:80/
}
