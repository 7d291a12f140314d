// SPDX-License-Identifier: Apache-2.0
#include "gpgv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

/* The descriptors that gpgv is given. */
enum { DATA, CONTENT, MESSAGES, STATUS, SIGNATURE, FDS };

/*
 * The lines of --status-fd that decide. gpgv's own exit status does not: it is a failure
 * as soon as one of several signers is unknown. ERROR: there is more in the file than one
 * signed text.
 */
static bool is_good(const char *status)
{
	static const char prefix[] = "[GNUPG:] ";
	bool good = false, valid = false;

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, prefix, sizeof(prefix) - 1))
			continue;
		if (!strncmp(line + sizeof(prefix) - 1, "BADSIG ", 7) ||
		    !strncmp(line + sizeof(prefix) - 1, "ERROR ", 6))
			return false;
		good |= !strncmp(line + sizeof(prefix) - 1, "GOODSIG ", 8);
		valid |= !strncmp(line + sizeof(prefix) - 1, "VALIDSIG ", 9);
	}
	return good && valid;
}

/* gpgv's last line, without its name and its end. */
static const char *last_line(struct text *messages)
{
	char *line;

	while (messages->len && strchr("\n\r ", messages->data[messages->len - 1]))
		messages->data[--messages->len] = 0;
	line = messages->len ? strrchr(messages->data, '\n') : NULL;
	line = line ? line + 1 : messages->data;
	if (!messages->len)
		return "gpgv does not say why";
	return strncmp(line, "gpgv: ", 6) ? line : line + 6;
}

static int judge(const char *keyring, const char *name, const int fds[FDS], size_t limit,
		 struct text *content, struct error *error)
{
	struct text status = {0}, messages = {0};
	int err = program_file_read(fds[STATUS], 1 << 20, &status);

	if (!err)
		err = program_file_read(fds[MESSAGES], 1 << 20, &messages);
	if (!err && content)
		err = program_file_read(fds[CONTENT], limit, content);
	if (err)
		err = error_set(error, err, "cannot check %s: %s: report this", name,
				strerror(-err));
	else if (!is_good(status.data))
		err = error_set(error, -EKEYREJECTED,
				"cannot trust %s: no good signature by a key of %s: %s: give its "
				"own --keyring, or --allow-unsigned",
				name, keyring, last_line(&messages));
	text_free(&status);
	text_free(&messages);
	return err;
}

static int run_gpgv(const char *keyring, const int fds[FDS], struct error *error)
{
	/* gpgv takes a name without a slash for one in its own directory. */
	char *path = realpath(keyring, NULL);
	const char *const detached[] = {
		"gpgv", "--keyring", path, "--status-fd=3", "/proc/self/fd/4", "/proc/self/fd/0",
		NULL};
	const char *const inlined[] = {"gpgv",	     "--keyring",	path, "--status-fd=3",
				       "--output=-", "/proc/self/fd/0", NULL};
	int err;

	if (!path)
		return error_set(error, -errno, "cannot read the keyring %s: %s: give another one",
				 keyring, strerror(errno));
	err = program_run(fds[SIGNATURE] < 0 ? inlined : detached, fds, FDS, error);
	free(path);
	return err < 0 ? err : 0;
}

int gpgv_check(const char *keyring, const char *name, const struct text *data,
	       const struct text *signature, struct text *content, struct error *error)
{
	int fds[FDS] = {[SIGNATURE] = -1}, err = 0;

	for (int i = 0; i < FDS; i++) {
		if (i == DATA)
			fds[i] = program_file(data->data, data->len);
		else if (i != SIGNATURE)
			fds[i] = program_file(NULL, 0);
		else if (signature)
			fds[i] = program_file(signature->data, signature->len);
		if (fds[i] < 0 && (i != SIGNATURE || signature))
			err = fds[i];
	}
	if (err)
		err = error_set(error, err, "cannot check %s: %s: free some memory", name,
				strerror(-err));
	if (!err)
		err = run_gpgv(keyring, fds, error);
	if (!err)
		err = judge(keyring, name, fds, data->len, signature ? NULL : content, error);
	for (int i = 0; i < FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return err;
}
