/* builder/cdi.c - see builder/cdi.h: one file. What is found in all of them is cdi_find.c's. */

#include "builder/cdi.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/path.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define EDITS_MAX 256 /* of one sort, in one device */
#define CLASS_ANNOTATION "org.mobyproject.buildkit.device.class"
#define ALLOW_ANNOTATION "org.mobyproject.buildkit.device.autoallow"

static void device_release(struct cdi_device *device)
{
	free(device->name);
	free(device->word);
	volumes_release(&device->edits.volumes);
}

void cdi_spec_release(struct cdi_spec *spec)
{
	free(spec->file);
	free(spec->kind);
	volumes_release(&spec->edits.volumes);
	vec_foreach (&spec->devices, device)
		device_release(device);
	vec_release(&spec->devices);
}

/* ---- names ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alphanumeric(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* Letters, digits and what `more` has between them. */
static bool is_word(struct str s, const char *more, bool digit_first)
{
	if (!s.len || !is_alphanumeric(s.at[s.len - 1]))
		return false;
	if (!(digit_first ? is_alphanumeric(s.at[0]) : is_letter(s.at[0])))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alphanumeric(s.at[i]) && (!s.at[i] || !strchr(more, s.at[i])))
			return false;
	return true;
}

static bool is_kind(struct str s)
{
	const struct str vendor = str_cut(&s, '/');

	return is_word(vendor, "_-.", false) && is_word(s, "_-.", false);
}

static bool is_device_name(struct str s)
{
	return is_word(s, "_-.:", true);
}

bool cdi_is_name(const char *text)
{
	struct str name = str_of(text);
	const struct str kind = str_cut(&name, '=');

	return is_kind(kind) && (!name.at || str_is(name, "*") || is_device_name(name));
}

/* ---- edits ---- */

/* A path of the machine, as it is. */
static struct err *read_source(const struct json_at *at, char **ret)
{
	const char *text = NULL;

	TRY(json_get_text(at, &text));
	if (text[0] != '/' || strlen(text) >= PATH_MAX)
		return json_error(at, "'%.200s' is no absolute path", text);
	*ret = xstrdup(text);
	return NULL;
}

/* A path of the step, cleaned. */
static struct err *read_target(const struct json_at *at, char **ret)
{
	AUTO(buf) struct buf clean = BUF_INIT(PATH_MAX - 2);
	const char *text = NULL;

	TRY(json_get_text(at, &text));
	if (text[0] != '/' || !path_add(&clean, str_of(text), PATH_STAYS) || clean.len == 0 ||
	    clean.over)
		return json_error(at, "'%.200s' is no absolute path below '/'", text);
	*ret = xasprintf("/%.*s", STR_ARG(buf_str(&clean)));
	return NULL;
}

/* A device that can be read only, or not be made, cannot be had: nothing tells them apart here. */
static struct err *check_permissions(const struct json_at *node)
{
	const struct json_at at = json_member(node, "permissions");
	const char *text = NULL;

	TRY(json_get_optional_text(&at, &text));
	if (!text || !text[0])
		return NULL;
	if (text[strspn(text, "rwm")])
		return json_error(&at, "'%.80s' is no permission", text);
	if (!strchr(text, 'r') || !strchr(text, 'w'))
		return json_error(&at, "a device can be given to read and write, and no less");
	return NULL;
}

static struct err *read_node(const struct json_at *node, struct volumes *ret)
{
	const struct json_at path = json_member(node, "path");
	const struct json_at host = json_member(node, "hostPath");
	struct volume *volume;

	TRY(json_expect_object(node));
	TRY(check_permissions(node));
	volume = vec_add(ret);
	volume->device = true;
	TRY(read_target(&path, &volume->target));
	if (!str_starts(str_of(volume->target), "/dev/"))
		return json_error(&path, "'%.200s' is not below /dev", volume->target);
	if (host.value)
		return read_source(&host, &volume->source);
	volume->source = xstrdup(volume->target);
	return NULL;
}

static struct err *read_mount_option(const struct json_at *at, struct volume *volume)
{
	/* what a mount here is anyway, or is no matter of one that nobody else sees */
	static const char *const idle[] = { "bind",     "rbind",    "nodev",      "private",
					    "rprivate", "slave",    "rslave",     "relatime",
					    "noatime",  "defaults", "strictatime" };
	const char *text = NULL;

	TRY(json_get_text(at, &text));
	if (strcmp(text, "ro") == 0 || strcmp(text, "rw") == 0) {
		volume->read_only = text[1] == 'o';
		return NULL;
	}
	if (strcmp(text, "nosuid") == 0 || strcmp(text, "noexec") == 0) {
		*(text[2] == 's' ? &volume->no_set_id : &volume->no_exec) = true;
		return NULL;
	}
	if (strcmp(text, "suid") == 0 || strcmp(text, "exec") == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		if (strcmp(text, idle[i]) == 0)
			return NULL;
	return json_error(at, "mount option '%.80s' is not known", text);
}

static struct err *read_mount(const struct json_at *mount, struct volumes *ret)
{
	const struct json_at host = json_member(mount, "hostPath");
	const struct json_at path = json_member(mount, "containerPath");
	const struct json_at options = json_member(mount, "options");
	const struct json_at type_at = json_member(mount, "type");
	const char *type = "";
	struct volume *volume;

	TRY(json_expect_object(mount));
	TRY(json_get_optional_text(&type_at, &type));
	if (type[0] && strcmp(type, "bind") != 0 && strcmp(type, "none") != 0)
		return json_error(&type_at, "only what is bound can be mounted, and no '%.80s'",
				  type);
	volume = vec_add(ret);
	TRY(read_source(&host, &volume->source));
	TRY(read_target(&path, &volume->target));
	if (options.value)
		TRY(json_expect_array(&options));
	for (size_t i = 0; i < json_length(&options); i++) {
		const struct json_at option = json_element(&options, i);

		TRY(read_mount_option(&option, volume));
	}
	return NULL;
}

static struct err *read_variable(const struct json_at *at, struct volumes *ret)
{
	const char *text = NULL;

	TRY(json_get_text(at, &text));
	if (text[0] == '=' || !strchr(text, '='))
		return json_error(at, "'%.80s' is not NAME=VALUE", text);
	strings_push(&ret->env, text);
	return NULL;
}

/* `read` each element of an optional list. */
static struct err *read_list(const struct json_at *edits, const char *key,
			     struct err *(*read)(const struct json_at *at, struct volumes *ret),
			     struct volumes *ret)
{
	const struct json_at list = json_member(edits, key);

	if (!list.value)
		return NULL;
	TRY(json_expect_array(&list));
	if (json_length(&list) > EDITS_MAX)
		return json_error(&list, "more than %d", EDITS_MAX);
	for (size_t i = 0; i < json_length(&list); i++) {
		const struct json_at at = json_element(&list, i);

		TRY(read(&at, ret));
	}
	return NULL;
}

static struct err *read_edits(const struct json_at *owner, struct cdi_edits *ret)
{
	static const char *const undone[] = { "hooks", "intelRdt", "additionalGids", "netDevices" };
	const struct json_at edits = json_member(owner, "containerEdits");

	if (!edits.value)
		return NULL;
	TRY(json_expect_object(&edits));
	TRY(read_list(&edits, "env", read_variable, &ret->volumes));
	TRY(read_list(&edits, "deviceNodes", read_node, &ret->volumes));
	TRY(read_list(&edits, "mounts", read_mount, &ret->volumes));
	for (size_t i = 0; i < ARRAY_SIZE(undone); i++) {
		const struct json_at at = json_member(&edits, undone[i]);

		ret->more = ret->more || json_length(&at) > 0 || json_is_object(at.value);
	}
	return NULL;
}

/* ---- devices ---- */

/* The annotations of a file, or of a device, which win. */
static struct err *read_annotations(const struct json_at *owner, struct cdi_device *ret)
{
	const struct json_at list = json_member(owner, "annotations");
	const struct json_at word_at = json_member(&list, CLASS_ANNOTATION);
	const struct json_at allow_at = json_member(&list, ALLOW_ANNOTATION);
	const char *word = NULL, *allow = NULL;

	if (list.value)
		TRY(json_expect_object(&list));
	TRY(json_get_optional_text(&word_at, &word));
	TRY(json_get_optional_text(&allow_at, &allow));
	if (word) {
		free(ret->word);
		ret->word = xstrdup(word);
	}
	if (allow)
		ret->allowed = strcmp(allow, "true") == 0 || strcmp(allow, "1") == 0;
	return NULL;
}

static struct err *read_device(const struct json_at *root, const struct json_at *at,
			       struct cdi_device *ret)
{
	const struct json_at name_at = json_member(at, "name");
	const char *name = NULL;

	TRY(json_get_text(&name_at, &name));
	if (!is_device_name(str_of(name)))
		return json_error(&name_at, "'%.80s' cannot name a device", name);
	ret->name = xstrdup(name);
	TRY(read_annotations(root, ret));
	TRY(read_annotations(at, ret));
	return read_edits(at, &ret->edits);
}

static int compare_devices(const void *a, const void *b)
{
	return strcmp(((const struct cdi_device *)a)->name, ((const struct cdi_device *)b)->name);
}

static struct err *read_devices(const struct json_at *root, struct cdi_spec *ret)
{
	const struct json_at list = json_member(root, "devices");

	TRY(json_expect_array(&list));
	for (size_t i = 0; i < json_length(&list); i++) {
		const struct json_at at = json_element(&list, i);

		TRY(json_expect_object(&at));
		TRY(read_device(root, &at, vec_add(&ret->devices)));
	}
	if (ret->devices.len)
		qsort(ret->devices.at, ret->devices.len, sizeof(*ret->devices.at), compare_devices);
	for (size_t i = 1; i < ret->devices.len; i++)
		if (strcmp(ret->devices.at[i - 1].name, ret->devices.at[i].name) == 0)
			return json_error(&list, "'%.80s' is in it twice", ret->devices.at[i].name);
	return NULL;
}

struct err *cdi_parse(struct str text, const char *file, struct cdi_spec *ret)
{
	AUTO(json) json_t *doc = NULL;
	struct json_at root, version_at, kind_at;
	const char *version = NULL, *kind = NULL;

	TRY(json_parse(text, FILE_MAX_BYTES, file, &doc));
	root = json_root(doc, file);
	version_at = json_member(&root, "cdiVersion");
	kind_at = json_member(&root, "kind");
	TRY(json_expect_object(&root));
	TRY(json_get_text(&version_at, &version));
	TRY(json_get_text(&kind_at, &kind));
	if (!str_starts(str_of(version), "0.") && !str_starts(str_of(version), "1."))
		return json_error(&version_at, "version '%.80s' is not known", version);
	if (!is_kind(str_of(kind)))
		return json_error(&kind_at, "'%.80s' is not VENDOR/CLASS", kind);
	ret->file = xstrdup(file);
	ret->kind = xstrdup(kind);
	TRY(read_edits(&root, &ret->edits));
	return read_devices(&root, ret);
}
