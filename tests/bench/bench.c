// SPDX-License-Identifier: Apache-2.0
/*
 * What the sensor costs: CPU time of one exec with and without it, its own CPU time an
 * event, the BPF program's run time, and how fast records become OCSF.
 *
 * Rounds without and with the sensor alternate, so that a noisy machine is noisy for
 * both; medians are printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "enrich.h"
#include "normaliser.h"

enum { EXECS = 1500, ROUNDS = 9, EVENTS = 200000 };

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* CPU microseconds of one exec, from EXECS of them. */
static double measure_execs(const char *workload)
{
	char line[64] = "", count[16];
	int out[2], status;
	pid_t pid;

	if (pipe(out))
		fail("pipe");
	pid = fork();
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		snprintf(count, sizeof(count), "%d", EXECS);
		execl(workload, workload, count, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	if (read(out[0], line, sizeof(line) - 1) <= 0 || waitpid(pid, &status, 0) != pid || status)
		fail("the workload failed");
	close(out[0]);
	return strtod(line, NULL) / EXECS;
}

/* Nanoseconds a process has run, all its time on a CPU (schedstat's first number). */
static double cpu_ns(pid_t pid)
{
	char path[64];
	double ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lf", &ns) != 1)
		fail(path);
	fclose(f);
	return ns;
}

static pid_t sensor_start(const char *sensor, FILE **messages)
{
	char line[1024];
	int err[2];
	pid_t pid;

	if (pipe(err))
		fail("pipe");
	pid = fork();
	if (!pid) {
		dup2(err[1], STDERR_FILENO);
		execl(sensor, sensor, "run", "-f", "ocsf", "-o", "file:/dev/null", (char *)NULL);
		_exit(127);
	}
	close(err[1]);
	*messages = fdopen(err[0], "r");
	while (fgets(line, sizeof(line), *messages))
		if (strstr(line, ": ready: "))
			return pid;
	fprintf(stderr, "bench: the sensor did not start: %s", line);
	exit(1);
}

/* Stops the sensor and checks that it saw everything: a fast sensor that loses is no result. */
static void sensor_stop(pid_t pid, FILE *messages, unsigned long execs)
{
	char line[1024], *at;
	int status;

	kill(pid, SIGTERM);
	while (fgets(line, sizeof(line), messages))
		;
	fclose(messages);
	if (waitpid(pid, &status, 0) != pid || status || !strstr(line, "lost_kernel=0 ") ||
	    !(at = strstr(line, "emitted=")) || strtoul(at + 8, NULL, 10) < execs) {
		fprintf(stderr, "bench: the sensor lost events: %s", line);
		exit(1);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return values[n / 2];
}

/* Run time and runs of the exec programs that are loaded, summed; needs statistics on. */
static void program_runs(double *ns, double *runs)
{
	__u32 id = 0;

	*ns = *runs = 0;
	while (!bpf_prog_get_next_id(id, &id)) {
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
		    !strncmp(info.name, "entry_", 6)) {
			*ns += (double)info.run_time_ns;
			*runs += (double)info.run_cnt;
		}
		close(fd);
	}
}

static double measure_program(const char *workload, const char *sensor)
{
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	double ns, runs;
	FILE *messages;
	pid_t pid;

	if (stats < 0)
		return 0;
	pid = sensor_start(sensor, &messages);
	measure_execs(workload);
	program_runs(&ns, &runs);
	sensor_stop(pid, messages, EXECS);
	close(stats);
	return runs > 0 ? ns / runs : 0;
}

static void bench_execs(const char *workload, const char *sensor)
{
	double without[ROUNDS], with[ROUNDS], own[ROUNDS], a, b, c, program;

	measure_execs(workload); /* warm */
	for (int i = 0; i < ROUNDS; i++) {
		FILE *messages;
		double before;
		pid_t pid;

		without[i] = measure_execs(workload);
		pid = sensor_start(sensor, &messages);
		before = cpu_ns(pid);
		with[i] = measure_execs(workload);
		usleep(50000); /* the last batch */
		own[i] = (cpu_ns(pid) - before) / 1000 / EXECS;
		sensor_stop(pid, messages, EXECS);
	}
	program = measure_program(workload, sensor);
	a = median(without, ROUNDS);
	b = median(with, ROUNDS);
	c = median(own, ROUNDS);
	printf("one exec, without the sensor   %8.2f us CPU\n", a);
	printf("one exec, with the sensor      %8.2f us CPU  (+%.2f us, %.1f %%)\n", b, b - a,
	       (b - a) / a * 100);
	if (program > 0)
		printf("  of which the BPF program     %8.2f us\n", program / 1000);
	printf("the sensor itself, an event    %8.2f us CPU\n", c);
	printf("workload and sensor together   %8.2f us CPU an exec (aim: 12)\n", b - a + c);
	printf("(medians of %d interleaved rounds of %d execs)\n", ROUNDS, EXECS);
}

static void bench_normaliser(void)
{
	struct normaliser_result result;

	if (normaliser_bench(EVENTS, &result))
		fail("normaliser");
	printf("normaliser                     %8.0f events/s a core (%.2f us, %zu bytes an event; "
	       "decode, enrich, OCSF)\n",
	       EVENTS / result.seconds, result.seconds * 1e6 / EVENTS, result.bytes / EVENTS);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"sensor", required_argument, NULL, 's'},
		{"normaliser", no_argument, NULL, 'n'},
		{0},
	};
	const char *sensor = "build/bin/cormorant";
	char workload[4096 + sizeof("-workload")];
	ssize_t n = readlink("/proc/self/exe", workload, 4096);
	bool normaliser_only = false;
	int option;

	if (n < 0)
		fail("/proc/self/exe");
	strcpy(workload + n, "-workload");
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			sensor = optarg;
		else if (option == 'n')
			normaliser_only = true;
		else
			return 2;
	}
	bench_normaliser();
	if (!normaliser_only)
		bench_execs(workload, sensor);
	return 0;
}
