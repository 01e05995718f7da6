# Several RUN of apt-get, addgroup and useradd, USER before ENV HOME and LANG.
origin=micressor/fadecut
bases=(debian:testing)
see_it_run() {
	says 'lintian' cairn run app lintian --version
	says 1000 cairn run app id -u
}
