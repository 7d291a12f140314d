// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "proc.h"

static void trim_line(char *line)
{
	line[strcspn(line, "\n")] = 0;
}

/* The first line of a file, empty if it can't be read. */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(line, (int)size, f))
		*line = 0;
	trim_line(line);
	if (f)
		fclose(f);
}

/* os-release: KEY=VALUE, the value bare or quoted as a shell would (os-release(5)). */
static void os_release_value(const char *line, const char *key, char *value, size_t size)
{
	size_t n = strlen(key), at = 0;
	char quote = 0;

	if (strncmp(line, key, n) || line[n] != '=')
		return;
	line += n + 1;
	if (*line == '"' || *line == '\'')
		quote = *line++;
	for (; *line && *line != quote && at + 1 < size; line++) {
		if (*line == '\\' && quote != '\'' && line[1])
			line++;
		value[at++] = *line;
	}
	value[at] = 0;
}

static bool read_os_release(const char *path, struct host *host)
{
	FILE *f = fopen(path, "re");
	char line[512];

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		trim_line(line);
		os_release_value(line, "NAME", host->os_name, sizeof(host->os_name));
		os_release_value(line, "VERSION_ID", host->os_version, sizeof(host->os_version));
	}
	fclose(f);
	return true;
}

static bool is_machine_id(const char *id)
{
	return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

/* x86 says so in a CPU flag; elsewhere it stays unknown. */
static bool is_virtual_machine(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, "flags", 5) && strstr(line, " hypervisor");
	if (f)
		fclose(f);
	return found;
}

void host_read(struct host *host)
{
	struct utsname uts = {0};

	*host = (struct host){.os_name = "Linux"};
	uname(&uts);
	snprintf(host->hostname, sizeof(host->hostname), "%s", uts.nodename);
	snprintf(host->release, sizeof(host->release), "%s", uts.release);
	/* In a container /etc is the image's: the host's is pid 1's, where that can be seen. */
	if (!proc_is_host() || !read_os_release("/proc/1/root/etc/os-release", host)) {
		if (!read_os_release("/etc/os-release", host))
			read_os_release("/usr/lib/os-release", host);
	}
	read_line("/proc/sys/kernel/random/boot_id", host->boot_id, sizeof(host->boot_id));
	if (proc_is_host())
		read_line("/proc/1/root/etc/machine-id", host->machine_id,
			  sizeof(host->machine_id));
	if (!is_machine_id(host->machine_id))
		read_line("/etc/machine-id", host->machine_id, sizeof(host->machine_id));
	if (!is_machine_id(host->machine_id))
		host->machine_id[0] = 0;
	host->virtual_machine = is_virtual_machine();
}
