/*
 * tests/unit/fake_registry.h - a registry in memory that behaves, until a test tells it not to.
 *
 * It keeps manifests and blobs of any repository by their digests, takes uploads as
 * docker-registry does (POST, PUT, PATCH, status, mount), and serves ranges. `fault` is asked
 * first about every request, and may answer in its place.
 */
#ifndef TESTS_UNIT_FAKE_REGISTRY_H
#define TESTS_UNIT_FAKE_REGISTRY_H

#include "base/digest.h"
#include "base/map.h"
#include "registry/client.h"
#include "registry/config_paths.h"
#include "registry/registries.h"
#include "tests/unit/transport.h"

#define FAKE_HOST "reg.example.com"

struct fake_blob {
	struct buf bytes;
};

struct fake_registry {
	struct fake fake;
	char *environment[1];
	struct config_paths paths;
	struct client_opts opts;
	struct client *client;
	struct place place;
	struct strings said;

	struct map blobs;     /* "path@sha256:..." -> struct fake_blob */
	struct map manifests; /* "path@sha256:..." and "path:tag" -> struct fake_blob */
	struct buf upload;    /* of the one session */
	bool has_session;
	struct strings kept; /* texts of headers that answers point at */

	/* May answer instead: true if it did. */
	bool (*fault)(struct fake_registry *registry, const char *line, struct str body,
		      struct fake_answer *ret);
	int counter; /* the test's */
};

static inline void fake_blob_free(void *value)
{
	struct fake_blob *blob = value;

	buf_release(&blob->bytes);
	free(blob);
}

static inline void fake_put(struct map *map, const char *key, struct str bytes)
{
	struct fake_blob *blob = xcalloc(1, sizeof(*blob));
	struct fake_blob *old;

	blob->bytes = BUF_INIT((size_t)128 << 20);
	buf_add_str(&blob->bytes, bytes);
	buf_addc(&blob->bytes, '\0');
	blob->bytes.len--;
	old = map_put(map, str_of(key), blob);
	if (old)
		fake_blob_free(old);
}

static inline void fake_digest(struct str bytes, char text[static DIGEST_TEXT_SIZE])
{
	AUTO(hasher) struct hasher *hasher = hasher_new();
	struct digest digest;

	hasher_update(hasher, bytes.at, bytes.len);
	assert_ok(hasher_finish(hasher, &digest));
	digest_format(&digest, text);
}

/* A text that lives as long as the registry. */
static inline const char *fake_keep(struct fake_registry *registry, char *text)
{
	strings_push(&registry->kept, text);
	free(text);
	return registry->kept.at[registry->kept.len - 1];
}

/* ---- requests ---- */

struct fake_path {
	char *repository;   /* owned */
	const char *kind;   /* "manifests", "blobs", "uploads", "tags" */
	char *what, *query; /* owned; `query` may be NULL */
};

static inline void fake_path_release(struct fake_path *path)
{
	free(path->repository);
	free(path->what);
	free(path->query);
}

static inline bool fake_parse(const char *line, struct fake_path *ret)
{
	static const char *const kinds[] = { "/manifests/", "/blobs/uploads/", "/blobs/",
					     "/tags/" };
	static const char *const names[] = { "manifests", "uploads", "blobs", "tags" };
	const char *start = strstr(line, "/v2/");

	if (!start)
		return false;
	start += 4;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *at = strstr(start, kinds[i]);
		const char *rest, *query;

		if (!at)
			continue;
		rest = at + strlen(kinds[i]);
		query = strchr(rest, '?');
		*ret = (struct fake_path){
			.repository = str_dup((struct str){ start, (size_t)(at - start) }),
			.kind = names[i],
			.what = query ? str_dup((struct str){ rest, (size_t)(query - rest) }) :
					xstrdup(rest),
			.query = query ? xstrdup(query + 1) : NULL,
		};
		return true;
	}
	return false;
}

/* The value of a query parameter; owned, NULL if there is none. */
static inline char *fake_parameter(const struct fake_path *path, const char *name)
{
	struct str rest = str_of(path->query);

	while (rest.at) {
		struct str value = str_cut(&rest, '&');
		struct str key = str_cut(&value, '=');

		if (str_is(key, name))
			return str_dup(value);
	}
	return NULL;
}

static inline char *fake_key(const struct fake_path *path)
{
	return xasprintf("%s%s%s", path->repository, strchr(path->what, ':') ? "@" : ":",
			 path->what);
}

static inline struct fake_answer fake_get(struct fake_registry *registry,
					  const struct fake_path *path, bool head)
{
	struct map *map = path->kind[0] == 'm' ? &registry->manifests : &registry->blobs;
	AUTO(mem) char *key = fake_key(path);
	const struct fake_blob *blob = map_get(map, str_of(key));
	const char *range = fake_header(registry->fake.request, "Range: bytes=");
	struct fake_answer answer = { .status = 200 };
	char digest[DIGEST_TEXT_SIZE];
	size_t from = 0, size;

	if (!blob)
		return (struct fake_answer){ .status = 404 };
	size = blob->bytes.len;
	if (range) {
		from = strtoul(range, NULL, 10);
		answer.status = 206;
		answer.headers[3] =
			fake_keep(registry, xasprintf("Content-Range: bytes %zu-%zu/%zu", from,
						      size - 1, size));
	}
	fake_digest(buf_str(&blob->bytes), digest);
	answer.headers[0] = fake_keep(registry, xasprintf("Docker-Content-Digest: %s", digest));
	answer.headers[1] = fake_keep(registry, xasprintf("Content-Length: %zu", size - from));
	answer.headers[2] = path->kind[0] == 'm' && strstr(blob->bytes.at, "\"manifests\"") ?
				    "Content-Type: application/vnd.oci.image.index.v1+json" :
			    path->kind[0] == 'm' ?
				    "Content-Type: application/vnd.oci.image.manifest.v1+json" :
				    "Content-Type: application/octet-stream";
	answer.body = head ? NULL : blob->bytes.at + from;
	answer.body_size = head ? 0 : size - from;
	return answer;
}

static inline struct fake_answer fake_put_manifest(struct fake_registry *registry,
						   const struct fake_path *path, struct str body)
{
	AUTO(mem) char *key = fake_key(path);
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *by_digest = NULL;

	fake_digest(body, digest);
	by_digest = xasprintf("%s@%s", path->repository, digest);
	fake_put(&registry->manifests, key, body);
	fake_put(&registry->manifests, by_digest, body);
	return (struct fake_answer){
		.status = 201,
		.headers = { fake_keep(registry, xasprintf("Docker-Content-Digest: %s", digest)) },
	};
}

static inline struct fake_answer fake_session(struct fake_registry *registry,
					      const struct fake_path *path, int status)
{
	struct fake_answer answer = { .status = status };

	answer.headers[0] =
		fake_keep(registry, xasprintf("Location: /v2/%s/blobs/uploads/1?_state=a%%2Bb%%3D",
					      path->repository));
	answer.headers[1] =
		fake_keep(registry, xasprintf("Range: 0-%zu",
					      registry->upload.len ? registry->upload.len - 1 : 0));
	return answer;
}

static inline struct fake_answer fake_begin(struct fake_registry *registry,
					    const struct fake_path *path)
{
	AUTO(mem) char *mount = fake_parameter(path, "mount");
	AUTO(mem) char *from = fake_parameter(path, "from");
	AUTO(mem) char *source = mount && from ? xasprintf("%s@%s", from, mount) : NULL;
	const struct fake_blob *blob = source ? map_get(&registry->blobs, str_of(source)) : NULL;

	if (blob) {
		AUTO(mem) char *key = xasprintf("%s@%s", path->repository, mount);

		fake_put(&registry->blobs, key, buf_str(&blob->bytes));
		return (struct fake_answer){ .status = 201 };
	}
	buf_reset(&registry->upload);
	registry->has_session = true;
	return fake_session(registry, path, 202);
}

static inline struct fake_answer fake_upload(struct fake_registry *registry, const char *line,
					     const struct fake_path *path, struct str body)
{
	AUTO(mem) char *want = fake_parameter(path, "digest");
	AUTO(mem) char *key = NULL;
	char digest[DIGEST_TEXT_SIZE];

	if (strncmp(line, "POST ", 5) == 0)
		return fake_begin(registry, path);
	if (!registry->has_session || !strstr(line, "?_state=a%2Bb%3D"))
		return (struct fake_answer){ .status = 404 };
	if (strncmp(line, "GET ", 4) == 0)
		return fake_session(registry, path, 204);
	buf_add_str(&registry->upload, body);
	if (strncmp(line, "PATCH ", 6) == 0)
		return fake_session(registry, path, 202);
	registry->has_session = false;
	fake_digest(buf_str(&registry->upload), digest);
	if (!want || strcmp(want, digest) != 0)
		return (struct fake_answer){ .status = 400 };
	key = xasprintf("%s@%s", path->repository, digest);
	fake_put(&registry->blobs, key, buf_str(&registry->upload));
	return (struct fake_answer){ .status = 201 };
}

static inline struct fake_answer fake_serve(struct fake *fake, const char *line, const char *auth,
					    struct str body)
{
	struct fake_registry *registry = fake->test;
	struct fake_answer answer = { .status = 404 };
	struct fake_path path;

	(void)auth;
	if (registry->fault && registry->fault(registry, line, body, &answer))
		return answer;
	if (!fake_parse(line, &path))
		return answer;
	if (strcmp(path.kind, "uploads") == 0)
		answer = fake_upload(registry, line, &path, body);
	else if (strncmp(line, "PUT ", 4) == 0)
		answer = fake_put_manifest(registry, &path, body);
	else if (strncmp(line, "GET ", 4) == 0 || strncmp(line, "HEAD ", 5) == 0)
		answer = fake_get(registry, &path, line[0] == 'H');
	else
		answer.status = 405;
	fake_path_release(&path);
	return answer;
}

/* ---- the test's side ---- */

static inline void fake_hear(void *self, const char *line)
{
	strings_push(self, line);
}

static inline void fake_open(struct fake_registry *registry)
{
	registry->fake = (struct fake)FAKE_INIT(fake_serve, registry);
	registry->upload = BUF_INIT((size_t)128 << 20);
	registry->paths = (struct config_paths){ .root = "/nonexistent",
						 .environment = registry->environment,
						 .user = 12345 };
	registry->opts.paths = &registry->paths;
	registry->opts.say = fake_hear;
	registry->opts.say_self = &registry->said;
	registry->opts.retry_pause = 2;
	registry->client = client_new(&registry->opts, fake_transport(&registry->fake));
	registry->place = (struct place){
		.host = (char *)FAKE_HOST,
		.server = (char *)FAKE_HOST,
		.path = (char *)"team/app",
		.api = (char *)"/v2",
	};
}

static inline void fake_close(struct fake_registry *registry)
{
	client_free(registry->client);
	fake_release(&registry->fake);
	strings_release(&registry->said);
	strings_release(&registry->kept);
	map_release(&registry->blobs, fake_blob_free);
	map_release(&registry->manifests, fake_blob_free);
	buf_release(&registry->upload);
}

static inline void fake_registry_auto_(struct fake_registry *registry)
{
	fake_close(registry);
}

/* Put a blob into a repository, and tell its descriptor. */
static inline struct descriptor fake_add_blob(struct fake_registry *registry, const char *path,
					      struct str bytes)
{
	struct descriptor d = { .media_type = "application/octet-stream", .size = bytes.len };
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *key = NULL;

	fake_digest(bytes, digest);
	assert_ok(digest_parse(digest, &d.digest));
	key = xasprintf("%s@%s", path, digest);
	fake_put(&registry->blobs, key, bytes);
	return d;
}

static inline bool fake_has_blob(const struct fake_registry *registry, const char *path,
				 const struct digest *digest)
{
	char text[DIGEST_TEXT_SIZE];
	AUTO(mem) char *key = xasprintf("%s@%s", path, digest_format(digest, text));

	return map_has(&registry->blobs, str_of(key));
}

/* How many requests began like this. */
static inline size_t fake_count(const struct fake_registry *registry, const char *part)
{
	size_t count = 0;

	vec_foreach (&registry->fake.lines, line)
		if (strstr(*line, part))
			count++;
	return count;
}

#endif
