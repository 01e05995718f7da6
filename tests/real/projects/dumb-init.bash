# RUN beginning with a colon, one file copied for its build dependencies, shell form of ENTRYPOINT.
origin=Yelp/dumb-init
bases=(debian:buster)
change_recipe() {
	# It goes to a mirror on the internet.
	change '/^RUN sed -E/,/sources.list$/d' Dockerfile
}
see_it_run() {
	# It builds the packages of a checkout, which is mounted there; the checkout as an image does, too.
	printf 'FROM app\nCOPY . /tmp/mnt\nRUN make builddeb && dpkg -i dist/*.deb\nENTRYPOINT ["dumb-init"]\n' \
		>Recipe
	real_build init Recipe context
	says 'it lives' cairn run init echo 'it lives'
}
