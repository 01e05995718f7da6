# Several COPY, ENTRYPOINT of a script that makes users and host keys.
origin=atmoz/sftp
bases=(debian:bullseye)
change_recipe() {
	# The option has another name in Debian 12.
	change 's/--badnames/--badname/' files/create-sftp-user
}
see_it_run() {
	serve app foo:pass:::upload
	answers 'SSH-2.0-OpenSSH' python3 -c 'import socket
print(socket.create_connection(("127.0.0.1", 22)).recv(40))'
	grep -q 'Creating directory: /home/foo/upload' "$work/here/served"
}
