/* builder/run.c - see builder/run.h. */

#include "builder/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/userns.h"
#include "builder/clip.h"
#include "builder/events.h"
#include "builder/mounts.h"
#include "builder/secrets.h"
#include "builder/tail.h"
#include "builder/ulimit.h"
#include "overlay/driver.h"
#include "overlay/sandbox.h"
#include "overlay/user.h"
#include "store/journal.h"
#include "store/store.h"

#define READ_CHUNK 65536
#define POLL_MS 100  /* how soon a step notices that another one failed */
#define DRAIN_MS 200 /* how long output of what outlived the command is waited for */
#define NOTE_MAX 400 /* of names in a note */
#define SPACE_LEAST ((uint64_t)256 * 1024) /* with less, a failed step is told of a full disk */

/* One output stream of a running step. */
struct stream {
	int fd; /* our end, owned; -1 once it has ended */
	struct event_lines lines;
};

struct output {
	struct stream streams[2];
	int log_fd; /* owned; -1: no log */
	struct clip clip;
	bool clipped;    /* and that was told */
	unsigned failed; /* of ready_wait() */
	struct tail tail;
	/* who hears the lines: the listener of the build, and the tail */
	struct build_events kept, both;
	const struct build_events *pair[2];
};

/* What passes the clip. The log is written first; losing it on a full disk must not lose the step, whose own
 * writes will fail loudly enough. */
static void keep_output(void *self, unsigned stream, struct str bytes)
{
	struct output *out = self;

	if (out->log_fd >= 0)
		err_free(file_write_all(out->log_fd, bytes.at, bytes.len, "log"));
	event_lines_feed(&out->streams[stream].lines, bytes);
}

static void output_init(struct output *out, const struct build_events *events, unsigned step,
			uint64_t limit)
{
	*out = (struct output){ .log_fd = -1 };
	out->clip = (struct clip){ .limit = limit, .pass = keep_output, .self = out };
	out->kept = tail_listener(&out->tail);
	out->pair[0] = events;
	out->pair[1] = &out->kept;
	out->both = events_tee(out->pair);
	for (unsigned i = 0; i < ARRAY_SIZE(out->streams); i++)
		out->streams[i] =
			(struct stream){ -1, EVENT_LINES_INIT(&out->both, step, BUILD_STDOUT + i) };
}

static inline void output_auto_(struct output *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(out->streams); i++) {
		event_lines_end(&out->streams[i].lines);
		if (out->streams[i].fd >= 0)
			close(out->streams[i].fd);
	}
	if (out->log_fd >= 0)
		close(out->log_fd);
	clip_release(&out->clip);
	tail_release(&out->tail);
}

static void tell_clipped(struct output *out, const char *text)
{
	const struct event_lines *lines = &out->streams[0].lines;

	out->clipped = text;
	events_emit(lines->events, &(struct build_event){ .kind = EVENT_STEP_PROGRESS,
							  .step = lines->step,
							  .text = text });
}

/* Take what one stream has. */
static void take(struct output *out, struct stream *stream)
{
	UNCLEARED char chunk[READ_CHUNK];
	ssize_t got = read(stream->fd, chunk, sizeof(chunk));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close(stream->fd);
		stream->fd = -1;
		return;
	}
	clip_feed(&out->clip, (unsigned)(stream - out->streams),
		  (struct str){ chunk, (size_t)got });
	if (out->clip.tail.len && !out->clipped)
		tell_clipped(out, "too much output: only the last of it is kept");
}

/* Wait up to `timeout` for output or the end. `*ret_ended` says that the command has ended. */
static struct err *wait_some(struct output *out, const struct sandbox_run *run, int timeout,
			     bool *ret_ended)
{
	struct pollfd fds[3] = { { .fd = out->streams[0].fd, .events = POLLIN },
				 { .fd = out->streams[1].fd, .events = POLLIN },
				 { .fd = sandbox_run_fd(run), .events = POLLIN } };
	const int ready = ready_wait(fds, ARRAY_SIZE(fds), timeout, &out->failed);

	if (ready < 0)
		return err_sys("wait for a step");
	if (ready == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(out->streams); i++)
		if (out->streams[i].fd >= 0 && fds[i].revents)
			take(out, &out->streams[i]);
	*ret_ended = fds[2].revents != 0;
	return NULL;
}

/* What is left in the pipes after the end, and lines without one. A process that outlived the
 * command cannot hold the build up: its namespace is gone, so the pipes end at once or never. */
static void drain(struct output *out)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = out->streams[0].fd, .events = POLLIN },
					 { .fd = out->streams[1].fd, .events = POLLIN } };

		if (out->streams[0].fd < 0 && out->streams[1].fd < 0)
			break;
		if (poll(fds, ARRAY_SIZE(fds), DRAIN_MS) <= 0)
			break;
		for (size_t i = 0; i < ARRAY_SIZE(out->streams); i++)
			if (out->streams[i].fd >= 0 && fds[i].revents)
				take(out, &out->streams[i]);
	}
	clip_end(&out->clip);
	if (out->clipped)
		tell_clipped(out, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(out->streams); i++)
		event_lines_end(&out->streams[i].lines);
}

/* A pipe for one stream; the writing end goes to the step. */
static struct err *open_stream(struct stream *stream, int *ret_write)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys("make a pipe for a step's output");
	stream->fd = ends[0];
	*ret_write = ends[1];
	return NULL;
}

/* Set a variable, in place of one of the same name. */
static void set_variable(struct strings *env, const char *pair)
{
	const size_t name_len = strcspn(pair, "=") + 1;

	vec_foreach (env, known) {
		if (strncmp(*known, pair, name_len) != 0)
			continue;
		secret_wipe(*known, strlen(*known)); /* perhaps another secret's */
		free(*known);
		*known = xstrdup(pair);
		return;
	}
	strings_push(env, pair);
}

/* The environment: the image's and the arguments', the proxies', secrets, and HOME from the
 * image's passwd. */
static void make_env(const struct run_site *site, const struct plan_step *step,
		     const struct user *user, struct strings *ret)
{
	bool home = false;

	strings_copy(ret, &step->env);
	strings_copy(ret, &step->proxies);
	if (site->mounts)
		vec_foreach (&site->mounts->env, pair)
			set_variable(ret, *pair);
	vec_foreach (ret, pair)
		home = home || str_starts(str_of(*pair), "HOME=");
	if (!home)
		vec_push(ret, xasprintf("HOME=%s", user->home));
}

/* It may hold secrets. */
static void wipe(struct strings *env)
{
	vec_foreach (env, pair)
		secret_wipe(*pair, strlen(*pair));
}

/* The host's instead of a private one is said, once. */
static struct err *choose_network(const struct run_site *site, const struct plan_step *step,
				  enum sandbox_network *ret)
{
	const char *reason;

	TRY(sandbox_choose_network(site->sandbox, site->idmap, step->network, ret, &reason));
	if (reason && !atomic_flag_test_and_set(site->network_told))
		log_info(
			"RUN steps use the network of this machine (%s); --network none takes it away",
			reason);
	return NULL;
}

/* Tell in which way a step that has been started is kept apart, once for each way. */
static struct err *tell_isolation(const struct run_site *site, const struct plan_step *step,
				  enum sandbox_network network)
{
	static const char *const users[] = {
		[USERNS_NONE] = "host",
		[USERNS_RANGES] = "ranges",
		[USERNS_SINGLE] = "single",
	};
	const unsigned way = 1U << (2 * network + (site->idmap ? 1 : 0));
	enum driver driver;

	if (!site->isolation_told || atomic_fetch_or(site->isolation_told, way) & way)
		return NULL;
	TRY(driver_of(site->store, &driver));
	events_emit(site->events,
		    &(struct build_event){
			    .kind = EVENT_ISOLATION,
			    .step = step->number,
			    .userns = site->idmap ? "private" : users[userns_mode()],
			    .network = sandbox_network_names[network],
			    .carrier = network == SANDBOX_NETWORK_PRIVATE ?
					       sandbox_network_carrier(site->sandbox, site->idmap) :
					       NULL,
			    .storage = driver_names[driver] });
	return NULL;
}

/* What the sandbox is asked for, but for root, output and network. Borrows all of it; `env` is filled. */
static void make_spec(const struct run_site *site, struct plan_step *step, const struct user *user,
		      struct strings *env, struct sandbox_spec *spec)
{
	spec->argv = strings_argv(&step->argv);
	spec->cwd = step->cwd;
	spec->uid = user->uid;
	spec->gid = user->gid;
	spec->groups = user->groups;
	spec->group_count = user->group_count;
	spec->hostname = site->hostname;
	spec->insecure = step->insecure;
	spec->idmap = site->idmap;
	spec->hosts = (const char *const *)site->hosts;
	spec->shm_size = site->shm_size;
	if (site->ulimits) {
		spec->limits = site->ulimits->at;
		spec->limit_count = site->ulimits->len;
	}
	if (site->mounts) {
		spec->mounts = site->mounts->list;
		spec->mount_count = site->mounts->holds.len;
	}
	make_env(site, step, user, env);
	spec->envp = strings_argv(env);
}

static struct err *start(const struct run_site *site, struct plan_step *step, int root_fd,
			 struct output *out, struct sandbox_run **ret)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INIT;
	AUTO(user) struct user user = { 0 };
	AUTO(strings) struct strings env = { 0 };
	AUTO(fd) int write_out = -1;
	AUTO(fd) int write_err = -1;
	struct err *err;

	TRY(user_resolve(root_fd, str_of(step->user), &user));
	TRY(open_stream(&out->streams[0], &write_out));
	TRY(open_stream(&out->streams[1], &write_err));
	TRY(choose_network(site, step, &spec.network));
	spec.root_fd = root_fd;
	spec.stdout_fd = write_out;
	spec.stderr_fd = write_err;
	make_spec(site, step, &user, &env, &spec);
	err = sandbox_start(site->sandbox, &spec, ret);
	wipe(&env);
	return err ? err : tell_isolation(site, step, spec.network);
}

/* The ids of a user that nobody has made yet. */
#define NOBODY 65534

/* A user whom a step before makes is not there before that has run. */
static struct err *find_user(const struct run_site *site, const struct plan_step *step, int view_fd,
			     struct user *ret)
{
	struct err *err = user_resolve(view_fd, str_of(step->user), ret);

	if (err_kind(err) != ERR_NOT_FOUND)
		return err;
	err = script_wrap(err, site->script, &step->instruction->position);
	log_warn("%s: a step before this one may make it; %d stands for its ids", err_text(err),
		 NOBODY);
	err_free(err);
	*ret = (struct user){ .uid = NOBODY, .gid = NOBODY, .home = xstrdup("/") };
	return NULL;
}

struct err *run_describe(const struct run_site *site, struct plan_step *step, int view_fd,
			 json_t **ret)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INIT;
	AUTO(user) struct user user = { 0 };
	AUTO(strings) struct strings env = { 0 };

	TRY(script_wrap(find_user(site, step, view_fd, &user), site->script,
			&step->instruction->position));
	TRY(choose_network(site, step, &spec.network));
	make_spec(site, step, &user, &env, &spec);
	return sandbox_describe(site->sandbox, &spec, ret);
}

struct err *run_visit(const struct run_site *site, struct plan_step *step, int root_fd,
		      const struct run_visit *visit)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INIT;
	AUTO(user) struct user user = { 0 };
	AUTO(strings) struct strings env = { 0 }, argv = { 0 };
	struct err *err;

	TRY(user_resolve(root_fd, str_of(step->user), &user));
	TRY(choose_network(site, step, &spec.network));
	strings_copy(&argv, visit->argv);
	make_spec(site, step, &user, &env, &spec);
	vec_foreach (visit->env, pair)
		set_variable(&env, *pair);
	spec.argv = strings_argv(&argv);
	spec.envp = strings_argv(&env);
	spec.root_fd = root_fd;
	err = visit->run(visit->self, site->sandbox, &spec);
	wipe(&env);
	return err;
}

/* A step that failed for want of space often says so badly, or not at all: have a look. */
static struct err *note_full_disk(struct err *err, int root_fd)
{
	struct statvfs disk;
	AUTO(mem) char *detail = NULL;
	uint64_t left;

	if (fstatvfs(root_fd, &disk) < 0)
		return err;
	left = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (left < SPACE_LEAST)
		detail = xasprintf("%ju bytes are free", (uintmax_t)left);
	else if (disk.f_files > 0 && disk.f_favail == 0)
		detail = xstrdup("no more files fit on it");
	return detail ? store_note_full(err, detail) : err;
}

/* Whether a step was in the host's network; asked after it ran, when all is chosen. */
static bool was_on_host(const struct run_site *site, const struct plan_step *step)
{
	enum sandbox_network network = SANDBOX_NETWORK_NONE;
	const char *reason;

	err_free(sandbox_choose_network(site->sandbox, site->idmap, step->network, &network,
					&reason));
	return network == SANDBOX_NETWORK_HOST;
}

/* Little is not allowed to the root of a user namespace, and most of that is this. */
static struct err *note_userns(struct err *err, const struct run_site *site,
			       const struct plan_step *step, const char *output)
{
	if (!site->idmap)
		return err;
	if (strstr(output, "Operation not permitted") ||
	    strstr(output, "Value too large for defined data type"))
		return err_note(err, "\nRoot of this step is root of a user namespace: it makes no "
				     "device nodes, and there are no ids above 2147483647. "
				     "--userns host makes it root of this machine.");
	if (strstr(output, "ermission denied") && was_on_host(site, step))
		return err_note(err, "\nRoot of this step is root of a user namespace, and has no "
				     "right to ports below 1024 of this machine's network. "
				     "--network private or --userns host gives it one.");
	return err;
}

/* A program may have looked for what was not named to it. */
static struct err *note_unused(struct err *err, const struct plan_step *step)
{
	AUTO(buf) struct buf names = BUF_INIT(NOTE_MAX);

	if (step->unused.len == 0)
		return err;
	vec_foreach (&step->unused, name)
		buf_addf(&names, "%s%s", names.len ? ", " : "", *name);
	return err_note(
		err,
		"\nUnder # syntax=cairn/1 a RUN has only those ARGs in its environment that "
		"it names, and not: %.*s",
		STR_ARG(buf_str(&names)));
}

static struct err *failure(const struct run_site *site, const struct plan_step *step, int root_fd,
			   const struct sandbox_result *result, const struct output *output)
{
	const struct position *at = &step->instruction->position;
	AUTO(mem) char *path = site->journal ? journal_log_path(site->journal, step->number) : NULL;
	AUTO(mem) char *tail = tail_text(&output->tail);
	char limit[SANDBOX_OOM_SIZE];
	struct err *err;

	if (result->exec_errno)
		err = script_error(site->script, at, ERR_INVALID,
				   "cannot execute '%s' in the image: %s (exit code %d)",
				   step->argv.at[0], sandbox_exec_reason(result), result->code);
	else if (result->signal)
		err = script_error(site->script, at, ERR_INVALID,
				   "the command was killed by signal %d, %s (exit code %d)",
				   result->signal, strsignal(result->signal), result->code);
	else
		err = script_error(site->script, at, ERR_INVALID,
				   "the command failed with exit code %d", result->code);
	if (result->oom_kills)
		err = err_note(err, "%s", sandbox_oom_text(result, limit));
	if (result->forks_refused)
		err = err_note(err, "%s", sandbox_pids_text(result, limit));
	err = note_full_disk(err, root_fd);
	if (tail)
		err = err_note(err, "\nits last output:\n%s", tail);
	if (tail)
		err = note_userns(err, site, step, tail);
	err = note_unused(err, step);
	if (path && tail)
		err = err_note(err, "\n%s: %s",
			       output->clip.lost_bytes ? "more of it" : "the whole of it", path);
	return err;
}

struct err *run_step(const struct run_site *site, struct plan_step *step, int root_fd,
		     int *ret_code)
{
	AUTO(output) struct output out = { 0 };
	AUTO(sandbox_run) struct sandbox_run *run = NULL;
	struct sandbox_result result;
	bool ended = false;

	output_init(&out, site->events, step->number, site->log_limit);
	*ret_code = 0;
	if (site->journal)
		TRY(journal_open_log(site->journal, step->number, &out.log_fd));
	TRY(script_wrap(start(site, step, root_fd, &out, &run), site->script,
			&step->instruction->position));
	while (!ended) {
		TRY(wait_some(&out, run, POLL_MS, &ended));
		TRY(cancel_check()); /* freeing the run kills it */
	}
	drain(&out);
	TRY(script_wrap(sandbox_wait(run, &result), site->script, &step->instruction->position));
	*ret_code = result.code;
	step->memory_peak = result.memory_peak;
	step->cpu_time = result.cpu_us * 1000;
	return result.code ? failure(site, step, root_fd, &result, &out) : NULL;
}
