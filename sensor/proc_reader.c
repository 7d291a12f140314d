// SPDX-License-Identifier: Apache-2.0
#include "proc_reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/*
 * The caller waits at most so long for one answer, and in the long run at most a tenth
 * of its time for all of them: many slow processes must not be able to do what one
 * stuck one can't.
 */
enum { WAIT_NS = 100000000, CREDIT_MAX_NS = 200000000, CREDIT_SHARE = 10 };

enum state {
	IDLE,	   /* the thread waits for a request */
	REQUESTED, /* the request is the thread's */
	ABANDONED, /* and nobody waits for its answer any more */
	DONE,	   /* the answer is the caller's */
	QUIT,
};

struct proc_reader {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	bool started;
	enum state state;
	struct process_key key;
	char comm[COMM_BYTES];
	uint64_t stack;
	int64_t credit_ns; /* the caller's time that may still be spent */
	int64_t credited;  /* when credit was last given, monotonic */
	int result;
	struct proc_process process;
	struct proc_buffer buffer;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void free_reader(struct proc_reader *reader)
{
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->mutex);
	free(reader);
}

static void *serve(void *arg)
{
	struct proc_reader *reader = arg;

	pthread_mutex_lock(&reader->mutex);
	while (reader->state != QUIT) {
		if (reader->state == ABANDONED) /* before it was begun: this thread came too late */
			reader->state = IDLE;
		if (reader->state != REQUESTED) {
			pthread_cond_wait(&reader->changed, &reader->mutex);
			continue;
		}
		pthread_mutex_unlock(&reader->mutex);
		reader->result = proc_read(reader->key.tgid, reader->key.start_ns, reader->comm,
					   reader->stack, &reader->buffer, &reader->process);
		pthread_mutex_lock(&reader->mutex);
		if (reader->state == REQUESTED)
			reader->state = DONE;
		else if (reader->state == ABANDONED)
			reader->state = IDLE;
		pthread_cond_broadcast(&reader->changed);
	}
	pthread_mutex_unlock(&reader->mutex);
	return NULL;
}

struct proc_reader *proc_reader_open(void)
{
	struct proc_reader *reader = calloc(1, sizeof(*reader));
	pthread_condattr_t attr;

	if (!reader)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&reader->mutex, NULL);
	pthread_cond_init(&reader->changed, &attr);
	reader->credit_ns = CREDIT_MAX_NS;
	reader->credited = now_ns();
	pthread_condattr_destroy(&attr);
	return reader;
}

void proc_reader_close(struct proc_reader *reader)
{
	bool stuck;

	if (!reader)
		return;
	pthread_mutex_lock(&reader->mutex);
	stuck = reader->state == ABANDONED;
	if (!stuck)
		reader->state = QUIT;
	pthread_cond_broadcast(&reader->changed);
	pthread_mutex_unlock(&reader->mutex);
	if (stuck) /* the thread may come back to it at any time */
		return;
	if (reader->started)
		pthread_join(reader->thread, NULL);
	free_reader(reader);
}

/* The thread inherits this one's capabilities: it is started after they were dropped. */
static int start(struct proc_reader *reader)
{
	pthread_attr_t attr;
	int err;

	if (reader->started)
		return 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	err = pthread_create(&reader->thread, &attr, serve, reader);
	pthread_attr_destroy(&attr);
	reader->started = !err;
	return -err;
}

/* Credit grows with time; what was waited since before is taken off it by the caller. */
static void give_credit(struct proc_reader *reader, int64_t now)
{
	reader->credit_ns += (now - reader->credited) / CREDIT_SHARE;
	reader->credited = now;
	if (reader->credit_ns > CREDIT_MAX_NS)
		reader->credit_ns = CREDIT_MAX_NS;
}

/* Waits for the answer, mutex held. */
static int wait_done(struct proc_reader *reader, int64_t until_ns)
{
	const struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
	int err = 0;

	while (reader->state == REQUESTED && !err)
		err = pthread_cond_timedwait(&reader->changed, &reader->mutex, &until);
	if (reader->state == REQUESTED) {
		reader->state = ABANDONED;
		return -ETIMEDOUT;
	}
	reader->state = IDLE;
	return reader->result;
}

int proc_reader_read(struct proc_reader *reader, struct process_key key, const char *comm,
		     uint64_t stack, struct proc_process *process)
{
	int64_t now = now_ns();
	int err = start(reader);

	if (err)
		return err;
	give_credit(reader, now);
	if (reader->credit_ns <= 0)
		return -EBUSY;
	pthread_mutex_lock(&reader->mutex);
	if (reader->state != IDLE) {
		err = -EBUSY;
	} else {
		reader->key = key;
		reader->stack = stack;
		memcpy(reader->comm, comm, sizeof(reader->comm));
		reader->state = REQUESTED;
		pthread_cond_broadcast(&reader->changed);
		err = wait_done(reader, now + WAIT_NS);
		reader->credit_ns -= now_ns() - now;
	}
	if (!err)
		*process = reader->process;
	pthread_mutex_unlock(&reader->mutex);
	return err;
}
