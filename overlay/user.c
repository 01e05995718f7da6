/* overlay/user.c - see overlay/user.h. */

#include "overlay/user.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "base/text.h"
#include "base/vec.h"

#define FILE_MAX_SIZE ((size_t)10 * 1024 * 1024)
#define NAMES_TOLD 10      /* in an error's note, besides the nearest */
#define NAMES_COMPARED 256 /* with a name that does not exist; a file may hold a million */
#define NAME_MAX_COMPARED 64

/* A line of /etc/passwd. Texts are borrowed from the file. */
struct account {
	struct str name;
	uint32_t uid, gid;
	struct str home;
};

/* A line of /etc/group. */
struct team {
	struct str name;
	uint32_t gid;
	struct str members; /* names with commas between */
};

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return s.len > 0;
}

/* Read an id of a file: false for everything that is none. */
static bool read_id(struct str s, uint32_t *ret)
{
	uint64_t n;
	struct err *err = num_parse(s, 0, INT32_MAX, &n);

	if (err) {
		err_free(err);
		return false;
	}
	*ret = (uint32_t)n;
	return true;
}

/* Take the next line that parses; false at the end of the file. */
static bool next_account(struct str *rest, struct account *ret)
{
	while (rest->len) {
		struct str line = str_cut(rest, '\n');
		struct str name = str_cut(&line, ':');
		struct str uid, gid;

		str_cut(&line, ':'); /* the password */
		uid = str_cut(&line, ':');
		gid = str_cut(&line, ':');
		str_cut(&line, ':'); /* the real name */
		*ret = (struct account){ .name = name, .home = str_cut(&line, ':') };
		if (name.len && read_id(uid, &ret->uid) && read_id(gid, &ret->gid))
			return true;
	}
	return false;
}

static bool next_team(struct str *rest, struct team *ret)
{
	while (rest->len) {
		struct str line = str_cut(rest, '\n');
		struct str name = str_cut(&line, ':');
		struct str gid;

		str_cut(&line, ':'); /* the password */
		gid = str_cut(&line, ':');
		*ret = (struct team){ .name = name, .members = str_trim(line) };
		if (name.len && read_id(gid, &ret->gid))
			return true;
	}
	return false;
}

/* The first account with this name or, without a name, with this uid. */
static bool find_account(struct str passwd, struct str name, uint32_t uid, struct account *ret)
{
	while (next_account(&passwd, ret))
		if (name.at ? str_equal(ret->name, name) : ret->uid == uid)
			return true;
	return false;
}

static bool find_team(struct str group, struct str name, struct team *ret)
{
	while (next_team(&group, ret))
		if (str_equal(ret->name, name))
			return true;
	return false;
}

static bool is_member(struct str members, struct str name)
{
	while (members.len)
		if (str_equal(str_cut(&members, ','), name))
			return true;
	return false;
}

/* ---- errors ---- */

static void add_name(struct strings *names, struct str name)
{
	AUTO(mem) char *text = str_dup(name);

	if (names->len < NAMES_COMPARED && name.len <= NAME_MAX_COMPARED)
		strings_push(names, text);
}

/* "no user 'ap'", with what there is instead. Takes `names` as found in the file. */
static struct err *unknown(const char *what, struct str wrong, const struct strings *names)
{
	struct err *err = err_new(ERR_NOT_FOUND, "the image has no %s '%.*s'", what,
				  (int)(wrong.len < 80 ? wrong.len : 80), wrong.at);
	const char *near = text_nearest(wrong, (const char *const *)names->at, names->len);
	AUTO(buf) struct buf list = BUF_INIT((size_t)16 * 1024);
	size_t told = 0;

	if (near)
		buf_addf(&list, "%.80s", near);
	for (size_t i = 0; i < names->len && told < NAMES_TOLD; i++) {
		if (near && strcmp(names->at[i], near) == 0)
			continue;
		buf_addf(&list, "%s%.80s", list.len ? ", " : "", names->at[i]);
		told++;
	}
	if (told == NAMES_TOLD && names->len > told + (near != NULL))
		buf_adds(&list, ", ...");
	if (!list.len)
		return err_note(err, "it has no %ss at all; a number always works", what);
	if (near)
		err = err_note(err, "did you mean '%.80s'?", near);
	return err_note(err, "it has: %.*s", STR_ARG(buf_str(&list)));
}

static struct err *unknown_user(struct str passwd, struct str wrong)
{
	AUTO(strings) struct strings names = { 0 };
	struct account account;

	while (next_account(&passwd, &account))
		add_name(&names, account.name);
	return unknown("user", wrong, &names);
}

static struct err *unknown_group(struct str group, struct str wrong)
{
	AUTO(strings) struct strings names = { 0 };
	struct team team;

	while (next_team(&group, &team))
		add_name(&names, team.name);
	return unknown("group", wrong, &names);
}

/* ---- resolving ---- */

/* The two halves of the text. Empty: not given. */
struct wanted {
	struct str user, group;
};

static struct err *check_id(struct str s, const char *what)
{
	uint64_t n;

	return is_number(s) ? err_wrap(num_parse(s, 0, INT32_MAX, &n), "%s", what) : NULL;
}

static struct err *parse(struct str text, struct wanted *ret)
{
	struct str rest = text;

	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7f)
			return err_new(ERR_INVALID, "a user has no blanks and control characters");
	ret->user = str_cut(&rest, ':');
	ret->group = rest;
	if (rest.len && memchr(rest.at, ':', rest.len))
		return err_new(ERR_INVALID, "a user is written NAME or NAME:GROUP");
	if (str_is(text, ":")) /* "$USER:$GROUP" of variables that nobody set */
		return err_new(ERR_INVALID, "':' names neither a user nor a group");
	TRY(check_id(ret->user, "uid"));
	return check_id(ret->group, "gid");
}

/* ids and home of the user; `*ret_name` is its name, empty if it has none. */
static struct err *look_up_user(struct str user, struct str passwd, struct user *to,
				struct str *ret_name)
{
	const bool by_number = !user.len || is_number(user);
	struct account account = { .home = STR("/") };
	uint32_t uid = 0;

	if (user.len && by_number)
		read_id(user, &uid); /* parse() has checked it */
	if (!find_account(passwd, by_number ? (struct str){ 0 } : user, uid, &account)) {
		if (!by_number && !str_is(user, "root"))
			return unknown_user(passwd, user);
		account = (struct account){ .uid = uid, .home = STR("/") };
	}
	to->uid = account.uid;
	to->gid = account.gid;
	to->home = account.home.len ? str_dup(account.home) : xstrdup("/");
	*ret_name = account.name;
	return NULL;
}

static struct err *look_up_group(struct str name, struct str group, gid_t *ret)
{
	struct team team;
	uint32_t gid;

	if (read_id(name, &gid)) {
		*ret = gid;
	} else if (find_team(group, name, &team)) {
		*ret = team.gid;
	} else if (str_is(name, "root")) {
		*ret = 0;
	} else {
		return unknown_group(group, name);
	}
	return NULL;
}

static int compare_gids(const void *a, const void *b)
{
	const gid_t x = *(const gid_t *)a;
	const gid_t y = *(const gid_t *)b;

	return (x > y) - (x < y);
}

/* The primary group, and with a `name` every group that lists it. */
static void collect_groups(struct str name, struct str group, struct user *to)
{
	VEC(gid_t) gids = { 0 };
	struct team team;
	size_t kept = 0;

	vec_push(&gids, to->gid);
	while (name.len && next_team(&group, &team))
		if (is_member(team.members, name))
			vec_push(&gids, team.gid);
	qsort(gids.at, gids.len, sizeof(gid_t), compare_gids);
	for (size_t i = 0; i < gids.len; i++)
		if (!kept || gids.at[i] != gids.at[kept - 1])
			gids.at[kept++] = gids.at[i];
	to->groups = gids.at;
	to->group_count = kept;
}

struct err *user_look_up(struct str text, struct str passwd, struct str group, struct user *ret)
{
	AUTO(user) struct user user = { 0 };
	struct wanted wanted = { 0 };
	struct str name = { 0 };

	TRY(parse(text, &wanted));
	TRY(look_up_user(wanted.user, passwd, &user, &name));
	if (wanted.group.len) {
		TRY(look_up_group(wanted.group, group, &user.gid));
		name = (struct str){ 0 };
	}
	collect_groups(name, group, &user);
	*ret = user;
	user = (struct user){ 0 };
	return NULL;
}

/* Read a file of the image; one that is not there is empty. */
static struct err *read_inside(int root_fd, const char *path, struct buf *buf)
{
	AUTO(fd) int fd = -1;
	struct err *err =
		file_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, FILE_IN_ROOT, &fd);

	if (err_kind(err) == ERR_NOT_FOUND) {
		err_free(err);
		return NULL;
	}
	TRY(err_wrap(err, "look up the user"));
	return err_wrap(file_read_fd(fd, path, FILE_MAX_SIZE, buf), "look up the user");
}

struct err *user_resolve(int root_fd, struct str text, struct user *ret)
{
	AUTO(buf) struct buf passwd = BUF_INIT(FILE_MAX_SIZE);
	AUTO(buf) struct buf group = BUF_INIT(FILE_MAX_SIZE);
	struct wanted wanted = { 0 };
	struct err *err;
	bool numbers;

	TRY(parse(text, &wanted));
	numbers = is_number(wanted.user) && is_number(wanted.group);
	err = read_inside(root_fd, "etc/passwd", &passwd);
	if (numbers) {
		err_free(err); /* then it would only have told HOME */
		err = NULL;
	}
	TRY(err);
	if (!numbers)
		TRY(read_inside(root_fd, "etc/group", &group));
	return user_look_up(text, buf_str(&passwd), buf_str(&group), ret);
}

void user_release(struct user *user)
{
	free(user->groups);
	free(user->home);
	*user = (struct user){ 0 };
}
