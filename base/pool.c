/*
 * base/pool.c - see base/pool.h.
 *
 * `pool->lock` guards everything that changes, of the pool and of its groups,
 * but for `group->scope`, an atomic flag, so that running work can ask at any
 * time. A group counts the work that it still owes an answer for; whoever
 * brings the count to zero wakes the one thread that waits.
 */

#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/cancel.h"
#include "base/err.h"
#include "base/str.h"

#define THREADS_MAX 64

struct task {
	struct group *group;
	struct err *(*work)(void *job);
	void (*drop)(void *job);
	void *job;
	struct task *next;
};

struct pool {
	unsigned limit;
	pthread_t *threads; /* `started` of them; only the owner of the pool reads it */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* there is a task, or the pool is closing */
	struct task *head;   /* guarded by lock; NULL when the queue is empty */
	struct task **tail;  /* guarded by lock; where the next task is linked */
	size_t queued;       /* guarded by lock */
	size_t idle;         /* guarded by lock; threads that wait for `wake` */
	unsigned started;    /* guarded by lock */
	unsigned groups;     /* guarded by lock */
	bool closing;        /* guarded by lock */
};

struct group {
	struct pool *pool;
	pthread_cond_t empty;      /* `pending` has become zero */
	size_t pending;            /* guarded by pool->lock; tasks queued or running */
	struct err *err;           /* guarded by pool->lock; the one to be told */
	struct cancel_scope scope; /* stopped: work that has not begun is to be skipped */
};

/* The pool whose thread this is: waiting for a group of it here would be a deadlock. */
static _Thread_local const struct pool *current_pool;

/* CPUs by the quota in the cgroup file "QUOTA PERIOD" or "max PERIOD"; `none` if there is no
 * quota. Only the namespace's own group is asked: that is what a container sees. */
static unsigned quota_cpus(unsigned none)
{
	AUTO(fd) int fd = open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
	struct str rest = { text, len > 0 ? (size_t)len : 0 };
	struct str quota = str_cut(&rest, ' ');
	uint64_t used = 0;
	uint64_t period = 0;
	AUTO(err) struct err *bad_quota = num_parse(quota, 1, UINT32_MAX, &used);
	AUTO(err) struct err *bad_period = num_parse(str_trim(rest), 1, UINT32_MAX, &period);

	if (bad_quota || bad_period) /* no such file, or "max" */
		return none;
	return (unsigned)((used + period - 1) / period);
}

unsigned pool_default_threads(void)
{
	unsigned count = THREADS_MAX; /* what is left when there are too many to ask for */
	unsigned quota;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = (unsigned)CPU_COUNT(&set);
	quota = quota_cpus(count);
	if (quota < count)
		count = quota;
	return count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
}

struct pool *pool_new(unsigned threads)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));

	assert(threads > 0);
	pool->limit = threads;
	pool->threads = xcalloc(threads, sizeof(*pool->threads));
	pool->tail = &pool->head;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	return pool;
}

/* Run or skip `task`, and free it. The error is to be settled. */
static struct err *perform(struct task *task)
{
	struct group *group = task->group;
	const struct cancel_scope *before = cancel_enter(&group->scope);
	struct err *err;

	if (!group_cancelled(group)) {
		err = task->work(task->job);
	} else {
		if (task->drop)
			task->drop(task->job);
		err = cancel_check();
	}
	cancel_enter(before);
	free(task);
	if (err)
		cancel_stop(&group->scope);
	return err;
}

/* One piece of work has come to its end with `err` or NULL. Needs the lock; when it is released
 * the group may be gone. Returns the error that nobody is told, to be freed without the lock. */
static struct err *settle(struct group *group, struct err *err)
{
	const bool better = !group->err || (err_kind(group->err) == ERR_CANCELLED &&
					    err_kind(err) != ERR_CANCELLED);

	if (err && better) {
		struct err *worse = group->err;

		group->err = err;
		err = worse;
	}
	if (--group->pending == 0)
		pthread_cond_signal(&group->empty);
	return err;
}

/* The next task, removed from the queue. Needs the lock and a queue that is not empty. */
static struct task *take_task(struct pool *pool)
{
	struct task *task = pool->head;

	pool->head = task->next;
	if (!pool->head)
		pool->tail = &pool->head;
	pool->queued--;
	return task;
}

/* Do one piece of work to its end. Needs the lock, and lets go of it meanwhile; but from the end
 * of the work on it is held, unless there is an error to be dropped: whoever has waited for the
 * group finds this thread idle. */
static void run_task(struct pool *pool, struct task *task)
{
	struct group *group = task->group;
	struct err *err;

	pthread_mutex_unlock(&pool->lock);
	err = perform(task);
	pthread_mutex_lock(&pool->lock);
	err = settle(group, err);
	if (!err)
		return;
	pthread_mutex_unlock(&pool->lock);
	err_free(err);
	pthread_mutex_lock(&pool->lock);
}

static void *thread_main(void *arg)
{
	struct pool *pool = arg;

	current_pool = pool;
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->head && !pool->closing) {
			pool->idle++;
			pthread_cond_wait(&pool->wake, &pool->lock);
			pool->idle--;
		}
		if (!pool->head)
			break;
		run_task(pool, take_task(pool));
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Start one more thread if the idle ones are too few for the queue. Needs the lock: creating a
 * thread under it is what makes "there is no thread at all" certain. Returns 0 or an errno. */
static int grow(struct pool *pool)
{
	int failure;

	if (pool->queued <= pool->idle || pool->started == pool->limit)
		return 0;
	failure = pthread_create(&pool->threads[pool->started], NULL, thread_main, pool);
	if (failure == 0)
		pool->started++;
	return pool->started > 0 ? 0 : failure; /* fewer threads than wished will do */
}

/* End `task`, which is in no queue, because no thread could be started. */
static void refuse(struct task *task, int failure)
{
	struct group *group = task->group;
	struct pool *pool = group->pool;
	struct err *err;

	if (task->drop)
		task->drop(task->job);
	free(task);
	errno = failure;
	err = err_sys("start a thread");
	cancel_stop(&group->scope);
	pthread_mutex_lock(&pool->lock);
	err = settle(group, err);
	pthread_mutex_unlock(&pool->lock);
	err_free(err);
}

void group_run(struct group *group, struct err *(*work)(void *job), void (*drop)(void *job),
	       void *job)
{
	struct pool *pool = group->pool;
	struct task *task = xcalloc(1, sizeof(*task));
	int failure;

	*task = (struct task){ .group = group, .work = work, .drop = drop, .job = job };
	pthread_mutex_lock(&pool->lock);
	*pool->tail = task;
	pool->tail = &task->next;
	pool->queued++;
	group->pending++;
	failure = grow(pool);
	if (failure != 0)
		(void)take_task(pool); /* without a thread nothing else can be in the queue */
	else
		pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	if (failure != 0)
		refuse(task, failure);
}

struct group *group_new(struct pool *pool)
{
	struct group *group = xcalloc(1, sizeof(*group));

	group->pool = pool;
	pthread_cond_init(&group->empty, NULL);
	group->scope.outer = cancel_current();
	pthread_mutex_lock(&pool->lock);
	pool->groups++;
	pthread_mutex_unlock(&pool->lock);
	return group;
}

bool group_cancelled(const struct group *group)
{
	return cancel_stopped(&group->scope);
}

struct err *group_wait(struct group *group)
{
	struct pool *pool = group->pool;
	struct err *err;

	assert(current_pool != pool);
	pthread_mutex_lock(&pool->lock);
	while (group->pending > 0)
		pthread_cond_wait(&group->empty, &pool->lock);
	err = STEAL(group->err);
	pthread_mutex_unlock(&pool->lock);
	atomic_store(&group->scope.stopped, false);
	return err;
}

void group_free(struct group *group)
{
	if (!group)
		return;
	cancel_stop(&group->scope);
	err_free(group_wait(group)); /* who wanted to know has waited */
	pthread_mutex_lock(&group->pool->lock);
	group->pool->groups--;
	pthread_mutex_unlock(&group->pool->lock);
	pthread_cond_destroy(&group->empty);
	free(group);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	assert(pool->groups == 0 && !pool->head);
	pool->closing = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}
