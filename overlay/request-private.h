/*
 * overlay/request-private.h - what the builder and its helper say to each other.
 *
 * Both sides come from the same build, so there is no version and no byte
 * order. A request is one message on the control socket: a `struct
 * request_head`, with descriptors in the order of `enum request_fd`. The memory
 * file begins with a `struct request`; everything else in it is reached by
 * offsets from its start. The step maps it privately and turns offsets into
 * pointers in place, so that it never has to allocate.
 *
 * Reports come back on the step's own socket, in this order: REPORT_TTY if a
 * terminal was asked for (the master is attached), REPORT_LISTENER if the filter
 * asks (its listener is), REPORT_FAILED if the step
 * could not be set up or executed, REPORT_ENDED. The other way, each message is
 * one int: a signal to send. End of file is SIGKILL.
 */
#ifndef OVERLAY_REQUEST_PRIVATE_H
#define OVERLAY_REQUEST_PRIVATE_H

#include <stdint.h>

#define REQUEST_MOUNTS_MAX 128 /* the kernel passes 253 descriptors with a message */
#define REQUEST_CGROUPS_MAX 12

enum request_flags {
	REQUEST_TTY = 1,
	REQUEST_NEW_NETWORK = 2, /* an empty one, which belongs to the step's user namespace */
	REQUEST_STDIN = 4,       /* its descriptor is among those sent; so for the next two */
	REQUEST_STDOUT = 8,
	REQUEST_STDERR = 16,
	REQUEST_INSECURE = 32, /* nothing is hidden, filtered or taken away */
	REQUEST_CGROUP = 64,   /* the directory of a unified control group is among those sent */
	REQUEST_ONE_ID = 128,  /* a user namespace of one id, which may not drop groups */
	REQUEST_JOIN_NETWORK = 256, /* the namespace of a network is among the descriptors sent */
	REQUEST_NO_NEW_PRIVILEGES = 512,
	REQUEST_INIT = 1024,   /* process 1 is not the command */
	REQUEST_USERNS = 2048, /* a user namespace is among those sent; the step ends up there */
	REQUEST_LISTEN = 4096, /* the filter asks: its listener is reported */
};

enum request_fd {
	REQUEST_FD_REPORT, /* the step's socket */
	REQUEST_FD_FILE,   /* the memory file */
	REQUEST_FD_ROOT,   /* the detached root mount */
	REQUEST_FD_STDIO,  /* those of stdin, stdout, stderr that are given */
	/* then those of REQUEST_CGROUP, of REQUEST_JOIN_NETWORK, of REQUEST_USERNS, of `cgroups`, and a detached mount for each struct
	 * request_mount */
	REQUEST_FD_MAX = REQUEST_FD_STDIO + 3 + 3 + REQUEST_CGROUPS_MAX + REQUEST_MOUNTS_MAX,
};

struct request_head {
	uint32_t flags;
	uint32_t cgroups; /* files into which the step writes "0", to be in that control group */
};

/* `count` elements at offset `at`. */
struct request_span {
	uint32_t at, count;
};

/* Something mounted for the step, in this order: a later one may lie in an earlier one. */
struct request_mount {
	uint32_t target; /* a clean, absolute path as the step sees it */
	uint32_t source; /* what of the mount to show, a path from its root; offset 0: all of it */
};

/* For setrlimit(2), in this order. */
struct request_limit {
	uint64_t soft, hard;
	uint64_t resource;
};

struct request {
	uint64_t capabilities; /* bits by number: bounding, for uid 0 permitted and effective */
	uint64_t shm_size;     /* bytes */
	uint32_t uid, gid;
	/* The same user, root and the group tty as they are outside of the step's user namespace. */
	uint32_t outer_uid, outer_gid, root_uid, root_gid, tty_gid;
	uint32_t flags;
	struct request_span groups;  /* gid_t */
	struct request_span limits;  /* struct request_limit */
	struct request_span argv;    /* uint64_t offsets of texts; a slot of 0 follows */
	struct request_span envp;    /* the same */
	struct request_span seccomp; /* struct sock_filter; none: no filter */
	struct request_span mounts;  /* struct request_mount */
	struct request_span
		cgroups; /* of texts: the older control groups that /sys/fs/cgroup shows,
				      * "cpu,cpuacct" */
	uint32_t cwd;    /* absolute, no empty component; texts end with a NUL */
	uint32_t hostname;
	uint32_t hosts, resolv; /* contents of the two files; offset 0: leave the image's */
	uint32_t ping_groups; /* for net.ipv4.ping_group_range of a network of our user namespace */
};

/* Where a step can fail, and how main tells it: "cannot <text>". */
#define STEP_STAGES(X)                                          \
	X(STAGE_SPAWNER, "prepare the spawner")                 \
	X(STAGE_CLONE, "clone the step's process")              \
	X(STAGE_REQUEST, "read the step's request")             \
	X(STAGE_CGROUP, "enter the step's control group")       \
	X(STAGE_ROOT, "enter the step's root")                  \
	X(STAGE_TARGET, "use the mount point")                  \
	X(STAGE_MOUNT, "mount")                                 \
	X(STAGE_MASK, "hide")                                   \
	X(STAGE_BIND_SOURCE, "find the mount's source")         \
	X(STAGE_BIND_TARGET, "mount something on")              \
	X(STAGE_DEVICE, "make the device")                      \
	X(STAGE_FILE, "write the step's own")                   \
	X(STAGE_TTY, "open a terminal for the step")            \
	X(STAGE_NAME, "set the host name")                      \
	X(STAGE_NETWORK, "bring up the loopback interface")     \
	X(STAGE_JOIN, "join the private network")               \
	X(STAGE_LIMITS, "set the step's limits")                \
	X(STAGE_STDIO, "connect the step's input and output")   \
	X(STAGE_CWD, "enter the working directory")             \
	X(STAGE_IDENTITY, "become the step's user")             \
	X(STAGE_CAPABILITIES, "reduce the step's capabilities") \
	X(STAGE_SECCOMP, "load the seccomp filter")             \
	X(STAGE_EXEC, "execute")

enum step_stage {
#define STEP_STAGE(name, text) name,
	STEP_STAGES(STEP_STAGE)
#undef STEP_STAGE
};

enum report_kind { REPORT_TTY, REPORT_LISTENER, REPORT_FAILED, REPORT_ENDED };

#define REPORT_WHAT_SIZE 128

struct report {
	uint32_t kind;
	/* REPORT_FAILED */
	uint32_t stage;
	int32_t error;               /* errno */
	uint32_t found;              /* STAGE_EXEC: 1 if the file is there all the same */
	char what[REPORT_WHAT_SIZE]; /* the object, cut to size; empty if the stage says it all */
	/* REPORT_ENDED */
	int32_t status; /* of wait4(2) */
	uint64_t wall_ns, user_us, system_us, max_rss;
};

#endif
