# ENV of the old form that uses what was set before; comments between; variables in RUN.
origin=tianon/dockerfiles
context=apache2
bases=(debian:testing)
see_it_run() {
	serve app
	answers 'Apache2' curl -sS --noproxy '*' http://127.0.0.1:80/
}
