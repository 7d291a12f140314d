// SPDX-License-Identifier: Apache-2.0
#include "reason.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "privilege.h"

enum { LOG_BYTES = 4096 };

const char *loader_error_str(enum loader_error error)
{
	switch (error) {
	case LOADER_OK: return "Ok";
	case LOADER_KERNEL_TOO_OLD: return "KernelTooOld";
	case LOADER_MISSING_BTF: return "MissingBtf";
	case LOADER_NO_OFFSETS: return "NoOffsets";
	case LOADER_NOT_PERMITTED: return "NotPermitted";
	case LOADER_NO_TRACEFS: return "NoTracefs";
	case LOADER_VERIFIER_REJECTED: return "VerifierRejected";
	case LOADER_ATTACH_FAILED: return "AttachFailed";
	case LOADER_FAILED: return "Failed";
	}
	return "Unknown";
}

/* ---------------------------------------------------------------- libbpf's log */

/*
 * What libbpf said last, the verifier's words among it. libbpf's callback has no
 * argument to hand a buffer through, hence the one mutable global of the sensor; it
 * is used only between reason_listen and reason_listen_end.
 */
static struct {
	char text[LOG_BYTES];
	size_t len;
} log_tail;

static int keep_log(enum libbpf_print_level level, const char *format, va_list args)
{
	char *line = NULL;
	size_t n, drop;

	if (level == LIBBPF_DEBUG || vasprintf(&line, format, args) < 0)
		return 0;
	n = strlen(line);
	if (n >= LOG_BYTES) {
		memcpy(log_tail.text, line + n - (LOG_BYTES - 1), LOG_BYTES);
		log_tail.len = LOG_BYTES - 1;
	} else {
		drop = log_tail.len + n >= LOG_BYTES ? log_tail.len + n - (LOG_BYTES - 1) : 0;
		memmove(log_tail.text, log_tail.text + drop, log_tail.len - drop);
		memcpy(log_tail.text + log_tail.len - drop, line, n + 1);
		log_tail.len += n - drop;
	}
	free(line);
	return 0;
}

/* The verifier ran and said no: libbpf frames its words, and prints no frame without any. */
static bool log_from_verifier(void)
{
	return strstr(log_tail.text, "-- END PROG LOAD LOG --");
}

/* The last two lines of the log that say something, on one line, libbpf's framing left out. */
static void log_last(char *out, size_t size)
{
	char *line, *save = NULL, *last = NULL, *before = NULL;

	for (line = strtok_r(log_tail.text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "PROG LOAD LOG --") || strstr(line, "failed to load"))
			continue;
		before = last;
		last = line;
	}
	snprintf(out, size, "%s%s%s", before ? before : "", before ? "; " : "",
		 last ? last : "no message");
}

void reason_listen(void)
{
	log_tail.len = 0;
	log_tail.text[0] = 0;
	libbpf_set_print(keep_log);
}

void reason_listen_end(void)
{
	libbpf_set_print(NULL);
}

/* -------------------------------------------------------------------- reasons */

enum loader_error reason_set(struct loader_reason *r, enum loader_error error, const char *format,
			     ...)
{
	va_list args;

	r->error = error;
	va_start(args, format);
	vsnprintf(r->text, sizeof(r->text), format, args);
	va_end(args);
	return error;
}

enum loader_error reason_permission(struct loader_reason *r, const char *what, int err)
{
	char missing[128], mode[64];

	if (privilege_missing(missing, sizeof(missing)))
		return reason_set(r, LOADER_NOT_PERMITTED,
				  "cannot %s: %s is missing: run as root, or grant CAP_SYS_ADMIN",
				  what, missing);
	if (privilege_lockdown(mode, sizeof(mode)))
		return reason_set(r, LOADER_NOT_PERMITTED,
				  "cannot %s: the kernel is locked down (%s): boot without "
				  "lockdown=confidentiality, or sign what needs it",
				  what, mode);
	return reason_set(
		r, LOADER_NOT_PERMITTED,
		"cannot %s: %s although the capabilities are held: a seccomp filter, an LSM, "
		"or a container's policy forbids it; allow bpf(2) and perf_event_open(2) here",
		what, strerror(-err));
}

enum loader_error reason_load(struct loader_reason *r, int err)
{
	const char *name = r->variant->name;
	char last[512];

	/* Lockdown hides the helpers that read: to the verifier they are then unknown. */
	if (privilege_lockdown(last, sizeof(last)))
		return reason_permission(r, "load the programs", -EPERM);
	if (log_from_verifier()) {
		log_last(last, sizeof(last));
		return reason_set(r, LOADER_VERIFIER_REJECTED,
				  "cannot load %s: the verifier refused it (%s): please report this "
				  "with the kernel's version",
				  name, last);
	}
	if (err == -EPERM || err == -EACCES)
		return reason_permission(r, "load the programs", err);
	log_last(last, sizeof(last));
	if (err == -ENOMEM || err == -EMFILE || err == -ENFILE)
		return reason_set(r, LOADER_FAILED,
				  "cannot load %s: %s (%s): free memory or raise the limit", name,
				  strerror(-err), last);
	if (r->variant->access == ACCESS_CORE && (err == -ESRCH || err == -ENOENT))
		return reason_set(r, LOADER_MISSING_BTF,
				  "cannot load %s: the kernel's BTF can't be used (%s): a kernel "
				  "with CONFIG_DEBUG_INFO_BTF is needed for this variant",
				  name, strerror(-err));
	return reason_set(r, LOADER_KERNEL_TOO_OLD,
			  "cannot load %s: %s (%s): this kernel lacks what the variant needs", name,
			  strerror(-err), last);
}

enum loader_error reason_attach(struct loader_reason *r, int err)
{
	const char *name = r->variant->name;
	char mode[64];

	if (privilege_lockdown(mode, sizeof(mode)))
		return reason_permission(r, "attach the program", -EPERM);
	if (err == -EPERM || err == -EACCES)
		return reason_permission(r, "attach the program", err);
	if (err == -EEXIST)
		return reason_set(r, LOADER_ATTACH_FAILED,
				  "cannot attach %s: another program holds the hook, and this kernel "
				  "allows one: stop the other agent",
				  name);
	return reason_set(r, LOADER_ATTACH_FAILED,
			  "cannot attach %s: %s: the kernel may lack the hook (CONFIG_BPF_EVENTS)",
			  name, strerror(-err));
}

enum loader_error reason_feature(struct loader_reason *r, enum feature_id id,
				 const struct feature *feature)
{
	const char *why = feature->error ? strerror(feature->error) : "the kernel has none";
	char mode[64], what[64];

	snprintf(what, sizeof(what), "use %s", feature_name(id));
	if (feature->error == EPERM || feature->error == EACCES ||
	    (id == FEATURE_TRACEFS && privilege_lockdown(mode, sizeof(mode))))
		return reason_permission(r, what, -EPERM);
	if (id == FEATURE_BTF)
		return reason_set(r, LOADER_MISSING_BTF,
				  "cannot use CO-RE: /sys/kernel/btf/vmlinux: %s: a kernel with "
				  "CONFIG_DEBUG_INFO_BTF that shows it is needed for this variant",
				  why);
	if (id == FEATURE_TRACEFS)
		return reason_set(
			r, LOADER_NO_TRACEFS,
			"cannot attach without tracefs: it is not mounted or not readable: mount it "
			"with `mount -t tracefs tracefs /sys/kernel/tracing`");
	return reason_set(r, LOADER_KERNEL_TOO_OLD,
			  "this kernel does not offer %s: %s: a newer kernel, or one configured for "
			  "it, is needed for this variant",
			  feature_name(id), why);
}
