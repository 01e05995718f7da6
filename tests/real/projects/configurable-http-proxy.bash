# LABELs, npm ci and the removal of npm, USER by number, ENV PATH.
origin=jupyterhub/configurable-http-proxy
bases=(node:lts-alpine3.16)
change_recipe() {
	# Debian's packages instead of Alpine's; its npm is a package, too.
	change 's/apk upgrade --no-cache/apt-get update/; s/apk add --no-cache/apt-get install -y/' Dockerfile
	change 's/npm uninstall -g npm/apt-get purge -y npm/' Dockerfile
}
see_it_run() {
	serve app --ip 127.0.0.1
	answers '404' curl -sS -o /dev/null -w '%{http_code}' --noproxy '*' http://127.0.0.1:8000/
	answers '{}' curl -sS --noproxy '*' http://127.0.0.1:8001/api/routes
	says 65534 cairn run --entrypoint id app -u
}
