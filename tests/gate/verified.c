// SPDX-License-Identifier: Apache-2.0
/*
 * What this kernel's verifier makes of each program of the ELF: loads every one by
 * itself and prints `RELEASE<TAB>PROGRAM<TAB>PROCESSED` for `gate --verified`: the
 * number of instructions processed, `-` where the kernel lacks what the program is for,
 * `refused` where the kernel said no, `failed` where it was not asked, `loaded` where
 * the log with the number was too long. Why is in lines that begin with #.
 *
 * Entries are loaded as what their section says. Stages are called by entries of every
 * type, and a tail call wants the same type: each is loaded as all of those that the
 * kernel knows, and the worst counts.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "object.h"

enum {
	LOG_SMALL = 1 << 20,
	LOG_LARGEST = (16 << 20) - 1, /* UINT_MAX >> 8: kernels below 5.2 take no more */
	LEVEL_STEPS = 1,	      /* BPF_LOG_LEVEL1 */
	LEVEL_STATS = 4,	      /* BPF_LOG_STATS, 5.2 */
};

struct kernel {
	char release[65];
	char btf[32];	    /* file to give as the kernel's BTF; "" if it has its own */
	int level;	    /* of the log, the shortest one with the number in it */
	unsigned types;	    /* those known, bits as in attach_types */
	unsigned stand_ins; /* those needed, bits as in stand_ins */
};

static const struct {
	enum bpf_prog_type type;
	const char *name;
} attach_types[] = {
	{BPF_PROG_TYPE_RAW_TRACEPOINT, "raw_tracepoint"},
	{BPF_PROG_TYPE_TRACEPOINT, "tracepoint"},
	{BPF_PROG_TYPE_KPROBE, "kprobe"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------- libbpf's warnings */

/* The last one, for loads that end before the verifier. libbpf's callback takes no argument. */
static char last_warning[512];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[sizeof(last_warning)];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	/* What it says at the end of every failed load tells nothing. */
	if (!strstr(text, "failed to load object") && !strstr(text, "LOAD LOG --"))
		memcpy(last_warning, text, sizeof(text));
	return 0;
}

/* -------------------------------------------------------------------- stand-ins */

/*
 * What the sensor's loader (sensor/object.c) writes in the place of a call where the
 * kernel has no such helper: no verifier has ever to judge the original there.
 */
static const struct stand_in {
	int helper;
	struct bpf_insn insn;
} stand_ins[] = {
	{BPF_FUNC_get_current_task, {.code = BPF_ALU64 | BPF_MOV}}, /* 0 */
	{BPF_FUNC_get_current_cgroup_id, {.code = BPF_ALU64 | BPF_MOV}},
	{BPF_FUNC_ktime_get_boot_ns, {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns}},
};

static void stand_in(const struct kernel *kernel, struct bpf_insn *insn)
{
	for (size_t i = 0; i < COUNT(stand_ins); i++)
		if (kernel->stand_ins & 1U << i && insn->imm == stand_ins[i].helper) {
			*insn = stand_ins[i].insn;
			return;
		}
}

static int program_stand_in(struct bpf_program *program, const struct kernel *kernel)
{
	size_t count = bpf_program__insn_cnt(program);
	struct bpf_insn *insns = malloc(count * sizeof(*insns));
	int err;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
	for (size_t i = 0; i < count; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg)
			stand_in(kernel, &insns[i]);
	err = bpf_program__set_insns(program, insns, count);
	free(insns);
	return err;
}

/* --------------------------------------------------------------------- the kernel */

/* An ELF with CO-RE relocations asks for some BTF even if no program that has them is loaded. */
static int kernel_empty_btf(struct kernel *kernel)
{
	struct btf *btf = btf__new_empty();
	const void *data;
	__u32 size = 0;
	int fd = -1;

	data = btf ? btf__raw_data(btf, &size) : NULL;
	if (data)
		fd = memfd_create("btf", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		btf__free(btf);
		return -errno;
	}
	btf__free(btf);
	snprintf(kernel->btf, sizeof(kernel->btf), "/proc/self/fd/%d", fd);
	return 0;
}

/* Kernels before 5.2 take the level for "everything", and tell every step of the verifier. */
static int kernel_stats_level(enum bpf_prog_type type)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	static char log[LOG_SMALL];
	LIBBPF_OPTS(bpf_prog_load_opts, options, .log_level = LEVEL_STATS, .log_buf = log,
		    .log_size = sizeof(log));
	int fd = bpf_prog_load(type, NULL, "GPL", nothing, COUNT(nothing), &options);

	if (fd < 0)
		return LEVEL_STEPS;
	close(fd);
	return strstr(log, "0: (") ? LEVEL_STEPS : LEVEL_STATS;
}

static int kernel_types(struct kernel *kernel)
{
	int answer = 0;

	for (size_t i = 0; i < COUNT(attach_types); i++) {
		answer = libbpf_probe_bpf_prog_type(attach_types[i].type, NULL);
		if (answer > 0)
			kernel->types |= 1U << i;
		else if (answer < 0)
			printf("# %s: could not tell whether there are %s programs: %s\n",
			       kernel->release, attach_types[i].name, strerror(-answer));
		else
			printf("# %s: no %s programs\n", kernel->release, attach_types[i].name);
	}
	return kernel->types ? 0 : answer < 0 ? answer : -EOPNOTSUPP;
}

/* What there is, by trying. */
static int kernel_read(struct kernel *kernel)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	enum bpf_prog_type type;
	struct utsname uts;
	int err;

	uname(&uts);
	snprintf(kernel->release, sizeof(kernel->release), "%s", uts.release);
	/* Below 5.11 maps and programs count. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	err = access("/sys/kernel/btf/vmlinux", R_OK) ? kernel_empty_btf(kernel) : 0;
	if (!err)
		err = kernel_types(kernel);
	if (err)
		return err;
	type = attach_types[__builtin_ctz(kernel->types)].type;
	kernel->level = kernel_stats_level(type);
	for (size_t i = 0; i < COUNT(stand_ins); i++)
		if (libbpf_probe_bpf_helper(type, (enum bpf_func_id)stand_ins[i].helper, NULL) == 0)
			kernel->stand_ins |= 1U << i;
	return 0;
}

/* ----------------------------------------------------------------------- one load */

static bool kernel_has_map(const struct bpf_map *map)
{
	return libbpf_probe_bpf_map_type(bpf_map__type(map), NULL) != 0;
}

/* What came of one load. text is the end of the log, or libbpf's last word. */
struct verdict {
	int err;	/* 0, or a negative errno */
	long processed; /* -1 if the log does not say */
	bool judged;	/* by the kernel: it was asked, and the program is why it said no */
	char text[400];
};

static struct bpf_object *open_for(const struct kernel *kernel, const char *path, const char *name,
				   enum bpf_prog_type type, struct bpf_program **chosen)
{
	LIBBPF_OPTS(bpf_object_open_opts, options,
		    .btf_custom_path = kernel->btf[0] ? kernel->btf : NULL);
	struct bpf_object *object = bpf_object__open_file(path, &options);
	struct bpf_program *program;
	struct bpf_map *map = NULL;

	if (!object)
		return NULL;
	bpf_object__for_each_program (program, object) {
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
		if (bpf_program__autoload(program))
			*chosen = program;
	}
	bpf_program__set_type(*chosen, type);
	while ((map = bpf_object__next_map(object, map)))
		bpf_map__set_autocreate(map, kernel_has_map(map));
	return object;
}

/* The last two lines of the log, on one line. */
static void log_end(char *log, char *out, size_t size)
{
	char *save = NULL, *last = NULL, *before = NULL;

	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		before = last;
		last = line;
	}
	snprintf(out, size, "%s%s%s", before ? before : "", before ? "; " : "", last ? last : "");
}

/*
 * 4.7 and newer say at the end how many instructions were processed. Before, the log of
 * a load that went well has as many lines `INDEX: (OPCODE) ...`.
 */
static long log_processed(const char *log)
{
	const char *found = NULL, *at = log;
	long steps = 0;

	while ((at = strstr(at, "processed "))) {
		at += strlen("processed ");
		found = at;
	}
	if (found)
		return strtol(found, NULL, 10);
	for (at = log; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strspn(at, "0123456789") && !strncmp(at + strspn(at, "0123456789"), ": (", 3))
			steps++;
	}
	return steps ? steps : -1;
}

static void verdict_read(struct verdict *verdict, char *log)
{
	verdict->processed = log_processed(log);
	/* What is too long is refused without a log; maps come before programs. */
	verdict->judged = log[0] || strstr(last_warning, "prog '");
	log_end(log, verdict->text, sizeof(verdict->text));
	if (!verdict->text[0])
		snprintf(verdict->text, sizeof(verdict->text), "%.*s",
			 (int)strcspn(last_warning, "\n"), last_warning);
}

/* log has size bytes and one more; level 0 asks for none. */
static int load_once(const struct kernel *kernel, const char *path, const char *name,
		     enum bpf_prog_type type, int level, char *log, size_t size)
{
	struct bpf_program *program = NULL;
	struct bpf_object *object = open_for(kernel, path, name, type, &program);
	int err = object ? program_stand_in(program, kernel) : -errno;

	log[0] = log[size] = 0;
	last_warning[0] = 0;
	if (!err && level) {
		bpf_program__set_log_level(program, (__u32)level);
		bpf_program__set_log_buf(program, log, size);
	}
	if (!err)
		err = bpf_object__load(object);
	bpf_object__close(object);
	return err;
}

/* A log that is too small makes the kernel refuse: then with the largest, then with none. */
static void load(const struct kernel *kernel, const char *path, const char *name,
		 enum bpf_prog_type type, int level, struct verdict *verdict)
{
	char *log = malloc(LOG_LARGEST + 1);

	if (!log)
		abort();
	verdict->err = load_once(kernel, path, name, type, level, log, LOG_SMALL);
	if (verdict->err == -ENOSPC)
		verdict->err = load_once(kernel, path, name, type, level, log, LOG_LARGEST);
	verdict_read(verdict, log);
	if (verdict->err == -ENOSPC) {
		verdict->processed = -1;
		verdict->err = load_once(kernel, path, name, type, 0, log, LOG_SMALL);
	}
	free(log);
}

/* ------------------------------------------------------------------- one program */

static void explain(const struct kernel *kernel, const char *name, const char *as,
		    const struct verdict *verdict)
{
	printf("# %s %s as %s: %s: %s\n", kernel->release, name, as, strerror(-verdict->err),
	       verdict->text[0] ? verdict->text : "no log");
}

/* Larger is worse: the word for it, or what was processed. */
enum { NOT_THERE = -1, LOADED = 1 << 30, FAILED, REFUSED };

static long judge_as(const struct kernel *kernel, const char *path, const char *name,
		     size_t attach_type)
{
	enum bpf_prog_type type = attach_types[attach_type].type;
	struct verdict verdict = {0};

	load(kernel, path, name, type, kernel->level, &verdict);
	if (!verdict.err)
		return verdict.processed < 0 ? LOADED : verdict.processed;
	/* The short log has no reasons. */
	if (kernel->level != LEVEL_STEPS)
		load(kernel, path, name, type, LEVEL_STEPS, &verdict);
	explain(kernel, name, attach_types[attach_type].name, &verdict);
	return verdict.judged ? REFUSED : FAILED;
}

static void print_judgement(const struct kernel *kernel, const char *name, long judgement)
{
	printf("%s\t%s\t", kernel->release, name);
	switch (judgement) {
	case NOT_THERE: puts("-"); break;
	case LOADED: puts("loaded"); break;
	case FAILED: puts("failed"); break;
	case REFUSED: puts("refused"); break;
	default: printf("%ld\n", judgement);
	}
	/* The machine may end in the middle of the next one. */
	fflush(stdout);
}

/* A hook's own program: its section names the hook, or its name says what it is. */
static bool is_entry(const struct bpf_program *program)
{
	return strchr(bpf_program__section_name(program), '/') ||
	       strstr(bpf_program__name(program), "entry");
}

/* What the program is nothing without, NULL if all of it is there. */
static const char *kernel_lacks(const struct kernel *kernel, const struct object *object,
				const struct program *program)
{
	const struct bpf_map *map;

	if (program->core && kernel->btf[0])
		return "/sys/kernel/btf/vmlinux";
	for (size_t i = 0; i < program->reference_count; i++) {
		if (program->references[i].kind != REFERENCE_MAP)
			continue;
		map = bpf_object__find_map_by_name(object->bpf, program->references[i].name);
		if (map && !kernel_has_map(map))
			return libbpf_bpf_map_type_str(bpf_map__type(map));
	}
	return NULL;
}

static void judge(const struct kernel *kernel, const char *path, const struct object *object,
		  const struct program *judged)
{
	const struct bpf_program *program =
		bpf_object__find_program_by_name(object->bpf, judged->name);
	const char *lacks = kernel_lacks(kernel, object, judged);
	long worst = NOT_THERE, judgement;

	if (lacks)
		printf("# %s %s: no %s\n", kernel->release, judged->name, lacks);
	for (size_t i = 0; i < COUNT(attach_types); i++) {
		if (lacks || !(kernel->types & 1U << i) ||
		    (is_entry(program) && bpf_program__type(program) != attach_types[i].type))
			continue;
		judgement = judge_as(kernel, path, judged->name, i);
		if (judgement > worst)
			worst = judgement;
	}
	print_judgement(kernel, judged->name, worst);
}

int main(int argc, char **argv)
{
	struct kernel kernel = {0};
	struct object object;
	int err;

	if (argc != 2 || argv[1][0] == '-') {
		fputs("usage: verified ELF\n", stderr);
		return 2;
	}
	if (object_open(&object, argv[1])) {
		object_close(&object);
		return 1;
	}
	libbpf_set_print(keep_warning);
	err = kernel_read(&kernel);
	if (err)
		fprintf(stderr,
			"verified: no program can be loaded here: %s: be root, on a kernel with "
			"BPF and tracing\n",
			strerror(-err));
	for (size_t i = 0; !err && i < object.program_count; i++)
		judge(&kernel, argv[1], &object, &object.programs[i]);
	object_close(&object);
	return err ? 1 : 0;
}
