// SPDX-License-Identifier: Apache-2.0
/*
 * perf_ring.c and perf_merge.c on memory, where the test is the kernel: it writes as
 * __perf_output_begin does, losses included. Every record's bytes follow from its CPU and
 * number, so that what is handed over can be made again and compared.
 */
#include "builder.h"
#include "perf_merge.h"
#include "record.h"

#include <stdlib.h>

enum { CPUS = 8, NAME_MAX_BYTES = 400, SAMPLE_MAX = RECORD_MAX };

/* ----------------------------------------------------------------- the kernel */

enum { PAGE = 4096 };

struct fake {
	uint8_t *memory; /* exactly the control page and the data */
	uint64_t size;
	uint64_t head;
	uint64_t lost; /* since the last PERF_RECORD_LOST */
	uint64_t lost_total;
};

static struct perf_event_mmap_page *fake_page(const struct fake *fake)
{
	return (struct perf_event_mmap_page *)fake->memory;
}

/* A ring in which start bytes have been written and read before. */
static void fake_open(struct fake *fake, struct perf_ring *ring, size_t size, uint64_t start)
{
	*fake = (struct fake){.memory = malloc(PAGE + size), .size = size, .head = start};
	assert_non_null(fake->memory);
	memset(fake->memory, 0, PAGE);
	memset(fake->memory + PAGE, 0xdb, size);
	fake_page(fake)->data_head = fake_page(fake)->data_tail = start;
	perf_ring_attach(ring, fake->memory, PAGE, size);
}

static void fake_bytes(struct fake *fake, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++, fake->head++)
		fake->memory[PAGE + fake->head % fake->size] = ((const uint8_t *)bytes)[i];
}

static void fake_publish(struct fake *fake)
{
	fake_page(fake)->data_head = fake->head;
}

static uint64_t fake_space(const struct fake *fake)
{
	return (fake_page(fake)->data_tail - fake->head - 1) & (fake->size - 1);
}

/* As the kernel writes a sample: padded so that the next one is 8-aligned. */
static bool fake_sample(struct fake *fake, const void *bytes, size_t n)
{
	static const uint8_t padding[8] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
	const uint32_t size = (uint32_t)((n + sizeof(uint32_t) + 7) / 8 * 8 - sizeof(uint32_t));
	const struct perf_event_header header = {PERF_RECORD_SAMPLE, 1,
						 (uint16_t)(sizeof(header) + sizeof(size) + size)};
	const struct {
		struct perf_event_header header;
		uint64_t id, lost;
	} lost = {{PERF_RECORD_LOST, 0, sizeof(lost)}, 77, fake->lost};

	if (fake_space(fake) < header.size + (fake->lost ? sizeof(lost) : 0)) {
		fake->lost++;
		fake->lost_total++;
		return false;
	}
	if (fake->lost)
		fake_bytes(fake, &lost, sizeof(lost));
	fake->lost = 0;
	fake_bytes(fake, &header, sizeof(header));
	fake_bytes(fake, &size, sizeof(size));
	fake_bytes(fake, bytes, n);
	fake_bytes(fake, padding, size - n);
	fake_publish(fake);
	return true;
}

/* -------------------------------------------------------------------- records */

/* One exec: all of it follows from these four. */
struct spec {
	uint32_t cpu;
	uint32_t number; /* its cpu_sequence */
	uint64_t time_ns;
	bool in_parts;
};

struct content {
	size_t argv; /* bytes carried */
	uint64_t argv_bytes;
	size_t name; /* bytes, its NUL included; 0: none */
	struct dice dice;
};

static struct content content_of(const struct spec *spec)
{
	static const size_t lengths[] = {0,   1,    7,	   255,	  256,	 257,	511,  512,
					 513, 1000, 16127, 16128, 16129, 16383, 16384};
	struct content c = {.dice = {1 + spec->cpu * 1000003ULL + spec->number * 17ULL}};
	uint64_t kind;

	for (int i = 0; i < 8; i++)
		dice_roll(&c.dice);
	kind = dice_below(&c.dice, 20);
	c.argv = kind ? dice_below(&c.dice, 300) :
			lengths[dice_below(&c.dice, sizeof(lengths) / sizeof(lengths[0]))];
	c.argv_bytes = c.argv == ARGV_MAX ? ARGV_MAX + dice_below(&c.dice, 3) : c.argv;
	kind = dice_below(&c.dice, 8);
	c.name = kind ? 1 + dice_below(&c.dice, 60) : dice_below(&c.dice, NAME_MAX_BYTES);
	return c;
}

static void fill(struct dice *dice, uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(1 + dice_below(dice, 255));
}

static void fill_head(const struct spec *spec, struct exec_record *r)
{
	memset(r, 0, sizeof(*r));
	r->event = (struct process_exec_event){
		.time_ns = spec->time_ns,
		.tgid = spec->number,
		.tid = spec->number,
		.uid = spec->cpu,
		.length = sizeof(*r),
		.kind = RECORD_EXEC,
		.version = RECORD_VERSION,
		.parts = 1,
	};
	r->facts.present = FACT_BIT(FACT_ARGV) | FACT_BIT(FACT_COMM);
	r->facts.cpu_sequence = spec->number;
	r->facts.ids[0] = spec->in_parts;
	memcpy(r->facts.comm, "the-comm", 9);
}

/* The record as it must be handed over. In parts a long name is cut. Returns its length. */
static size_t record_make(const struct spec *spec, uint8_t *out)
{
	struct exec_record *r = (struct exec_record *)out;
	struct content c = content_of(spec);
	size_t name = c.name;

	fill_head(spec, r);
	r->facts.argv_bytes = c.argv_bytes;
	r->facts.present |= FACT_BIT(FACT_SECTION + SECTION_ARGV);
	r->facts.section_len[SECTION_ARGV] = (uint32_t)c.argv;
	if (c.argv < c.argv_bytes)
		r->facts.flags |= (uint32_t)EXEC_TRUNCATED_BIT(SECTION_ARGV);
	fill(&c.dice, r->bytes, c.argv);
	fill(&c.dice, r->bytes + c.argv, name);
	if (spec->in_parts && name == 1)
		name = 0;
	if (name)
		r->facts.present |= FACT_BIT(FACT_SECTION + SECTION_FILENAME);
	if (spec->in_parts && name > PART_BYTES) {
		r->facts.flags |= (uint32_t)EXEC_TRUNCATED_BIT(SECTION_FILENAME);
		name = PART_BYTES + 1;
	}
	if (name)
		r->bytes[c.argv + name - 1] = 0;
	r->facts.section_len[SECTION_FILENAME] = (uint32_t)name;
	r->event.length = (uint32_t)(sizeof(*r) + c.argv + name);
	return r->event.length;
}

struct part {
	size_t size;
	union {
		struct process_exec_event event;
		struct exec_record record;
		uint8_t bytes[sizeof(struct exec_record)];
	};
};

static void part_fill(struct part *part, const struct process_exec_event *event, int number,
		      const uint8_t *bytes, size_t n)
{
	part->size = sizeof(*event) + PART_BYTES;
	memset(part->bytes, 0xcc, sizeof(part->bytes));
	part->event = *event;
	part->event.part = (uint8_t)number;
	part->event.length = (uint32_t)(sizeof(*event) + n);
	memcpy(part->bytes + sizeof(*event), bytes, n);
}

/* The same as the program sends it below 4.11. Returns the number of parts. */
static int parts_make(const struct spec *spec, struct part *parts)
{
	static const uint8_t behind[PART_BYTES] = {'/', 'x', 0, 'y', 'z', 0};
	struct content c = content_of(spec);
	struct process_exec_event event;
	uint8_t argv[ARGV_MAX], name[NAME_MAX_BYTES + PART_BYTES];
	int count = 1;

	fill_head(spec, &parts[0].record);
	parts[0].size = sizeof(struct exec_record);
	parts[0].record.facts.argv_bytes = c.argv_bytes;
	event = parts[0].event;
	event.parts = (uint8_t)(2 + (c.argv + PART_BYTES - 1) / PART_BYTES);
	parts[0].event = event;
	fill(&c.dice, argv, c.argv);
	fill(&c.dice, name, c.name);
	if (c.name)
		name[c.name - 1] = 0;
	memcpy(name + c.name, behind, sizeof(behind));
	for (size_t at = 0; at < c.argv; at += PART_BYTES, count++)
		part_fill(&parts[count], &event, count, argv + at,
			  c.argv - at < PART_BYTES ? c.argv - at : PART_BYTES);
	part_fill(&parts[count], &event, count, name, c.name ? PART_BYTES : 0);
	assert_int_equal(count + 1, event.parts);
	return count + 1;
}

/* Writes one exec. Returns whether all of it got into the ring. */
static bool fake_exec(struct fake *fake, const struct spec *spec)
{
	static uint8_t record[SAMPLE_MAX];
	static struct part parts[PARTS_MAX];
	bool whole = true;
	int count;

	if (!spec->in_parts)
		return fake_sample(fake, record, record_make(spec, record));
	count = parts_make(spec, parts);
	for (int i = 0; i < count; i++)
		whole &= fake_sample(fake, &parts[i].bytes, parts[i].size);
	return whole;
}

/* ----------------------------------------------------------------- the reader */

struct got {
	uint64_t time_ns;
	uint32_t cpu;
	uint32_t number; /* 0: no record */
	size_t size;
};

struct bench {
	struct fake fakes[CPUS];
	struct perf_ring rings[CPUS];
	int heap[CPUS];
	struct perf_merge merge;
	struct got *got;
	size_t count, room;
	uint64_t now_ns;
};

/* Every record must be the one it says it is, to the last byte. */
static void assert_record(const void *data, size_t size, struct got *got)
{
	static uint8_t want[SAMPLE_MAX];
	const struct exec_record *r = data;
	struct spec spec;
	size_t length;

	*got = (struct got){.size = size};
	if (size < sizeof(*r) || r->event.kind != RECORD_EXEC || r->event.version != RECORD_VERSION)
		return;
	spec = (struct spec){r->event.uid, r->event.tgid, r->event.time_ns, r->facts.ids[0] == 1};
	length = record_make(&spec, want);
	if (spec.in_parts)
		assert_int_equal(size, length);
	assert_true(size >= length && size - length < 8);
	assert_memory_equal(data, want, length);
	got->time_ns = spec.time_ns;
	got->cpu = spec.cpu;
	got->number = spec.number;
}

static void on_record(void *arg, const void *data, size_t size)
{
	struct bench *b = arg;

	assert_int_equal((uintptr_t)data % 8, 0);
	if (b->count == b->room) {
		b->room = b->room ? 2 * b->room : 64;
		b->got = realloc(b->got, b->room * sizeof(*b->got));
		assert_non_null(b->got);
	}
	assert_record(data, size, &b->got[b->count]);
	b->count++;
}

static void bench_open(struct bench *b, int cpus, size_t size, uint64_t start)
{
	static uint8_t *buffer;

	memset(b, 0, sizeof(*b));
	if (!buffer)
		buffer = malloc(PERF_RING_SAMPLE_MAX);
	assert_non_null(buffer);
	for (int i = 0; i < cpus; i++)
		fake_open(&b->fakes[i], &b->rings[i], size, start);
	b->merge = (struct perf_merge){
		.rings = b->rings,
		.count = cpus,
		.fn = on_record,
		.arg = b,
		.heap = b->heap,
		.buffer = buffer,
	};
	b->now_ns = 1000;
}

static void bench_close(struct bench *b)
{
	for (int i = 0; i < b->merge.count; i++)
		free(b->fakes[i].memory);
	free(b->got);
}

static int drain(struct bench *b, uint64_t limit_ns)
{
	return perf_merge_drain(&b->merge, limit_ns, b->now_ns);
}

/* Everything, whatever is unfinished given up. */
static void drain_all(struct bench *b)
{
	for (int i = 0; i < 3; i++) {
		while (drain(b, UINT64_MAX) == 1)
			;
		b->now_ns += 2 * PERF_RING_PARTS_WAIT_NS;
	}
	assert_int_equal(drain(b, UINT64_MAX), 0);
	for (int i = 0; i < b->merge.count; i++)
		assert_int_equal(fake_page(&b->fakes[i])->data_tail, b->fakes[i].head);
}

static void assert_got(const struct bench *b, size_t i, uint32_t cpu, uint32_t number)
{
	assert_true(i < b->count);
	assert_int_equal(b->got[i].cpu, cpu);
	assert_int_equal(b->got[i].number, number);
}

/* ---------------------------------------------------------------- one ring */

static void a_record_may_lie_anywhere_in_the_ring(void **state)
{
	static const uint64_t laps[] = {0, UINT32_MAX - 4095ULL, UINT64_MAX - 4095};
	struct bench b;

	(void)state;
	for (int lap = 0; lap < 3; lap++) {
		for (uint64_t offset = 0; offset < 4096; offset += 8) {
			bench_open(&b, 1, 4096, laps[lap] + offset);
			for (uint32_t i = 1; i <= 4; i++)
				assert_true(fake_exec(&b.fakes[0], &(struct spec){0, i, i, false}));
			drain_all(&b);
			assert_int_equal(b.count, 4);
			for (uint32_t i = 0; i < 4; i++)
				assert_got(&b, i, 0, i + 1);
			bench_close(&b);
		}
	}
}

static void parts_may_lie_anywhere_in_the_ring(void **state)
{
	struct bench b;

	(void)state;
	for (uint64_t offset = 0; offset < 32768; offset += 24) {
		bench_open(&b, 1, 32768, UINT64_MAX - 32767 + offset);
		for (uint32_t i = 1; i <= 8; i++)
			assert_true(fake_exec(&b.fakes[0], &(struct spec){3, i, i, true}));
		drain_all(&b);
		assert_int_equal(b.count, 8);
		bench_close(&b);
	}
}

/* Contract 3: what fills a perf buffer to the last byte is carried. */
static void a_record_of_every_size_is_read(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 1, 1 << 20, 0);
	for (uint32_t i = 1; i <= 3000; i++) {
		assert_true(fake_exec(&b.fakes[0], &(struct spec){1, i, i, i % 2}));
		drain_all(&b);
		assert_int_equal(b.count, i);
	}
	assert_int_equal(b.rings[0].counts.records, 3000);
	assert_int_equal(b.rings[0].counts.gaps, 0);
	bench_close(&b);
}

static void the_ring_is_given_back_only_after_the_record_was_handed_over(void **state)
{
	struct bench b;
	uint64_t ends[3];

	(void)state;
	bench_open(&b, 1, 65536, 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(fake_exec(&b.fakes[0], &(struct spec){0, i + 1, 10 * (i + 1), i % 2}));
		ends[i] = b.fakes[0].head;
	}
	assert_int_equal(drain(&b, 9), 2);
	assert_int_equal(fake_page(&b.fakes[0])->data_tail, 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(drain(&b, 10 * (i + 1)), i < 2 ? 2 : 0);
		assert_int_equal(fake_page(&b.fakes[0])->data_tail, ends[i]);
	}
	bench_close(&b);
}

/* ------------------------------------------------------------------- sequence */

static void sequence_feed(struct bench *b, const uint32_t *numbers)
{
	static const char foreign[] = "not a record";

	for (; *numbers != 77; numbers++) {
		if (*numbers == 66) /* stands for what is no record */
			assert_true(fake_sample(&b->fakes[0], foreign, sizeof(foreign)));
		else
			assert_true(fake_exec(&b->fakes[0], &(struct spec){0, *numbers, 1, false}));
	}
}

static void gaps_in_the_sequence_are_losses(void **state)
{
	static const struct {
		uint32_t before; /* the newest number known of */
		uint32_t numbers[8];
		uint64_t gaps;
	} cases[] = {
		{0, {1, 2, 3, 77}, 0},
		{0, {5, 77}, 4}, /* those before the first one */
		{0, {1, 4, 77}, 2},
		{0, {2, 4, 7, 77}, 4},
		/* Interleaved programs: late is not lost. */
		{0, {1, 3, 2, 4, 77}, 0},
		{0, {1, 4, 3, 5, 77}, 1},
		{0, {1, 3, 3, 4, 77}, 0}, /* both read the counter after both had raised it */
		{0, {1, 2, 1, 3, 77}, 0},
		{0,
		 {10, 0x90000000, 11, 77},
		 8}, /* nor does a wrong one make two thousand million */
		/* Modulo 2^32. */
		{0xfffffffe, {0xffffffff, 0, 1, 77}, 0},
		{0xfffffffe, {1, 77}, 2},
		{0xfffffffe, {1, 0, 77}, 1},
		/* What could not be read has come all the same. */
		{0, {1, 66, 3, 77}, 0},
		{0, {66, 66, 3, 77}, 0},
		{0, {1, 66, 2, 77}, 0},
		{0, {1, 66, 5, 77}, 2},
		{0, {1, 66, 2, 4, 77}, 1},
	};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bench_open(&b, 1, 65536, 0);
		b.rings[0].counts.sequence = cases[i].before;
		sequence_feed(&b, cases[i].numbers);
		drain_all(&b);
		if (b.rings[0].counts.gaps != cases[i].gaps)
			fail_msg("case %zu: %llu gaps", i,
				 (unsigned long long)b.rings[0].counts.gaps);
		bench_close(&b);
	}
}

static void losses_the_kernel_reports_are_counted_once(void **state)
{
	struct bench b;
	struct part parts[PARTS_MAX];
	struct spec spec = {0, 1, 5, true};

	(void)state;
	bench_open(&b, 1, 8192, 0);
	parts_make(&spec, parts);
	assert_true(fake_sample(&b.fakes[0], parts[0].bytes, parts[0].size));
	b.fakes[0].lost = 3; /* the next sample brings the news */
	assert_true(fake_sample(&b.fakes[0], parts[1].bytes, parts[1].size));
	for (int i = 0; i < 5; i++)
		drain(&b, UINT64_MAX);
	assert_int_equal(b.rings[0].counts.lost_samples, 3);
	drain_all(&b);
	assert_int_equal(b.rings[0].counts.lost_samples, 3);
	bench_close(&b);
}

/* ---------------------------------------------------------------------- parts */

/* Parts with this argv and file name; their specs must not be asked for. */
static void custom_parts(struct part *parts, uint32_t number, size_t argv, uint64_t argv_bytes,
			 const char *name, size_t name_size)
{
	static const uint8_t text[ARGV_MAX] = "argv";
	const int count = (int)(2 + (argv + PART_BYTES - 1) / PART_BYTES);
	struct spec spec = {0, number, number, true};
	struct process_exec_event event;

	fill_head(&spec, &parts[0].record);
	parts[0].size = sizeof(struct exec_record);
	parts[0].event.parts = (uint8_t)count;
	parts[0].record.facts.argv_bytes = argv_bytes;
	event = parts[0].event;
	for (int i = 1; i < count - 1; i++, argv -= argv < PART_BYTES ? argv : PART_BYTES)
		part_fill(&parts[i], &event, i, text, argv < PART_BYTES ? argv : PART_BYTES);
	part_fill(&parts[count - 1], &event, count - 1, (const uint8_t *)name, name_size);
}

struct caught {
	struct record_decoder decoder;
	uint8_t bytes[SAMPLE_MAX];
	struct exec_event event;
	int calls;
	int err;
};

static void catch_record(void *arg, const void *data, size_t size)
{
	struct caught *caught = arg;

	assert_true(size <= sizeof(caught->bytes));
	memcpy(caught->bytes, data, size);
	caught->calls++;
	caught->err = record_decode(&caught->decoder, caught->bytes, size, &caught->event);
}

/* Sends parts, and decodes what becomes of them. */
static void caught_parts(struct caught *caught, const struct part *parts)
{
	struct bench b;

	bench_open(&b, 1, 65536, 0);
	b.merge.fn = catch_record;
	b.merge.arg = caught;
	caught->calls = 0;
	for (int i = 0; i < parts[0].event.parts; i++)
		assert_true(fake_sample(&b.fakes[0], parts[i].bytes, parts[i].size));
	drain_all(&b);
	assert_int_equal(caught->calls, 1);
	bench_close(&b);
}

static void joined_parts_are_what_the_decoder_wants(void **state)
{
	static const struct {
		size_t argv;
		uint64_t argv_bytes;
		const char *name;
		size_t name_size;
		const char *want; /* NULL: no file name */
		bool argv_truncated;
	} cases[] = {
		{0, 0, "/bin/x\0tail", 12, "/bin/x", false},
		{0, 0, "", 1, NULL, false}, /* could not be read */
		{0, 0, "", 0, NULL, false},
		{100, 100, "abc", 3, "abc", false}, /* no NUL: cut */
		{256, 256, "/y\0", 3, "/y", false},
		{16384, 16384, "/y\0", 3, "/y", false},
		{16384, 16385, "/y\0", 3, "/y", true},
		{0, 300, "/y\0", 3, "/y", true},
		{16384, 1ULL << 40, "/y\0", 3, "/y", true},
	};
	static struct part parts[PARTS_MAX];
	static struct caught caught;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		custom_parts(parts, 1, cases[i].argv, cases[i].argv_bytes, cases[i].name,
			     cases[i].name_size);
		caught_parts(&caught, parts);
		assert_int_equal(caught.err, 0);
		assert_int_equal(caught.event.argv.len, cases[i].argv);
		assert_non_null(caught.event.argv.data);
		assert_int_equal(caught.event.argv_truncated, cases[i].argv_truncated);
		assert_int_equal(caught.event.filename.data != NULL, cases[i].want != NULL);
		if (cases[i].want)
			assert_string_equal(caught.event.filename.data, cases[i].want);
		assert_null(caught.event.exe.data);
	}
}

static void a_file_name_longer_than_its_part_is_cut(void **state)
{
	static struct part parts[PARTS_MAX];
	static struct caught caught;
	char name[PART_BYTES];

	(void)state;
	memset(name, 'n', sizeof(name));
	custom_parts(parts, 1, 0, 0, name, sizeof(name));
	caught_parts(&caught, parts);
	assert_int_equal(caught.err, 0);
	assert_int_equal(caught.event.filename.len, PART_BYTES);
	assert_true(caught.event.facts->flags & (uint32_t)EXEC_TRUNCATED_BIT(SECTION_FILENAME));
	name[PART_BYTES - 1] = 0;
	custom_parts(parts, 1, 0, 0, name, sizeof(name));
	caught_parts(&caught, parts);
	assert_int_equal(caught.err, 0);
	assert_int_equal(caught.event.filename.len, PART_BYTES - 1);
	assert_false(caught.event.facts->flags & (uint32_t)EXEC_TRUNCATED_BIT(SECTION_FILENAME));
}

/* A page of argv that can't be read: what is before it is still true. */
static void argv_ends_with_the_first_part_that_is_not_full(void **state)
{
	static struct part parts[PARTS_MAX];
	static struct caught caught;

	(void)state;
	custom_parts(parts, 1, 1000, 1000, "/x\0", 3);
	parts[2].event.length = sizeof(struct process_exec_event) + 10;
	caught_parts(&caught, parts);
	assert_int_equal(caught.err, 0);
	assert_int_equal(caught.event.argv.len, PART_BYTES + 10);
	assert_true(caught.event.argv_truncated);
	assert_string_equal(caught.event.filename.data, "/x");
}

/* What part 0 says of sections it can't have is not passed on. */
static void sections_promised_by_the_first_part_are_not_believed(void **state)
{
	static struct part parts[PARTS_MAX];
	static struct caught caught;

	(void)state;
	custom_parts(parts, 1, 20, 20, "/x\0", 3);
	parts[0].record.facts.present |= FACT_BIT(FACT_SECTION + SECTION_EXE);
	parts[0].record.facts.flags |= (uint32_t)EXEC_TRUNCATED_BIT(SECTION_CWD);
	memset(parts[0].record.facts.section_len, 0xff, sizeof(parts[0].record.facts.section_len));
	caught_parts(&caught, parts);
	assert_int_equal(caught.err, 0);
	assert_null(caught.event.exe.data);
	assert_int_equal(caught.event.facts->flags, 0);
	assert_int_equal(caught.event.argv.len, 20);
}

enum { FAULTY_PARTS = 5 };

typedef void fault_fn(struct part *parts, int i);

static void fault_missing(struct part *parts, int i)
{
	parts[i].size = 0;
}
static void fault_tgid(struct part *parts, int i)
{
	parts[i].event.tgid++;
}
static void fault_tid(struct part *parts, int i)
{
	parts[i].event.tid++;
}
static void fault_time(struct part *parts, int i)
{
	parts[i].event.time_ns++;
}
static void fault_total(struct part *parts, int i)
{
	parts[i].event.parts++;
}
static void fault_total_less(struct part *parts, int i)
{
	parts[i].event.parts--;
}
static void fault_total_huge(struct part *parts, int i)
{
	parts[i].event.parts = PARTS_MAX + 1;
}
static void fault_number(struct part *parts, int i)
{
	parts[i].event.part++;
}
static void fault_number_huge(struct part *parts, int i)
{
	parts[i].event.part = 255;
}
static void fault_long(struct part *parts, int i)
{
	parts[i].event.length = UINT32_MAX;
}
static void fault_longer(struct part *parts, int i)
{
	parts[i].event.length = 369;
}
static void fault_short(struct part *parts, int i)
{
	parts[i].event.length = 31;
}
static void fault_cut(struct part *parts, int i)
{
	parts[i].size = 40;
}
static void fault_wide(struct part *parts, int i)
{
	parts[i].size = 350;
	parts[i].event.length = 350;
}
static void fault_swap(struct part *parts, int i)
{
	struct part part = parts[i];

	parts[i] = parts[(i + 1) % FAULTY_PARTS];
	parts[(i + 1) % FAULTY_PARTS] = part;
}
static void fault_double(struct part *parts, int i)
{
	parts[(i + 1) % FAULTY_PARTS] = parts[i];
}

/* The record is lost, once, and nothing else is. */
static void assert_fault(fault_fn *fault, int i)
{
	static const char name[PART_BYTES] = "/x";
	static struct part parts[PARTS_MAX];
	struct bench b;

	bench_open(&b, 1, 65536, 0);
	custom_parts(parts, 2, 600, 600, name, sizeof(name));
	fault(parts, i);
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 1, 1, true}));
	for (int k = 0; k < FAULTY_PARTS; k++)
		if (parts[k].size)
			assert_true(fake_sample(&b.fakes[0], parts[k].bytes, parts[k].size));
	drain(&b, UINT64_MAX);
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 3, 3, true}));
	drain_all(&b);
	assert_int_equal(b.count, 2);
	assert_got(&b, 0, 0, 1);
	assert_got(&b, 1, 0, 3);
	assert_int_equal(b.rings[0].counts.gaps, 1);
	assert_int_equal(b.rings[0].counts.records, 2);
	bench_close(&b);
}

static void a_record_with_a_wrong_part_is_lost_and_counted(void **state)
{
	static fault_fn *const faults[] = {
		fault_missing,	   fault_tgid,	     fault_tid,	       fault_time,
		fault_total,	   fault_total_less, fault_total_huge, fault_number,
		fault_number_huge, fault_long,	     fault_longer,     fault_short,
		fault_cut,	   fault_wide,	     fault_swap,       fault_double,
	};

	(void)state;
	for (size_t fault = 0; fault < sizeof(faults) / sizeof(faults[0]); fault++)
		for (int i = 0; i < FAULTY_PARTS; i++)
			assert_fault(faults[fault], i);
}

static void the_parts_of_two_records_mixed_make_none(void **state)
{
	static struct part one[PARTS_MAX], two[PARTS_MAX];
	struct bench b;

	(void)state;
	for (unsigned mix = 1; mix < 1 << 9; mix++) {
		int a = 0, c = 0;

		bench_open(&b, 1, 65536, 0);
		custom_parts(one, 1, 600, 600, "/x\0", 3);
		custom_parts(two, 2, 600, 600, "/y\0", 3);
		for (int i = 0; i < 2 * FAULTY_PARTS; i++) {
			const struct part *part =
				c == FAULTY_PARTS || (a < FAULTY_PARTS && !(mix >> i & 1)) ?
					&one[a++] :
					&two[c++];

			fake_sample(&b.fakes[0], part->bytes, part->size);
		}
		b.merge.fn = catch_record;
		b.merge.arg = calloc(1, sizeof(struct caught));
		drain_all(&b);
		/* The one whose parts were not torn apart, if any, and the other counted. */
		assert_int_equal(((struct caught *)b.merge.arg)->err, 0);
		assert_int_equal(b.rings[0].counts.records + b.rings[0].counts.gaps, 2);
		free(b.merge.arg);
		bench_close(&b);
	}
}

/* Joined, they would not fit. */
static void more_parts_than_a_record_can_have_make_none(void **state)
{
	static const uint8_t totals[] = {PARTS_MAX + 1, 255};
	static const uint8_t text[PART_BYTES] = "argv";
	struct spec spec = {0, 1, 1, true};

	(void)state;
	for (size_t i = 0; i < sizeof(totals); i++) {
		struct part part = {.size = sizeof(struct exec_record)};
		struct process_exec_event event;
		struct bench b;

		bench_open(&b, 1, 1 << 17, 0);
		fill_head(&spec, &part.record);
		part.event.parts = totals[i];
		event = part.event;
		for (int k = 0; k < totals[i]; k++) {
			if (k)
				part_fill(&part, &event, k, text, PART_BYTES);
			assert_true(fake_sample(&b.fakes[0], part.bytes, part.size));
		}
		assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 2, 2, true}));
		drain_all(&b);
		assert_int_equal(b.count, 1);
		assert_int_equal(b.rings[0].counts.gaps, 1);
		bench_close(&b);
	}
}

static void an_unfinished_record_is_waited_for(void **state)
{
	struct spec spec = {0, 1, 5, true};
	struct part parts[PARTS_MAX];
	struct bench b;
	int count;

	(void)state;
	bench_open(&b, 1, 65536, 0);
	count = parts_make(&spec, parts);
	for (int i = 0; i < count; i++) {
		assert_int_equal(drain(&b, UINT64_MAX), i ? 2 : 0);
		assert_true(fake_sample(&b.fakes[0], parts[i].bytes, parts[i].size));
		b.now_ns += PERF_RING_PARTS_WAIT_NS;
	}
	assert_int_equal(drain(&b, UINT64_MAX), 0);
	assert_int_equal(b.count, 1);
	assert_int_equal(b.rings[0].counts.gaps, 0);
	bench_close(&b);
}

/* The rest of it, should it still come, does not count again. */
static void an_unfinished_record_is_given_up_when_another_follows(void **state)
{
	static const char foreign[] = "not a record";
	struct spec spec = {0, 1, 5, true};
	struct part parts[PARTS_MAX];
	struct bench b;

	(void)state;
	for (int round = 0; round < 3; round++) {
		bench_open(&b, 1, 65536, 0);
		parts_make(&spec, parts);
		assert_true(fake_sample(&b.fakes[0], parts[0].bytes, parts[0].size));
		if (round)
			fake_exec(&b.fakes[0], &(struct spec){0, 2, 6, round == 1});
		else
			fake_sample(&b.fakes[0], foreign, sizeof(foreign));
		assert_int_equal(drain(&b, UINT64_MAX), 0);
		assert_int_equal(b.count, 1);
		assert_int_equal(b.rings[0].counts.incomplete, 1);
		assert_int_equal(b.rings[0].counts.gaps, 1);
		bench_close(&b);
	}
}

static void an_unfinished_record_is_given_up_after_a_while(void **state)
{
	struct spec spec = {0, 1, 5, true};
	struct part parts[PARTS_MAX];
	struct bench b;
	int count;

	(void)state;
	bench_open(&b, 1, 65536, 0);
	count = parts_make(&spec, parts);
	assert_true(fake_sample(&b.fakes[0], parts[0].bytes, parts[0].size));
	assert_int_equal(drain(&b, UINT64_MAX), 2);
	b.now_ns += PERF_RING_PARTS_WAIT_NS;
	assert_int_equal(drain(&b, UINT64_MAX), 2);
	assert_int_equal(b.rings[0].counts.gaps, 0);
	b.now_ns++;
	assert_int_equal(drain(&b, UINT64_MAX), 0);
	assert_int_equal(b.rings[0].counts.gaps, 1);
	assert_int_equal(b.rings[0].counts.incomplete, 1);
	for (int i = 1; i < count; i++)
		assert_true(fake_sample(&b.fakes[0], parts[i].bytes, parts[i].size));
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 2, 6, true}));
	drain_all(&b);
	assert_int_equal(b.count, 1);
	assert_got(&b, 0, 0, 2);
	assert_int_equal(b.rings[0].counts.gaps, 1);
	bench_close(&b);
}

static void a_flush_hands_over_all_of_one_ring_and_gives_up_the_rest(void **state)
{
	struct spec spec = {0, 3, 900, true};
	struct part parts[PARTS_MAX];
	struct bench b;

	(void)state;
	bench_open(&b, 2, 65536, 0);
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 1, 700, true}));
	assert_true(fake_exec(&b.fakes[1], &(struct spec){1, 1, 10, false}));
	assert_int_equal(drain(&b, 9), 2);
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 2, 800, false}));
	parts_make(&spec, parts);
	assert_true(fake_sample(&b.fakes[0], parts[0].bytes, parts[0].size));
	perf_merge_flush(&b.merge, &b.rings[0]);
	assert_int_equal(b.count, 2);
	assert_int_equal(b.rings[0].counts.gaps, 1);
	assert_int_equal(fake_page(&b.fakes[0])->data_tail, b.fakes[0].head);
	perf_ring_detach(&b.rings[0]);
	drain_all(&b);
	assert_int_equal(b.count, 3);
	perf_merge_flush(&b.merge, &b.rings[0]); /* of a ring that is not there */
	assert_int_equal(b.count, 3);
	bench_close(&b);
}

/* ---------------------------------------------------------------------- merge */

static int compare_got(const void *a, const void *b)
{
	const struct got *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* The oracle: all records in one list, sorted. */
static void records_of_all_cpus_come_in_order_of_time(void **state)
{
	struct dice dice = {42};

	(void)state;
	for (int round = 0; round < 300; round++) {
		int cpus = 1 + (int)dice_below(&dice, CPUS);
		size_t total = 0, per_cpu = 1 + dice_below(&dice, 40);
		struct got *want = calloc((size_t)cpus * per_cpu, sizeof(*want));
		struct bench b;

		bench_open(&b, cpus, 1 << 18, dice_below(&dice, 1 << 15) * 8);
		for (uint32_t cpu = 0; cpu < (uint32_t)cpus; cpu++) {
			uint64_t time_ns = 0, n = dice_below(&dice, per_cpu + 1);

			for (uint32_t i = 1; i <= n; i++) {
				time_ns += dice_below(&dice, 4); /* equal ones, too */
				want[total++] = (struct got){time_ns, cpu, i, 0};
				assert_true(fake_exec(&b.fakes[cpu],
						      &(struct spec){cpu, i, time_ns, cpu % 2}));
			}
		}
		assert_int_equal(drain(&b, UINT64_MAX), 0);
		qsort(want, total, sizeof(*want), compare_got);
		assert_int_equal(b.count, total);
		for (size_t i = 0; i < total; i++)
			assert_int_equal(compare_got(&want[i], &b.got[i]), 0);
		free(want);
		bench_close(&b);
	}
}

static void what_is_younger_than_the_limit_stays(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 2, 65536, 0);
	assert_int_equal(drain(&b, 1000), 0);
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 1, 100, false}));
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 2, 130, false}));
	assert_true(fake_exec(&b.fakes[1], &(struct spec){1, 1, 120, true}));
	assert_int_equal(drain(&b, 99), 2);
	assert_int_equal(b.merge.wait_ns, 1);
	assert_int_equal(b.count, 0);
	assert_int_equal(drain(&b, 100), 2);
	assert_int_equal(b.merge.wait_ns, 20);
	assert_int_equal(b.count, 1);
	/* A slower CPU's earlier record still comes in time. */
	assert_true(fake_exec(&b.fakes[1], &(struct spec){1, 2, 125, false}));
	assert_int_equal(drain(&b, 200), 0);
	assert_int_equal(b.count, 4);
	assert_got(&b, 1, 1, 1);
	assert_got(&b, 2, 1, 2);
	assert_got(&b, 3, 0, 2);
	bench_close(&b);
}

static void a_late_record_is_handed_over_all_the_same(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 2, 65536, 0);
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 1, 100, false}));
	assert_int_equal(drain(&b, 100), 0);
	assert_true(fake_exec(&b.fakes[1], &(struct spec){1, 1, 50, false}));
	assert_int_equal(drain(&b, 100), 0);
	assert_got(&b, 1, 1, 1);
	bench_close(&b);
}

/* It would hold up its CPU's ring for good. */
static void a_time_far_beyond_the_limit_is_not_waited_for(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 1, 65536, 0);
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 1, UINT64_MAX, false}));
	assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 2, 100, false}));
	assert_int_equal(drain(&b, 100), 0);
	assert_int_equal(b.count, 2);
	bench_close(&b);
}

static void a_drain_hands_over_so_many_and_no_more(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 3, 8 << 20, 0);
	for (uint32_t i = 1; i <= 3000; i++)
		for (uint32_t cpu = 0; cpu < 3; cpu++)
			assert_true(fake_exec(&b.fakes[cpu], &(struct spec){cpu, i, i, false}));
	assert_int_equal(drain(&b, UINT64_MAX), 1);
	assert_int_equal(b.count, PERF_MERGE_RECORDS);
	assert_int_equal(drain(&b, UINT64_MAX), 1);
	assert_int_equal(b.count, 2 * PERF_MERGE_RECORDS);
	assert_int_equal(drain(&b, UINT64_MAX), 0);
	assert_int_equal(b.count, 9000);
	for (size_t i = 1; i < b.count; i++)
		assert_true(compare_got(&b.got[i - 1], &b.got[i]) < 0);
	bench_close(&b);
}

static void so_many_records_exactly_are_one_drain(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 1, 8 << 20, 0);
	for (uint32_t i = 1; i <= PERF_MERGE_RECORDS; i++)
		assert_true(fake_exec(&b.fakes[0], &(struct spec){0, i, i, false}));
	assert_int_equal(drain(&b, UINT64_MAX), 0);
	assert_int_equal(b.count, PERF_MERGE_RECORDS);
	bench_close(&b);
}

static void rings_without_a_buffer_are_passed_over(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 3, 65536, 0);
	perf_ring_detach(&b.rings[0]);
	perf_ring_detach(&b.rings[2]);
	assert_true(fake_exec(&b.fakes[1], &(struct spec){1, 1, 1, false}));
	assert_int_equal(drain(&b, UINT64_MAX), 0);
	assert_int_equal(b.count, 1);
	bench_close(&b);
}

/* --------------------------------------------------- everything, and too much */

enum { EXECS_MAX = 4000 };

/* What the kernel did, and what must become of it. */
struct storm {
	struct bench b;
	struct dice dice;
	uint64_t time_ns;
	uint32_t attempts[CPUS];
	bool whole[CPUS][EXECS_MAX]; /* got into the ring with all its parts */
	bool seen[CPUS][EXECS_MAX];
	size_t checked;
	uint64_t last_ns;
};

/* Nothing twice, nothing that was not there, nothing out of order. */
static void storm_check(struct storm *s)
{
	for (; s->checked < s->b.count; s->checked++) {
		const struct got *got = &s->b.got[s->checked];

		assert_true(got->number && got->cpu < CPUS);
		assert_true(s->whole[got->cpu][got->number]);
		assert_false(s->seen[got->cpu][got->number]);
		s->seen[got->cpu][got->number] = true;
		assert_true(got->time_ns >= s->last_ns);
		s->last_ns = got->time_ns;
	}
}

static void storm_drain(struct storm *s, uint64_t limit_ns)
{
	s->b.now_ns++;
	drain(&s->b, limit_ns);
	storm_check(s);
}

/* One exec; the reader may come in between its parts. */
static void storm_exec(struct storm *s, uint32_t cpu)
{
	static struct part parts[PARTS_MAX];
	struct spec spec = {cpu, ++s->attempts[cpu], ++s->time_ns, cpu % 2};
	bool whole = true;
	int count;

	if (!dice_below(&s->dice, 30)) /* the program had no buffer, or the like */
		return;
	if (!spec.in_parts) {
		s->whole[cpu][spec.number] = fake_exec(&s->b.fakes[cpu], &spec);
		return;
	}
	count = parts_make(&spec, parts);
	s->whole[cpu][spec.number] = true;
	for (int i = 0; i < count; i++) {
		whole &= fake_sample(&s->b.fakes[cpu], parts[i].bytes, parts[i].size);
		s->whole[cpu][spec.number] = whole;
		if (!dice_below(&s->dice, 40))
			storm_drain(s, spec.time_ns - 1);
	}
}

static void storm_end(struct storm *s, int cpus)
{
	drain_all(&s->b);
	storm_check(s);
	for (int cpu = 0; cpu < cpus; cpu++) {
		const struct perf_ring_counts *counts = &s->b.rings[cpu].counts;
		uint64_t behind = s->attempts[cpu] - counts->sequence;

		assert_int_equal(counts->records + counts->gaps + behind, s->attempts[cpu]);
		assert_int_equal(counts->lost_samples,
				 s->b.fakes[cpu].lost_total - s->b.fakes[cpu].lost);
		for (uint32_t i = 1; i <= s->attempts[cpu]; i++)
			assert_int_equal(s->seen[cpu][i], s->whole[cpu][i]);
	}
}

static void nothing_is_lost_but_what_the_kernel_dropped_and_that_is_counted(void **state)
{
	uint64_t lost = 0;

	(void)state;
	for (uint64_t round = 1; round <= 60; round++) {
		struct storm *s = calloc(1, sizeof(*s));
		int cpus;

		assert_non_null(s);
		s->dice.state = round * 7919;
		cpus = 1 + (int)dice_below(&s->dice, CPUS);
		bench_open(&s->b, cpus, 4096U << dice_below(&s->dice, 5),
			   dice_below(&s->dice, 4096) * 8);
		for (int i = 0; i < 2000; i++) {
			storm_exec(s, (uint32_t)dice_below(&s->dice, (uint64_t)cpus));
			if (!dice_below(&s->dice, 1 + round % 7 * 9))
				storm_drain(s, s->time_ns - dice_below(&s->dice, 5));
		}
		for (int cpu = 0; cpu < cpus; cpu++)
			lost += s->b.fakes[cpu].lost_total;
		storm_end(s, cpus);
		bench_close(&s->b);
		free(s);
	}
	assert_true(lost > 1000);
}

/* -------------------------------------------------------------------- garbage */

static void ignore(void *arg, const void *data, size_t size)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < size; i++) /* every byte can be read */
		sum ^= ((const uint8_t *)data)[i];
	*(uint64_t *)arg += 1;
}

static void what_is_no_record_is_handed_over_as_it_is(void **state)
{
	struct exec_record record = {.event = {.kind = 9, .version = 9, .time_ns = UINT64_MAX},
				     .facts.cpu_sequence = 50};
	struct bench b;

	(void)state;
	bench_open(&b, 1, 65536, 0);
	assert_true(fake_sample(&b.fakes[0], "", 0));
	assert_true(fake_sample(&b.fakes[0], "abcdefg", 7));
	assert_true(fake_sample(&b.fakes[0], &record, sizeof(record)));
	record.event.kind = RECORD_EXEC;
	record.event.version = RECORD_VERSION;
	record.event.parts = 1;
	record.event.time_ns = 5;
	assert_true(fake_sample(&b.fakes[0], &record, 100)); /* no facts */
	assert_int_equal(drain(&b, 5), 0);
	assert_int_equal(b.count, 4);
	assert_int_equal(b.got[0].size, 4); /* the kernel's padding */
	assert_int_equal(b.got[1].size, 12);
	assert_int_equal(b.got[2].size, 372);
	assert_int_equal(b.got[3].size, 100);
	assert_int_equal(b.rings[0].counts.records, 4);
	assert_int_equal(b.rings[0].counts.gaps, 0);
	bench_close(&b);
}

static void a_size_beyond_the_sample_is_not_believed(void **state)
{
	struct perf_event_header header = {PERF_RECORD_SAMPLE, 1, 24};
	static const uint32_t sizes[] = {0, 1, 12, 13, 0x7fffffff, 0xffffffff};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		bench_open(&b, 1, 4096, 4080);
		fake_bytes(&b.fakes[0], &header, sizeof(header));
		fake_bytes(&b.fakes[0], &sizes[i], 4);
		fake_bytes(&b.fakes[0], "twelve bytes", 12);
		fake_publish(&b.fakes[0]);
		drain_all(&b);
		assert_int_equal(b.count, 1);
		assert_int_equal(b.got[0].size, sizes[i] < 12 ? sizes[i] : 12);
		bench_close(&b);
	}
}

/* A record of the kernel's that can't be stepped over costs what is behind it, no more. */
static void a_broken_header_ends_in_the_next_drain_being_right(void **state)
{
	static const struct perf_event_header broken[] = {
		{PERF_RECORD_SAMPLE, 0, 0},
		{PERF_RECORD_SAMPLE, 0, 7},
		{PERF_RECORD_LOST, 0, 0},
		{PERF_RECORD_SAMPLE, 0, 65535},
		{0, 0, 65528},
		{UINT32_MAX, UINT16_MAX, 4096},
	};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		bench_open(&b, 1, 4096, 0);
		assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 1, 1, true}));
		fake_bytes(&b.fakes[0], &broken[i], sizeof(broken[i]));
		assert_true(fake_sample(&b.fakes[0], "behind", 6));
		drain_all(&b);
		assert_true(fake_exec(&b.fakes[0], &(struct spec){0, 3, 3, true}));
		drain_all(&b);
		assert_int_equal(b.count, 2);
		assert_int_equal(b.rings[0].counts.gaps, 1);
		bench_close(&b);
	}
}

static void parts_around_a_broken_header_are_not_joined(void **state)
{
	static const struct perf_event_header broken;
	struct part parts[PARTS_MAX];
	struct bench b;

	(void)state;
	bench_open(&b, 1, 65536, 0);
	custom_parts(parts, 1, 600, 600, "/x\0", 3);
	for (int i = 0; i < FAULTY_PARTS; i++) {
		assert_true(fake_sample(&b.fakes[0], parts[i].bytes, parts[i].size));
		if (i == 1) {
			fake_bytes(&b.fakes[0], &broken, sizeof(broken));
			fake_publish(&b.fakes[0]);
		}
		drain(&b, UINT64_MAX);
	}
	drain_all(&b);
	assert_int_equal(b.count, 0);
	assert_int_equal(b.rings[0].counts.gaps, 1);
	bench_close(&b);
}

static void a_head_beyond_the_ring_is_given_up(void **state)
{
	static const uint64_t heads[] = {4097, 1ULL << 40, UINT64_MAX, UINT64_MAX - 8};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		bench_open(&b, 1, 4096, 0);
		b.fakes[0].head = heads[i];
		fake_publish(&b.fakes[0]);
		drain_all(&b);
		assert_int_equal(b.count, 0);
		bench_close(&b);
	}
}

static void noise_in_the_ring_ends(void **state)
{
	struct dice dice = {11};

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct bench b;
		uint64_t calls = 0;

		bench_open(&b, 1, 4096, dice_below(&dice, 512) * 8);
		b.merge.fn = ignore;
		b.merge.arg = &calls;
		for (uint64_t n = dice_below(&dice, 512); n; n--) {
			uint64_t word = dice_roll(&dice);

			if (dice_below(&dice, 2)) /* headers that nearly make sense */
				word = dice_below(&dice, 12) | (dice_below(&dice, 40) * 4) << 48;
			fake_bytes(&b.fakes[0], &word, sizeof(word));
		}
		fake_publish(&b.fakes[0]);
		drain_all(&b);
		assert_true(calls <= 512);
		bench_close(&b);
	}
}

static void random_damage_ends(void **state)
{
	struct dice dice = {12};

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct bench b;
		uint64_t calls = 0;

		bench_open(&b, 2, 16384, dice_below(&dice, 2048) * 8);
		b.merge.fn = ignore;
		b.merge.arg = &calls;
		for (uint32_t i = 1; i < 20; i++)
			fake_exec(&b.fakes[i % 2],
				  &(struct spec){i % 2, i, i, dice_below(&dice, 2)});
		for (uint64_t n = 1 + dice_below(&dice, 60); n; n--)
			b.fakes[n % 2].memory[PAGE + dice_below(&dice, 16384)] =
				(uint8_t)dice_roll(&dice);
		while (drain(&b, dice_below(&dice, 30)) == 1)
			;
		drain_all(&b);
		assert_true(calls <= 2 * 16384 / 8);
		bench_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_may_lie_anywhere_in_the_ring),
		cmocka_unit_test(parts_may_lie_anywhere_in_the_ring),
		cmocka_unit_test(a_record_of_every_size_is_read),
		cmocka_unit_test(the_ring_is_given_back_only_after_the_record_was_handed_over),
		cmocka_unit_test(gaps_in_the_sequence_are_losses),
		cmocka_unit_test(losses_the_kernel_reports_are_counted_once),
		cmocka_unit_test(joined_parts_are_what_the_decoder_wants),
		cmocka_unit_test(a_file_name_longer_than_its_part_is_cut),
		cmocka_unit_test(argv_ends_with_the_first_part_that_is_not_full),
		cmocka_unit_test(sections_promised_by_the_first_part_are_not_believed),
		cmocka_unit_test(a_record_with_a_wrong_part_is_lost_and_counted),
		cmocka_unit_test(the_parts_of_two_records_mixed_make_none),
		cmocka_unit_test(more_parts_than_a_record_can_have_make_none),
		cmocka_unit_test(an_unfinished_record_is_waited_for),
		cmocka_unit_test(an_unfinished_record_is_given_up_when_another_follows),
		cmocka_unit_test(an_unfinished_record_is_given_up_after_a_while),
		cmocka_unit_test(a_flush_hands_over_all_of_one_ring_and_gives_up_the_rest),
		cmocka_unit_test(records_of_all_cpus_come_in_order_of_time),
		cmocka_unit_test(what_is_younger_than_the_limit_stays),
		cmocka_unit_test(a_late_record_is_handed_over_all_the_same),
		cmocka_unit_test(a_time_far_beyond_the_limit_is_not_waited_for),
		cmocka_unit_test(a_drain_hands_over_so_many_and_no_more),
		cmocka_unit_test(so_many_records_exactly_are_one_drain),
		cmocka_unit_test(rings_without_a_buffer_are_passed_over),
		cmocka_unit_test(nothing_is_lost_but_what_the_kernel_dropped_and_that_is_counted),
		cmocka_unit_test(what_is_no_record_is_handed_over_as_it_is),
		cmocka_unit_test(a_size_beyond_the_sample_is_not_believed),
		cmocka_unit_test(a_broken_header_ends_in_the_next_drain_being_right),
		cmocka_unit_test(parts_around_a_broken_header_are_not_joined),
		cmocka_unit_test(a_head_beyond_the_ring_is_given_up),
		cmocka_unit_test(noise_in_the_ring_ends),
		cmocka_unit_test(random_damage_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
