# "# syntax", COPY of everything, yarn, a native module.
origin=docker/getting-started-app
bases=(node:18-alpine)
see_it_run() {
	serve app
	answers '"name":"bread"' curl -sS --noproxy '*' -H 'Content-Type: application/json' \
		-d '{"name":"bread"}' http://127.0.0.1:3000/items
	answers '"completed":false' curl -sS --noproxy '*' http://127.0.0.1:3000/items
}
