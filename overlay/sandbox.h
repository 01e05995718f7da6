/*
 * overlay/sandbox.h - one command run in isolation from the machine that runs it.
 *
 * A step sees its root, a fresh /proc, /sys and /dev, and nothing of the host:
 * no process, no descriptor, no mount, no variable that the caller did not
 * give. Inside it is what users of Docker know: 14 capabilities, the seccomp
 * profile, masked and read-only paths, umask 022, nofile 1024:524288, no core
 * file, a session of its own, and the command as process 1.
 *
 * A `struct sandbox` holds what all steps of a build share: the spawner, a tiny
 * process from which steps are cloned, and the seccomp filter. Both are made
 * when the first step starts, so a build that runs nothing pays nothing. Steps
 * may be started from any thread, and several at once; a run belongs to one
 * thread at a time, and outlives the thread that started it.
 *
 * A step dies with its builder: when a run is freed before it has ended, when
 * the sandbox is closed, and when the program dies, `kill -9` included. All of
 * its processes die with process 1. No mount, no file and no process is left.
 *
 * With an idmap the step's root is root of a user namespace and nobody outside of
 * it, which the step enters last of all: what it finds is set up by ourselves.
 */
#ifndef OVERLAY_SANDBOX_H
#define OVERLAY_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"

struct err;
struct idmap;
struct json_t;
struct sandbox;
struct sandbox_resources;
struct sandbox_run;

/* `cache_dir_fd` (borrowed while the sandbox lives; -1: none) is a directory where the compiled
 * seccomp filter is kept. Starts nothing yet. */
struct sandbox *sandbox_new(int cache_dir_fd) MUST_USE;
/* Kills what still runs. Every run was freed before. */
void sandbox_free(struct sandbox *sandbox);
DEFINE_AUTO(sandbox)

/* Limit every step from here on, before the first one. A limit that cannot be set is an error of
 * sandbox_start(), which names it, its controller and its file. */
void sandbox_limit(struct sandbox *sandbox, const struct sandbox_resources *resources);

/* What steps may do, besides what `insecure` ones may. */
struct sandbox_security {
	bool capabilities_given;
	uint64_t capabilities;  /* bits by number (overlay/capability.h); else the usual ones */
	const char *profile;    /* of seccomp, as a file has it; borrowed; NULL: the usual one */
	bool unconfined;        /* no filter of system calls */
	bool no_new_privileges; /* set-id programs have no effect */
};

/* For every step from here on, before the first one. A profile that is wrong is an error of
 * sandbox_start(). */
void sandbox_secure(struct sandbox *sandbox, const struct sandbox_security *security);

/* The spawner's process, 0 before the first step: for people who look for it. */
pid_t sandbox_spawner_pid(struct sandbox *sandbox);

enum sandbox_network {
	SANDBOX_NETWORK_HOST,    /* the host's, resolv.conf too */
	SANDBOX_NETWORK_NONE,    /* an own loopback and nothing else */
	SANDBOX_NETWORK_PRIVATE, /* overlay/network.h; one for all steps of a sandbox */
	SANDBOX_NETWORK_DEFAULT, /* private if there can be one, else the host's; not for a step */
};

extern const char *const sandbox_network_names[]; /* NULL-terminated */

/* What is to be in the resolv.conf of every step from here on in the place of what the host's says,
 * before the first one. Borrowed while the sandbox lives. */
struct resolver_wishes;
void sandbox_resolve(struct sandbox *sandbox, const struct resolver_wishes *wishes);

/* Ports of this machine that lead into private networks, before the first step. Borrowed likewise. */
struct network_port;
void sandbox_publish(struct sandbox *sandbox, const struct network_port *ports, size_t count);

/* A private network, or the default, will be wanted for steps with `idmap` (NULL: without): begin to
 * make it, on a thread. */
void sandbox_expect_network(struct sandbox *sandbox, const struct idmap *idmap);

/* What `wanted` comes to, for a step with `idmap`: all that a sandbox sees are the same one, or NULL. A
 * private network is made when it is wanted for the first time. Steps with an idmap share one, and those
 * without share another: a network belongs to the user namespace of who is in it. One that
 * cannot be had is an error, ERR_UNSUPPORTED with the reason, unless the default was wanted: then
 * `*ret` is the host's, and `*ret_reason`, which is the sandbox's, says why; else it is NULL. */
struct err *sandbox_choose_network(struct sandbox *sandbox, const struct idmap *idmap,
				   enum sandbox_network wanted, enum sandbox_network *ret,
				   const char **ret_reason) MUST_USE;

/* What carries the private network of steps with `idmap`, "pasta"; NULL if they have none. */
const char *sandbox_network_carrier(struct sandbox *sandbox, const struct idmap *idmap);

/* Something that the step finds at a place of its own. */
struct sandbox_mount {
	int fd;             /* a detached mount (overlay/detached.h); it is used up: one per run */
	const char *source; /* what of it to show, a path from its root; NULL: all of it */
	const char *target; /* absolute. It must exist, but in what is mounted before it */
	/* What it is, for sandbox_describe() alone; borrowed. Flags are those of `fd` if there is one. */
	struct sandbox_mount_told {
		const char *type;   /* "tmpfs"; NULL: "bind" */
		const char *source; /* a path of this machine, or a word; NULL: the type */
		uint64_t size;      /* of a tmpfs, in bytes; 0: the usual */
		mode_t mode;        /* of a tmpfs */
		bool read_only;
		bool no_exec; /* of a tmpfs */
	} told;
};

#define SANDBOX_MOUNTS_MAX 128

#define SANDBOX_NO_LIMIT UINT64_MAX

/* A limit of getrlimit(2) for the command. */
struct sandbox_limit {
	int resource; /* RLIMIT_NOFILE, ... */
	uint64_t soft, hard;
};

#define SANDBOX_PIDS 4096 /* processes and threads of a step, if nobody says otherwise */

/* What a step may take of the machine, by control groups. What is 0 was not asked for;
 * SANDBOX_NO_LIMIT asks for none. */
struct sandbox_resources {
	uint64_t memory;      /* bytes */
	uint64_t memory_swap; /* bytes of memory and swap together; 0: twice the memory */
	uint64_t cpu_period;  /* microseconds; 0: 100000 */
	uint64_t cpu_quota;   /* microseconds in each period */
	bool cpus;            /* the quota was given as --cpus: for messages */
	uint64_t cpu_shares;  /* weight among others, 2 to 262144 */
	uint64_t pids;        /* 0: SANDBOX_PIDS where that can be had */
	const char *cpuset_cpus, *cpuset_mems; /* "0-2,4"; borrowed; NULL: any */
	const char *cgroup_parent; /* below which groups are made; borrowed; NULL: beside ours */
};

/* Everything is borrowed for the call of sandbox_start(). Start from SANDBOX_SPEC_INIT. */
struct sandbox_spec {
	int root_fd; /* from overlay_mount(); it is used up: one run per mount */

	char *const
		*argv; /* NULL-terminated; argv[0] without a slash is looked up in envp's PATH */
	char *const *envp; /* NULL-terminated; all that the step sees, HOME included */
	const char *cwd;   /* absolute; made 0755 and owned by the step if absent. NULL: "/" */

	uid_t uid; /* resolved by overlay/user.h */
	gid_t gid;
	const gid_t *groups; /* supplementary */
	size_t group_count;

	const char *hostname;     /* NULL: "cairn" */
	const char *const *hosts; /* more lines for /etc/hosts, "ADDRESS NAME…"; NULL-terminated */
	enum sandbox_network network;

	int stdin_fd, stdout_fd, stderr_fd; /* borrowed; -1: /dev/null. Unused with a tty */
	bool tty;                           /* a terminal of its own on 0, 1, 2 and /dev/console */
	uint64_t shm_size;                  /* of /dev/shm in bytes; 0: 64 MiB */

	const struct sandbox_limit *limits; /* in the place of the usual ones */
	size_t limit_count;

	/* In order: a later one may lie in an earlier one. Their targets are opened beneath the
	 * step's root, once /proc, /sys and /dev are there; links do not lead out of it. */
	const struct sandbox_mount *mounts;
	size_t mount_count; /* up to SANDBOX_MOUNTS_MAX */

	bool init; /* process 1 is one of ours, and the command its child */
	/* The user namespace that the step is root of, borrowed; NULL: none but ours. The root and the
	 * mounts must have been made to fit (overlay/idmap.h). */
	const struct idmap *idmap;

	bool insecure; /* all capabilities of ours, no filter, nothing hidden or read-only */
};

#define SANDBOX_SPEC_INIT \
	((struct sandbox_spec){ .root_fd = -1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 })

/*
 * Start the command. Returns when it has been handed over: what goes wrong while the step is set
 * up is told by sandbox_wait(). With `tty` it returns when the terminal is there.
 */
struct err *sandbox_start(struct sandbox *sandbox, const struct sandbox_spec *spec,
			  struct sandbox_run **ret) MUST_USE;

/*
 * The step as a document of the OCI runtime-spec (overlay/runtime-spec.h), a new object. It is made of the
 * request that sandbox_start() would hand over, and fails where that would. Nothing is run, and nothing
 * of `spec` used up: its `root_fd` and the descriptors of its mounts may be -1.
 */
struct err *sandbox_describe(struct sandbox *sandbox, const struct sandbox_spec *spec,
			     struct json_t **ret) MUST_USE;

/* Readable when sandbox_wait() would not block: for poll(2), beside the output pipes. */
int sandbox_run_fd(const struct sandbox_run *run);

/* The master of the step's terminal, owned by the run; -1 without `tty`. */
int sandbox_run_tty(const struct sandbox_run *run);

/* Send a signal to the command, process 1, which ignores what it has no handler for: the kernel
 * protects the first process of a namespace. SIGKILL ends it and everything that it has started.
 * A step that has ended is left alone. */
void sandbox_kill(struct sandbox_run *run, int signal_number);

struct sandbox_result {
	int code;        /* as a shell says it: 0 to 255, 128 + signal */
	int signal;      /* what killed process 1; 0 if it ended by itself */
	int exec_errno;  /* why the command could not be executed (code 127 or 126), or 0 */
	bool exec_found; /* then: the file is there; with ENOENT its interpreter is not */
	uint64_t wall_ns;
	uint64_t user_us, system_us; /* of all processes that were waited for */
	uint64_t max_rss;            /* bytes, of the largest process */
	uint64_t cpu_us;             /* of all processes, as well as it is known */
	uint64_t memory_peak;  /* bytes: of the step's control group, files that it has in memory
				* included, if it has one that counts; else max_rss */
	uint64_t memory_limit; /* bytes; 0: none */
	uint64_t oom_kills;    /* how many processes the kernel killed for want of memory */
	uint64_t pids_limit;   /* 0: none */
	uint64_t
		forks_refused; /* how often it had as many processes as it may, and wanted one more */
};

/*
 * Wait for the end. A command that could not be executed is a result: 127 if there is no such
 * file, 126 otherwise. When the sandbox itself failed the error names the stage; ERR_INVALID for
 * what the image or the Recipe can mend (a /dev that is a symbolic link, a cwd that is a file, a
 * mount's source that is not there).
 * Once per run.
 */
struct err *sandbox_wait(struct sandbox_run *run, struct sandbox_result *ret) MUST_USE;

/* Why the command could not be executed, for people: static text, "" if it could. */
const char *sandbox_exec_reason(const struct sandbox_result *result);

/* For people, of a step in which the kernel's OOM killer fired. Returns `buf`. */
#define SANDBOX_OOM_SIZE 128
const char *sandbox_oom_text(const struct sandbox_result *result,
			     char buf[static SANDBOX_OOM_SIZE]);

/* The same, of one that reached its limit of processes. */
const char *sandbox_pids_text(const struct sandbox_result *result,
			      char buf[static SANDBOX_OOM_SIZE]);

/* Kills it if it still runs, and returns when nothing of it runs any more: what it wrote to can be
 * removed. */
void sandbox_run_free(struct sandbox_run *run);
DEFINE_AUTO(sandbox_run)

#endif
