/*
 * tests/fuzz/fuzz_owner_record.c - what is read as the record of an owner or a device is what would be written.
 *
 * Any step can write such attributes. The first byte chooses the form: what parses formats to the same bytes,
 * all else is refused and changes nothing.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/str.h"
#include "overlay/owner-private.h"

#define UNTOUCHED 12345U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool law)
{
	if (!law)
		abort();
}

static void fuzz_owner(const char *text, size_t len)
{
	uid_t uid = UNTOUCHED;
	gid_t gid = UNTOUCHED;
	char again[OWNER_TEXT_SIZE];

	if (!owner_parse(text, (ssize_t)len, &uid, &gid)) {
		check(uid == UNTOUCHED && gid == UNTOUCHED);
		return;
	}
	check(uid != (uid_t)-1 && gid != (gid_t)-1);
	check(owner_format(again, uid, gid) == len && memcmp(again, text, len) == 0);
}

static void fuzz_device(const char *text, size_t len)
{
	const struct stat before = { .st_mode = S_IFREG | 0640, .st_size = 7 };
	struct stat st = before;
	char again[OWNER_TEXT_SIZE];

	if (!owner_parse_device(text, (ssize_t)len, &st)) {
		check(memcmp(&st, &before, sizeof(st)) == 0);
		return;
	}
	check((S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && (st.st_mode & 07777) == 0640);
	check(st.st_size == 0 && (S_ISBLK(st.st_mode) || st.st_rdev != makedev(0, 0)));
	check(owner_format_device(again, st.st_mode, st.st_rdev) == len &&
	      memcmp(again, text, len) == 0);
}

static void fuzz_set(const char *value, size_t len)
{
	struct vfs_cap_data again;
	uid_t uid = UNTOUCHED;
	gid_t gid = UNTOUCHED;

	if (!owner_parse_set(value, (ssize_t)len, &uid, &gid)) {
		check(uid == UNTOUCHED && gid == UNTOUCHED);
		return;
	}
	check(uid != (uid_t)-1 && gid != (gid_t)-1 && len >= sizeof(again));
	again = owner_make_set(uid, gid);
	/* the kernel's own revision and flags stand before what is ours */
	check(memcmp(again.data, value + offsetof(struct vfs_cap_data, data), sizeof(again.data)) ==
	      0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size < 1)
		return 0;
	switch (data[0] % 3) {
	case 0:
		fuzz_owner(text, size - 1);
		break;
	case 1:
		fuzz_device(text, size - 1);
		break;
	default:
		fuzz_set(text, size - 1);
	}
	return 0;
}
