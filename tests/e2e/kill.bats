# tests/e2e/kill.bats - a command that is killed, at any moment, leaves a store in order.
#
# run.sh: first

load robust

# A Recipe of 12 quick steps; everything in it depends on $N, so that nothing is cached.
make_context() {
	mkdir -p context/many
	for i in $(seq 50); do echo "file $i" >"context/many/$i"; done
	cat >context/Recipe <<-'END'
		FROM base AS first
		ARG N=0
		RUN echo $N >/one && mkdir -p /d/e
		RUN echo $N >/d/two; ln /d/two /d/e/two
		COPY . /context-$N/
		RUN rm /one; seq 2000 >/d/three-$N
		FROM base
		ARG N=0
		WORKDIR /work-$N
		RUN head -c 300000 /dev/urandom | od -x | head -c 300000 >/dev/null; seq $N 9999 >big
		RUN mv big bigger; mkfifo pipe
		COPY --from=first /d /d
		RUN rm -rf /d/e; mkdir /d/e; echo $N >/d/e/new
		COPY many/1 many/2 /few-$N/
		RUN chown -R 1000:1000 . && chmod 4755 bigger
		ENV N=$N
		CMD ["/bin/true"]
	END
	export SOURCE_DATE_EPOCH=1700000000
}

# no_mounts: nothing of the store is mounted, and no overlay uses it.
no_mounts() {
	equal "$(grep -F "$CAIRN_ROOT" /proc/self/mountinfo)" ""
}

# seconds COMMAND...: how long it takes.
seconds() {
	local begin=$EPOCHREALTIME
	"$@" >/dev/null 2>&1
	awk -v begin="$begin" -v end="$EPOCHREALTIME" 'BEGIN { print end - begin }'
}

# share WHOLE I N: a random moment in the i-th of n parts of the whole.
share() {
	awk -v whole="$1" -v i="$2" -v n="$3" -v random="$RANDOM" \
		'BEGIN { print whole * (i + random / 32768) / n }'
}

@test "commands that are killed as they change something do no harm" {
	need_root
	need docker-registry zstd cc
	cc -std=gnu11 -D_GNU_SOURCE -O1 -o stepper "$BATS_TEST_DIRNAME/../kills/stepper.c"
	# `make kills` tries every point of all commands.
	run -0 python3 -B "$BATS_TEST_DIRNAME/../kills/kills.py" --whom main --jobs 2 stepper \
		"$(command -v cairn)" build:60 pull:60 push:60 prune:60 load:60 failed:60 shell:60 tag rmi
	echo "$output"
	[[ ${lines[-1]} =~ ^([0-9]+)\ points,\ 0\ wrong$ ]]
	[ "${BASH_REMATCH[1]}" -gt 60 ]
}

# A step that runs until it is stopped, in front of steps that finish at once.
make_endless() {
	mkdir -p context
	cat >context/Recipe <<-'END'
		FROM base
		RUN echo before >/before
		RUN sleep 1000 & (setsid sleep 1000 &) ; echo "now"working; sleep 1000
	END
}

# interrupted CODE SIGNALS [--group]: an endless build ends so, at once, and leaves nothing.
interrupted() {
	local want=$1 signals=$2
	shift 2
	run python3 "$BATS_TEST_DIRNAME/interrupt.py" @nowworking "$signals" "$@" \
		cairn build --network none --progress plain -t app context 3>&-
	echo "$output"
	[ "$status" -eq 0 ]
	equal "${lines[-1]}" "$want"
	verify_store --idle
	no_mounts
	fails 3 cairn inspect app
	# The step that was done is kept.
	sed -i 's/^RUN sleep.*/RUN true/' context/Recipe
	run build_in context
	says "CACHED"
}

@test "SIGINT ends a build with 130 and leaves nothing" {
	import_base
	make_endless
	interrupted 130 INT
}

@test "SIGTERM ends a build with 143 and leaves nothing" {
	import_base
	make_endless
	interrupted 143 TERM
}

@test "an interrupt from the terminal, which every process gets, is the same" {
	import_base
	make_endless
	interrupted 130 INT --group
}

@test "more interrupts do no harm" {
	import_base
	make_endless
	interrupted 130 INT,INT,INT,TERM --group
}

@test "an interrupt while a context is read or layers are packed leaves nothing" {
	import_base
	make_context
	whole=$(seconds build_in context --build-arg N=1000)
	whole=$(seconds build_in context --build-arg N=1001)
	for i in $(seq 0 9); do
		moment=$(share "$whole" "$i" 10)
		ended=$(python3 "$BATS_TEST_DIRNAME/interrupt.py" "$moment" INT --group \
			cairn build -q --network none --build-arg "N=$i" -t "app$i" context \
			3>&- 2>&1) || { echo "$ended"; false; }
		echo "$moment of $whole: $ended"
		[[ $ended == 130 || $ended == sha256:*0 || $ended == -2 ]] # -2: before it could listen
		verify_store --idle
		no_mounts
	done
}

@test "a build of which only the steps are killed fails as a step does" {
	import_base
	mkdir -p context
	printf 'FROM base\nRUN kill -9 $$; sh -c "kill -9 \\$PPID"; echo still here\n' >context/Recipe
	run -0 build_in context # PID 1 of a namespace does not die of its own signals
	says "still here"
	untouched
}
