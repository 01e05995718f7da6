# LABEL without quotes, lines that end in blanks, an ENTRYPOINT that only a mount has.
origin=HenriWahl/dhcpy6d
recipe=Dockerfile-debian
context=build
bases=(debian:10)
see_it_run() {
	says 'dpkg-buildpackage' cairn run --entrypoint dpkg-buildpackage app --version
	says '/entrypoint.sh' cairn inspect --raw config app
}
