/* builder/purl.c - see builder/purl.h. */

#include "builder/purl.h"

#include "base/err.h"
#include "registry/reference.h"
#include "store/platform.h"

#define PURL_MAX ((size_t)64 * 1024)

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '-' || c == '_' || c == '~' || c == ':';
}

void purl_encode(struct buf *out, struct str text, bool keep_slashes)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (is_plain(c) || (keep_slashes && c == '/'))
			buf_addc(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned char)c);
	}
}

char *purl_format(const char *type, const char *namespace, const char *name, const char *version)
{
	struct buf out = BUF_INIT(PURL_MAX);

	buf_addf(&out, "pkg:%s/", type);
	if (namespace && namespace[0]) {
		purl_encode(&out, str_of(namespace), true);
		buf_addc(&out, '/');
	}
	purl_encode(&out, str_of(name), false);
	if (version && version[0]) {
		buf_addc(&out, '@');
		purl_encode(&out, str_of(version), false);
	}
	return buf_steal(&out);
}

/* "debian" of "docker.io/library/debian". Borrowed. */
static const char *familiar(const char *repository)
{
	static const char *const usual[] = { "docker.io/library/", "docker.io/" };

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (strncmp(repository, usual[i], strlen(usual[i])) == 0)
			return repository + strlen(usual[i]);
	return repository;
}

static void add_qualifiers(struct buf *out, const struct reference *ref,
			   const struct platform *platform)
{
	if (ref->digest[0]) {
		buf_adds(out, "?digest=");
		purl_encode(out, str_of(ref->digest), false);
	}
	if (platform) {
		AUTO(mem) char *text = platform_format(platform);

		buf_adds(out, ref->digest[0] ? "&platform=" : "?platform=");
		purl_encode(out, str_of(text), false);
	}
}

char *purl_of_image(const char *name, const struct platform *platform)
{
	struct reference ref;
	AUTO(err) struct err *err = reference_parse(name, &ref);
	AUTO(mem) char *repository = NULL;
	AUTO(mem) char *start = NULL;
	struct buf out = BUF_INIT(PURL_MAX);
	const char *shown, *tag, *slash;

	if (err)
		return NULL;
	repository = reference_repository(&ref);
	shown = familiar(repository);
	slash = strrchr(shown, '/');
	tag = ref.tag[0] || ref.digest[0] ? ref.tag : "latest";
	if (slash) {
		AUTO(mem)
		char *namespace = str_dup((struct str){ shown, (size_t)(slash - shown) });

		start = purl_format("docker", namespace, slash + 1, tag);
	} else {
		start = purl_format("docker", NULL, shown, tag);
	}
	buf_adds(&out, start);
	add_qualifiers(&out, &ref, platform);
	return buf_steal(&out);
}
