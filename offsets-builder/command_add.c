// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "db.h"
#include "image.h"
#include "layout.h"

static const char usage_text[] =
	"usage: offsets-builder add -d DB [OPTION]... FILE...\n"
	"\n"
	"Adds the kernels that FILEs are of. A FILE is a vmlinux (BTF or DWARF), a vmlinuz, a\n"
	"copy of /sys/kernel/btf/vmlinux, any of them compressed; or a package that has one: a\n"
	".deb, an .rpm, a tar archive, BTFHub's ARCH/RELEASE.btf.tar.xz. /dev/stdin is a FILE,\n"
	"too. The same file twice changes nothing.\n"
	"\n"
	"  -d, --database=DB     the database; it is made if it is missing\n"
	"      --distro=D        where the kernels are from, for a person to read\n"
	"  Of one FILE with one kernel, what it does not say itself (BTF alone says none of it):\n"
	"      --build-id=ID     the GNU build-id, in hex\n"
	"      --arch=A          uname -m\n"
	"      --release=R       uname -r\n"
	"      --version=V       uname -v\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done, 1 a FILE or the database failed, 2 bad usage.\n";

enum { OPTION_RELEASE = 256, OPTION_VERSION, OPTION_BUILD_ID, OPTION_ARCH, OPTION_DISTRO };

static const struct option long_options[] = {
	{"database", required_argument, NULL, 'd'},
	{"release", required_argument, NULL, OPTION_RELEASE},
	{"version", required_argument, NULL, OPTION_VERSION},
	{"build-id", required_argument, NULL, OPTION_BUILD_ID},
	{"arch", required_argument, NULL, OPTION_ARCH},
	{"distro", required_argument, NULL, OPTION_DISTRO},
	{"help", no_argument, NULL, 'h'},
	{0},
};

struct add_options {
	const char *database, *distro;
	struct kernel_identity identity;
	bool help;
};

/* ------------------------------------------------------------------- identity */

static int take_text(const char *option, char *out, size_t size)
{
	if (!*optarg || strlen(optarg) >= size)
		return command_usage(usage_text, option, *optarg ? "is too long" : "is empty");
	strcpy(out, optarg);
	return 0;
}

static int take_build_id(char *out, size_t size)
{
	int err = take_text("--build-id", out, size);

	for (char *c = out; !err && *c; c++) {
		if (!isxdigit((unsigned char)*c))
			return command_usage(usage_text, "--build-id wants hex digits", optarg);
		*c = (char)tolower((unsigned char)*c);
	}
	if (!err && strlen(out) % 2)
		return command_usage(usage_text, "--build-id wants whole bytes", optarg);
	return err;
}

/* BTFHub keeps RELEASE.btf in DISTRO/VERSION/ARCH/RELEASE.btf.tar.xz. */
static void take_release(const char *member, struct kernel_identity *identity)
{
	const char *slash = strrchr(member, '/');
	const char *name = slash ? slash + 1 : member;
	size_t size = strlen(name);

	if (size < 5 || strcmp(name + size - 4, ".btf") || !isdigit((unsigned char)*name) ||
	    size - 4 >= sizeof(identity->release))
		return;
	memcpy(identity->release, name, size - 4);
	identity->release[size - 4] = 0;
}

static void take_arch(const char *path, struct kernel_identity *identity)
{
	static const struct {
		const char *directory, *arch;
	} archs[] = {{"x86_64", "x86_64"}, {"arm64", "aarch64"}};
	const char *end = strrchr(path, '/'), *start = end;

	while (start && start > path && start[-1] != '/')
		start--;
	for (size_t i = 0; start && i < sizeof(archs) / sizeof(archs[0]); i++)
		if (strlen(archs[i].directory) == (size_t)(end - start) &&
		    !strncmp(archs[i].directory, start, (size_t)(end - start)))
			strcpy(identity->arch, archs[i].arch);
}

/* What the file says, or else the option; the two may not contradict each other. */
static int merge_text(const char *path, const char *option, const char *given, char *text,
		      size_t size, struct error *error)
{
	if (*given && *text && strcmp(given, text))
		return error_set(error, -EINVAL,
				 "cannot add %s: it says %s, and %s says %s: leave the option out",
				 path, text, option, given);
	if (*given)
		snprintf(text, size, "%s", given);
	return 0;
}

#define MERGE(member, option)                                                                      \
	merge_text(path, option, given->member, identity->member, sizeof(identity->member), error)

static int merge_identity(const char *path, const struct kernel_identity *given,
			  struct kernel_identity *identity, struct error *error)
{
	if (MERGE(build_id, "--build-id") || MERGE(arch, "--arch") || MERGE(release, "--release") ||
	    MERGE(version, "--version"))
		return -EINVAL;
	if (!*identity->build_id && !(*identity->arch && *identity->release))
		return error_set(error, -EINVAL,
				 "cannot add %s: it does not say which kernel it is: give "
				 "--build-id, or --arch and --release, and --version if you can",
				 path);
	return 0;
}

/* ------------------------------------------------------------------------ add */

/* What is done with the kernels of one file. */
struct addition {
	struct db *db;
	const char *path;
	const struct add_options *options;
	struct image *only; /* with an identity for one kernel: that one, until the file's end */
};

static bool has_identity(const struct add_options *options)
{
	const struct kernel_identity *identity = &options->identity;

	return *identity->build_id || *identity->arch || *identity->release || *identity->version;
}

static int print_outcome(const char *path, const struct image *image,
			 const struct kernel_identity *identity, enum db_outcome outcome,
			 struct error *error)
{
	static const char *const words[] = {[DB_ADDED] = "added",
					    [DB_UPDATED] = "updated",
					    [DB_UNCHANGED] = "unchanged",
					    [DB_CONFLICT] = "conflict"};
	static const char *const types[] = {[IMAGE_BTF] = "BTF", [IMAGE_DWARF] = "DWARF"};

	if (printf("%s%s%s: %s: %s %s %s, build-id %s: %zu numbers from %s\n", path,
		   *image->member ? ": " : "", image->member, words[outcome],
		   *identity->arch ? identity->arch : "?",
		   *identity->release ? identity->release : "?",
		   *identity->version ? identity->version : "?",
		   *identity->build_id ? identity->build_id : "?", image->layout.count,
		   types[image->types]) < 0 ||
	    fflush(stdout))
		return error_set(
			error, -EIO,
			"cannot write to stdout: it is closed or full: look where it goes");
	if (outcome == DB_CONFLICT)
		return error_set(error, -EEXIST,
				 "%s contradicts what is known of the same kernel: its numbers or "
				 "its names: see both with `offsets-builder show %s`",
				 path,
				 *identity->build_id ? identity->build_id : identity->release);
	return 0;
}

static int add_image(const struct addition *addition, const struct image *image,
		     struct error *error)
{
	struct db_kernel kernel = {.identity = image->identity,
				   .distro = addition->options->distro,
				   .source = addition->path,
				   .sha256 = image->sha256};
	enum db_outcome outcome = DB_UNCHANGED;
	int err;

	if (!*kernel.identity.arch && *image->member) {
		take_release(image->member, &kernel.identity);
		take_arch(addition->path, &kernel.identity);
	}
	err = merge_identity(addition->path, &addition->options->identity, &kernel.identity, error);
	if (!err)
		err = db_add(addition->db, &kernel, &image->layout, &outcome, error);
	if (!err)
		err = print_outcome(addition->path, image, &kernel.identity, outcome, error);
	return err;
}

static int take_image(void *arg, const struct image *image, struct error *error)
{
	struct addition *addition = arg;

	if (!has_identity(addition->options))
		return add_image(addition, image, error);
	if (addition->only)
		return error_set(
			error, -EINVAL,
			"cannot add %s: it has several kernels, %s and %s, and the options "
			"say who one is: leave them out",
			addition->path, addition->only->member, image->member);
	addition->only = malloc(sizeof(*image));
	if (!addition->only)
		return error_set(error, -ENOMEM, "cannot add %s: no memory: free some",
				 addition->path);
	*addition->only = *image;
	return 0;
}

static int add_file(struct db *db, const char *path, const struct add_options *options,
		    struct error *error)
{
	struct addition addition = {db, path, options, NULL};
	struct source *source = NULL;
	int err = source_open_file(path, &source, error);

	if (!err)
		err = image_read(source, take_image, &addition, error);
	if (err > 0)
		err = addition.only ? add_image(&addition, addition.only, error) : 0;
	free(addition.only);
	source_close_file(source);
	return err;
}

/* A file that fails does not keep the others out. */
static int add_files(char **files, int count, const struct add_options *options)
{
	struct error error;
	struct db *db;
	int status = EXIT_DONE;

	if (db_open(options->database, &db, &error)) {
		command_complain(&error);
		return EXIT_FAILED;
	}
	for (int i = 0; i < count; i++) {
		if (add_file(db, files[i], options, &error)) {
			command_complain(&error);
			status = EXIT_FAILED;
		}
	}
	db_close(db);
	return status;
}

static int parse_option(int option, struct add_options *options)
{
	struct kernel_identity *identity = &options->identity;

	switch (option) {
	case 'd': options->database = optarg; return 0;
	case 'h': options->help = true; return 0;
	case OPTION_DISTRO: options->distro = optarg; return 0;
	case OPTION_BUILD_ID: return take_build_id(identity->build_id, sizeof(identity->build_id));
	case OPTION_ARCH: return take_text("--arch", identity->arch, sizeof(identity->arch));
	case OPTION_RELEASE:
		return take_text("--release", identity->release, sizeof(identity->release));
	case OPTION_VERSION:
		return take_text("--version", identity->version, sizeof(identity->version));
	default: fprintf(stderr, "\n%s", usage_text); return EXIT_USAGE; /* getopt has said why */
	}
}

int command_add(int argc, char **argv)
{
	struct add_options options = {0};
	int option, err;

	while ((option = getopt_long(argc, argv, "d:h", long_options, NULL)) != -1) {
		err = parse_option(option, &options);
		if (err)
			return err;
	}
	if (options.help)
		return command_print(usage_text);
	if (!options.database || !*options.database)
		return command_usage(usage_text, "no database", "-d DB says which");
	if (optind == argc)
		return command_usage(usage_text, "nothing to add", "name a FILE");
	if (argc - optind > 1 && has_identity(&options))
		return command_usage(usage_text, "one identity can't be several files'",
				     argv[optind + 1]);
	return add_files(argv + optind, argc - optind, &options);
}
