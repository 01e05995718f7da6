/* cli/delete.c - take an image out of a registry. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "registry/repository.h"

#define TAGS_ASKED 200 /* of a repository with more, nobody is asked where each leads */

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct delete_values {
	struct network_values network;
	const char *confirm;
	bool yes;
	int format;
};

static const struct option options[] = {
	OPTION_TEXT(struct delete_values, confirm, 0, "confirm", "NAME",
		    "do not ask: NAME is the whole name of what is to go"),
	OPTION_WORD(struct delete_values, format, 0, "format", formats, "how to show what went"),
	OPTION_FLAG(struct delete_values, yes, 'y', "yes", "do not ask"),
	NETWORK_OPTIONS(struct delete_values, network),
};

/* ---- what goes ---- */

struct doomed {
	struct digest digest;
	struct strings tags; /* that go with it, as far as is known */
	bool all_known;
};

static void doomed_auto_(struct doomed *doomed)
{
	strings_release(&doomed->tags);
}

/* The tags that lead to a digest. What cannot be found out is no reason to fail. */
static void find_tags(const struct repository *repo, struct doomed *doomed)
{
	AUTO(strings) struct strings all = { 0 };
	AUTO(err) struct err *err = repository_tags(repo, &all);

	if (err || all.len > TAGS_ASKED)
		return;
	doomed->all_known = true;
	vec_foreach (&all, tag) {
		struct descriptor target;
		bool found = false;
		AUTO(err)
		struct err *problem = repository_manifest_find(repo, *tag, &found, &target);

		if (problem)
			doomed->all_known = false;
		else if (found && digest_equal(&target.digest, &doomed->digest))
			strings_push(&doomed->tags, *tag);
	}
}

static struct err *find_doomed(const struct remote *remote, struct doomed *ret)
{
	const struct repository *repo = origin_home(remote->origin);
	const char *what = remote->ref.digest[0] ? remote->ref.digest : remote->ref.tag;
	struct descriptor target;
	bool found;

	TRY(repository_manifest_find(repo, what, &found, &target));
	if (!found)
		return err_new(ERR_NOT_FOUND, "%s: there is no such image", remote->name);
	ret->digest = target.digest;
	ret->all_known = true;
	if (remote->ref.digest[0])
		find_tags(repo, ret);
	else
		strings_push(&ret->tags, remote->ref.tag);
	return NULL;
}

static void tell(const struct remote *remote, const struct doomed *doomed)
{
	char digest[DIGEST_TEXT_SIZE];

	if (!remote->ref.digest[0]) {
		fprintf(stderr, "%s is %s\n", remote->name, digest_format(&doomed->digest, digest));
		return;
	}
	vec_foreach (&doomed->tags, tag)
		fprintf(stderr, "with it goes the tag %s\n", *tag);
	if (!doomed->all_known)
		fprintf(stderr, "with it go all tags that lead to it\n");
}

/* ---- whether it may ---- */

/* The whole name, also as it is written on the command line. */
static bool is_its_name(const char *text, const struct remote *remote)
{
	return strcmp(network_skip_scheme(text), remote->name) == 0;
}

static struct err *confirm(const struct delete_values *values, const struct remote *remote)
{
	char line[4096];

	if (values->confirm && !is_its_name(values->confirm, remote))
		return err_new(ERR_USAGE, "option --confirm: '%.300s' is not %s", values->confirm,
			       remote->name);
	if (values->confirm || values->yes)
		return NULL;
	if (!isatty(STDIN_FILENO))
		return err_note(err_new(ERR_USAGE, "nobody is here to ask whether %s is to go",
					remote->name),
				"--confirm %s says it", remote->name);
	fprintf(stderr, "to delete it, type its name: ");
	if (!fgets(line, sizeof(line), stdin))
		return err_new(ERR_CANCELLED, "nothing was deleted");
	line[strcspn(line, "\n")] = '\0';
	if (!is_its_name(line, remote))
		return err_new(ERR_CANCELLED, "that is not its name: nothing was deleted");
	return NULL;
}

/* ---- the command ---- */

/* Some registries only delete by digest, which takes more with it than was asked for. */
static struct err *explain(struct err *err, const struct remote *remote,
			   const struct doomed *doomed)
{
	char digest[DIGEST_TEXT_SIZE];

	if (err_kind(err) != ERR_UNSUPPORTED || remote->ref.digest[0])
		return err;
	return err_note(err,
			"perhaps it deletes by digest, with every tag that leads there: cairn "
			"delete docker://%s/%s@%s",
			remote->ref.domain, remote->ref.path,
			digest_format(&doomed->digest, digest));
}

static void print(const struct delete_values *values, const struct remote *remote,
		  const struct doomed *doomed)
{
	AUTO(json) json_t *object = json_object();
	char digest[DIGEST_TEXT_SIZE];

	if (values->format == FORMAT_TEXT) {
		printf("deleted %s\n", remote->name);
		return;
	}
	json_set_text(object, "name", remote->name);
	json_set_text(object, "digest", digest_format(&doomed->digest, digest));
	json_set(object, "tags", json_texts(&doomed->tags));
	output_json(object);
}

static struct err *run_delete(struct cli *cli, void *arg, struct strings *operands)
{
	const struct delete_values *values = arg;
	AUTO(remote) struct remote remote = { .client = NULL };
	AUTO(doomed) struct doomed doomed = { .all_known = false };
	const char *what;

	(void)cli;
	if (!remote_is(operands->at[0]))
		return err_note(
			err_new(ERR_USAGE, "'%.200s' is no image in a registry", operands->at[0]),
			"in a registry: docker://%.200s; in the store: cairn rmi %.200s",
			operands->at[0], operands->at[0]);
	TRY(remote_open(&values->network, operands->at[0], &remote));
	if (!remote.ref.tag[0] && !remote.ref.digest[0])
		return err_new(ERR_USAGE, "'%.200s' is a whole repository: say which tag or digest",
			       operands->at[0]);
	TRY(find_doomed(&remote, &doomed));
	tell(&remote, &doomed);
	TRY(confirm(values, &remote));
	what = remote.ref.digest[0] ? remote.ref.digest : remote.ref.tag;
	TRY(explain(repository_manifest_delete(origin_home(remote.origin), what), &remote,
		    &doomed));
	print(values, &remote, &doomed);
	return NULL;
}

const struct cli_command command_delete = {
	.name = "delete",
	.summary = "delete an image from a registry",
	.operands = "docker://NAME",
	.about = "Delete a tag, or with NAME@DIGEST a manifest and every tag that leads to it. "
		 "What goes is told, and its whole name must be typed, unless --yes or --confirm "
		 "says so. Many registries delete only by digest, or not at all.",
	.examples = "cairn delete docker://registry.example.com/team/app:old\n"
		    "cairn delete --confirm localhost:5000/app:1 docker://localhost:5000/app:1",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct delete_values),
	.min_operands = 1,
	.max_operands = 1,
	.completes = COMPLETE_NOTHING,
	.run = run_delete,
};
