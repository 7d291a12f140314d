// SPDX-License-Identifier: Apache-2.0
#include "normaliser.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "enrich.h"
#include "ocsf.h"

/* An ordinary exec: a compiler call in a container, ten arguments. */
static const char argv_bytes[] = "/usr/bin/gcc\0-O2\0-g\0-Wall\0-Iinclude\0-c\0src/server/"
				 "connection_pool.c\0-o\0build/connection_pool.o\0-DNAME=\"a b\"";
static const char filename[] = "/usr/bin/gcc";
static const char exe[] = "x86_64-linux-gnu-gcc-12\0bin\0usr";
static const char cwd[] = "project\0builder\0home";
static const char cgroup[] =
	"docker-3c1f6a0b9d7e5c42a8f0b1d2e3f405162738495a6b7c8d9eafb0c1d2e3f40516.scope\0system."
	"slice";

static void add(struct exec_record *record, enum exec_section section, const void *bytes, size_t n)
{
	memcpy((char *)record + record->event.length, bytes, n);
	record->facts.section_len[section] = (uint32_t)n;
	record->event.length += (uint32_t)n;
}

static void make_record(struct exec_record *record)
{
	struct exec_facts *facts = &record->facts;

	record->event = (struct process_exec_event){.time_ns = 2809523407797,
						    .tgid = 41327,
						    .tid = 41327,
						    .ppid = 41290,
						    .uid = 1000,
						    .length = sizeof(*record),
						    .kind = RECORD_EXEC,
						    .version = RECORD_VERSION,
						    .parts = 1};
	*facts = (struct exec_facts){.present = ((1ULL << FACT_COUNT) - 1) & ~FACT_BIT(FACT_TTY) &
						~FACT_BIT(FACT_SECTION + SECTION_CGROUP_V1),
				     .start_ns = 2809513407797,
				     .parent_start_ns = 2809513407797,
				     .caps = {0, 0x1fffffffff, 0x1fffffffff},
				     .inode = 1443877,
				     .size = 1260328,
				     .mtime_sec = 1748390400,
				     .cgroup_id = 8421,
				     .argv_bytes = sizeof(argv_bytes),
				     .ids = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000},
				     .ns = {4026532567, 4026532570, 4026532501, 4026532568,
					    4026532569, 4026531837, 4026532571, 4026531834},
				     .login_uid = 1000,
				     .audit_session = 3,
				     .namespace_pid = 9,
				     .pgid = 41327,
				     .sid = 41290,
				     .dev = 254 << 20,
				     .mode = 0100755,
				     .nlink = 1,
				     .argc = 10,
				     .comm = "gcc",
				     .parent_comm = "make",
				     .fs = "overlay"};
	add(record, SECTION_ARGV, argv_bytes, sizeof(argv_bytes));
	add(record, SECTION_FILENAME, filename, sizeof(filename));
	add(record, SECTION_EXE, exe, sizeof(exe));
	add(record, SECTION_CWD, cwd, sizeof(cwd));
	add(record, SECTION_CGROUP, cgroup, sizeof(cgroup));
}

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int normaliser_bench(int events, struct normaliser_result *result)
{
	static struct record_decoder decoder;
	struct exec_record *record = calloc(1, RECORD_MAX);
	struct enricher *enricher = enricher_open();
	struct wallclock clock = {0};
	struct text out = {0};
	struct exec_event event;
	struct host host;
	struct ocsf *ocsf;
	double start;
	int err = -1;

	host_read(&host);
	ocsf = ocsf_open(&host, "exec.raw_tp.ringbuf.core");
	if (!record || !enricher || !ocsf)
		goto out;
	wallclock_update(&clock);
	make_record(record);
	*result = (struct normaliser_result){0};
	start = cpu_seconds();
	for (int i = 0; i < events; i++) {
		record->event.tgid = record->event.tid = (uint32_t)(1000 + i % 4000000);
		/* Every fourth is the parent of four later ones: the cache is filled and hit. */
		record->event.ppid = (uint32_t)(1000 + (i - 4) / 4 * 4);
		if (record_decode(&decoder, record, record->event.length, &event)) {
			errno = EBADMSG;
			goto out;
		}
		enrich(enricher, &event);
		ocsf_write(ocsf, &clock, &event, (uint64_t)i, &out);
		enrich_remember(enricher, &event);
		result->bytes += out.len;
		text_clear(&out);
	}
	result->seconds = cpu_seconds() - start;
	err = 0;
out:
	text_free(&out);
	ocsf_close(ocsf);
	enricher_close(enricher);
	free(record);
	return err;
}
