// SPDX-License-Identifier: Apache-2.0
/*
 * image.c and what it stands on: images and packages made by other tools (make_images)
 * against what the compiler says of their layout.
 */
#include "image.h"

#include <errno.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <cmocka.h>

extern char **environ;

static char dir[] = "/tmp/cormorant-images-XXXXXX";

/* ----------------------------------------------------------------- made by others */

static int run(char *const *argv)
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static int make_images(void **state)
{
	char *argv[] = {(char *)BUILDER_TESTS "/make_images", dir, NULL};

	(void)state;
	libbpf_set_print(NULL);
	return mkdtemp(dir) ? run(argv) : -1;
}

static int remove_images(void **state)
{
	char *argv[] = {(char *)"rm", (char *)"-rf", dir, NULL};

	(void)state;
	return run(argv);
}

static char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static char *content_of(const char *name, size_t *size)
{
	FILE *f = fopen(path_of(name), "r");
	char *content = calloc(1, 1 << 20);

	if (!f || !content)
		fail_msg("no %s", name);
	*size = fread(content, 1, (1 << 20) - 1, f);
	assert_true(feof(f));
	fclose(f);
	return content;
}

/* ------------------------------------------------------------------------ reading */

/* What image_read hands out; the answer it gets. */
struct catch
{
	struct image images[4];
	int count, answer;
};

static int take(void *arg, const struct image *image, struct error *error)
{
	struct catch *catch = arg;

	assert_true(catch->count < 4);
	catch->images[catch->count++] = *image;
	return catch->answer < 0 ? error_set(error, catch->answer, "the test says so") :
				   catch->answer;
}

/* Bytes in blocks that are freed when the next one is asked for. */
struct bytes {
	struct source source;
	const char *data;
	size_t size, at, block, fail_at;
	char *handed;
};

static ssize_t next_bytes(struct source *source, const void **block, struct error *error)
{
	struct bytes *bytes = (struct bytes *)source;
	size_t n = bytes->size - bytes->at < bytes->block ? bytes->size - bytes->at : bytes->block;

	free(bytes->handed);
	bytes->handed = NULL;
	if (bytes->at >= bytes->fail_at)
		return error_set(error, -ETIMEDOUT, "the line is cut");
	if (!n)
		return 0;
	bytes->handed = malloc(n);
	assert_non_null(bytes->handed);
	memcpy(bytes->handed, bytes->data + bytes->at, n);
	bytes->at += n;
	*block = bytes->handed;
	return (ssize_t)n;
}

static int read_bytes(struct bytes *bytes, struct catch *catch, struct error *error)
{
	int rc;

	bytes->source = (struct source){next_bytes, "bytes"};
	rc = image_read(&bytes->source, take, catch, error);
	free(bytes->handed);
	bytes->handed = NULL;
	return rc;
}

static int read_file(const char *name, struct catch *catch, struct error *error)
{
	struct source *source = NULL;
	int rc = source_open_file(path_of(name), &source, error);

	memset(catch, 0, sizeof(*catch));
	strcpy(error->text, "");
	if (!rc)
		rc = image_read(source, take, catch, error);
	source_close_file(source);
	return rc;
}

/* The one kernel in a file. */
static struct image *image_of(const char *name)
{
	static struct catch catch;
	struct error error;
	int rc = read_file(name, &catch, &error);

	if (rc != 1 || catch.count != 1)
		fail_msg("%s: %d, %d found: %s", name, rc, catch.count, error.text);
	return &catch.images[0];
}

/* ------------------------------------------------------------------------- checks */

static const struct layout_field *field_of(const struct layout *layout, const char *type,
					   const char *member)
{
	for (size_t i = 0; i < layout->count; i++)
		if (!strcmp(layout->fields[i].type, type) &&
		    !strcmp(layout->fields[i].member, member))
			return &layout->fields[i];
	return NULL;
}

/* The layout is the compiler's, line by line, and has nothing else. */
static void assert_layout(const char *name, const struct layout *layout, const char *truth)
{
	size_t size, lines = 0;
	char *text = content_of(truth, &size), *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *dot = strchr(line, '.'), *blank = strchr(dot, ' ');
		const struct layout_field *field;
		unsigned int at, bytes;

		*dot = *blank = 0;
		assert_int_equal(sscanf(blank + 1, "%u %u", &at, &bytes), 2);
		field = field_of(layout, line, dot + 1);
		if (!field)
			fail_msg("%s: no %s.%s", name, line, dot + 1);
		if (field->offset != at || field->size != bytes || field->bit_shift)
			fail_msg("%s: %s.%s: %u %u, not %u %u", name, line, dot + 1, field->offset,
				 field->size, at, bytes);
		lines++;
	}
	free(text);
	assert_true(lines > 40);
	if (layout->count != lines)
		fail_msg("%s: %zu numbers, not %zu", name, layout->count, lines);
}

static void assert_whole(const char *name, const char *arch)
{
	struct image *image = image_of(name);

	if (strcmp(image->identity.arch, arch) ||
	    strcmp(image->identity.release, *arch ? "6.1.0-made" : "") ||
	    strcmp(image->identity.version, *arch ? "#7 SMP made" : "") ||
	    strcmp(image->identity.build_id,
		   *arch ? "0123456789abcdef0123456789abcdef01234567" : ""))
		fail_msg("%s: it says that it is %s %s %s %s", name, image->identity.arch,
			 image->identity.release, image->identity.version,
			 image->identity.build_id);
	assert_layout(name, &image->layout, "truth");
}

/* The hash that was taken by another program, of the file or of the member. */
static void assert_hash(const char *name)
{
	struct image *image = image_of(name);
	char hash_name[64];
	size_t size;
	char *hash;

	snprintf(hash_name, sizeof(hash_name), "%s.sha256", name);
	hash = content_of(hash_name, &size);
	assert_string_equal(image->sha256, hash);
	free(hash);
}

static void assert_fails(const char *name, int err, const char *why)
{
	struct catch catch;
	struct error error;
	int rc = read_file(name, &catch, &error);

	if (rc != err || catch.count || !strstr(error.text, why) ||
	    strncmp(error.text, "cannot read ", 12))
		fail_msg("%s: %d, %d found, not %d: %s", name, rc, catch.count, err, error.text);
}

/* ------------------------------------------------------------------------ vmlinux */

static void dwarf_gives_what_the_compiler_says(void **state)
{
	static const char *const names[] = {
		"vmlinux-dwarf2",     "vmlinux-dwarf3",	    "vmlinux-dwarf4",
		"vmlinux-dwarf5",     "vmlinux-dwarf64",    "vmlinux-clang",
		"vmlinux-compressed", "vmlinux-typeunits4", "vmlinux-typeunits5",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_whole(names[i], "x86_64");
		assert_int_equal(image_of(names[i])->types, IMAGE_DWARF);
		assert_hash(names[i]);
	}
}

static void of_types_of_one_name_the_fullest_is_taken(void **state)
{
	(void)state;
	assert_whole("vmlinux-fewer-first", "x86_64");
	assert_whole("vmlinux-fewer-last", "x86_64");
}

static void btf_gives_what_the_compiler_says(void **state)
{
	(void)state;
	assert_whole("vmlinux-btf", "x86_64");
	assert_int_equal(image_of("vmlinux-btf")->types, IMAGE_BTF);
	assert_hash("vmlinux-btf");
	assert_whole("vmlinux.btf", "");
	assert_int_equal(image_of("vmlinux.btf")->types, IMAGE_BTF);
	assert_hash("vmlinux.btf");
	assert_layout("shifted.btf", &image_of("shifted.btf")->layout, "truth-shifted");
}

static void btf_and_dwarf_have_one_hash(void **state)
{
	char of_btf[DIGEST_TEXT];

	(void)state;
	strcpy(of_btf, image_of("vmlinux-btf")->layout.sha256);
	assert_string_equal(image_of("vmlinux-dwarf5")->layout.sha256, of_btf);
	assert_string_not_equal(image_of("shifted.btf")->layout.sha256, of_btf);
}

static void btf_comes_before_dwarf(void **state)
{
	struct image *image = image_of("vmlinux-both");

	(void)state;
	assert_int_equal(image->types, IMAGE_BTF);
	assert_layout("vmlinux-both", &image->layout, "truth-shifted");
}

static void what_is_no_kernel_is_refused(void **state)
{
	(void)state;
	assert_fails("vmlinux-bare", -ENODATA, "neither BTF nor DWARF");
	assert_fails("vmlinux-damaged-btf", -EBADMSG, "BTF is cut off or damaged");
	assert_fails("module.o", -EBADMSG, "a module, not a linked kernel");
	assert_fails("vmlinux-32", -EBADMSG, "64-bit machine");
	assert_fails("vmlinux-arm", -EBADMSG, "64-bit machine");
	assert_fails("vmlinux-other-end", -EBADMSG, "64-bit machine");
	assert_fails("bpf.btf", -EBADMSG, "not a 64-bit kernel's");
	assert_fails("print-truth", -EBADMSG, "neither BTF nor DWARF");
	assert_fails("truth", -EBADMSG, "no kernel image");
}

/* -------------------------------------------------------------------- boot images */

static const char *const filters[] = {"gzip", "xz", "zstd", "lz4", "lzma", "bzip2"};

static void every_compression_of_a_bzimage_is_read(void **state)
{
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		snprintf(name, sizeof(name), "bzImage-%s", filters[i]);
		assert_whole(name, "x86_64");
		assert_hash(name);
	}
	assert_whole("bzImage-plain", "x86_64");
	assert_fails("bzImage-bare", -ENODATA, "neither BTF nor DWARF");
	assert_fails("bzImage-old", -ENODATA, "boot protocol");
	assert_fails("bzImage-long", -EBADMSG, "ends behind its own end");
}

static void an_arm64_image_is_the_kernels_not_its_vdsos(void **state)
{
	(void)state;
	assert_whole("Image", "aarch64");
	assert_hash("Image");
	assert_whole("Image.gz", "aarch64");
	assert_hash("Image.gz");
	assert_fails("Image-bare", -ENODATA, "no BTF");
}

static void every_compression_of_a_zboot_image_is_read(void **state)
{
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		snprintf(name, sizeof(name), "zboot-%s", filters[i]);
		assert_whole(name, "aarch64");
		assert_hash(name);
	}
}

static void any_image_may_be_compressed(void **state)
{
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		snprintf(name, sizeof(name), "vmlinux-btf.%s", filters[i]);
		assert_whole(name, "x86_64");
		assert_hash(name);
		snprintf(name, sizeof(name), "vmlinux-dwarf5.%s", filters[i]);
		assert_whole(name, "x86_64");
		snprintf(name, sizeof(name), "vmlinux.btf.%s", filters[i]);
		assert_whole(name, "");
	}
}

/* ----------------------------------------------------------------------- packages */

static void every_package_is_read(void **state)
{
	static const struct {
		const char *name, *arch, *member;
	} packages[] = {
		{"image-xz.deb", "x86_64", "boot/vmlinuz-6.1.0-made"},
		{"image-gzip.deb", "x86_64", "boot/vmlinuz-6.1.0-made"},
		{"image-zstd.deb", "x86_64", "boot/vmlinuz-6.1.0-made"},
		{"image-none.deb", "x86_64", "boot/vmlinuz-6.1.0-made"},
		{"image-ar.deb", "x86_64", "boot/vmlinuz-6.1.0-made"},
		{"debug.deb", "x86_64", "usr/lib/debug/boot/vmlinux-6.1.0-made"},
		{"arm64.deb", "aarch64", "boot/vmlinuz-6.1.0-made"},
		{"image-xz.rpm", "x86_64", "lib/modules/6.1.0-made/vmlinuz"},
		{"image-gzip.rpm", "x86_64", "lib/modules/6.1.0-made/vmlinuz"},
		{"image-zstd.rpm", "x86_64", "lib/modules/6.1.0-made/vmlinuz"},
		{"image-none.rpm", "x86_64", "lib/modules/6.1.0-made/vmlinuz"},
		{"6.1.0-made.btf.tar.xz", "", "6.1.0-made.btf"},
		{"6.1.0-made.btf.tar", "", "6.1.0-made.btf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
		assert_whole(packages[i].name, packages[i].arch);
		assert_string_equal(image_of(packages[i].name)->member, packages[i].member);
		assert_hash(packages[i].name);
	}
	assert_int_equal(image_of("debug.deb")->types, IMAGE_DWARF);
}

static void a_package_without_a_kernel_says_so(void **state)
{
	(void)state;
	assert_fails("empty.deb", -ENOENT, "no kernel image in it");
	assert_fails("bare.deb", -ENODATA, "boot/vmlinuz-6.1.0-made: it has neither BTF nor DWARF");
}

static void several_kernels_are_handed_out_one_by_one(void **state)
{
	struct catch catch;
	struct error error;

	(void)state;
	assert_int_equal(read_file("two.btf.tar.xz", &catch, &error), 2);
	assert_int_equal(catch.count, 2);
	assert_string_equal(catch.images[0].member, "6.1.0-made.btf");
	assert_string_equal(catch.images[1].member, "6.1.1-made.btf");
	assert_layout("first", &catch.images[0].layout, "truth");
	assert_layout("second", &catch.images[1].layout, "truth-shifted");
	assert_string_not_equal(catch.images[0].sha256, catch.images[1].sha256);
}

/* ------------------------------------------------------------------------ sources */

static void blocks_of_any_size_will_do(void **state)
{
	static const char *const names[] = {"vmlinux-dwarf5", "bzImage-zstd", "image-xz.deb",
					    "image-zstd.rpm", "6.1.0-made.btf.tar.xz"};
	static const size_t blocks[] = {1, 7, 512, 4097};
	struct catch catch;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t b = 0; b < sizeof(blocks) / sizeof(blocks[0]); b++) {
			struct bytes bytes = {.block = blocks[b], .fail_at = SIZE_MAX};
			char *data = content_of(names[i], &bytes.size);

			memset(&catch, 0, sizeof(catch));
			bytes.data = data;
			assert_int_equal(read_bytes(&bytes, &catch, &error), 1);
			assert_layout(names[i], &catch.images[0].layout, "truth");
			free(data);
		}
}

static void what_the_source_says_is_handed_on(void **state)
{
	static const char *const names[] = {"vmlinux-dwarf5", "bzImage-zstd", "image-xz.deb",
					    "image-zstd.rpm", "vmlinux.btf.lz4"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bytes bytes = {.block = 64};
		char *data = content_of(names[i], &bytes.size);

		bytes.data = data;
		for (bytes.fail_at = 0; bytes.fail_at < 1000; bytes.fail_at += 99) {
			struct catch catch = {0};
			struct error error = {""};

			bytes.at = 0;
			assert_int_equal(read_bytes(&bytes, &catch, &error), -ETIMEDOUT);
			assert_string_equal(error.text, "the line is cut");
			assert_int_equal(catch.count, 0);
		}
		free(data);
	}
}

static void nothing_is_read_behind_enough(void **state)
{
	struct bytes bytes = {.block = 512, .fail_at = SIZE_MAX};
	char *data = content_of("image-none.deb", &bytes.size);
	struct catch catch = {.answer = 1};
	struct error error;

	(void)state;
	bytes.data = data;
	assert_int_equal(read_bytes(&bytes, &catch, &error), 1);
	/* A module of 100,000 bytes lies behind the kernel. */
	assert_in_range(bytes.at, 2000, bytes.size - 90000);
	free(data);
	memset(&catch, 0, sizeof(catch));
	catch.answer = 1;
	bytes = (struct bytes){.block = 512, .fail_at = SIZE_MAX};
	data = content_of("two.btf.tar.xz", &bytes.size);
	bytes.data = data;
	assert_int_equal(read_bytes(&bytes, &catch, &error), 1);
	assert_int_equal(catch.count, 1);
	free(data);
}

static void what_fn_says_is_handed_on(void **state)
{
	struct bytes bytes = {.block = 512, .fail_at = SIZE_MAX};
	char *data = content_of("two.btf.tar.xz", &bytes.size);
	struct catch catch = {.answer = -EDOM};
	struct error error;

	(void)state;
	bytes.data = data;
	assert_int_equal(read_bytes(&bytes, &catch, &error), -EDOM);
	assert_string_equal(error.text, "the test says so");
	assert_int_equal(catch.count, 1);
	free(data);
}

static void what_can_not_be_opened_says_why(void **state)
{
	struct source *source = NULL;
	struct error error;

	(void)state;
	assert_int_equal(source_open_file(path_of("none"), &source, &error), -ENOENT);
	assert_non_null(strstr(error.text, "No such file"));
	assert_null(source);
	assert_int_equal(source_open_file(dir, &source, &error), -EISDIR);
	assert_null(source);
	source_close_file(NULL);
}

/* ------------------------------------------------------------------------- damage */

/* Cut anywhere, it is an error, or the cut was behind the kernel. */
static void a_file_that_is_cut_off_is_never_a_kernel(void **state)
{
	static const char *const names[] = {
		"vmlinux-dwarf5", "vmlinux-compressed", "vmlinux-btf",	"vmlinux.btf",
		"bzImage-xz",	  "bzImage-lz4",	"zboot-gzip",	"Image",
		"image-xz.deb",	  "image-zstd.deb",	"image-xz.rpm", "6.1.0-made.btf.tar.xz"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bytes bytes = {.block = 4096, .fail_at = SIZE_MAX};
		size_t whole, found = 0, tries = 0;
		char *data = content_of(names[i], &whole);

		bytes.data = data;
		for (size_t cut = 0; cut < whole; cut += whole / 150 + 1, tries++) {
			struct catch catch = {0};
			struct error error = {""};
			int rc;

			bytes.size = cut;
			bytes.at = 0;
			rc = read_bytes(&bytes, &catch, &error);
			if (rc > 0) {
				assert_layout(names[i], &catch.images[0].layout, "truth");
				found++;
				continue;
			}
			assert_true(rc == -EBADMSG || rc == -ENODATA || rc == -ENOENT);
			assert_true(*error.text);
			assert_int_equal(catch.count, 0);
		}
		assert_true(tries > 100 && found < tries);
		free(data);
	}
}

static void damaged_bytes_do_no_harm(void **state)
{
	static const char *const names[] = {
		"vmlinux-dwarf2", "vmlinux-dwarf5", "vmlinux-typeunits5", "vmlinux-clang",
		"vmlinux.btf",	  "vmlinux-btf",    "bzImage-plain",	  "Image",
		"image-none.deb", "image-none.rpm", "6.1.0-made.btf.tar"};
	uint64_t dice = 88172645463325252u;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t size;
		char *data = content_of(names[i], &size), *copy = malloc(size);

		for (int round = 0; round < 100; round++) {
			struct bytes bytes = {.data = copy, .size = size, .block = 4096};
			struct catch catch = {.answer = 1};
			struct error error = {""};

			memcpy(copy, data, size);
			for (int n = 0; n < 8; n++) {
				dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
				copy[dice % (size < 12000 ? size : 12000)] = (char)(dice >> 32);
			}
			bytes.fail_at = SIZE_MAX;
			if (read_bytes(&bytes, &catch, &error) < 0)
				assert_true(*error.text);
		}
		free(copy);
		free(data);
	}
}

static void a_bomb_is_refused_in_little_memory(void **state)
{
	char command[512];
	struct rusage usage;
	char *argv[] = {(char *)"sh", (char *)"-c", command, NULL};

	(void)state;
	snprintf(command, sizeof(command),
		 "cd %s && elf() { head -c 1000 vmlinux-btf; head -c $1 /dev/zero; } && "
		 "elf 300M | zstd -1 -q >bomb.zst && elf 300M | xz -0 >bomb.xz && "
		 "mkdir boot && elf 300M >boot/vmlinuz-bomb && tar cf - boot | zstd -q "
		 ">bomb.tar.zst && rm -r boot",
		 dir);
	assert_int_equal(run(argv), 0);
	assert_fails("bomb.zst", -EBADMSG, "grows 250-fold");
	assert_fails("bomb.xz", -EBADMSG, "grows 250-fold");
	assert_fails("bomb.tar.zst", -EBADMSG, "grows 250-fold");
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	assert_in_range(usage.ru_maxrss, 1, 400 << 10);
}

static void nothing_is_no_kernel(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		int err;
		const char *why;
	} files[] = {
		{"", 0, -EBADMSG, "damaged or of no known format"},
		{"!", 1, -EBADMSG, "it has 1 bytes"},
		{"!<arch>\n", 8, -EBADMSG, "no Debian package"},
		{"\177ELF", 4, -EBADMSG, "cut off or damaged"},
		{"\x9f\xeb\1", 4, -EBADMSG, "cut off or damaged"},
		{"HdrS", 4, -EBADMSG, "no kernel image"},
		{"\x89LZO\0\r\n\x1a\n", 9, -EBADMSG, "compressed by lzo"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *f = fopen(path_of("small"), "w");

		assert_non_null(f);
		fwrite(files[i].bytes, 1, files[i].size, f);
		assert_int_equal(fclose(f), 0);
		assert_fails("small", files[i].err, files[i].why);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(dwarf_gives_what_the_compiler_says),
		cmocka_unit_test(of_types_of_one_name_the_fullest_is_taken),
		cmocka_unit_test(btf_gives_what_the_compiler_says),
		cmocka_unit_test(btf_and_dwarf_have_one_hash),
		cmocka_unit_test(btf_comes_before_dwarf),
		cmocka_unit_test(what_is_no_kernel_is_refused),
		cmocka_unit_test(every_compression_of_a_bzimage_is_read),
		cmocka_unit_test(an_arm64_image_is_the_kernels_not_its_vdsos),
		cmocka_unit_test(every_compression_of_a_zboot_image_is_read),
		cmocka_unit_test(any_image_may_be_compressed),
		cmocka_unit_test(every_package_is_read),
		cmocka_unit_test(a_package_without_a_kernel_says_so),
		cmocka_unit_test(several_kernels_are_handed_out_one_by_one),
		cmocka_unit_test(blocks_of_any_size_will_do),
		cmocka_unit_test(what_the_source_says_is_handed_on),
		cmocka_unit_test(nothing_is_read_behind_enough),
		cmocka_unit_test(what_fn_says_is_handed_on),
		cmocka_unit_test(what_can_not_be_opened_says_why),
		cmocka_unit_test(a_file_that_is_cut_off_is_never_a_kernel),
		cmocka_unit_test(damaged_bytes_do_no_harm),
		cmocka_unit_test(a_bomb_is_refused_in_little_memory),
		cmocka_unit_test(nothing_is_no_kernel),
	};

	return cmocka_run_group_tests(tests, make_images, remove_images);
}
