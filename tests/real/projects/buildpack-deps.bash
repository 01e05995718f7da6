# Three Recipes, each on the image of the one before; comments within a continued RUN.
origin=docker-library/buildpack-deps
bases=(debian:bookworm)
build_all() {
	real_build buildpack-deps:bookworm-curl debian/bookworm/curl/Dockerfile debian/bookworm/curl
	real_build buildpack-deps:bookworm-scm debian/bookworm/scm/Dockerfile debian/bookworm/scm
	real_build app debian/bookworm/Dockerfile debian/bookworm
}
judge_all() {
	judge_builds buildpack-deps:bookworm-curl debian/bookworm/curl/Dockerfile debian/bookworm/curl
}
see_it_run() {
	says 'git version' cairn run buildpack-deps:bookworm-scm git --version
	says 'six by nine is 42' cairn run app sh -c 'cd /tmp && echo "int main(void) { return 42; }" >a.c &&
		gcc a.c && { ./a.out || echo "six by nine is $?"; }'
}
