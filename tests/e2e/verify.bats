# tests/e2e/verify.bats - build --verify builds twice and names the first difference.

load robust

# recipe LINE...: a context with a Recipe on `base`.
recipe() {
	mkdir -p ctx
	printf '%s\n' 'FROM base' "$@" >ctx/Recipe
}

@test "what is the same twice is reproducible, and only one image is there" {
	import_base
	recipe 'RUN mkdir /a && echo x >/a/b' 'RUN find /bin | head -3 >/list'
	build_in ctx -t app --verify >out 2>said
	grep -q '^.*reproducible: sha256:' said
	grep -q 'host name cairn-verify' said
	equal "$(cairn images -q | wc -l)" 2
	verify_store --idle
}

@test "content that differs is named with its step and bytes" {
	import_base
	recipe 'RUN echo same >/same' 'RUN (echo 0123456789; cat /proc/sys/kernel/random/uuid) >/id'
	fails 1 build_in ctx -t app --verify
	says 'not reproducible: layer 3 '
	says '/random/uuid'
	says "'id' differs: content from byte 11 to "
}

@test "the host name, a mode and a file in only one are found" {
	import_base
	recipe 'RUN hostname >/name'
	fails 1 build_in ctx --verify
	says "'name' differs: content from byte 5 to "
	recipe 'RUN touch /f; [ "$(hostname)" = cairn ] || chmod 600 /f'
	fails 1 build_in ctx --verify
	says "'f' differs: mode 0644 and 0600"
	recipe 'RUN touch /m; [ "$(hostname)" = cairn ] || touch /extra'
	fails 1 build_in ctx --verify
	says "'extra' is only in the second image"
}

@test "the records of the first build stay" {
	import_base
	export SOURCE_DATE_EPOCH=1700000000
	recipe 'RUN cat /proc/sys/kernel/random/uuid >/id'
	first=$(cairn build -q --network none ctx)
	fails 1 build_in ctx --verify
	equal "$(cairn build -q --network none ctx)" "$first"
}

@test "what cannot be read twice is refused" {
	fails 2 cairn build --verify - </dev/null
	says 'standard input'
}
