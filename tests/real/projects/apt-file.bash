# An option of apt-get on a line of its own; CMD with blanks in its brackets.
origin=jessfraz/dockerfiles
context=apt-file
bases=(debian:jessie)
see_it_run() {
	says 'apt-file' cairn run app apt-file --help
}
