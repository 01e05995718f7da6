/*
 * tests/fuzz/fuzz_passwd.c - whatever is found keeps the promises of overlay/user.h.
 *
 * The input is USER, a NUL, passwd, a NUL, group.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "overlay/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct str text = str_cut(&rest, '\0');
	struct str passwd = str_cut(&rest, '\0');
	AUTO(user) struct user user = { 0 };
	AUTO(err) struct err *err = user_look_up(text, passwd, rest, &user);
	size_t own = 0;

	if (err) {
		if (err_kind(err) != ERR_INVALID && err_kind(err) != ERR_NOT_FOUND)
			abort();
		return 0;
	}
	if (user.uid > INT32_MAX || user.gid > INT32_MAX || !user.home || !*user.home)
		abort();
	/* Root is who asks for it, or has an entry with a plain zero. */
	if (user.uid == 0 && text.len && text.at[0] >= '1' && text.at[0] <= '9' &&
	    strspn(text.at, "0123456789") >= text.len)
		abort();
	for (size_t i = 0; i < user.group_count; i++) {
		if (user.groups[i] > INT32_MAX || (i && user.groups[i] <= user.groups[i - 1]))
			abort();
		own += user.groups[i] == user.gid;
	}
	if (own != 1 || (text.len && memchr(text.at, ':', text.len - 1) && user.group_count != 1))
		abort();
	return 0;
}
