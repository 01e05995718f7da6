/*
 * base/lock.c - see base/lock.h.
 *
 * A lock that is free is taken at once. Only a wait needs care: a signal
 * interrupts one thread's system call, which need not be the one that waits,
 * and it may come in the instant before the call begins. So the call is made
 * by a thread of its own, while its owner polls for the end of it and for the
 * bell of base/cancel. When the bell rings the owner sends the same signal to
 * that thread, and again, until the call has returned: it cannot be missed.
 */

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>

#include "base/cancel.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/file.h"

#define KICK_MS 2 /* between two signals to a thread that must give up */

/* What is wanted, and what came of it. */
struct wish {
	int fd; /* borrowed */
	enum lock_mode mode;
	bool whole;   /* flock(2) of the file, or else one byte of it */
	off_t offset; /* of that byte */
	int done_fd;  /* of a waiting thread: readable once `error` is set */
	int error;    /* 0, or the errno of the failure */
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

/* Signals that do not end the program end no wait either. */
static void take_waiting(struct wish *w)
{
	do
		w->error = take(w, true);
	while (w->error == EINTR && cancel_signal() == 0);
}

static void *wait_in_thread(void *arg)
{
	struct wish *w = arg;
	sigset_t ours;

	/* Whatever the thread that made this one blocks: the kick must come through. */
	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
	take_waiting(w);
	eventfd_write(w->done_fd, 1);
	return NULL;
}

static void wait_for(struct wish *w)
{
	AUTO(fd) int done_fd = eventfd(0, EFD_CLOEXEC);
	struct pollfd events[] = { { .fd = done_fd, .events = POLLIN },
				   { .fd = cancel_fd(), .events = POLLIN } };
	pthread_t thread;

	w->done_fd = done_fd;
	/* Nobody catches signals: one that comes ends the program, wait and all. Without a
	 * thread or a descriptor the wait still works, if less promptly. */
	if (cancel_fd() < 0 || done_fd < 0 ||
	    pthread_create(&thread, NULL, wait_in_thread, w) != 0) {
		take_waiting(w);
		return;
	}
	while (!(events[0].revents & POLLIN)) {
		int signal = cancel_signal();

		if (signal)
			pthread_kill(thread, signal);
		poll(events, signal ? 1 : 2, signal ? KICK_MS : -1);
	}
	pthread_join(thread, NULL);
}

/* Take the lock, waiting for it if need be. `*ret_waited` says whether it was held. */
static struct err *acquire(struct wish *w, const char *path, bool *ret_waited)
{
	bool waited = false;

	w->error = take(w, false);
	waited = w->error == EAGAIN || w->error == EACCES;
	if (waited) {
		TRY(cancel_check());
		wait_for(w);
	}
	if (w->error == EINTR)
		TRY(cancel_check());
	errno = w->error;
	if (w->error)
		return err_sys("lock %s", path);
	*ret_waited = waited;
	return NULL;
}

static struct err *open_lock(int dir_fd, const char *path, int *ret_fd)
{
	return file_open(dir_fd, path, O_RDWR | O_CREAT, 0600, FILE_NO_LINKS, ret_fd);
}

struct err *lock_file(int dir_fd, const char *path, enum lock_mode mode, struct lock *ret)
{
	struct wish wish = { .mode = mode, .whole = true };
	AUTO(fd) int fd = -1;
	bool waited = false;

	TRY(open_lock(dir_fd, path, &fd));
	wish.fd = fd;
	TRY(acquire(&wish, path, &waited));
	ret->fd = STEAL_FD(fd);
	return NULL;
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

struct err *lock_key(int dir_fd, const char *path, const struct digest *key, struct lock *ret,
		     bool *ret_waited)
{
	struct wish wish = { .mode = LOCK_EXCLUSIVE, .offset = key_offset(key) };
	AUTO(fd) int fd = -1;
	bool waited = false;

	TRY(open_lock(dir_fd, path, &fd));
	wish.fd = fd;
	TRY(acquire(&wish, path, &waited));
	ret->fd = STEAL_FD(fd);
	if (ret_waited)
		*ret_waited = waited;
	return NULL;
}

void lock_release(struct lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	*lock = LOCK_INIT;
}
