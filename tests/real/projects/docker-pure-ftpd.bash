# Packages of one stage that are installed in the next; echo with \n over continued
# lines; COPY --from with a wildcard; VOLUME; shell form of CMD with a variable.
origin=stilliard/docker-pure-ftpd
bases=(debian:stretch)
change_recipe() {
	# Where this machine gets its packages, as sources too, instead of servers that are gone.
	change '/^RUN echo "deb /,/sources.list$/c RUN sed -i "s/^Types: deb$/Types: deb deb-src/" /etc/apt/sources.list.d/*.sources' Dockerfile
	change 's/libssl1.1/libssl3 libsodium23/; s/--force-yes //' Dockerfile
	# The packages themselves instead of their sources, which not every mirror has.
	change '/apt-get source pure-ftpd/,/dpkg-buildpackage/c apt-get download pure-ftpd pure-ftpd-common' Dockerfile
}
see_it_run() {
	serve app
	answers 'Pure-FTPd' python3 -c 'import socket
print(socket.create_connection(("127.0.0.1", 21)).recv(100))'
}
