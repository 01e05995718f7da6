# ARG into ENV without a value, .dockerignore with wildcards, EXPOSE of UDP, JSON ENTRYPOINT.
origin=statsd/statsd
bases=(node:12.8.3)
see_it_run() {
	serve app
	answers 'uptime:' python3 -c 'import socket
s = socket.create_connection(("127.0.0.1", 8126)); s.settimeout(5); s.sendall(b"stats\n")
print(s.recv(4000))'
}
