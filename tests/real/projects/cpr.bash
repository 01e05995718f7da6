# ENV of the old form, COPY ./ with a .dockerignore, WORKDIR after RUN, shell form of ENTRYPOINT.
origin=davglass/cpr
bases=(node:8)
see_it_run() {
	says 'cpr' cairn run --entrypoint sh app -c 'bin/cpr lib /tmp/cpr -v && ls /tmp/cpr'
}
