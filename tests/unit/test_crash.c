/*
 * tests/unit/test_crash.c - kill -9 at every system call, and the store is whole.
 *
 * A child does a piece of work under ptrace and is killed when it enters its
 * n-th system call, for n = 1, 2, 3 and so on until it gets through. After each
 * death the store is examined, and then the work is done again, in full.
 */

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/json.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/index-private.h"
#include "store/layer.h"
#include "store/meta-private.h"
#include "store/prune.h"
#include "store/ref.h"
#include "store/step.h"
#include "tests/unit/room.h"

#define SYSCALLS_MAX 2000
#define APP "docker.io/library/app:latest"

/* ---- killing ---- */

static const struct digest some_key = { .bytes = { 0xab } };

static unsigned refs_flushed; /* how often a child did so that was stopped at every call */

/* The child has entered a system call. */
static void note_flush(pid_t pid)
{
	struct __ptrace_syscall_info info;
	char name[64], target[512] = "";

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_fsync)
		return;
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, (int)info.entry.args[0]);
	if (readlink(name, target, sizeof(target) - 1) > 0)
		refs_flushed += str_ends(str_of(target), "/refs");
}

static bool prunes; /* links may outlive what they lead to */

/* Let the child run until it enters its n-th system call and kill it there; whether it died.
 * Otherwise it went through, and well. */
static bool kill_at(pid_t pid, unsigned n)
{
	unsigned stops = 0;
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid); /* the SIGSTOP */
	assert_true(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		assert_return_code(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), errno);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && ++stops == 2 * n - 1)
			break; /* stops come in pairs: at entry, and at exit */
		if (stops % 2)
			note_flush(pid);
	}
	assert_return_code(kill(pid, SIGKILL), errno);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return true;
}

static bool dies_at(unsigned n, bool (*work)(void *arg), void *arg)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(work(arg) ? 0 : 1);
	}
	return kill_at(pid, n);
}

/* From here on, each system call of this process that changes something stops it for its tracer. */
static bool stop_at_changes(void)
{
	static const unsigned changes[] = {
		SYS_renameat, SYS_renameat2, SYS_unlinkat,  SYS_mkdirat, SYS_symlinkat, SYS_linkat,
		SYS_write,    SYS_ftruncate, SYS_utimensat, SYS_fchmod,  SYS_flock,
	};
	struct sock_filter code[2 * ARRAY_SIZE(changes) + 2];
	struct sock_fprog program = { .filter = code };

	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							   offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		code[program.len++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, changes[i], 0, 1);
		code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET, SECCOMP_RET_TRACE);
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* As dies_at(), of those calls alone, without a stop at the others: much faster. */
static bool dies_at_change(unsigned n, bool (*work)(void *arg), void *arg)
{
	pid_t pid = fork();
	unsigned seen = 0;
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(stop_at_changes() && work(arg) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
	do {
		assert_return_code(ptrace(PTRACE_CONT, pid, NULL, NULL), errno);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
	} while (++seen < n);
	assert_return_code(kill(pid, SIGKILL), errno);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return true;
}

/* ---- the work ---- */

/* A layer, its step, a blob, an image and its name; `arg` is a number that makes it another one
 * than before. */
static bool build(void *arg)
{
	AUTO(mem) char *text = xasprintf("build %u", *(unsigned *)arg);
	struct step_record step = { .key = some_key };
	struct layer_meta meta = { .has_diff_id = true };
	struct layer_stage *stage = NULL;
	struct descriptor target = { .media_type = MEDIA_OCI_MANIFEST, .size = strlen(text) };
	CHILD_STORE(mine);

	CHECK_OK(layer_begin(mine, &stage));
	CHECK_OK(file_replace(stage->fs_fd, "file", str_of(text), 0644, FILE_QUICK));
	CHECK_OK(blob_put(mine, str_of(text), &target.digest));
	meta.diff_id = target.digest;
	CHECK_OK(layer_seal(stage, NULL, &meta));
	layer_stage_free(stage);
	memcpy(step.lid, meta.lid, sizeof(step.lid));
	CHECK_OK(step_put(mine, &step));
	meta.has_blob = true;
	meta.blob = target;
	CHECK_OK(layer_update(mine, &meta));
	CHECK_OK(ref_set(mine, APP, &target));
	CHECK_OK(store_sync(mine));
	store_close(mine);
	return true;
}

static bool tag_and_delete(void *arg)
{
	struct descriptor target;
	CHILD_STORE(mine);

	(void)arg;
	CHECK_OK(ref_get(mine, APP, &target));
	CHECK_OK(ref_set(mine, "docker.io/library/copy:latest", &target));
	CHECK_OK(ref_delete(mine, "docker.io/library/copy:latest"));
	store_close(mine);
	return true;
}

static bool make(void *arg)
{
	CHILD_STORE(mine);

	(void)arg;
	store_close(mine);
	return true;
}

/* ---- the examination ---- */

static void check_blobs(void)
{
	AUTO(strings) struct strings names = { 0 };

	assert_ok(file_list(store_fd(store), "blobs/sha256", &names));
	vec_foreach (&names, name) {
		AUTO(mem) char *text = xasprintf("sha256:%s", *name);
		AUTO(buf) struct buf bytes = BUF_INIT(4096);
		struct digest digest;

		assert_ok(digest_parse(text, &digest));
		assert_ok(blob_read(store, &digest, 4096, &bytes));
	}
}

static void check_layers(void)
{
	AUTO(strings) struct strings lids = { 0 };
	AUTO(strings) struct strings links = { 0 };

	assert_ok(file_list(store_fd(store), "layers", &lids));
	vec_foreach (&lids, lid) {
		AUTO(buf) struct buf text = BUF_INIT(4096);
		AUTO(fd) int fd = -1;

		assert_ok(layer_open(store, *lid, &fd, NULL));
		assert_ok(file_read(fd, "file", 4096, &text));
		assert_true(str_starts(buf_str(&text), "build "));
	}
	assert_ok(file_list(store_fd(store), "diffs", &links));
	vec_foreach (&links, link) {
		AUTO(mem) char *text = xasprintf("sha256:%s", *link);
		struct digest digest;
		bool found = false;

		assert_ok(digest_parse(text, &digest));
		assert_ok(layer_find(store, &digest, NULL, &found, NULL));
		assert_true(found || prunes);
	}
}

/* A step that is found has its layer; one that is not is no harm. */
static void check_step(void)
{
	AUTO(step_record) struct step_record step = { 0 };
	AUTO(fd) int fd = -1;
	bool found = false;

	assert_ok(step_find(store, &some_key, true, &found, &step, NULL));
	if (found)
		assert_ok(layer_open(store, step.lid, &fd, NULL));
}

/* Every name leads to a blob, and so does every entry of the view. */
static void check_names(void)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	AUTO(mem) char *text = room_text("index.json");
	AUTO(json) json_t *doc = NULL;
	json_t *entry;
	size_t i;
	bool found;

	assert_ok(ref_list(store, &refs));
	assert_int_equal(room_count("refs"), refs.len);
	vec_foreach (&refs, ref) {
		assert_ok(blob_find(store, &ref->target.digest, &found, NULL));
		assert_true(found);
	}
	assert_ok(json_parse(str_of(text), JSON_MAX, "index.json", &doc));
	json_array_foreach(json_object_get(doc, "manifests"), i, entry)
	{
		struct digest digest;

		assert_ok(
			digest_parse(json_string_value(json_object_get(entry, "digest")), &digest));
		assert_ok(blob_find(store, &digest, &found, NULL));
		assert_true(found);
	}
}

/* The next process finds a good store, and tidies up. */
static void examine(void)
{
	int tmp_dir = -1;

	assert_ok(store_open(room_path, &store));
	check_blobs();
	check_layers();
	check_step();
	check_names();
	assert_ok(store_lease(store, &tmp_dir));
	trash_drain(store, UINT64_MAX);
	assert_int_equal(room_count("leases"), 1);
	assert_int_equal(room_count("tmp"), 1);
	assert_int_equal(room_count("trash"), 0);
	store_close(store);
	store = NULL;
}

/* After the same work in full, the view is exactly that of the refs. */
static void repeat(bool (*work)(void *arg), void *arg)
{
	AUTO(ref_list) struct ref_list refs = { 0 };
	AUTO(buf) struct buf want = BUF_INIT(1 << 20);
	AUTO(mem) char *text = NULL;

	child_run(work, arg);
	assert_ok(store_open(room_path, &store));
	assert_ok(ref_list(store, &refs));
	if (refs.len) {
		index_format(&refs, &want);
		text = room_text("index.json");
		assert_string_equal(text, want.at);
	}
	store_close(store);
	store = NULL;
}

static void kill_at_every_call(bool (*work)(void *arg))
{
	unsigned n = 1;

	for (; n < SYSCALLS_MAX; n++) {
		if (!dies_at(n, work, &n))
			break;
		examine();
		repeat(work, &n);
	}
	assert_in_range(n, 50, SYSCALLS_MAX - 1); /* it was killed often, and got through */
}

/* ---- the tests ---- */

/* With rights, in memory: it is thousands of small flushes otherwise. */
static int enter_memory(void **state)
{
	if (tmp_setup(state) < 0)
		return -1;
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0)
		(void)mount("none", tmp_path, "tmpfs", 0, "size=64m");
	return 0;
}

static int leave_memory(void **state)
{
	(void)umount2(tmp_path, MNT_DETACH);
	return tmp_teardown(state);
}

/* A store that nobody has open, so that every lease that is found was left by the dead. */
static void new_room(const char *name)
{
	snprintf(room_path, sizeof(room_path), "%s/%s", tmp_path, name);
	store = NULL;
}

TEST(making_a_store_can_be_killed_at_any_moment)
{
	for (unsigned n = 1; n < SYSCALLS_MAX; n++) {
		char name[16];

		snprintf(name, sizeof(name), "new-%u", n);
		new_room(name);
		if (!dies_at(n, make, NULL))
			return;
		if (access(room_path, F_OK) == 0)
			child_run(make, NULL);
	}
	fail_msg("it never got through");
}

TEST(a_build_can_be_killed_at_any_moment)
{
	new_room("build");
	child_run(make, NULL);
	kill_at_every_call(build);
}

TEST(tagging_and_deleting_can_be_killed_at_any_moment)
{
	unsigned number = 0;

	new_room("tag");
	child_run(build, &number);
	kill_at_every_call(tag_and_delete);
}

static bool set_app(void *arg)
{
	CHILD_STORE(mine);

	CHECK_OK(ref_set(mine, APP, arg));
	store_close(mine);
	return true;
}

TEST(whoever_sets_what_a_dead_process_set_flushes_it)
{
	unsigned n = 1, spared = 0;

	new_room("flush");
	child_run(make, NULL);
	for (; n < SYSCALLS_MAX; n++) {
		AUTO(mem) char *text = xasprintf("image %u", n);
		struct descriptor target = { .media_type = MEDIA_OCI_MANIFEST,
					     .size = strlen(text) };
		bool died;

		assert_ok(store_open(room_path, &store));
		assert_ok(blob_put(store, str_of(text), &target.digest));
		store_close(STEAL(store));
		refs_flushed = 0;
		died = dies_at(n, set_app, &target);
		spared += refs_flushed;
		assert_false(dies_at(SYSCALLS_MAX, set_app, &target));
		assert_in_range(refs_flushed, 1, 2);
		if (!died) {
			assert_int_equal(refs_flushed, 1); /* the second found that it was done */
			break;
		}
	}
	assert_in_range(n, 50, SYSCALLS_MAX - 1);
	assert_in_range(spared, 1, n / 2); /* some died after the flush, and most before */
}

/* Everything that has no name. */
static bool prune(void *arg)
{
	const struct prune_opts opts = { .kinds = ~0U, .max_bytes = PRUNE_NO_LIMIT };
	struct prune_report report;
	CHILD_STORE(mine);

	(void)arg;
	CHECK_OK(prune_run(mine, &opts, &report));
	store_close(mine);
	return true;
}

/* Two images have lost their name to a third one, which is whole whatever becomes of them. */
static void make_rubbish(unsigned n)
{
	for (unsigned i = 0; i < 3; i++) {
		unsigned number = 3 * n + i;

		child_run(build, &number);
	}
}

TEST(a_prune_can_be_killed_at_any_change)
{
	unsigned n = 1;
	bool died = true;

	new_room("prune");
	child_run(make, NULL);
	prunes = true;
	for (; died && n < SYSCALLS_MAX; n++) {
		AUTO(ref_list) struct ref_list refs = { 0 };

		make_rubbish(n);
		died = dies_at_change(n, prune, NULL);
		examine();
		assert_ok(store_open(room_path, &store));
		assert_ok(ref_list(store, &refs));
		assert_int_equal(refs.len, 1);
		store_close(STEAL(store));
		child_run(prune, NULL);
		assert_ok(store_open(room_path, &store));
		assert_int_equal(room_count("blobs/sha256"), 1);
		assert_int_equal(room_count("layers"), 0); /* the name leads to no config */
		assert_int_equal(room_count("diffs"), 0);
		store_close(STEAL(store));
	}
	prunes = false;
	assert_in_range(n, 10, SYSCALLS_MAX - 1); /* it was killed often, and got through */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making_a_store_can_be_killed_at_any_moment),
		cmocka_unit_test(a_build_can_be_killed_at_any_moment),
		cmocka_unit_test(tagging_and_deleting_can_be_killed_at_any_moment),
		cmocka_unit_test(whoever_sets_what_a_dead_process_set_flushes_it),
		cmocka_unit_test(a_prune_can_be_killed_at_any_change),
	};

	return cmocka_run_group_tests(tests, enter_memory, leave_memory);
}
