# ADD of a local file, ENTRYPOINT of a script that becomes another user, CMD.
origin=ykawa/entrypoint
bases=(debian:11-slim)
see_it_run() {
	says 0 cairn run app id -u
	says 1234 cairn run -e SET_UID=1234 -e SET_GID=1234 app id -u
}
