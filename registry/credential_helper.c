/*
 * registry/credential_helper.c - see registry/credential_helper.h.
 *
 * The input lies in a memory file, so that no helper can block us by not
 * reading. The output is read until the helper ends, not until its end: what it
 * leaves running in the background may hold the pipe open for ever.
 */

#include "registry/credential_helper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/str.h"
#include "registry/config_paths.h"
#include "registry/credentials-private.h"
#include "registry/credentials.h"

#define PREFIX "docker-credential-"
#define OUTPUT_MAX ((size_t)64 * 1024)
#define TIMEOUT 30000
#define TOKEN_USER "<token>"
#define NOT_FOUND "credentials not found in native keychain"

/* ---- the program ---- */

static struct err *check_suffix(const char *suffix)
{
	for (const char *c = suffix; *c; c++) {
		bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

		if (!is_letter && !(*c >= '0' && *c <= '9') && !strchr("._-", *c))
			return err_new(ERR_INVALID, "'%.80s' is no name of a credential helper",
				       suffix);
	}
	return suffix[0] ? NULL : err_new(ERR_INVALID, "a credential helper without a name");
}

/* The program's path, owned. */
static struct err *find(const struct credential_helper *helper, char **ret)
{
	AUTO(mem) char *name = xasprintf(PREFIX "%s", helper->suffix);

	*ret = program_find(name, config_variable(helper->paths, "PATH"));
	if (*ret)
		return NULL;
	return err_new(ERR_DENIED, "the credential helper " PREFIX "%s is not in the PATH",
		       helper->suffix);
}

/* A nameless file that holds `input`, at its beginning. */
static struct err *make_input(struct str input, int *ret_fd)
{
	AUTO(fd) int fd = memfd_create("credential", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys("make a memory file");
	TRY(file_write_all(fd, input.at, input.len, "a memory file"));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys("rewind a memory file");
	*ret_fd = STEAL_FD(fd);
	return NULL;
}

static int spawn_actions(posix_spawn_file_actions_t *actions, int in, int out)
{
	int failed = posix_spawn_file_actions_adddup2(actions, in, STDIN_FILENO);

	if (!failed)
		failed = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null",
							  O_WRONLY, 0);
	if (!failed)
		failed = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return failed;
}

/* Start `program` with `in` and `out`. Returns errno's value. */
static int spawn(const struct credential_helper *helper, char *program, const char *verb, int in,
		 int out, pid_t *ret)
{
	AUTO(mem) char *word = xstrdup(verb);
	char *const argv[] = { program, word, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, pipe_only;
	int failed;

	assert(program);
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &pipe_only);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	failed = spawn_actions(&actions, in, out);
	if (!failed)
		failed = posix_spawn(ret, program, &actions, &attributes, argv,
				     config_environment(helper->paths));
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* ---- its run ---- */

struct run {
	const struct credential_helper *helper;
	int out_fd; /* owned; what it says, without blocking */
	int pidfd;  /* owned; -1 once it was reaped */
	struct buf said;
};

static void run_auto_(struct run *run)
{
	struct process_end end;

	if (run->pidfd >= 0) {
		err_free(process_signal(run->pidfd, SIGKILL)); /* it is not waited for any more */
		err_free(process_wait(run->pidfd, &end));
		close(run->pidfd);
	}
	if (run->out_fd >= 0)
		close(run->out_fd);
	if (run->said.at)
		explicit_bzero(run->said.at, run->said.cap);
	buf_release(&run->said);
}

static struct err *start(struct run *run, const char *verb, struct str input)
{
	AUTO(mem) char *program = NULL;
	AUTO(fd) int in = -1;
	AUTO(fd) int out = -1;
	int ends[2];
	pid_t pid = -1;

	TRY(check_suffix(run->helper->suffix));
	TRY(find(run->helper, &program));
	TRY(make_input(input, &in));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys("make a pipe");
	run->out_fd = ends[0];
	out = ends[1];
	if (fcntl(run->out_fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys("set up a pipe");
	errno = spawn(run->helper, program, verb, in, out, &pid);
	if (errno)
		return err_new(ERR_DENIED, "the credential helper %s cannot be run: %s", program,
			       strerror(errno));
	run->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (run->pidfd < 0) {
		struct err *err = err_sys("watch a credential helper");

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	return NULL;
}

/* Take what it has said by now. `*ret_ended` when it closed its output. */
static struct err *take_output(struct run *run, bool *ret_ended)
{
	char *piece = xcalloc(OUTPUT_MAX, 1);
	ssize_t n;

	while ((n = read(run->out_fd, piece, OUTPUT_MAX)) > 0)
		buf_add(&run->said, piece, (size_t)n);
	explicit_bzero(piece, OUTPUT_MAX);
	free(piece);
	*ret_ended = n == 0;
	return buf_check(&run->said, "the answer of the credential helper");
}

/* Wait for its end, taking what it says. */
static struct err *watch(struct run *run)
{
	unsigned timeout = run->helper->timeout ? run->helper->timeout : TIMEOUT;
	uint64_t end = clock_monotonic() + timeout * UINT64_C(1000000);
	struct pollfd fds[] = { { .fd = run->pidfd, .events = POLLIN },
				{ .fd = run->out_fd, .events = POLLIN },
				{ .fd = cancel_fd(), .events = POLLIN } };
	bool ended = false;

	while (!(fds[0].revents & POLLIN)) {
		uint64_t now = clock_monotonic();

		TRY(cancel_check());
		if (now >= end)
			return err_new(ERR_DENIED,
				       "the credential helper " PREFIX
				       "%s gave no answer in %u seconds",
				       run->helper->suffix, timeout / 1000);
		if (poll(fds, ARRAY_SIZE(fds), (int)((end - now) / 1000000 + 1)) < 0 &&
		    errno != EINTR)
			return err_sys("wait for a credential helper");
		TRY(take_output(run, &ended));
		if (ended)
			fds[1].fd = -1;
	}
	return take_output(run, &ended);
}

/* Run it to its end: the text that it said, trimmed, in `run`, and its code. */
static struct err *complete(struct run *run, const char *verb, struct str input, int *ret_code)
{
	struct process_end end = { 0 };
	struct err *err;

	run->said = (struct buf){ .at = xcalloc(OUTPUT_MAX + 1, 1),
				  .cap = OUTPUT_MAX + 1, /* it never moves, and leaves no copies */
				  .max = OUTPUT_MAX };
	TRY(start(run, verb, input));
	TRY(watch(run));
	err = process_wait(run->pidfd, &end);
	close(run->pidfd);
	run->pidfd = -1;
	TRY(err);
	*ret_code = end.code;
	return NULL;
}

static bool says_not_found(const struct run *run)
{
	return str_is(str_trim(buf_str(&run->said)), NOT_FOUND);
}

static struct err *failure(const struct credential_helper *helper, const char *verb, int code)
{
	return err_note(err_new(ERR_DENIED,
				"the credential helper " PREFIX "%s failed for %s (%s, code %d)",
				helper->suffix, helper->server, verb, code),
			"to see why: echo %s | " PREFIX "%s get", helper->server, helper->suffix);
}

/* ---- the verbs ---- */

struct err *credential_answer_parse(const struct credential_helper *helper, struct str text,
				    struct credential *ret)
{
	AUTO(secret_json) json_t *doc = NULL;
	AUTO(err) struct err *err = json_parse(text, OUTPUT_MAX, "answer", &doc);
	struct json_at root = json_root(doc, "answer");
	struct json_at user_at = json_member(&root, "Username");
	struct json_at secret_at = json_member(&root, "Secret");
	const char *user = "";
	const char *secret = "";

	if (err)
		return err_new(ERR_DENIED, "the credential helper " PREFIX "%s gave no JSON for %s",
			       helper->suffix, helper->server);
	TRY(err_wrap(json_get_optional_text(&user_at, &user), PREFIX "%s", helper->suffix));
	TRY(err_wrap(json_get_optional_text(&secret_at, &secret), PREFIX "%s", helper->suffix));
	if (!user[0] && !secret[0])
		return NULL;
	ret->kind = strcmp(user, TOKEN_USER) == 0 ? CREDENTIAL_IDENTITY : CREDENTIAL_BASIC;
	ret->user = ret->kind == CREDENTIAL_BASIC ? xstrdup(user) : NULL;
	ret->secret = xstrdup(secret);
	return NULL;
}

struct err *credential_helper_get(const struct credential_helper *helper, struct credential *ret)
{
	AUTO(run) struct run run = { .helper = helper, .out_fd = -1, .pidfd = -1 };
	AUTO(credential) struct credential found = { 0 };
	int code = 0;

	TRY(complete(&run, "get", str_of(helper->server), &code));
	found.source = xasprintf("from the helper " PREFIX "%s", helper->suffix);
	if (code == 0)
		TRY(credential_answer_parse(helper, buf_str(&run.said), &found));
	else if (!says_not_found(&run))
		return failure(helper, "get", code);
	*ret = found;
	found = (struct credential){ 0 };
	return NULL;
}

struct err *credential_helper_store(const struct credential_helper *helper,
				    const struct credential *credential)
{
	AUTO(run) struct run run = { .helper = helper, .out_fd = -1, .pidfd = -1 };
	bool is_token = credential->kind == CREDENTIAL_IDENTITY;
	AUTO(secret_json) json_t *doc = json_object();
	AUTO(secret) char *input = NULL;
	int code = 0;

	json_set_text(doc, "ServerURL", helper->server);
	json_set_text(doc, "Username", is_token ? TOKEN_USER : credential->user);
	json_set_text(doc, "Secret", credential->secret);
	input = json_format(doc);
	TRY(complete(&run, "store", str_of(input), &code));
	return code == 0 ? NULL : failure(helper, "store", code);
}

struct err *credential_helper_erase(const struct credential_helper *helper, bool *ret_found)
{
	AUTO(run) struct run run = { .helper = helper, .out_fd = -1, .pidfd = -1 };
	int code = 0;

	TRY(complete(&run, "erase", str_of(helper->server), &code));
	if (code != 0 && !says_not_found(&run))
		return failure(helper, "erase", code);
	*ret_found = code == 0;
	return NULL;
}
