// SPDX-License-Identifier: Apache-2.0
#include "proc_reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

enum request { READ_PROCESS, READ_FACTS };

struct proc_reader {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	bool started;
	enum state state;
	int64_t credit_ns; /* the caller's time that may still be spent */
	int64_t credited;  /* when credit was last given, monotonic */
	enum request request;
	int result;
	/* READ_PROCESS */
	struct process_key key;
	char comm[COMM_BYTES];
	uint64_t stack;
	struct proc_process process;
	struct proc_buffer buffer;
	/* READ_FACTS */
	struct proc_setting setting;
	struct proc_subject subject;
	struct proc_facts facts;
	struct proc_facts_buffer facts_buffer;
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

static int perform(struct proc_reader *reader)
{
	if (reader->request == READ_FACTS)
		return proc_facts_read(&reader->setting, &reader->subject, &reader->facts_buffer,
				       &reader->facts);
	return proc_read(reader->key.tgid, reader->key.start_ns, reader->comm, reader->stack,
			 &reader->buffer, &reader->process);
}

/* A request is the thread's once it is made: so is what comes with it. */
static void finish(struct proc_reader *reader)
{
	if (reader->request == READ_FACTS)
		close(reader->subject.dir);
}

static void *serve(void *arg)
{
	struct proc_reader *reader = arg;

	pthread_mutex_lock(&reader->mutex);
	while (reader->state != QUIT) {
		/* Before it was begun: this thread came too late. */
		if (reader->state == ABANDONED) {
			finish(reader);
			reader->state = IDLE;
		}
		if (reader->state != REQUESTED) {
			pthread_cond_wait(&reader->changed, &reader->mutex);
			continue;
		}
		pthread_mutex_unlock(&reader->mutex);
		reader->result = perform(reader);
		finish(reader);
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
	proc_setting_read(&reader->setting);
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

/*
 * Takes the thread for one request. On 0 the mutex is held and the thread idle: the
 * caller says what is wanted, and then waits for it.
 */
static int take(struct proc_reader *reader, int64_t now)
{
	int err = start(reader);

	if (err)
		return err;
	give_credit(reader, now);
	if (reader->credit_ns <= 0)
		return -EBUSY;
	pthread_mutex_lock(&reader->mutex);
	if (reader->state == IDLE)
		return 0;
	pthread_mutex_unlock(&reader->mutex);
	return -EBUSY;
}

/* Waits for the answer to a request that was taken at since. Returns with the mutex still held. */
static int answer(struct proc_reader *reader, enum request request, int64_t since)
{
	const int64_t until_ns = since + WAIT_NS;
	const struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
	int err = 0;

	reader->request = request;
	reader->state = REQUESTED;
	pthread_cond_broadcast(&reader->changed);
	while (reader->state == REQUESTED && !err)
		err = pthread_cond_timedwait(&reader->changed, &reader->mutex, &until);
	reader->credit_ns -= now_ns() - since;
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
	int err = take(reader, now);

	if (err)
		return err;
	reader->key = key;
	reader->stack = stack;
	memcpy(reader->comm, comm, sizeof(reader->comm));
	err = answer(reader, READ_PROCESS, now);
	if (!err)
		*process = reader->process;
	pthread_mutex_unlock(&reader->mutex);
	return err;
}

int proc_reader_facts(struct proc_reader *reader, uint32_t tgid, const struct exec_facts *facts,
		      struct slice argv, struct proc_facts *out)
{
	int64_t now = now_ns();
	int err = take(reader, now);

	if (err)
		return err;
	/* This never has to wait for the process, and most that are gone are found out here. */
	reader->subject.dir = proc_file_open(tgid);
	if (reader->subject.dir < 0) {
		pthread_mutex_unlock(&reader->mutex);
		return reader->subject.dir;
	}
	reader->subject.facts = *facts;
	reader->subject.argv_len = argv.len;
	memcpy(reader->subject.argv, argv.data, argv.len);
	err = answer(reader, READ_FACTS, now);
	if (!err)
		*out = reader->facts;
	pthread_mutex_unlock(&reader->mutex);
	return err;
}
