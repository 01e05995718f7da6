# tests/e2e/copy.bats - COPY in full: heredocs, --exclude, --parents.
#
# What is expected is what the language's reference says; the judge of language.bats is too old for
# these flags.

load helper

# shows RECIPE-LINE...: build FROM scratch with these lines and print what the image has: mode, owner, path.
shows() {
	printf 'FROM scratch\n' >Recipe
	printf '%s\n' "$@" >>Recipe
	cairn build --progress quiet -f Recipe -o type=tar,dest=out.tar ctx >/dev/null || return
	tar --numeric-owner -tvf out.tar | awk '$6 != "./" { print $1, $2, $6 $7 $8 }'
}

# put PATH [TEXT]: a file in the context.
put() {
	mkdir -p "ctx/$(dirname "$1")"
	printf '%s\n' "${2-$1}" >"ctx/$1"
}

holds() {
	equal "$(tar -xOf out.tar "$1")" "$2"
}

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

@test "heredocs are files named like their delimiters, copied after the paths" {
	put first
	run -0 shows 'ENV name=world' \
		'COPY <<hello.txt <<"raw" first /greetings/' 'hi $name, \$name, "\\" '"'\$name'" \
		hello.txt '$name \$' raw
	equal "$output" "$(printf '%s\n' 'drwxr-xr-x 0/0 greetings/' '-rw-r--r-- 0/0 greetings/first' \
		'-rw-r--r-- 0/0 greetings/hello.txt' '-rw-r--r-- 0/0 greetings/raw')"
	holds greetings/hello.txt 'hi world, $name, "\" '"'world'"
	holds greetings/raw '$name \$'
	# a path of the same name is overwritten, wherever it stands
	put raw 'from the context'
	run -0 shows 'COPY <<raw raw /d/' inline raw
	holds d/raw inline
}

@test "a heredoc takes the name of the destination, owner and mode" {
	run -0 shows 'COPY --chown=7 --chmod=u=rwx,go= <<-script /bin/greet' "	#!/bin/sh" "	 echo hi" "	script"
	equal "$output" "$(printf '%s\n' 'drwxr-xr-x 7/7 bin/' '-rwx------ 7/7 bin/greet')"
	holds bin/greet "$(printf '#!/bin/sh\n echo hi')"
}

@test "a heredoc is no destination, and its name is the name of a file" {
	mkdir ctx
	put a
	fails 1 shows 'COPY a <<EOF' x EOF
	says 'Recipe:2: COPY cannot take a heredoc as its destination'
	fails 1 shows 'COPY <<../x /d/' x ../x
	says "the heredoc '../x' becomes a file, and that is no name for one"
}

@test "a changed heredoc runs again, an unchanged one does not" {
	mkdir ctx
	shows 'ARG v=1' 'COPY <<EOF /f' '$v' EOF >/dev/null
	run -0 cairn build --progress plain -f Recipe ctx
	says CACHED
	run -0 cairn build --progress plain -f Recipe --build-arg v=2 ctx
	[[ $output != *CACHED* ]]
}

@test "--exclude leaves out below what is copied, and is not expanded" {
	put src/a.go
	put src/a_test.go
	put src/deep/b_test.go
	put src/data/x
	put src/data/keep
	put '$X'
	run -0 shows 'ENV X=src' 'COPY --exclude=**/*_test.go --exclude=data --exclude=!data/keep src /s'
	equal "$output" "$(printf '%s\n' 'drwxr-xr-x 0/0 s/' '-rw-r--r-- 0/0 s/a.go' 'drwxr-xr-x 0/0 s/data/' \
		'-rw-r--r-- 0/0 s/data/keep' 'drwxr-xr-x 0/0 s/deep/')"
	run -0 shows 'ENV X=src' 'COPY --exclude=$X . /'
	[[ $output == *src/a.go* ]]
	[[ $output != *'$X'* ]]
	# what is named itself is not left out
	run -0 shows 'COPY --exclude=*.go src/a.go /'
	equal "$output" '-rw-r--r-- 0/0 a.go'
	# from a stage, too
	run -0 shows 'COPY src /s' 'FROM scratch' 'COPY --from=0 --exclude=d* /s /t'
	equal "$output" "$(printf '%s\n' 'drwxr-xr-x 0/0 t/' '-rw-r--r-- 0/0 t/a.go' '-rw-r--r-- 0/0 t/a_test.go')"
}

@test "a change in what is excluded does not run it again" {
	put src/a
	put src/b
	shows 'COPY --exclude=b src /s' >/dev/null
	put src/b changed
	run -0 cairn build --progress plain -f Recipe ctx
	says CACHED
	put src/a changed
	run -0 cairn build --progress plain -f Recipe ctx
	[[ $output != *CACHED* ]]
}

@test "--parents keeps the directories, from the pivot on, with their metadata" {
	put a/b/c/file
	put a/other
	chmod 711 ctx/a/b
	touch -d @1000000000 ctx/a/b
	run -0 shows 'COPY --parents a/b/c/file /x/' 'COPY --parents a/./b/c /y/'
	equal "$output" "$(printf '%s\n' 'drwxr-xr-x 0/0 x/' 'drwxr-xr-x 0/0 x/a/' 'drwx--x--x 0/0 x/a/b/' \
		'drwxr-xr-x 0/0 x/a/b/c/' '-rw-r--r-- 0/0 x/a/b/c/file' 'drwxr-xr-x 0/0 y/' \
		'drwx--x--x 0/0 y/b/' 'drwxr-xr-x 0/0 y/b/c/' '-rw-r--r-- 0/0 y/b/c/file')"
	equal "$(tar --utc -tvf out.tar x/a/b/ | awk 'NR == 1 { print $4, $5 }')" '2001-09-09 01:46'
}

@test "--parents knows any number of directories, and what is missing" {
	put go.mod
	put one/go.mod
	put one/two/go.mod
	put one/two/main.go
	run -0 shows 'COPY --parents **/go.mod none/* /src/'
	equal "$(cut -d' ' -f3 <<<"$output" | tr '\n' ' ')" \
		'src/ src/go.mod src/one/ src/one/go.mod src/one/two/ src/one/two/go.mod '
	run -0 shows 'COPY --parents --exclude=one/two ./one/./** /'
	equal "$(cut -d' ' -f3 <<<"$output" | tr '\n' ' ')" 'go.mod two/ two/go.mod two/main.go '
	fails 3 shows 'COPY --parents one/three /'
	says "Recipe:2: 'one/three' is not in the build context"
}

@test "--link is a layer for itself: another base, and it is there already" {
	put app
	make_rootfs base.tar
	cairn import base.tar one
	mkdir -p rootfs/srv/app
	chmod 700 rootfs/srv
	ln -s srv rootfs/alias
	tar -C rootfs -cf other.tar .
	cairn import other.tar two
	printf '%s\n' 'ARG base' 'FROM $base' 'COPY --link --chmod=751 app /alias/bin/' 'COPY app /last' >Recipe
	run -0 cairn build --progress plain -f Recipe --build-arg base=one ctx
	[[ $output != *CACHED* ]]
	run -0 cairn build --progress plain -f Recipe -t app --build-arg base=two ctx
	equal "$(grep -c CACHED <<<"$output")" 1
	# the link in the base is no link any more, and /srv is what it was
	cairn export -o out.tar app
	run -0 tar --numeric-owner -tvf out.tar
	equal "$(awk '/ (alias|srv)/ || $6 ~ /^(.\/)?(alias|srv)/ { print $1, $2, $6 }' <<<"$output")" "$(printf '%s\n' \
		'drwxr-x--x 0/0 alias/' 'drwxr-x--x 0/0 alias/bin/' '-rwxr-x--x 0/0 alias/bin/app' \
		'drwx------ 0/0 srv/' 'drwxr-xr-x 0/0 srv/app/')"
}

@test "--link looks a named owner up in the stage" {
	put app
	make_rootfs base.tar
	cairn import base.tar base
	printf '%s\n' 'FROM base' 'COPY --link --chown=user app /home/' >Recipe
	cairn build -q -f Recipe -o type=tar,dest=out.tar ctx
	equal "$(tar --numeric-owner -tvf out.tar home/app | awk '{ print $2 }')" 1000/1000
	printf '%s\n' 'FROM base' 'COPY --link --chown=usr app /home/' >Recipe
	fails 3 cairn build -q -f Recipe ctx
	says "Recipe:2: --chown=usr: the image has no user 'usr'"
	says "it has: user, root"
}

# BuildKit takes root for a name that nobody has; Buildah, and what the language promises, fail.
@test "an owner that the image does not have is an error" {
	put a
	put b
	make_rootfs base.tar
	cairn import base.tar base
	while IFS='|' read -r base owner text; do
		printf '%s\n' "FROM $base" 'COPY b /' "COPY --chown=$owner a /" >Recipe
		fails 3 cairn build -q -f Recipe ctx
		says "Recipe:3: --chown=$owner: the image has no $text"
	done <<-'END'
		base|usr|user 'usr'
		base|user:staff|group 'staff'
		base|0:staff|group 'staff'
		scratch|user|user 'user'
	END
	# numbers and root need nobody to have them
	run -0 shows 'COPY --chown=root a /1' 'COPY --chown=4:root a /2' 'COPY --chown=5 a /3' 'COPY --chown=:6 a /4'
	equal "$output" "$(printf '%s\n' '-rw-r--r-- 0/0 1' '-rw-r--r-- 4/0 2' '-rw-r--r-- 5/5 3' '-rw-r--r-- 0/6 4')"
}
