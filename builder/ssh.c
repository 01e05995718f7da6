/* builder/ssh.c - see builder/ssh.h. */

#include "builder/ssh.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"

struct ssh_sources {
	struct ssh_source *at;
	size_t len, cap;
};

static void source_release(struct ssh_source *source)
{
	free(source->id);
	free(source->socket);
	strings_release(&source->keys);
}

struct ssh_sources *ssh_sources_new(void)
{
	return xcalloc(1, sizeof(struct ssh_sources));
}

void ssh_sources_free(struct ssh_sources *sources)
{
	if (!sources)
		return;
	vec_foreach (sources, source)
		source_release(source);
	vec_release(sources);
	free(sources);
}

static struct ssh_source *find(const struct ssh_sources *sources, const char *id)
{
	vec_foreach (sources, source)
		if (strcmp(source->id, id) == 0)
			return source;
	return NULL;
}

const struct ssh_source *ssh_sources_find(const struct ssh_sources *sources, const char *id)
{
	return sources ? find(sources, id) : NULL;
}

static struct err *take_path(struct ssh_source *source, const char *path, bool alone)
{
	struct stat st;

	if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_new(ERR_NOT_FOUND, "'%.200s' is not there", path);
	if (stat(path, &st) < 0)
		return err_sys("'%.200s'", path);
	if (!S_ISSOCK(st.st_mode)) {
		strings_push(&source->keys, path);
		return NULL;
	}
	if (!alone)
		return err_new(ERR_INVALID, "'%.200s' is the socket of an agent, and stands alone",
			       path);
	source->socket = xstrdup(path);
	return NULL;
}

static struct err *take_paths(struct ssh_source *source, struct str paths)
{
	const bool alone = !memchr(paths.at, ',', paths.len);

	while (paths.at) {
		AUTO(mem) char *path = str_dup(str_cut(&paths, ','));

		if (!path[0])
			return err_new(ERR_INVALID, "a path is empty");
		TRY(take_path(source, path, alone));
	}
	return NULL;
}

static struct err *read_source(struct ssh_source *source, const char *text)
{
	const char *agent = getenv("SSH_AUTH_SOCK");
	struct str paths = str_of(text);

	source->id = str_dup(str_cut(&paths, '='));
	if (!source->id[0])
		return err_new(ERR_INVALID, "'%.80s' has no id", text);
	if (paths.at)
		return take_paths(source, paths);
	if (!agent || !agent[0])
		return err_note(err_new(ERR_INVALID,
					"'%.80s' means the running agent, and SSH_AUTH_SOCK "
					"names none",
					source->id),
				"start one with: eval $(ssh-agent); or name a key: --ssh %s=KEY",
				source->id);
	source->socket = xstrdup(agent);
	return NULL;
}

struct err *ssh_sources_add(struct ssh_sources *sources, const char *text)
{
	struct ssh_source source = { 0 };
	struct err *err = read_source(&source, text);
	struct ssh_source *old;

	if (err) {
		source_release(&source);
		return err;
	}
	old = find(sources, source.id);
	if (old) {
		source_release(old);
		*old = source;
	} else {
		vec_push(sources, source);
	}
	return NULL;
}
