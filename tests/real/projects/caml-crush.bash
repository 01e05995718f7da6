# Variables of ARG in FROM with a default, a stage as the base of the next, a last line without end.
origin=caml-pkcs11/caml-crush
recipe=Dockerfile.debian
bases=(debian:sid)
change_recipe() {
	# The function has another name in OpenSSL 3.
	change 's,SSL_get_peer_certificate,SSL_get1_peer_certificate,' configure.ac
}
see_it_run() {
	says 'pkcs11proxyd' cairn run app ls src/pkcs11proxyd
}
