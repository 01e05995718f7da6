/* overlay/capability.c - see overlay/capability.h. */

#include "overlay/capability.h"

#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "base/err.h"
#include "base/str.h"

static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

const char *capability_name(unsigned number)
{
	return number < ARRAY_SIZE(names) ? names[number] : NULL;
}

int capability_number(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

static struct err *take_name(struct capability_change *change, struct str name, bool add)
{
	const bool full = name.len > 4 && strncasecmp(name.at, "CAP_", 4) == 0;
	AUTO(mem) char *text = full ? str_dup(name) : xasprintf("CAP_%.*s", STR_ARG(name));
	const int number = capability_number(text);

	if (strcasecmp(text, "CAP_ALL") == 0) {
		*(add ? &change->add_all : &change->drop_all) = true;
		return NULL;
	}
	if (number < 0)
		return err_new(ERR_INVALID, "'%.*s' is no capability",
			       name.len < 80 ? (int)name.len : 80, name.at);
	*(add ? &change->add : &change->drop) |= UINT64_C(1) << number;
	return NULL;
}

struct err *capability_change_add(struct capability_change *change, const char *text, bool add)
{
	struct str rest = str_of(text);

	while (rest.at)
		TRY(take_name(change, str_cut(&rest, ','), add));
	return NULL;
}

/* What this process could give to another one. */
static uint64_t ours(void)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			set |= UINT64_C(1) << i;
	return set;
}

struct err *capability_change_apply(const struct capability_change *change, uint64_t *ret)
{
	const uint64_t both = change->add & change->drop;
	const uint64_t base = change->add_all ? ours() : change->drop_all ? 0 : CAPABILITY_DEFAULT;
	uint64_t lacking;

	if (both)
		return err_new(ERR_INVALID, "%s cannot be both added and dropped",
			       names[__builtin_ctzll(both)]);
	lacking = change->add & ~ours();
	if (lacking)
		return err_new(ERR_INVALID, "%s is not ours to give",
			       names[__builtin_ctzll(lacking)]);
	*ret = (base & ~change->drop) | change->add;
	return NULL;
}
