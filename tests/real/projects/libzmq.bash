# A library in two stages: autotools, its own tests, COPY --from of a directory, ARG of debconf.
origin=zeromq/libzmq
bases=(debian:buster-slim)
change_recipe() {
	# Today's compiler warns of more.
	change 's/--with-libsodium/--disable-Werror &/' Dockerfile
}
see_it_run() {
	says libzmq.so.5 cairn run app ldconfig -p
	says '(4, ' cairn run app sh -c 'apt-get update >/dev/null && apt-get install -y python3-minimal \
		libpython3-stdlib >/dev/null 2>&1; python3 -c "import ctypes
z, a = ctypes.CDLL(\"libzmq.so.5\"), [ctypes.c_int() for i in range(3)]
z.zmq_version(*[ctypes.byref(i) for i in a]); print(tuple(i.value for i in a))"'
}
