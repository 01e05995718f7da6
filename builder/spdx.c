/* builder/spdx.c - see builder/spdx.h. */

#include "builder/spdx.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/vec.h"
#include "builder/package_list.h"

#define DOCUMENT_ID "SPDXRef-DOCUMENT"
#define IMAGE_ID "SPDXRef-image"

/* ---- packages ---- */

static json_t *new_package(const char *id, const char *name, const char *version)
{
	static const char *const unknown[] = { "downloadLocation", "licenseConcluded",
					       "licenseDeclared", "copyrightText", "supplier" };
	json_t *package = json_object();

	json_set_text(package, "SPDXID", id);
	json_set_text(package, "name", name);
	json_set_text(package, "versionInfo", version);
	json_set(package, "filesAnalyzed", json_false());
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		json_set_text(package, unknown[i], "NOASSERTION");
	return package;
}

static void add_purl(json_t *package, const char *purl)
{
	json_t *refs = json_array(), *ref = json_object();

	json_set_text(ref, "referenceCategory", "PACKAGE-MANAGER");
	json_set_text(ref, "referenceType", "purl");
	json_set_text(ref, "referenceLocator", purl);
	json_push(refs, ref);
	json_set(package, "externalRefs", refs);
}

static json_t *format_image(const struct spdx_image *image)
{
	char digest[DIGEST_TEXT_SIZE];
	json_t *package, *checksums = json_array(), *checksum = json_object();

	digest_format(image->manifest, digest);
	package = new_package(IMAGE_ID, image->name ? image->name : "image", digest);
	json_set_text(package, "primaryPackagePurpose", "CONTAINER");
	json_set_text(checksum, "algorithm", "SHA256");
	json_set_text(checksum, "checksumValue", digest + strlen("sha256:"));
	json_push(checksums, checksum);
	json_set(package, "checksums", checksums);
	if (image->purl)
		add_purl(package, image->purl);
	return package;
}

static json_t *format_package(const struct package_list *list, const struct package *package,
			      const char *id)
{
	json_t *ret = new_package(id, package->name, package->version);
	AUTO(mem) char *purl = package_purl(list, package);
	AUTO(mem)
	char *source = xasprintf("%s package, as %s tells", package_kind_name(package->kind),
				 package->place);

	json_set_text(ret, "sourceInfo", source);
	add_purl(ret, purl);
	return ret;
}

/* ---- the document ---- */

static void add_relationship(json_t *list, const char *from, const char *type, const char *to)
{
	json_t *relationship = json_object();

	json_set_text(relationship, "spdxElementId", from);
	json_set_text(relationship, "relationshipType", type);
	json_set_text(relationship, "relatedSpdxElement", to);
	json_push(list, relationship);
}

/* By whom and when; SPDX takes whole seconds. */
static json_t *format_creation(const struct spdx_image *image, bool cut)
{
	json_t *info = json_object(), *creators = json_array();
	char time[CLOCK_TEXT_SIZE];

	clock_format((struct timespec){ .tv_sec = image->created.tv_sec }, time);
	json_set_text(info, "created", time);
	json_push(creators, json_text(STR("Tool: cairn-" CAIRN_VERSION)));
	json_set(info, "creators", creators);
	if (cut)
		json_set_text(info, "comment",
			      "The list is not complete: there are more packages.");
	return info;
}

static void add_packages(const struct package_list *list, json_t *packages, json_t *relationships)
{
	size_t number = 0;

	vec_foreach (list, package) {
		AUTO(mem) char *id = xasprintf("SPDXRef-Package-%zu", ++number);

		json_push(packages, format_package(list, package, id));
		add_relationship(relationships, IMAGE_ID, "CONTAINS", id);
	}
}

json_t *spdx_make(const struct spdx_image *image, const struct package_list *list)
{
	json_t *document = json_object(), *packages = json_array(), *relationships = json_array();
	char digest[DIGEST_TEXT_SIZE];
	AUTO(mem) char *namespace = NULL;

	digest_format(image->manifest, digest);
	namespace = xasprintf("https://spdx.org/spdxdocs/image-%s", digest + strlen("sha256:"));
	json_set_text(document, "spdxVersion", "SPDX-2.3");
	json_set_text(document, "dataLicense", "CC0-1.0");
	json_set_text(document, "SPDXID", DOCUMENT_ID);
	json_set_text(document, "name", image->name ? image->name : digest);
	json_set_text(document, "documentNamespace", namespace);
	json_set(document, "creationInfo", format_creation(image, list->cut));
	json_push(packages, format_image(image));
	add_relationship(relationships, DOCUMENT_ID, "DESCRIBES", IMAGE_ID);
	add_packages(list, packages, relationships);
	json_set(document, "packages", packages);
	json_set(document, "relationships", relationships);
	return document;
}
