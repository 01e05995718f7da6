# tests/e2e/documents.bats - images that break a rule, each in one way (tests/registry/images.py).
#
# What is refused when it is read has its exit code and a piece of its message here; what can only
# be found when a layer is unpacked is refused then, and nothing of it is kept.

load helper
load ../registry/registry

# refuses CODE TEXT COMMAND...: and no image has a name.
refuses() {
	local code=$1 text=$2
	shift 2
	fails "$code" "$@"
	says "$text"
	[ ! -e "$CAIRN_ROOT/refs" ] || equal "$(ls "$CAIRN_ROOT/refs")" ""
}

# Rows are NAME | exit code | text.
@test "a layout whose documents break a rule is refused, by what is wrong with it" {
	local name code text
	while IFS='|' read -r name code text; do
		name=${name// /}
		echo "== $name"
		rm -rf layout "$CAIRN_ROOT"
		image_layout layout "$name" >/dev/null
		refuses "${code// /}" "${text# }" timeout 20 cairn load layout
	done <<-'END'
		media-type     | 1 | but its descriptor says
		both           | 1 | manifest
		nested         | 1 | nested
		deep           | 1 | nested
		huge           | 1 | is larger than
		twice          | 1 | duplicate object key
		no-utf8        | 1 | unable to decode
		cut-short      | 1 | premature end
		not-json       | 1 | expected
		negative-size  | 1 | layers[0].size: negative
		size-2-63      | 1 | too big integer
		size-2-64      | 1 | too big integer
		real-size      | 1 | layers[0].size: not a whole number
		digest-path    | 1 | layers[0].digest: 'sha256:../../x'
		config-digest  | 1 | config.digest: 'sha256:../../../../etc/passwd'
		digest-short   | 1 | layers[0].digest
		digest-upper   | 1 | layers[0].digest
		digest-unknown | 1 | layers[0].digest: 'md5:
		other-size     | 1 | bytes, not 7
		missing-blob   | 3 | is missing
		schema1        | 3 | no manifest of an image
	END
}

@test "every name of the list is tried, here or below" {
	image_layout list wrong | sort >names
	grep -oE '^		[a-z0-9-]+ +\| [13]' "$BATS_TEST_FILENAME" | tr -d '\t' | cut -d' ' -f1 >tried
	printf '%s\n' many large wrong-diff-id >>tried
	equal "$(sort tried | comm -23 names -)" ""
}

@test "an index of many entries, and a manifest of 5 MiB, are read in time" {
	local name
	for name in many large; do
		rm -rf layout
		image_layout layout $name >/dev/null
		timeout 20 cairn load layout
	done
}

@test "a message about a document cannot write to the terminal" {
	image_layout layout not-json >/dev/null
	fails 1 cairn load layout
	[[ $output != *$'\x1b'* ]]
}

# Rows are NAME | text.
@test "a layer that is not what it should be gives no image a name" {
	local name text
	while IFS='|' read -r name text; do
		name=${name// /}
		echo "== $name"
		rm -rf layout "$CAIRN_ROOT"
		image_layout layout "$name" >/dev/null
		fails 1 cairn load layout
		says "${text# }"
		equal "$(cairn images -q)$(ls "$CAIRN_ROOT/layers")" ""
	done <<-'END'
		wrong-diff-id | but the image's config says
		zstd-window   | window
		garbage       | no header where one should be
		truncated     | the end is missing
		escape        | the path leads upwards
	END
	[ ! -e /escaped ]
}

@test "a layer that is only strange is taken" {
	image_layout layout members frames liar >/dev/null
	cairn load layout
	for name in members frames liar; do
		cairn export -o out.tar "layout:$name"
		equal "$(tar -xOf out.tar file | head -n 1)" contents
	done
}
