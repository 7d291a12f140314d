// SPDX-License-Identifier: Apache-2.0
/* text.c: the encodings, against the RFCs, the Unicode standard, the C library and json-c. */
#include "builder.h"

#include <iconv.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

static void assert_text(const struct text *t, const void *bytes, size_t n)
{
	assert_int_equal(t->len, n);
	if (n)
		assert_memory_equal(t->data, bytes, n);
}

static void base64_is_that_of_rfc_4648(void **state)
{
	static const struct {
		const char *plain, *coded;
	} vectors[] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "+/+/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t n = strlen(vectors[i].plain);
		void *exact = copy_of(vectors[i].plain, n);
		struct text t = {0};

		text_base64(&t, exact, n);
		assert_text(&t, vectors[i].coded, strlen(vectors[i].coded));
		text_free(&t);
		free(exact);
	}
}

/* The decimal, hexadecimal and padded forms are those of printf. */
static void numbers_are_those_of_printf(void **state)
{
	static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 4294967295U, 4294967296U,
					  9007199254740993U, INT64_MAX, (uint64_t)INT64_MIN,
					  UINT64_MAX};
	char want[64];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct text t = {0};

		snprintf(want, sizeof(want), "%" PRIu64 " %" PRId64 " %016" PRIx64 " %04" PRIu64,
			 values[i], (int64_t)values[i], values[i], values[i] % 10000);
		text_u64(&t, values[i]);
		text_char(&t, ' ');
		text_i64(&t, (int64_t)values[i]);
		text_char(&t, ' ');
		text_hex64(&t, values[i]);
		text_char(&t, ' ');
		text_padded(&t, values[i] % 10000, 4);
		assert_text(&t, want, strlen(want));
		text_clear(&t);
		text_format(&t, "%s/%" PRIu64, "é", values[i]);
		snprintf(want, sizeof(want), "%s/%" PRIu64, "é", values[i]);
		assert_text(&t, want, strlen(want));
		text_free(&t);
	}
}

static void a_buffer_without_memory_says_so_and_keeps_what_it_has(void **state)
{
	struct text t = {0};

	(void)state;
	text_str(&t, "kept");
	assert_null(text_room(&t, SIZE_MAX / 2));
	assert_true(t.failed);
	text_str(&t, "refused");
	text_u64(&t, 1);
	text_padded(&t, 1, 3);
	text_hex64(&t, 1);
	text_base64(&t, "x", 1);
	text_format(&t, "%d", 1);
	text_json_string(&t, slice_of("x"));
	assert_text(&t, "kept", 4);
	text_clear(&t);
	assert_false(t.failed);
	text_str(&t, "again");
	assert_text(&t, "again", 5);
	text_free(&t);
	assert_null(t.data);
}

static void a_buffer_grows_and_holds_every_byte(void **state)
{
	struct text t = {0};

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		text_char(&t, (char)(i * 7));
	assert_int_equal(t.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(t.data[i], (char)(i * 7));
	text_free(&t);
}

/* ------------------------------------------------------------------------ UTF-8 */

static unsigned encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 63));
		out[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 63));
	out[2] = (char)(0x80 | (code >> 6 & 63));
	out[3] = (char)(0x80 | (code & 63));
	return 4;
}

static void every_character_of_unicode_is_one_step(void **state)
{
	(void)state;
	for (uint32_t code = 0; code <= 0x110000; code++) {
		bool real = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
		char bytes[4];
		int n = (int)encode(code, bytes);

		assert_int_equal(utf8_valid((struct slice){bytes, (size_t)n}), real);
		if (real)
			assert_int_equal(utf8_step((unsigned char *)bytes, (size_t)n), n);
		else
			assert_true(utf8_step((unsigned char *)bytes, (size_t)n) < 0);
	}
}

static bool iconv_takes(iconv_t to, const char *bytes, size_t n)
{
	char out[512], *in = (char *)bytes, *at = out;
	size_t left = sizeof(out);

	iconv(to, NULL, NULL, NULL, NULL);
	return iconv(to, &in, &n, &at, &left) != (size_t)-1;
}

static void random_bytes_are_utf8_where_iconv_says_so(void **state)
{
	struct dice dice = {11};
	iconv_t to = iconv_open("UTF-32LE", "UTF-8");
	unsigned yes = 0, no = 0;

	(void)state;
	assert_true(to != (iconv_t)-1);
	for (int i = 0; i < 50000; i++) {
		char bytes[64];
		size_t n = dice_hostile(&dice, bytes, i % 40);
		char *exact = copy_of(bytes, n);
		bool valid = utf8_valid((struct slice){exact, n});

		assert_int_equal(valid, iconv_takes(to, bytes, n));
		valid ? yes++ : no++;
		free(exact);
	}
	iconv_close(to);
	assert_true(yes > 1000 && no > 1000);
}

/* Unicode 15.0, section 3.9: tables 3-8 to 3-11 and the example of D93b. R stands for U+FFFD. */
static void ill_formed_utf8_is_replaced_as_unicode_advises(void **state)
{
	static const struct {
		const char *bytes, *want;
	} cases[] = {
		{"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", "RRRRRRRRA"},
		{"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", "RRRRRRRRA"},
		{"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", "RRRRRARRB"},
		{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "RRRRA"},
		{"\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", "aRRRbRcRRd"},
		{"\xc2", "R"}, {"\xe2\x82", "R"}, {"\xf0\x9f\x98", "R"}, {"\xf8\x88\x80\x80\x80", "RRRRR"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].bytes);
		char *exact = copy_of(cases[i].bytes, n);
		struct text got = {0}, want = {0};

		assert_false(utf8_valid((struct slice){exact, n}));
		text_json_string(&got, (struct slice){exact, n});
		text_char(&want, '"');
		for (const char *at = cases[i].want; *at; at++)
			text_bytes(&want, *at == 'R' ? "\xef\xbf\xbd" : at, *at == 'R' ? 3 : 1);
		text_char(&want, '"');
		assert_text(&got, want.data, want.len);
		text_free(&got);
		text_free(&want);
		free(exact);
	}
}

/* ------------------------------------------------------------------------- JSON */

static void assert_no_controls(const struct text *t)
{
	for (size_t i = 0; i < t->len; i++) {
		unsigned char c = (unsigned char)t->data[i];

		assert_true(c >= 0x20 && c != 0x7f);
		if (c == 0xc2)
			assert_true((unsigned char)t->data[i + 1] >= 0xa0);
	}
}

static void every_character_survives_json(void **state)
{
	(void)state;
	for (uint32_t code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 61) {
		char bytes[6] = "<";
		unsigned n = 1 + encode(code, bytes + 1);
		struct text t = {0};
		struct json_object *parsed;

		if (code >= 0xd800 && code <= 0xdfff)
			continue;
		bytes[n++] = '>';
		text_json_string(&t, (struct slice){bytes, n});
		assert_no_controls(&t);
		text_char(&t, 0);
		parsed = json_tokener_parse(t.data);
		assert_non_null(parsed);
		assert_int_equal(json_object_get_string_len(parsed), n);
		assert_memory_equal(json_object_get_string(parsed), bytes, n);
		json_object_put(parsed);
		text_free(&t);
	}
}

static size_t characters(const struct text *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->len; i++)
		n += ((unsigned char)t->data[i] & 0xc0) != 0x80;
	return n;
}

/* A budget counts characters as the reader of the JSON will, not bytes and not escapes. */
static void a_budget_counts_characters(void **state)
{
	static const char bytes[] = "ab\n\"\xc3\xa9\xf0\x9f\x98\x80\xff\xc2\x85z"; /* 9 characters */

	(void)state;
	for (size_t budget = 0; budget <= 12; budget++) {
		struct text t = {0}, parsed_text = {0};
		struct json_object *parsed;
		size_t left = budget, want = budget < 9 ? budget : 9;

		text_char(&t, '"');
		text_json_escaped(&t, slice_of(bytes), &left);
		text_bytes(&t, "\"", 2);
		assert_int_equal(left, budget - want);
		parsed = json_tokener_parse(t.data);
		assert_non_null(parsed);
		text_bytes(&parsed_text, json_object_get_string(parsed),
			   (size_t)json_object_get_string_len(parsed));
		assert_int_equal(characters(&parsed_text), want);
		json_object_put(parsed);
		text_free(&t);
		text_free(&parsed_text);
	}
}

/* ------------------------------------------------------------------------ shell */

/* Each byte called plain, alone and beside others: a real shell must give it back. */
static void a_plain_word_is_literal_to_a_real_shell(void **state)
{
	struct text script = {0}, want = {0}, got = {0};
	unsigned plain = 0;

	(void)state;
	text_str(&script, "printf '%s\\n'");
	for (unsigned c = 1; c < 256; c++) {
		char alone = (char)c, among[3] = {'a', (char)c, 'b'};

		if (!shell_plain((struct slice){&alone, 1}))
			continue;
		plain++;
		assert_true(shell_plain((struct slice){among, 3}));
		text_format(&script, " %c a%cb", alone, alone);
		text_format(&want, "%c\na%cb\n", alone, alone);
	}
	text_char(&script, 0);
	program_output((const char *const[]){"/bin/sh", "-c", script.data, NULL}, &got);
	assert_text(&got, want.data, want.len);
	assert_true(plain >= 62); /* letters and digits at least */
	assert_false(shell_plain((struct slice){"", 0}));
	text_free(&script);
	text_free(&want);
	text_free(&got);
}

static void arguments_are_taken_one_by_one(void **state)
{
	static const char bytes[] = {'a', 0, 0, 'b', 'c', 0, 'd'};
	struct slice argv = {copy_of(bytes, sizeof(bytes)), sizeof(bytes)}, rest = argv, argument;
	static const char *const want[] = {"a", "", "bc", "d"};

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(argv_next(&rest, &argument));
		assert_int_equal(argument.len, strlen(want[i]));
		assert_memory_equal(argument.data, want[i], argument.len);
	}
	assert_false(argv_next(&rest, &argument));
	free((void *)argv.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_that_of_rfc_4648),
		cmocka_unit_test(numbers_are_those_of_printf),
		cmocka_unit_test(a_buffer_without_memory_says_so_and_keeps_what_it_has),
		cmocka_unit_test(a_buffer_grows_and_holds_every_byte),
		cmocka_unit_test(every_character_of_unicode_is_one_step),
		cmocka_unit_test(random_bytes_are_utf8_where_iconv_says_so),
		cmocka_unit_test(ill_formed_utf8_is_replaced_as_unicode_advises),
		cmocka_unit_test(every_character_survives_json),
		cmocka_unit_test(a_budget_counts_characters),
		cmocka_unit_test(a_plain_word_is_literal_to_a_real_shell),
		cmocka_unit_test(arguments_are_taken_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
