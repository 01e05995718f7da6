/* builder/step_userns.c - see builder/step_userns.h. */

#include "builder/step_userns.h"

#include <stddef.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/capability.h"
#include "overlay/driver.h"
#include "overlay/idmap.h"
#include "overlay/mount.h"
#include "overlay/sandbox.h"
#include "overlay/skeleton.h"
#include "store/layer.h"

const char *const step_userns_names[] = { "auto", "host", "private", NULL };

/* Mount something that can be written to on something that cannot, as steps have it. */
static struct err *try_mount(const struct idmap *idmap, struct store *store)
{
	AUTO(layer_stage) struct layer_stage *stage = NULL;
	AUTO(skeleton) struct skeleton skeleton = SKELETON_INIT;
	AUTO(fd) int fd = -1;
	struct overlay_spec spec = { .skeleton = &skeleton, .idmap = idmap };

	TRY(layer_begin(store, &stage));
	TRY(skeleton_open(stage->dir_fd, &skeleton));
	spec.upper_fd = stage->fs_fd;
	spec.work_fd = stage->work_fd;
	spec.pair_fd = stage->dir_fd;
	return driver_mount(store, &spec, &fd, NULL);
}

static struct err *open_and_try(struct store *store, struct idmap **ret)
{
	AUTO(idmap) struct idmap *idmap = NULL;

	TRY(idmap_open(&idmap));
	TRY(try_mount(idmap, store));
	*ret = STEAL(idmap);
	return NULL;
}

/* Whether steps have more capabilities than a user namespace makes something of. */
static bool need_machine(const struct sandbox_security *security, bool own_network)
{
	const uint64_t useful = CAPABILITY_DEFAULT | (own_network ? CAPABILITY_OF_NETWORKS : 0);

	return security && security->capabilities_given && security->capabilities & ~useful;
}

struct err *step_userns_open(enum step_userns wish, const struct sandbox_security *security,
			     bool own_network, struct store *store, struct idmap **ret)
{
	struct err *err;

	*ret = NULL;
	if (wish == STEP_USERNS_HOST || (wish == STEP_USERNS_AUTO && !idmap_is_useful()))
		return NULL;
	if (wish == STEP_USERNS_AUTO && need_machine(security, own_network)) {
		log_info("steps are root of this machine, and not of a user namespace: they have "
			 "more capabilities than usual");
		return NULL;
	}
	err = open_and_try(store, ret);
	if (!err) {
		log_debug("steps are root of a user namespace, which is user %u of this machine",
			  (unsigned)idmap_uid(*ret, 0));
		return NULL;
	}
	if (wish == STEP_USERNS_PRIVATE)
		return err_note(
			err_wrap(err, "--userns private"),
			"It needs root, Linux 6.15 and a store on ext4, xfs, btrfs or tmpfs.");
	log_info("steps are root of this machine, and not of a user namespace: %s", err_text(err));
	err_free(err);
	return NULL;
}
