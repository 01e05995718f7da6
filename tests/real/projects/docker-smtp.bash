# A pipeline with a loop in RUN, ENTRYPOINT and CMD together.
origin=namshi/docker-smtp
bases=(debian:jessie)
see_it_run() {
	serve app
	answers 'ESMTP Exim' python3 -c 'import socket
print(socket.create_connection(("127.0.0.1", 25)).recv(100))'
}
