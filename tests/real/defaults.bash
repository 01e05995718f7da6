# defaults.bash - what a project does unless its file says otherwise.
# shellcheck disable=SC2154 # the file of the project sets origin, recipe, context, target, options

# build_all: build $recipe in $context as the image `app`.
build_all() {
	real_build app "$context/$recipe" "$context" ${target:+--target "$target"} "${options[@]}"
}

# judge_all: Buildah builds the same, and the configs say the same.
judge_all() {
	judge_builds app "$context/$recipe" "$context" ${target:+--target "$target"} "${options[@]}"
	same_config app "${EXCEPT_CONFIG:-.}"
}
