/* overlay/owner.c - see overlay/owner.h. */

#include "overlay/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "base/userns.h"
#include "overlay/owner-private.h"

#define OWNER OWNER_XATTR_OWNER
#define DEVICE OWNER_XATTR_DEVICE
#define CAPABILITY "security.capability"

#define TEXT_SIZE OWNER_TEXT_SIZE
#define PATH_SIZE (NAME_MAX + 48)

/* In the upper half of the sets, where no capability is. */
#define MARK 0x6361697eU

/* ---- where ---- */

static pthread_once_t asked = PTHREAD_ONCE_INIT;
static bool nested;

/* The first user namespace maps every id to itself. */
static void ask(void)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	AUTO(err) struct err *err = file_read(AT_FDCWD, "/proc/self/uid_map", 4095, &text);
	struct str rest = err ? STR("") : str_trim(buf_str(&text));
	const struct str first = str_cut(&rest, ' ');

	rest = str_trim(rest);
	nested = !err &&
		 !(str_is(first, "0") && str_starts(rest, "0 ") && str_ends(rest, " 4294967295"));
}

bool owner_recorded(void)
{
	if (userns_mode() != USERNS_NONE)
		return true;
	pthread_once(&asked, ask);
	return nested;
}

bool owner_lacks_devices(void)
{
	return owner_recorded();
}

/* The kernel takes 340 lines, each of up to 33 characters. */
#define MAP_LINES 340
#define MAP_SIZE 16384

/* The ids that there are in our namespace. */
struct id_map {
	struct {
		uint32_t first, count;
	} at[MAP_LINES];
	size_t len;
	bool unknown;
};

static pthread_once_t maps_read = PTHREAD_ONCE_INIT;
static struct id_map uid_map, gid_map;

static void read_map(const char *path, struct id_map *map)
{
	AUTO(buf) struct buf text = BUF_INIT(MAP_SIZE);
	AUTO(err) struct err *err = file_read(AT_FDCWD, path, MAP_SIZE, &text);
	struct str rest = err ? STR("") : buf_str(&text);

	while (rest.len && map->len < MAP_LINES) {
		AUTO(mem) char *line = str_dup(str_cut(&rest, '\n'));

		if (sscanf(line, "%" SCNu32 " %*u %" SCNu32, &map->at[map->len].first,
			   &map->at[map->len].count) == 2)
			map->len++;
	}
	map->unknown = map->len == 0;
}

static void read_maps(void)
{
	read_map("/proc/self/uid_map", &uid_map);
	read_map("/proc/self/gid_map", &gid_map);
}

/* Whether a file can truly have it; where that is not known nothing that is recorded is believed. */
static bool is_mapped(const struct id_map *map, uint32_t id)
{
	for (size_t i = 0; i < map->len; i++)
		if (id >= map->at[i].first && id - map->at[i].first < map->at[i].count)
			return true;
	return map->unknown;
}

/* A name in an open directory, as a path for calls that take no descriptor. */
static const char *path_of(char buf[static PATH_SIZE], int dir_fd, const char *name)
{
	snprintf(buf, PATH_SIZE, "/proc/self/fd/%d/%s", dir_fd, name);
	return buf;
}

static struct err *no_record(const char *what)
{
	return err_note(
		err_sys("record the %s", what),
		"Owners of files and device nodes that a user cannot make are kept in extended "
		"attributes: the file system of the store must have them (--root chooses "
		"another place).");
}

/* ---- the two forms ---- */

static bool has_user_xattrs(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

size_t owner_format(char text[static TEXT_SIZE], uid_t uid, gid_t gid)
{
	return (size_t)snprintf(text, TEXT_SIZE, "%u:%u", (unsigned)uid, (unsigned)gid);
}

/* A number with one way to write it. */
static bool is_plain(struct str digits)
{
	return digits.len == 1 || (digits.len > 1 && digits.at[0] != '0');
}

static bool parse_pair(struct str text, uint64_t max, uint64_t *ret_a, uint64_t *ret_b)
{
	const struct str a = str_cut(&text, ':');
	AUTO(err) struct err *bad = num_parse(a, 0, max, ret_a);

	if (!bad)
		bad = num_parse(text, 0, max, ret_b);
	return !bad && is_plain(a) && is_plain(text);
}

bool owner_parse(const char *text, ssize_t len, uid_t *ret_uid, gid_t *ret_gid)
{
	uint64_t uid, gid;

	if (len <= 0 || !parse_pair((struct str){ text, (size_t)len }, UINT32_MAX - 1, &uid, &gid))
		return false;
	*ret_uid = (uid_t)uid;
	*ret_gid = (gid_t)gid;
	return true;
}

/* The kernel adds who is root to a set that it is given, and takes it away where that is we. */
struct vfs_cap_data owner_make_set(uid_t uid, gid_t gid)
{
	return (struct vfs_cap_data){
		.magic_etc = VFS_CAP_REVISION_2,
		.data = { { .permitted = uid, .inheritable = gid }, { MARK, MARK } },
	};
}

bool owner_parse_set(const void *value, ssize_t len, uid_t *ret_uid, gid_t *ret_gid)
{
	struct vfs_cap_data set;

	if (len < (ssize_t)sizeof(set))
		return false;
	memcpy(&set, value, sizeof(set));
	if (set.data[1].permitted != MARK || set.data[1].inheritable != MARK ||
	    set.data[0].permitted == UINT32_MAX || set.data[0].inheritable == UINT32_MAX)
		return false;
	*ret_uid = set.data[0].permitted;
	*ret_gid = set.data[0].inheritable;
	return true;
}

static bool set_xattr(const char *path, bool follow, const char *name, const void *value,
		      size_t len)
{
	return (follow ? setxattr(path, name, value, len, 0) :
			 lsetxattr(path, name, value, len, 0)) == 0;
}

static ssize_t get_xattr(const char *path, bool follow, const char *name, char value[static 64])
{
	return follow ? getxattr(path, name, value, 64) : lgetxattr(path, name, value, 64);
}

bool owner_record(const char *path, bool follow, mode_t mode, uid_t uid, gid_t gid)
{
	const struct vfs_cap_data set = owner_make_set(uid, gid);
	char text[TEXT_SIZE];

	if (!has_user_xattrs(mode))
		return set_xattr(path, follow, CAPABILITY, &set, sizeof(set));
	return set_xattr(path, follow, OWNER, text, owner_format(text, uid, gid));
}

bool owner_find_record(const char *path, bool follow, mode_t mode, uid_t *ret_uid, gid_t *ret_gid)
{
	char value[64];

	if (!has_user_xattrs(mode))
		return owner_parse_set(value, get_xattr(path, follow, CAPABILITY, value), ret_uid,
				       ret_gid);
	return owner_parse(value, get_xattr(path, follow, OWNER, value), ret_uid, ret_gid);
}

/* ---- setting ---- */

/* Whether chown(2) refused the ids, and not the file. */
static bool is_unmapped(int failure)
{
	return failure == EINVAL && owner_recorded();
}

struct err *owner_set(int fd, uid_t uid, gid_t gid)
{
	char text[TEXT_SIZE];

	if (fchown(fd, uid, gid) == 0) {
		if (owner_recorded())
			(void)fremovexattr(fd, OWNER); /* there may be none */
		return NULL;
	}
	if (!is_unmapped(errno))
		return err_sys("set the owner");
	if (fsetxattr(fd, OWNER, text, owner_format(text, uid, gid), 0) < 0)
		return no_record("owner");
	return NULL;
}

struct err *owner_set_at(int dir_fd, const char *name, uid_t uid, gid_t gid)
{
	char buf[PATH_SIZE];
	const char *path = path_of(buf, dir_fd, name);
	struct stat st;

	/* What stands for a device has to stay root's, or it would stand for none. */
	if (owner_recorded() && lgetxattr(path, DEVICE, NULL, 0) >= 0)
		return owner_record(path, false, S_IFREG, uid, gid) ? NULL : no_record("owner");
	if (fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0) {
		if (owner_recorded()) /* of what is no file chown(2) takes the other form away */
			(void)lremovexattr(path, OWNER);
		return NULL;
	}
	if (!is_unmapped(errno))
		return err_sys("set the owner");
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys("set the owner");
	return owner_record(path, false, st.st_mode, uid, gid) ? NULL : no_record("owner");
}

/* ---- reading ---- */

size_t owner_format_device(char text[static TEXT_SIZE], mode_t mode, dev_t number)
{
	return (size_t)snprintf(text, TEXT_SIZE, "%c %u:%u", S_ISCHR(mode) ? 'c' : 'b',
				major(number), minor(number));
}

/* A whiteout is no device. */
bool owner_parse_device(const char *text, ssize_t len, struct stat *st)
{
	uint64_t major_nr, minor_nr;
	mode_t type;

	if (len < 3 || (text[0] != 'c' && text[0] != 'b') || text[1] != ' ')
		return false;
	type = text[0] == 'c' ? S_IFCHR : S_IFBLK;
	if (!parse_pair((struct str){ text + 2, (size_t)len - 2 }, 0xfffff, &major_nr, &minor_nr) ||
	    major_nr > 0xfff || (type == S_IFCHR && !major_nr && !minor_nr))
		return false;
	st->st_mode = type | (st->st_mode & ~(mode_t)S_IFMT);
	st->st_rdev = makedev((unsigned)major_nr, (unsigned)minor_nr);
	st->st_size = 0;
	return true;
}

/* What fgetxattr(2) and lgetxattr(2) say of a file that has no such attribute. */
static struct err *check_read(ssize_t len)
{
	if (len >= 0 || errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE)
		return NULL;
	return err_sys("read the record of an owner");
}

/* What is recorded of a file. */
struct record {
	bool has_owner;
	uid_t uid;
	gid_t gid;
	ssize_t device_len;
	char device[64];
};

/*
 * Where the users of a step are several to the kernel, each can write attributes to his own files. So only
 * those of root's files count, and of these only what could be said in no other way: an id that is not
 * mapped, or a device. With one id alone it is owner_settle() that clears what a user wrote.
 */
static void believe(const struct record *record, struct stat *st)
{
	const bool alone = userns_mode() == USERNS_SINGLE;
	bool is_device;

	if (!alone && st->st_uid != 0)
		return;
	pthread_once(&maps_read, read_maps);
	/* What has been written to is no device any more, and loses nothing. */
	is_device = S_ISREG(st->st_mode) && st->st_size == 0 &&
		    owner_parse_device(record->device, record->device_len, st);
	if (!record->has_owner)
		return;
	if (!alone && !is_device && is_mapped(&uid_map, record->uid) &&
	    is_mapped(&gid_map, record->gid))
		return;
	st->st_uid = record->uid;
	st->st_gid = record->gid;
}

struct err *owner_stat(int fd, struct stat *st)
{
	struct record record = { .device_len = -1 };
	char text[64];
	ssize_t len;

	if (!owner_recorded())
		return NULL;
	len = fgetxattr(fd, OWNER, text, sizeof(text));
	TRY(check_read(len));
	record.has_owner = owner_parse(text, len, &record.uid, &record.gid);
	if (S_ISREG(st->st_mode)) {
		record.device_len = fgetxattr(fd, DEVICE, record.device, sizeof(record.device));
		TRY(check_read(record.device_len));
	}
	believe(&record, st);
	return NULL;
}

struct err *owner_stat_at(int dir_fd, const char *name, struct stat *st)
{
	struct record record = { .device_len = -1 };
	char buf[PATH_SIZE];
	const char *path;

	if (!owner_recorded())
		return NULL;
	path = path_of(buf, dir_fd, name);
	errno = 0;
	record.has_owner = owner_find_record(path, false, st->st_mode, &record.uid, &record.gid);
	if (!record.has_owner && errno)
		TRY(check_read(-1));
	if (S_ISREG(st->st_mode)) {
		record.device_len = lgetxattr(path, DEVICE, record.device, sizeof(record.device));
		TRY(check_read(record.device_len));
	}
	believe(&record, st);
	return NULL;
}

/* ---- devices ---- */

bool owner_forget_device(const char *path)
{
	return lremovexattr(path, DEVICE) == 0 || errno == ENODATA || errno == EOPNOTSUPP;
}

static struct err *record_device(int dir_fd, const char *name, mode_t mode, dev_t number)
{
	AUTO(fd)
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			mode & 0777);
	char text[TEXT_SIZE];
	const size_t len = owner_format_device(text, mode, number);

	if (fd < 0)
		return err_sys("make a device node");
	if (fsetxattr(fd, DEVICE, text, len, 0) < 0)
		return no_record("device");
	return NULL;
}

struct err *owner_make_device(int dir_fd, const char *name, mode_t mode, dev_t number)
{
	if (mknodat(dir_fd, name, mode, number) == 0)
		return NULL;
	if (errno != EPERM || !owner_lacks_devices())
		return err_sys("make a device node");
	return record_device(dir_fd, name, mode, number);
}
