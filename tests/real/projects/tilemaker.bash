# Two stages, ARG DEBIAN_FRONTEND, COPY of single files to /, CMake, a strip.
origin=systemed/tilemaker
bases=(debian:bullseye-slim)
see_it_run() {
	says 'tilemaker' cairn run app --help
}
