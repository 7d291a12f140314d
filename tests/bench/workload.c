// SPDX-License-Identifier: Apache-2.0
/*
 * The workload: a process that executes itself until its count is down, then prints its
 * CPU time in us. Its own program, with no library but C's: what an exec costs must not
 * change with what the sensor links.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 0;
	struct rusage usage;
	char count[16];

	if (left > 0) {
		snprintf(count, sizeof(count), "%d", left - 1);
		execl("/proc/self/exe", argv[0], count, "an ordinary argument", "-o", "another",
		      (char *)NULL);
		perror("bench-workload: exec");
		return 1;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("%.3f\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
				 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
	return 0;
}
