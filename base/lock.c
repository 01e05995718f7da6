/*
 * base/lock.c - see base/lock.h.
 *
 * A lock that is free is taken at once. Only a wait needs care: a signal
 * interrupts one thread's system call, which need not be the one that waits,
 * and it may come in the instant before the call begins. So the call is made
 * by a thread of its own, while its owner polls for the end of it, for the
 * bell of base/cancel, and asks now and then whether it is still wanted. If not,
 * the owner sends that thread a signal, and again, until the call has returned:
 * it cannot be missed.
 */

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/file.h>

#include "base/cancel.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"

#define KICK SIGURG   /* to a thread that must give up; nothing comes of a stray one */
#define KICK_MS 2     /* between two of them */
#define ASK_MS_MIN 1  /* between two questions whether the lock is still wanted: at first, */
#define ASK_MS_MAX 50 /* and when the wait is a long one */

/* What is wanted, and what came of it. */
struct wish {
	int fd; /* borrowed */
	enum lock_mode mode;
	bool whole;                   /* flock(2) of the file, or else one byte of it */
	off_t offset;                 /* of that byte */
	const struct lock_wait *wait; /* may be NULL */
	atomic_bool given_up;         /* nobody wants the lock any more */
	int done_fd;                  /* of a waiting thread: readable once `error` is set */
	int error;                    /* 0, or the errno of the failure */
};

static int take(const struct wish *w, bool wait)
{
	struct flock range = { .l_type = w->mode == LOCK_SHARED ? F_RDLCK : F_WRLCK,
			       .l_whence = SEEK_SET,
			       .l_start = w->offset,
			       .l_len = 1 };
	int result;

	if (w->whole)
		result = flock(w->fd,
			       (w->mode == LOCK_SHARED ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB));
	else
		result = fcntl(w->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
	return result < 0 ? errno : 0;
}

/* Signals that neither end the program nor give up the lock end no wait. */
static void take_waiting(struct wish *w)
{
	do
		w->error = take(w, true);
	while (w->error == EINTR && !atomic_load(&w->given_up));
}

static void *wait_in_thread(void *arg)
{
	struct wish *w = arg;
	sigset_t kick;

	/* Whatever the thread that made this one blocks: the kick must come through. */
	sigemptyset(&kick);
	sigaddset(&kick, KICK);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	take_waiting(w);
	eventfd_write(w->done_fd, 1);
	return NULL;
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* A signal that is ignored interrupts nothing, so it gets a handler. */
static void catch_kick(void)
{
	struct sigaction quiet = { .sa_handler = do_nothing };

	sigemptyset(&quiet.sa_mask);
	sigaction(KICK, &quiet, NULL);
}

static bool is_stopped(const struct wish *w)
{
	return cancel_stopped(cancel_current()) ||
	       (w->wait && w->wait->stopped && w->wait->stopped(w->wait->self));
}

/* Whether somebody may call the wait off of whom no bell tells. */
static bool must_ask(const struct wish *w)
{
	return cancel_current() || (w->wait && w->wait->stopped);
}

/* Until the thread is done: with the lock, with an error, or because it was made to give up. */
static void watch(struct wish *w, pthread_t thread)
{
	struct pollfd events[] = { { .fd = w->done_fd, .events = POLLIN },
				   { .fd = cancel_fd(), .events = POLLIN } };
	const bool asks = must_ask(w);
	int pause = ASK_MS_MIN;

	while (!(events[0].revents & POLLIN)) {
		if (!atomic_load(&w->given_up) && is_stopped(w))
			atomic_store(&w->given_up, true);
		if (atomic_load(&w->given_up)) {
			pthread_kill(thread, KICK);
			poll(events, 1, KICK_MS); /* the bell goes on ringing: not waited for */
		} else {
			poll(events, 2, asks ? pause : -1);
			pause = pause * 2 < ASK_MS_MAX ? pause * 2 : ASK_MS_MAX;
		}
	}
}

static void wait_for(struct wish *w)
{
	static pthread_once_t caught = PTHREAD_ONCE_INIT;
	AUTO(fd) int done_fd = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;

	w->done_fd = done_fd;
	pthread_once(&caught, catch_kick);
	/* If nobody can call it off (a signal that is not caught ends the program, wait and all)
	 * there is nothing to watch. Without a thread or a descriptor the wait works, if deafly. */
	if ((cancel_fd() < 0 && !must_ask(w)) || done_fd < 0 ||
	    pthread_create(&thread, NULL, wait_in_thread, w) != 0) {
		take_waiting(w);
		return;
	}
	watch(w, thread);
	pthread_join(thread, NULL);
}

/* Wait, unless nobody wants to. `w->error` is EINTR if it was given up. */
static void wait_if_wanted(struct wish *w)
{
	if (w->wait && w->wait->begin)
		w->wait->begin(w->wait->self);
	if (is_stopped(w))
		w->error = EINTR;
	else
		wait_for(w);
}

/* Take the lock, waiting for it if need be. */
static struct err *acquire(struct wish *w, const char *path)
{
	w->error = take(w, false);
	if (w->error == EAGAIN || w->error == EACCES)
		wait_if_wanted(w);
	if (w->error == 0)
		return NULL;
	if (w->error == EINTR) { /* it was given up */
		TRY(cancel_check());
		return err_new(ERR_CANCELLED, "stopped waiting for another process");
	}
	errno = w->error;
	return err_sys("lock %s", path);
}

static struct err *open_lock(int dir_fd, const char *path, int *ret_fd)
{
	return file_open(dir_fd, path, O_RDWR | O_CREAT, 0600, FILE_NO_LINKS, ret_fd);
}

/* Open the file of `wish`, and take what it is for. */
static struct err *open_and_acquire(int dir_fd, const char *path, struct wish *wish,
				    struct lock *ret)
{
	AUTO(fd) int fd = -1;

	TRY(open_lock(dir_fd, path, &fd));
	wish->fd = fd;
	TRY(acquire(wish, path));
	ret->fd = STEAL_FD(fd);
	return NULL;
}

struct err *lock_file(int dir_fd, const char *path, enum lock_mode mode, struct lock *ret)
{
	struct wish wish = { .mode = mode, .whole = true };

	return open_and_acquire(dir_fd, path, &wish, ret);
}

struct err *lock_try_file(int dir_fd, const char *path, enum lock_mode mode, struct lock *ret,
			  bool *ret_held)
{
	struct wish wish = { .mode = mode, .whole = true };
	AUTO(fd) int fd = -1;

	TRY(open_lock(dir_fd, path, &fd));
	wish.fd = fd;
	errno = take(&wish, false);
	if (errno != 0 && errno != EWOULDBLOCK)
		return err_sys("lock %s", path);
	*ret_held = errno == 0;
	if (*ret_held)
		ret->fd = STEAL_FD(fd);
	return NULL;
}

/* 62 bits of the key, so that the byte behind the offset still has a number. */
static off_t key_offset(const struct digest *key)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(n); i++)
		n = n << 8 | key->bytes[i];
	return (off_t)(n >> 2);
}

struct err *lock_key(int dir_fd, const char *path, const struct digest *key,
		     const struct lock_wait *wait, struct lock *ret)
{
	struct wish wish = { .mode = LOCK_EXCLUSIVE, .offset = key_offset(key), .wait = wait };

	return open_and_acquire(dir_fd, path, &wish, ret);
}

void lock_release(struct lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	*lock = LOCK_INIT;
}
