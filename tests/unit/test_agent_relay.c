/*
 * tests/unit/test_agent_relay.c - what a step may ask an agent, and what it is told.
 *
 * The agent is one of the test's own, which answers each message with its type.
 */

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "builder/agent_relay.h"
#include "builder/agents.h"
#include "builder/ssh.h"

TEST(messages_are_judged_by_their_type_once_they_are_whole)
{
	static const struct {
		struct str sent;
		enum agent_verdict want;
		size_t len;
	} cases[] = {
		{ { "", 0 }, AGENT_MORE, 0 },
		{ { "\0\0\0", 3 }, AGENT_MORE, 0 },
		{ { "\0\0\0\1", 4 }, AGENT_MORE, 0 },
		{ { "\0\0\0\1\13", 5 }, AGENT_PASS, 5 },
		{ { "\0\0\0\1\13\0\0", 7 }, AGENT_PASS, 5 },
		{ { "\0\0\0\2\15", 5 }, AGENT_MORE, 0 },
		{ { "\0\0\0\2\15x", 6 }, AGENT_PASS, 6 },
		{ { "\0\0\0\1\21", 5 }, AGENT_REFUSE, 5 }, /* add an identity */
		{ { "\0\0\0\1\22", 5 }, AGENT_REFUSE, 5 }, /* remove one */
		{ { "\0\0\0\1\23", 5 }, AGENT_REFUSE, 5 }, /* remove all */
		{ { "\0\0\0\1\24", 5 }, AGENT_REFUSE, 5 }, /* add a card */
		{ { "\0\0\0\1\26", 5 }, AGENT_REFUSE, 5 }, /* lock */
		{ { "\0\0\0\1\27", 5 }, AGENT_REFUSE, 5 }, /* unlock */
		{ { "\0\0\0\1\33", 5 }, AGENT_REFUSE, 5 }, /* an extension */
		{ { "\0\0\0\1\1", 5 }, AGENT_REFUSE, 5 },  /* version 1 */
		{ { "\0\0\0\0\13", 5 }, AGENT_NONSENSE, 0 },
		{ { "\0\4\0\1\13", 5 }, AGENT_NONSENSE, 0 }, /* 256 KiB and one */
		{ { "\377\377\377\377\13", 5 }, AGENT_NONSENSE, 0 },
		{ { "\0\4\0\0\13", 5 }, AGENT_MORE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = 0;

		if (agent_judge(cases[i].sent, &len) != cases[i].want)
			fail_msg("case %zu", i);
		if (cases[i].want == AGENT_PASS || cases[i].want == AGENT_REFUSE)
			assert_int_equal(len, cases[i].len);
	}
}

/* ---- a relay before an agent of ours ---- */

static char dir[] = "/tmp/test-agent-XXXXXX";
static char socket_path[64];
static int agent_fd;
static pthread_t agent_thread;

/* One connection after the other; ends when it is shut down. */
static void *be_agent(__attribute__((unused)) void *arg)
{
	for (;;) {
		int fd = accept(agent_fd, NULL, NULL);
		char message[64];

		if (fd < 0)
			return NULL;
		while (recv(fd, message, 5, MSG_WAITALL) == 5) {
			message[5] = message[4];
			message[4] = 'A';
			message[3] = 2;
			if (send(fd, message, 6, MSG_NOSIGNAL) != 6)
				break;
		}
		close(fd);
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void assert_answer(int fd, const char *sent, size_t len, const char *want, size_t want_len)
{
	char got[16];

	assert_int_equal(send(fd, sent, len, MSG_NOSIGNAL), len);
	if (want_len == 0) /* recv(2) would wait for a byte */
		return;
	assert_int_equal(recv(fd, got, want_len, MSG_WAITALL), want_len);
	assert_memory_equal(got, want, want_len);
}

static struct agent_relay *start_relay(const struct agents *agents, const char *name, int dir_fd)
{
	const struct agent_relay_opts opts = { .agents = agents,
					       .id = name,
					       .dir_fd = dir_fd,
					       .mode = 0640,
					       .uid = geteuid(),
					       .gid = getegid() };
	struct agent_relay *relay = NULL;

	assert_ok(agent_relay_start(&opts, &relay));
	return relay;
}

TEST(a_relay_passes_what_may_be_asked_and_refuses_the_rest)
{
	AUTO(ssh_sources) struct ssh_sources *sources = ssh_sources_new();
	AUTO(mem) char *option = xasprintf("default=%s", socket_path);
	AUTO(mem) char *path = xasprintf("%s/" AGENT_SOCKET, dir);
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct agents *agents;
	struct agent_relay *relay;
	struct stat st;
	int first, second;

	assert_ok(ssh_sources_add(sources, option));
	agents = agents_new(sources, NULL);
	assert_ok(agents_start(agents, "default"));
	assert_fails(agents_start(agents, "other"), ERR_NOT_FOUND);
	relay = start_relay(agents, "default", dir_fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0640);

	first = connect_to(path);
	assert_answer(first, "\0\0\0\1\13", 5, "\0\0\0\2A\13", 6);
	assert_answer(first, "\0\0\0\1\23", 5, "\0\0\0\1\5", 5);
	assert_answer(first, "\0\0\0", 3, "", 0); /* in pieces */
	assert_answer(first, "\1\15", 2, "\0\0\0\2A\15", 6);
	assert_answer(first, "\0\0\0\1\22\0\0\0\1\22", 10, "\0\0\0\1\5\0\0\0\1\5", 10);
	close(first);
	second = connect_to(path);
	assert_answer(second, "\0\0\0\1\13", 5, "\0\0\0\2A\13", 6);
	assert_answer(second, "\0\0\0\0\13", 5, "", 0); /* nonsense: it is closed */
	assert_int_equal(recv(second, option, 1, 0), 0);
	close(second);

	first = connect_to(path); /* open while the relay ends */
	assert_answer(first, "\0\0\0\1\13", 5, "\0\0\0\2A\13", 6);
	agent_relay_free(relay);
	assert_int_equal(recv(first, option, 1, 0), 0);
	close(first);
	agents_free(agents);
	unlink(path);
	close(dir_fd);
}

TEST(every_form_of_the_option_is_read)
{
	AUTO(ssh_sources) struct ssh_sources *sources = ssh_sources_new();
	AUTO(mem) char *sockets = xasprintf("x=%s,key", socket_path);
	AUTO(mem) char *keys = xasprintf("x=key,%s", socket_path);

	assert_int_equal(chdir(dir), 0);
	close(open("key", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(open("key2", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	unsetenv("SSH_AUTH_SOCK");
	assert_fails(ssh_sources_add(sources, "default"), ERR_INVALID);
	setenv("SSH_AUTH_SOCK", "/some/where", 1);
	assert_ok(ssh_sources_add(sources, "default"));
	assert_string_equal(ssh_sources_find(sources, "default")->socket, "/some/where");
	assert_ok(ssh_sources_add(sources, "default=key"));
	assert_null(ssh_sources_find(sources, "default")->socket);
	assert_ok(ssh_sources_add(sources, "two=key,key2"));
	assert_int_equal(ssh_sources_find(sources, "two")->keys.len, 2);
	assert_string_equal(ssh_sources_find(sources, "two")->keys.at[1], "key2");
	assert_null(ssh_sources_find(sources, "three"));
	assert_null(ssh_sources_find(NULL, "two"));
	assert_fails(ssh_sources_add(sources, ""), ERR_INVALID);
	assert_fails(ssh_sources_add(sources, "=key"), ERR_INVALID);
	assert_fails(ssh_sources_add(sources, "x=key,"), ERR_INVALID);
	assert_fails(ssh_sources_add(sources, "x="), ERR_INVALID);
	assert_fails(ssh_sources_add(sources, "x=nothing"), ERR_NOT_FOUND);
	assert_fails(ssh_sources_add(sources, sockets), ERR_INVALID);
	assert_fails(ssh_sources_add(sources, keys), ERR_INVALID);
	unlink("key");
	unlink("key2");
}

static int set_up(__attribute__((unused)) void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/real", dir);
	agent_fd = listen_at(socket_path);
	return pthread_create(&agent_thread, NULL, be_agent, NULL);
}

static int tear_down(__attribute__((unused)) void **state)
{
	shutdown(agent_fd, SHUT_RDWR);
	pthread_join(agent_thread, NULL);
	close(agent_fd);
	unlink(socket_path);
	return chdir("/") + rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_judged_by_their_type_once_they_are_whole),
		cmocka_unit_test(a_relay_passes_what_may_be_asked_and_refuses_the_rest),
		cmocka_unit_test(every_form_of_the_option_is_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
