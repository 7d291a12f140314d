// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "command.h"
#include "db.h"
#include "publish.h"
#include "sign.h"
#include "tree.h"

static const char usage_text[] =
	"usage: offsets-builder publish -d DB [--key FILE] DIR\n"
	"\n"
	"Writes the database to DIR/v1 as files that any web server can serve: a sensor fetches\n"
	"its own kernel's row from there (cormorant run --offsets-url). What has not changed is\n"
	"left alone; kernels that the database no longer has are removed.\n"
	"\n"
	"  -d, --database=DB          the database\n"
	"      --key=FILE             the minisign secret key that signs every file\n"
	"      --password-file=FILE   its first line is the key's password, if it has one\n"
	"  -h, --help                 this text\n"
	"\n"
	"Sensors take nothing that is not signed. Without --key sign the files yourself, with\n"
	"`minisign -S`; a signature stays as long as its file does not change.\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 bad usage.\n";

enum { OPTION_KEY = 256, OPTION_PASSWORD_FILE };

static const struct option long_options[] = {
	{"database", required_argument, NULL, 'd'},
	{"key", required_argument, NULL, OPTION_KEY},
	{"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
	{"help", no_argument, NULL, 'h'},
	{0},
};

struct publish_options {
	const char *database, *directory, *key, *password_file;
	bool help;
};

static int print_counts(const struct publish_options *options, const struct publish_counts *counts,
			const struct tree_counts *files, const struct sign_key *key,
			struct error *error)
{
	int n = printf("%s: %zu kernels, %zu files written, %zu unchanged, %zu removed, %s%s\n",
		       options->directory, counts->kernels, files->written, files->unchanged,
		       files->removed, key ? "signed by " : "not signed",
		       key ? sign_key_id(key) : "");

	if (counts->nameless && n >= 0)
		n = printf("%s: %zu kernels are in the database only: their build-id or arch is "
			   "not known\n",
			   options->directory, counts->nameless);
	if (counts->conflicts && n >= 0)
		n = printf("%s: %zu rows are left out: two of one kernel do not agree: see "
			   "`offsets-builder verify`\n",
			   options->directory, counts->conflicts);
	if (n < 0 || fflush(stdout))
		return error_set(
			error, -1,
			"cannot write to stdout: it is closed or full: look where it goes");
	return 0;
}

static int publish_to(struct db *db, const struct publish_options *options,
		      const struct sign_key *key, struct error *error)
{
	struct publish_counts counts;
	struct tree_counts files;
	struct tree *tree = NULL;
	int err = tree_open(options->directory, &tree, error);

	if (!err)
		err = publish(db, key, tree, &counts, error);
	if (!err) {
		files = tree_counts(tree);
		err = print_counts(options, &counts, &files, key, error);
	}
	tree_close(tree);
	return err;
}

static int run(const struct publish_options *options)
{
	struct sign_key *key = NULL;
	struct db *db = NULL;
	struct error error;
	int err = db_open_read(options->database, &db, &error);

	if (!err && options->key)
		err = sign_key_open(options->key, options->password_file, &key, &error);
	if (!err)
		err = publish_to(db, options, key, &error);
	if (err)
		command_complain(&error);
	sign_key_close(key);
	db_close(db);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static int parse_option(int option, struct publish_options *options)
{
	switch (option) {
	case 'd': options->database = optarg; return 0;
	case 'h': options->help = true; return 0;
	case OPTION_KEY: options->key = optarg; return 0;
	case OPTION_PASSWORD_FILE: options->password_file = optarg; return 0;
	default: fprintf(stderr, "\n%s", usage_text); return EXIT_USAGE; /* getopt has said why */
	}
}

int command_publish(int argc, char **argv)
{
	struct publish_options options = {0};
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
	if (argc - optind != 1)
		return command_usage(usage_text, "one directory is wanted", "DIR says which");
	if (options.password_file && !options.key)
		return command_usage(usage_text, "a password without a key", "--key says which");
	options.directory = argv[optind];
	return run(&options);
}
