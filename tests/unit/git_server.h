/*
 * tests/unit/git_server.h - repositories by git:// on the loopback, made by shell scripts.
 *
 * A process accepts connections and gives each to `git daemon --inetd`; it counts them in memory that
 * the test shares.
 */
#ifndef TESTS_UNIT_GIT_SERVER_H
#define TESTS_UNIT_GIT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/tool.h"
#include "tests/unit/tmp.h"
#include "tests/unit/unit.h"

struct git_server {
	pid_t pid;
	unsigned port;
	atomic_uint *connections;
};

/* Run a script in the directory of the test; what it said is the caller's. */
static inline char *git_shell(const char *script)
{
	static const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin",
						   "HOME=/nonexistent",
						   "GIT_CONFIG_NOSYSTEM=1",
						   "GIT_AUTHOR_NAME=a",
						   "GIT_AUTHOR_EMAIL=a@example.com",
						   "GIT_COMMITTER_NAME=c",
						   "GIT_COMMITTER_EMAIL=c@example.com",
						   "GIT_AUTHOR_DATE=1500000000 +0000",
						   "GIT_COMMITTER_DATE=1500000000 +0000",
						   "GIT_CONFIG_COUNT=3",
						   "GIT_CONFIG_KEY_0=init.defaultBranch",
						   "GIT_CONFIG_VALUE_0=main",
						   "GIT_CONFIG_KEY_1=safe.directory",
						   "GIT_CONFIG_VALUE_1=*",
						   "GIT_CONFIG_KEY_2=protocol.file.allow",
						   "GIT_CONFIG_VALUE_2=always",
						   NULL };
	AUTO(mem) char *whole = xasprintf("set -eu\n%s", script);
	const char *const argv[] = { "sh", "-c", whole, NULL };
	AUTO(tool_end) struct tool_end end = { 0 };
	AUTO(buf) struct buf out = BUF_INIT((size_t)1 << 20);

	assert_ok(tool_run(&(struct tool){ .argv = argv,
					   .environment = environment,
					   .dir_fd = tmp_fd,
					   .out_fd = -1,
					   .out = &out },
			   &end));
	if (end.code != 0)
		fail_msg("code %d: %s", end.code, end.errors);
	return str_dup(str_trim(buf_str(&out)));
}

static inline void git_script(const char *script)
{
	AUTO(mem) char *said = git_shell(script);

	(void)said;
}

static inline void git_serve(int fd, const char *base, atomic_uint *count)
{
	AUTO(mem) char *path = xasprintf("--base-path=%s", base);

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves no server behind */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int connection = accept(fd, NULL, NULL);

		if (connection < 0)
			_exit(1);
		atomic_fetch_add(count, 1);
		if (fork() == 0) {
			signal(SIGCHLD, SIG_DFL);
			setenv("GIT_CONFIG_COUNT", "1", 1);
			setenv("GIT_CONFIG_KEY_0", "safe.directory", 1);
			setenv("GIT_CONFIG_VALUE_0", "*", 1);
			dup2(connection, 0);
			dup2(connection, 1);
			execlp("git", "git", "daemon", "--inetd", "--export-all", path, base, NULL);
			_exit(127);
		}
		close(connection);
	}
}

/* Serve what lies below `base`. */
static inline void git_server_start(struct git_server *server, const char *base)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		abort();
	server->port = ntohs(address.sin_port);
	server->connections = mmap(NULL, sizeof(*server->connections), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	server->pid = fork();
	if (server->pid == 0)
		git_serve(fd, base, server->connections);
	close(fd);
}

static inline void git_server_stop(struct git_server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap(server->connections, sizeof(*server->connections));
}

#endif
