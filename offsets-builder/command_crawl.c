// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "crawl.h"
#include "db.h"

static const char usage_text[] =
	"usage: offsets-builder crawl -d DB debian [OPTION]... [PATTERN]...\n"
	"       offsets-builder crawl -d DB rpm --repo=URL... [OPTION]... [PATTERN]...\n"
	"\n"
	"Reads the kernels of a distribution's archive into the database: of each package as\n"
	"much as it takes to have the kernel, of -dbg and debuginfo packages only those of\n"
	"kernels without BTF. What was read before is not read again. PATTERNs are globs of\n"
	"package names ('linux-image-*-cloud-*'); without one every kernel package is read.\n"
	"\n"
	"  -d, --database=DB     the database; it is made if it is missing\n"
	"      --arch=A          an architecture as the archive calls it, also several times\n"
	"                        (amd64 and arm64; x86_64 and aarch64)\n"
	"      --keyring=FILE    the keys that may sign the indexes (Debian's); of rpm\n"
	"                        repositories a signature is only asked for with this\n"
	"      --allow-unsigned  takes an index without a good signature; the rows then have\n"
	"                        no hash of the package\n"
	"      --verify          reads packages to their ends, and checks their hashes\n"
	"      --again           also packages in which no kernel was found before\n"
	"  -j, --jobs=N          downloads at a time (CPUs and one, at most 8)\n"
	"      --shard=I/N       the I-th of N parts of the work; /N where the environment of\n"
	"                        a Kubernetes Indexed Job or a Slurm array says I\n"
	"      --retries=N       after a failure that may pass (5)\n"
	"      --timeout=S       seconds to wait for a server that does not answer (30)\n"
	"      --distro=NAME     the distribution that the rows name (debian; rpm)\n"
	"      --report=FILE     the report at the end, also as JSON\n"
	"  -h, --help            this text\n"
	"  debian:\n"
	"      --suite=S         a suite, also several times (all that apt knows)\n"
	"      --mirror=URL      the archive (what apt is configured to use)\n"
	"      --component=C     (main)\n"
	"  rpm:\n"
	"      --repo=URL        what repodata/repomd.xml is below, also several times: where\n"
	"                        the debuginfo packages are, too\n"
	"\n"
	"Exit status: 0 done, also if the archive lists packages that it does not have;\n"
	"1 something failed that another run may mend, or the database did; 2 bad usage.\n";

enum { JOBS_MAX = 64, JOBS_DEFAULT_MAX = 8, RETRIES_MAX = 100, TIMEOUT_MAX = 3600 };

enum {
	OPTION_SUITE = 256,
	OPTION_ARCH,
	OPTION_MIRROR,
	OPTION_COMPONENT,
	OPTION_REPO,
	OPTION_SHARD,
	OPTION_VERIFY,
	OPTION_AGAIN,
	OPTION_KEYRING,
	OPTION_ALLOW_UNSIGNED,
	OPTION_RETRIES,
	OPTION_TIMEOUT,
	OPTION_DISTRO,
	OPTION_REPORT,
};

static const struct option long_options[] = {
	{"database", required_argument, NULL, 'd'},
	{"jobs", required_argument, NULL, 'j'},
	{"suite", required_argument, NULL, OPTION_SUITE},
	{"arch", required_argument, NULL, OPTION_ARCH},
	{"mirror", required_argument, NULL, OPTION_MIRROR},
	{"component", required_argument, NULL, OPTION_COMPONENT},
	{"repo", required_argument, NULL, OPTION_REPO},
	{"shard", required_argument, NULL, OPTION_SHARD},
	{"verify", no_argument, NULL, OPTION_VERIFY},
	{"again", no_argument, NULL, OPTION_AGAIN},
	{"keyring", required_argument, NULL, OPTION_KEYRING},
	{"allow-unsigned", no_argument, NULL, OPTION_ALLOW_UNSIGNED},
	{"retries", required_argument, NULL, OPTION_RETRIES},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"distro", required_argument, NULL, OPTION_DISTRO},
	{"report", required_argument, NULL, OPTION_REPORT},
	{"help", no_argument, NULL, 'h'},
	{0},
};

struct command_options {
	struct crawl_options crawl;
	const char *kind, *shard;
	bool help;
};

/* --------------------------------------------------------------------- options */

static int take_word(struct crawl_words *words, const char *what, const char *word)
{
	if (!*word)
		return command_usage(usage_text, what, "is empty");
	if (words->count == CRAWL_WORDS)
		return command_usage(usage_text, "too many of a kind", word);
	words->word[words->count++] = word;
	return 0;
}

static int take_number(const char *what, unsigned long least, unsigned long most,
		       unsigned int *number)
{
	char *end = NULL;
	unsigned long n;

	errno = 0;
	n = strtoul(optarg, &end, 10);
	if (errno || end == optarg || *end || *optarg == '-' || n < least || n > most)
		return command_usage(usage_text, what, optarg);
	*number = (unsigned int)n;
	return 0;
}

static int parse_option(int option, struct command_options *options)
{
	struct crawl_options *crawl = &options->crawl;

	switch (option) {
	case 'd': crawl->database = optarg; return 0;
	case 'h': options->help = true; return 0;
	case 'j': return take_number("--jobs wants 1 to 64", 1, JOBS_MAX, &crawl->jobs);
	case OPTION_SUITE: return take_word(&crawl->suites, "--suite", optarg);
	case OPTION_ARCH: return take_word(&crawl->arches, "--arch", optarg);
	case OPTION_REPO: return take_word(&crawl->repos, "--repo", optarg);
	case OPTION_MIRROR: crawl->mirror = optarg; return 0;
	case OPTION_COMPONENT: crawl->component = optarg; return 0;
	case OPTION_SHARD: options->shard = optarg; return 0;
	case OPTION_VERIFY: crawl->verify = true; return 0;
	case OPTION_AGAIN: crawl->again = true; return 0;
	case OPTION_KEYRING: crawl->keyring = optarg; return 0;
	case OPTION_ALLOW_UNSIGNED: crawl->allow_unsigned = true; return 0;
	case OPTION_RETRIES:
		return take_number("--retries wants 0 to 100", 0, RETRIES_MAX, &crawl->retries);
	case OPTION_TIMEOUT:
		return take_number("--timeout wants 1 to 3600", 1, TIMEOUT_MAX, &crawl->timeout_s);
	case OPTION_DISTRO: crawl->distro = optarg; return 0;
	case OPTION_REPORT: crawl->report = optarg; return 0;
	default: fprintf(stderr, "\n%s", usage_text); return EXIT_USAGE; /* getopt has said why */
	}
}

/* What belongs to the other kind of archive would be ignored: better say so. */
static int check_debian(const struct crawl_options *crawl)
{
	if (crawl->repos.count)
		return command_usage(usage_text, "debian has no --repo", crawl->repos.word[0]);
	if (crawl->mirror && !crawl->suites.count)
		return command_usage(usage_text, "--mirror says not which suite", "give --suite");
	return 0;
}

static int check_rpm(const struct crawl_options *crawl)
{
	if (crawl->mirror || crawl->component || crawl->suites.count)
		return command_usage(usage_text, "rpm has none of --mirror, --suite, --component",
				     "give --repo");
	if (!crawl->repos.count)
		return command_usage(usage_text, "no repository", "--repo says which");
	return 0;
}

static int check(struct command_options *options)
{
	struct crawl_options *crawl = &options->crawl;
	struct error error;
	int err;

	if (!crawl->database || !*crawl->database)
		return command_usage(usage_text, "no database", "-d DB says which");
	if (!options->kind)
		return command_usage(usage_text, "no kind of archive", "debian or rpm");
	if (!strcmp(options->kind, "debian"))
		err = check_debian(crawl);
	else if (!strcmp(options->kind, "rpm"))
		err = check_rpm(crawl);
	else
		err = command_usage(usage_text, "unknown kind of archive", options->kind);
	if (err)
		return err;
	if (shard_parse(options->shard, &crawl->shard, &error)) {
		command_complain(&error);
		return EXIT_USAGE;
	}
	if (!crawl->distro)
		crawl->distro = options->kind;
	if (!crawl->component)
		crawl->component = "main";
	return 0;
}

/* ----------------------------------------------------------------------- crawl */

/* One more than CPUs, since some wait for the network while others unpack. */
static unsigned int default_jobs(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 1			   ? 2 :
	       cpus + 1 > JOBS_DEFAULT_MAX ? JOBS_DEFAULT_MAX :
					     (unsigned int)cpus + 1;
}

static int list_packages(const struct command_options *options, struct http_totals *totals,
			 struct crawl_list *list, struct error *error)
{
	const struct http_options http = {.retries = options->crawl.retries,
					  .timeout_s = options->crawl.timeout_s,
					  .totals = totals};
	struct index_reader *reader = NULL;
	int err = index_new(&http, &reader, error);

	if (!err && !strcmp(options->kind, "debian"))
		err = debian_list(&options->crawl, reader, list, error);
	else if (!err)
		err = rpm_list(&options->crawl, reader, list, error);
	if (!err && crawl_list_finish(list))
		err = error_set(error, -ENOMEM, "cannot crawl: no memory: free some");
	index_free(reader);
	return err;
}

static int crawl(const struct command_options *options)
{
	struct http_totals totals = {0};
	struct crawl_list list = {0};
	struct error error;
	struct db *db = NULL;
	int status = EXIT_FAILED, err;

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to connections that are gone */
	err = db_open(options->crawl.database, &db, &error);

	if (!err)
		err = list_packages(options, &totals, &list, &error);
	if (!err)
		status = crawl_run(&options->crawl, db, &list, &totals);
	else
		command_complain(&error);
	crawl_list_free(&list);
	db_close(db);
	return status;
}

int command_crawl(int argc, char **argv)
{
	struct command_options options = {
		.crawl = {.jobs = default_jobs(), .retries = 5, .timeout_s = 30}};
	int option, err = 0;

	while ((option = getopt_long(argc, argv, "d:j:h", long_options, NULL)) != -1) {
		err = parse_option(option, &options);
		if (err)
			return err;
	}
	if (options.help)
		return command_print(usage_text);
	options.kind = optind < argc ? argv[optind++] : NULL;
	while (!err && optind < argc)
		err = take_word(&options.crawl.patterns, "a PATTERN", argv[optind++]);
	if (!err)
		err = check(&options);
	return err ? err : crawl(&options);
}
