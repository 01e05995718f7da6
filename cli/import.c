/* cli/import.c - an image from the tar of a root filesystem. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/stream.h"
#include "builder/fetch.h"
#include "cli/commands-private.h"
#include "cli/epoch.h"
#include "cli/output.h"
#include "overlay/unpack.h"
#include "registry/download.h"
#include "registry/reference.h"
#include "registry/rootfs.h"
#include "store/image.h"
#include "store/ref.h"
#include "store/store.h"

struct import_values {
	const char *compression;
	const char *platform;
	const char *timestamp;
};

static const struct option options[] = {
	OPTION_TEXT(struct import_values, compression, 0, "compression", "CODEC[:LEVEL]",
		    "compress the layer: zstd (default), gzip or none"),
	OPTION_TEXT(struct import_values, platform, 0, "platform", "OS/ARCH",
		    "what the root filesystem is for (default: this host)"),
	OPTION_TEXT(struct import_values, timestamp, 0, "timestamp", "SECONDS",
		    "when the image was made, since 1970 (default: SOURCE_DATE_EPOCH, or now)"),
};

static struct err *read_values(const struct import_values *values, struct rootfs_opts *ret)
{
	bool has_epoch;
	int64_t epoch;

	*ret = (struct rootfs_opts){ .compression = { .codec = CODEC_ZSTD },
				     .created = clock_now() };
	platform_host(&ret->platform);
	if (values->platform)
		TRY(option_refuse(platform_parse(values->platform, &ret->platform), "--platform"));
	if (values->compression)
		TRY(option_refuse(compression_parse(str_of(values->compression), &ret->compression),
				  "--compression"));
	TRY(epoch_find(values->timestamp, &has_epoch, &epoch));
	if (has_epoch)
		ret->created = (struct timespec){ .tv_sec = epoch };
	return NULL;
}

/* `*ret_bytes`: what it may become, like the layer of an image. Of what comes through a pipe only the layer
 * that it has become is held to that. */
static struct err *open_tar(const char *path, struct source **ret, uint64_t *ret_bytes)
{
	struct stat st;
	int fd = -1;

	if (strcmp(path, "-") == 0) {
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return err_sys("read standard input");
	} else {
		TRY(file_open(AT_FDCWD, path, O_RDONLY | O_NOCTTY, 0, FILE_ANYWHERE, &fd));
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		*ret_bytes = unpack_limits((uint64_t)st.st_size).bytes;
	*ret = source_from_fd(fd, path);
	return NULL;
}

/* What is no layer has no name: as what is pulled, it becomes a tree first. */
static struct err *try_image(struct store *store, const struct descriptor *manifest,
			     const struct platform *platform)
{
	const struct taker taker = fetch_taker(store);
	AUTO(image) struct image *image = NULL;

	TRY(image_open(store, manifest, platform, &image));
	return taker.finish(taker.self, image);
}

static struct err *run_import(struct cli *cli, void *values, struct strings *operands)
{
	const char *path = operands->at[0];
	struct descriptor manifest, config;
	AUTO(store) struct store *store = NULL;
	AUTO(mem) char *name = NULL;
	char id[DIGEST_TEXT_SIZE];
	struct rootfs_opts opts;
	struct source *tar = NULL;

	TRY(read_values(values, &opts));
	TRY(option_refuse(reference_normalize(operands->at[1], &name), NULL));
	TRY(cli_be_root());
	TRY(cli_open_store(cli, &store));
	TRY(open_tar(path, &tar, &opts.bytes));
	opts.name = strcmp(path, "-") == 0 ? "FILE" : path;
	TRY(err_wrap(rootfs_import(store, tar, &opts, &manifest, &config), "import %s", path));
	TRY(err_wrap(try_image(store, &manifest, &opts.platform), "import %s", path));
	TRY(ref_set(store, name, &manifest));
	output_text(digest_format(&config.digest, id));
	return NULL;
}

const struct cli_command command_import = {
	.name = "import",
	.summary = "make an image from the tar of a root filesystem",
	.operands = "ROOTFS.tar NAME",
	.about =
		"Make an image of one layer from the tar of a root filesystem, plain or compressed "
		"by gzip or zstd; '-' reads standard input. Print the image id.",
	.examples = "mmdebstrap --variant=minbase bookworm | cairn import - debian:bookworm\n"
		    "xz -dc rootfs.tar.xz | cairn import - base",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct import_values),
	.min_operands = 2,
	.max_operands = 2,
	.completes = COMPLETE_FILES,
	.run = run_import,
};
