/*
 * cli/doctor.c - does everything work here: doctor tries it, info tells what is in use.
 *
 * A check does what a build would do, with the same functions, and nothing is told to work
 * that was not tried. What is missing but can be done without is told apart from what
 * every build needs.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/tool.h"
#include "base/userns.h"
#include "cli/commands-private.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/trials.h"
#include "overlay/capability.h"
#include "overlay/detached.h"
#include "overlay/driver.h"
#include "overlay/mount.h"
#include "overlay/sandbox.h"
#include "overlay/seccomp.h"
#include "overlay/skeleton.h"
#include "overlay/stack.h"
#include "store/layer.h"
#include "store/store.h"

#define ANSWER_MAX ((size_t)4096)
#define TRIAL_MEMORY ((uint64_t)256 * 1024 * 1024)

enum { FORMAT_TEXT, FORMAT_JSON };

static const char *const formats[] = { "text", "json", NULL };

struct doctor_values {
	int format;
};

static const struct option options[] = {
	OPTION_WORD(struct doctor_values, format, 0, "format", formats, "how to show it"),
};

enum state { STATE_GOOD, STATE_MISSING, STATE_BAD };

/* What one check came to. */
struct finding {
	const char *name;
	enum state state;
	char *text; /* owned; what is in use, or what went wrong and the remedy */
};

/* What checks share. */
struct patient {
	struct cli *cli;
	struct store *store; /* NULL if it cannot be opened */
	struct err *closed;  /* why not; owned */
	VEC(struct finding) findings;
};

static inline void patient_auto_(struct patient *patient)
{
	vec_foreach (&patient->findings, finding)
		free(finding->text);
	vec_release(&patient->findings);
	err_free(patient->closed);
	store_close(patient->store);
}

/* `err` is the cause of a bad state, and is freed; `text` (owned from here on) of a good one. */
static void note(struct patient *patient, const char *name, enum state state, struct err *err,
		 char *text)
{
	struct finding *finding = vec_add(&patient->findings);

	finding->name = name;
	finding->state = err ? state : STATE_GOOD;
	finding->text = text;
	if (!err)
		return;
	free(finding->text);
	finding->text = err_notes(err) ? xasprintf("%s\n%s", err_text(err), err_notes(err)) :
					 xstrdup(err_text(err));
	err_free(err);
}

/* ---- facts ---- */

static void look_at_user(struct patient *patient)
{
	struct err *err = userns_enter();
	char *text = NULL;

	if (err)
		note(patient, "user", STATE_BAD, err, NULL);
	else if (userns_mode() == USERNS_NONE)
		note(patient, "user", STATE_GOOD, NULL, xstrdup("root of the machine"));
	else if (userns_mode() == USERNS_RANGES)
		note(patient, "user", STATE_GOOD, NULL,
		     xstrdup("root of a user namespace, with subordinate ids"));
	else {
		text = xasprintf(
			"one id alone, since %s: owners are recorded for the layers; in a step "
			"every file and process is root's own, and stat shows no other owner",
			userns_reason());
		note(patient, "user", STATE_MISSING, err_new(ERR_DENIED, "%s", text), text);
	}
}

static void look_at_store(struct patient *patient)
{
	char free_space[TEXT_SIZE_MAX];
	struct statvfs fs;

	patient->closed = cli_open_store(patient->cli, &patient->store);
	if (!patient->closed && fstatvfs(store_fd(patient->store), &fs) < 0)
		patient->closed =
			err_sys("look at the file system of %s", store_path(patient->store));
	if (patient->closed)
		return;
	note(patient, "store", STATE_GOOD, NULL,
	     xasprintf("%s, %s free", store_path(patient->store),
		       text_size((uint64_t)fs.f_bavail * fs.f_frsize, free_space)));
}

static void look_at_kernel(struct patient *patient)
{
	struct utsname name;

	if (uname(&name) == 0)
		note(patient, "kernel", STATE_GOOD, NULL,
		     xasprintf("%s %s %s", name.sysname, name.release, name.machine));
}

/* What says its version when it is asked. */
static void look_at_program(struct patient *patient, const char *name, const char *const *argv,
			    const char *use)
{
	AUTO(buf) struct buf out = BUF_INIT(ANSWER_MAX);
	AUTO(mem) char *path = xasprintf("PATH=%s", getenv("PATH") ? getenv("PATH") : "");
	const char *const environment[] = { path, NULL };
	AUTO(tool_end) struct tool_end end = { 0 };
	const struct tool tool = { .argv = argv,
				   .environment = environment,
				   .dir_fd = -1,
				   .out_fd = -1,
				   .out = &out,
				   .silence = 10000 };
	struct err *err = tool_run(&tool, &end);
	struct str said = buf_str(&out);

	if (err) {
		err_free(err);
		note(patient, name, STATE_MISSING,
		     err_new(ERR_NOT_FOUND, "%s is not installed: %s", argv[0], use), NULL);
		return;
	}
	note(patient, name, STATE_GOOD, NULL, str_dup(str_trim(str_cut(&said, '\n'))));
}

static void look_at_programs(struct patient *patient)
{
	static const char *const git[] = { "git", "--version", NULL };

	look_at_program(patient, "git", git, "no repositories as contexts or in ADD");
}

/* ---- trials ---- */

static struct err *try_way(struct patient *patient, enum overlay_way way)
{
	AUTO(layer_stage) struct layer_stage *layer = NULL;
	AUTO(layer_stage) struct layer_stage *holder = NULL;
	AUTO(skeleton) struct skeleton skeleton = SKELETON_INIT;
	struct overlay_spec spec = { .way = way, .skeleton = &skeleton };
	AUTO(fd) int fd = -1;

	TRY(layer_begin(patient->store, &layer));
	TRY(layer_begin(patient->store, &holder));
	TRY(skeleton_open(holder->dir_fd, &skeleton));
	spec.upper_fd = layer->fs_fd;
	spec.work_fd = layer->work_fd;
	TRY(overlay_mount(&spec, &fd));
	return NULL;
}

/* How the kernel is told which directories are meant. */
static const char *overlay_way(struct patient *patient)
{
	static const char *const names[] = {
		[OVERLAY_BY_FD] = "overlayfs, layers by descriptor",
		[OVERLAY_BY_PATH] = "overlayfs, layers by path",
		[OVERLAY_BY_STRING] = "overlayfs, mounted apart",
	};

	for (int way = OVERLAY_BY_FD; way < OVERLAY_BY_STRING; way++) {
		struct err *err = try_way(patient, (enum overlay_way)way);

		if (!err)
			return names[way];
		err_free(err);
	}
	return names[OVERLAY_BY_STRING];
}

/* What is in use, and why it is not the best. */
static void note_driver(struct patient *patient, enum driver asked, enum driver best,
			const struct driver_answers *answers)
{
	const enum driver driver = asked != DRIVER_AUTO ? asked : best;
	const struct driver_answer *answer = &answers->at[driver];
	const char *why = answers->at[DRIVER_OVERLAY].reason;

	if (driver == DRIVER_AUTO || !answer->works)
		note(patient, "storage", STATE_BAD,
		     err_new(ERR_UNSUPPORTED, "%s: %s", driver_names[driver],
			     answer->reason ? answer->reason : "nothing works here"),
		     NULL);
	else if (driver == DRIVER_OVERLAY)
		note(patient, "storage", STATE_GOOD, NULL,
		     xasprintf("overlay: %s", overlay_way(patient)));
	else if (asked != DRIVER_AUTO)
		note(patient, "storage", STATE_GOOD, NULL,
		     xasprintf("%s, as asked", driver_names[driver]));
	else
		note(patient, "storage", STATE_MISSING,
		     err_new(ERR_UNSUPPORTED,
			     "%s, which is slower than overlay (%s): a store on ext4, xfs, btrfs or "
			     "tmpfs, by --root, in a container on a volume, helps",
			     driver_names[driver], why),
		     NULL);
}

/* All of them are tried, whatever is known from earlier: who has mended something wants to see it. */
static void try_storage(struct patient *patient)
{
	AUTO(driver_answers) struct driver_answers answers = { 0 };
	enum driver best;
	struct err *err = driver_try_all(patient->store, &answers, &best);

	if (err) {
		note(patient, "storage", STATE_BAD, err, NULL);
		return;
	}
	note_driver(patient, (enum driver)store_driver(patient->store), best, &answers);
	for (int driver = DRIVER_OVERLAY; driver < DRIVER_COUNT; driver++) {
		const struct driver_answer *answer = &answers.at[driver];

		note(patient, driver_names[driver], STATE_MISSING,
		     answer->works ? NULL : err_new(ERR_UNSUPPORTED, "%s", answer->reason),
		     xstrdup(driver_describe(patient->store, (enum driver)driver)));
	}
}

static struct err *open_cache(struct patient *patient, int *ret_fd)
{
	return file_make_dirs(store_fd(patient->store), "cache", 0700, ret_fd);
}

static void try_filter(struct patient *patient)
{
	struct seccomp_program program = { 0 };
	AUTO(fd) int cache_fd = -1;
	struct err *err = open_cache(patient, &cache_fd);

	if (!err)
		err = seccomp_program_load(cache_fd, CAPABILITY_DEFAULT, &program);
	note(patient, "seccomp", STATE_BAD, err,
	     xasprintf("a filter of %zu instructions", program.len));
	seccomp_program_release(&program);
}

static void try_network(struct patient *patient)
{
	AUTO(fd) int cache_fd = -1;
	char *text = NULL;
	struct err *err = open_cache(patient, &cache_fd);

	if (!err)
		err = trial_network(cache_fd, &text);
	note(patient, "network", STATE_MISSING, err, text);
}

static void try_userns(struct patient *patient)
{
	char *text = NULL;
	struct err *err = trial_userns(patient->store, &text);

	note(patient, "userns", STATE_MISSING, err, text);
}

static void try_transfers(struct patient *patient)
{
	char *text = NULL;
	struct err *err = trial_transfers(&text);

	note(patient, "transfers", STATE_MISSING, err, text);
}

/* Run this machine's own `true` as a step would run, on a read-only view of its own tree. */
static struct err *run_true(struct patient *patient, const struct sandbox_resources *resources)
{
	static char *const argv[] = { (char *)"true", NULL };
	static char *const envp[] = { (char *)"PATH=/usr/bin:/bin", NULL };
	struct sandbox_spec spec = SANDBOX_SPEC_INIT;
	AUTO(sandbox) struct sandbox *sandbox = NULL;
	AUTO(sandbox_run) struct sandbox_run *run = NULL; /* freed before its sandbox */
	struct sandbox_result result = { 0 };
	AUTO(fd) int cache_fd = -1;
	AUTO(fd) int top_fd = -1;
	AUTO(fd) int root_fd = -1;

	TRY(open_cache(patient, &cache_fd));
	TRY(file_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0, FILE_ANYWHERE, &top_fd));
	TRY(detached_clone_all(top_fd, true, &root_fd));
	sandbox = sandbox_new(cache_fd);
	if (resources)
		sandbox_limit(sandbox, resources);
	spec.root_fd = root_fd;
	spec.argv = argv;
	spec.envp = envp;
	spec.network = SANDBOX_NETWORK_NONE;
	TRY(sandbox_start(sandbox, &spec, &run));
	TRY(sandbox_wait(run, &result));
	if (result.code)
		return err_new(ERR_INTERNAL, "a step that does nothing ended with %d", result.code);
	return NULL;
}

static void try_step(struct patient *patient)
{
	const struct sandbox_resources resources = { .memory = TRIAL_MEMORY };

	note(patient, "step", STATE_BAD, run_true(patient, NULL),
	     xstrdup("a command runs in namespaces of its own"));
	note(patient, "limits", STATE_MISSING, run_true(patient, &resources),
	     xstrdup("memory of a step can be limited"));
}

/* ---- showing ---- */

static const char *state_name(enum state state)
{
	static const char *const names[] = { "ok", "missing", "bad" };

	return names[state];
}

static void show_json(const struct patient *patient)
{
	AUTO(json) json_t *array = json_array();

	vec_foreach (&patient->findings, finding) {
		json_t *object = json_object();

		json_set_text(object, "name", finding->name);
		json_set_text(object, "state", state_name(finding->state));
		json_set_text(object, "text", finding->text);
		json_push(array, object);
	}
	output_json(array);
}

static void add_line(struct table *table, struct str line)
{
	AUTO(mem) char *text = str_dup(line);

	table_cell(table, text);
}

static void show(const struct patient *patient, const struct doctor_values *values, bool states)
{
	AUTO(table) struct table table = { .columns = states ? 3 : 2 };

	if (values->format == FORMAT_JSON) {
		show_json(patient);
		return;
	}
	vec_foreach (&patient->findings, finding) {
		struct str rest = str_of(finding->text);

		if (states)
			table_cell(&table, state_name(finding->state));
		table_cell(&table, finding->name);
		add_line(&table, str_cut(&rest, '\n'));
		while (rest.at) { /* below it, under an empty name */
			for (size_t i = 1; i < table.columns; i++)
				table_cell(&table, "");
			add_line(&table, str_cut(&rest, '\n'));
		}
	}
	table_print(&table);
}

/* ---- the commands ---- */

static void find_facts(struct patient *patient)
{
	note(patient, "version", STATE_GOOD, NULL, xstrdup(CAIRN_VERSION));
	look_at_kernel(patient);
	look_at_user(patient);
	look_at_store(patient);
	if (patient->store) {
		try_storage(patient);
		try_userns(patient);
		try_network(patient);
	}
	look_at_programs(patient);
	try_transfers(patient);
}

static struct err *run_info(struct cli *cli, void *arg, struct strings *operands)
{
	AUTO(patient) struct patient patient = { .cli = cli };

	(void)operands;
	find_facts(&patient);
	if (err_kind(patient.closed) != ERR_USAGE)
		show(&patient, arg, false);
	return STEAL(patient.closed);
}

static struct err *run_doctor(struct cli *cli, void *arg, struct strings *operands)
{
	AUTO(patient) struct patient patient = { .cli = cli };
	size_t bad = 0;

	(void)operands;
	find_facts(&patient);
	if (err_kind(patient.closed) == ERR_USAGE)
		return STEAL(patient.closed);
	if (patient.closed)
		note(&patient, "store", STATE_BAD, STEAL(patient.closed), NULL);
	if (patient.store) {
		try_filter(&patient);
		try_step(&patient);
	}
	show(&patient, arg, true);
	vec_foreach (&patient.findings, finding)
		bad += finding->state == STATE_BAD;
	cli->exit_code = bad ? 1 : 0;
	return NULL;
}

const struct cli_command command_info = {
	.name = "info",
	.summary = "show what cairn works with here",
	.operands = "",
	.about =
		"Show the version, the store, who builds, how layers are stacked and what carries a "
		"private network, as it is found by trying.",
	.examples = "cairn info\n"
		    "cairn info --format json",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct doctor_values),
	.completes = COMPLETE_NOTHING,
	.run = run_info,
};

const struct cli_command command_doctor = {
	.name = "doctor",
	.summary = "try everything that builds need",
	.operands = "",
	.about =
		"Try what builds do on this machine, and say of what does not work why, and what "
		"helps. What is missing can be done without; what is bad is needed by every build, "
		"and the exit code is then 1.",
	.examples = "cairn doctor\n"
		    "cairn doctor --format json",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.values_size = sizeof(struct doctor_values),
	.completes = COMPLETE_NOTHING,
	.run = run_doctor,
};
