# LABEL with quoted names, ENTRYPOINT of a script, apt.
origin=ludeeus/action-shellcheck
bases=(debian:latest)
see_it_run() {
	says 'version: 0' cairn run --entrypoint shellcheck app --version
	# The script looks for shell scripts in the directory that it is told.
	says 'SC2148' cairn run -e GITHUB_WORKSPACE=/etc/cron.daily --entrypoint sh app -c \
		'mkdir /w && echo "echo \$1" >/w/a.sh && GITHUB_WORKSPACE=/w /runaction.sh'
}
