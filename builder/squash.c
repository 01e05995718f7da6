/* builder/squash.c - see builder/squash.h. */

#include "builder/squash.h"

#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/stream.h"
#include "builder/build.h"
#include "builder/execute.h"
#include "overlay/squash.h"
#include "overlay/stack.h"
#include "store/blob.h"
#include "store/image.h"

/* What the base of the target is; nothing for scratch. */
static struct err *open_base(struct plan *plan, const struct plan_stage *target, int *ret_fd)
{
	AUTO(stack) struct stack stack = { 0 };

	while (target->parent)
		target = target->parent;
	if (!target->image)
		return NULL;
	TRY(stack_of_image(plan->store, target->image->image, NULL, NULL, &stack));
	return stack_view(&stack, ret_fd);
}

static struct err *write_blob(const struct plan *plan, int below_fd, int full_fd,
			      struct blob_writer *writer, struct digest *ret_diff_id,
			      uint64_t *ret_entries)
{
	AUTO(sink)
	struct sink *out = codec_sink(sink_borrow(blob_sink(writer)), &plan->opts->compression,
				      pool_default_threads());

	out = sink_hash(out, ret_diff_id, NULL);
	TRY(squash_write(below_fd, full_fd, out, ret_entries));
	return sink_finish(out);
}

struct err *squash_stage(struct plan *plan, struct plan_stage *target, bool all,
			 struct image_layer *ret, bool *ret_empty)
{
	AUTO(stack) struct stack stack = { 0 };
	AUTO(blob_writer) struct blob_writer *writer = NULL;
	AUTO(fd) int below_fd = -1;
	AUTO(fd) int full_fd = -1;
	uint64_t entries;

	TRY(execute_stack(plan, target, &stack));
	TRY(stack_view(&stack, &full_fd));
	if (!all)
		TRY(open_base(plan, target, &below_fd));
	TRY(blob_begin(plan->store, &writer));
	TRY(write_blob(plan, below_fd, full_fd, writer, &ret->diff_id, &entries));
	*ret_empty = entries == 0;
	if (*ret_empty)
		return NULL;
	snprintf(ret->blob.media_type, sizeof(ret->blob.media_type), "%s",
		 image_layer_media_type(plan->opts->compression.codec));
	return blob_commit(writer, NULL, &ret->blob.digest, &ret->blob.size);
}
