/* The line discipline of terminals, without any terminal. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <termios.h>

#include "sentry/fs/tty/ntty.h"

struct fixture {
	struct ntty n;
	u64 sigs;
	char text[NTTY_OUT + 1];
};

static struct fixture *fixture_new(void)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	ntty_init(&f->n);
	return f;
}

static void type(struct fixture *f, const char *s)
{
	assert_int_equal(ntty_input(&f->n, (const u8 *)s, strlen(s), &f->sigs), strlen(s));
}

static const char *line(struct fixture *f)
{
	bool eof;
	size_t n = ntty_read(&f->n, (u8 *)f->text, sizeof(f->text) - 1, &eof);

	f->text[n] = 0;
	return eof ? "(eof)" : f->text;
}

static const char *shown(struct fixture *f)
{
	size_t len, n = 0;
	const u8 *p;

	while ((p = ntty_out_peek(&f->n, &len))) {
		memcpy(f->text + n, p, len);
		n += len;
		ntty_out_drop(&f->n, len);
	}
	f->text[n] = 0;
	return f->text;
}

static void a_line_is_readable_when_it_ends(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	type(f, "ab");
	assert_false(ntty_readable(&f->n, 1));
	type(f, "c\rnext\n");
	assert_string_equal(line(f), "abc\n");
	assert_string_equal(line(f), "next\n");
	assert_string_equal(shown(f), "abc\r\nnext\r\n");
	test_free(f);
}

static void erasing_rubs_out_columns(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	type(f, "a\001\177");
	assert_string_equal(shown(f), "a^A\b \b\b \b");
	type(f, "\tx\177\177");
	assert_string_equal(shown(f), "\tx\b \b\b\b\b\b\b\b\b");       /* a tab: back only */
	type(f, "\n");
	assert_string_equal(line(f), "a\n");
	test_free(f);
}

static void utf8_is_erased_whole(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->n.tio.iflag |= IUTF8;
	type(f, "a\303\244\177\n");
	assert_string_equal(line(f), "a\n");
	assert_string_equal(shown(f), "a\303\244\b \b\r\n");
	test_free(f);
}

static void words_and_lines_are_killed(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	type(f, "one two  \027three\n");
	assert_string_equal(line(f), "one three\n");
	type(f, "all of it\025new\n");
	assert_string_equal(line(f), "new\n");
	test_free(f);
}

static void signals_flush_and_are_reported(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	type(f, "half\003");
	assert_int_equal(f->sigs, 1ull << (SIGINT - 1));
	type(f, "x\n");
	assert_string_equal(line(f), "x\n");
	f->n.tio.lflag &= ~(u32)ISIG;
	f->sigs = 0;
	type(f, "\003\n");
	assert_int_equal(f->sigs, 0);
	assert_string_equal(line(f), "\003\n");
	test_free(f);
}

static void end_of_file_is_a_mark(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	type(f, "ab\004\004");
	assert_string_equal(line(f), "ab");
	assert_string_equal(line(f), "(eof)");
	type(f, "\026\004\n");
	assert_string_equal(line(f), "\004\n");
	test_free(f);
}

static void raw_bytes_need_no_line(void **state)
{
	struct fixture *f = fixture_new();
	struct lx_termios2 t = f->n.tio;

	(void)state;
	type(f, "pend");
	t.lflag = 0;
	t.iflag = 0;
	t.oflag = 0;
	ntty_set_termios(&f->n, &t);
	assert_true(ntty_readable(&f->n, 4));
	assert_false(ntty_readable(&f->n, 5));
	type(f, "\003\r\177");
	assert_string_equal(line(f), "pend\003\r\177");
	test_free(f);
}

static void stop_and_start_hold_output(void **state)
{
	struct fixture *f = fixture_new();
	size_t len;

	(void)state;
	assert_int_equal(ntty_write(&f->n, (const u8 *)"before", 6), 6);
	type(f, "\023echo");
	assert_int_equal(ntty_write(&f->n, (const u8 *)"held\n", 5), 0);
	assert_string_equal(shown(f), "before");
	assert_null(ntty_out_peek(&f->n, &len));
	type(f, "\021");
	assert_string_equal(shown(f), "echo");
	assert_int_equal(ntty_write(&f->n, (const u8 *)"held\n", 5), 5);
	assert_string_equal(shown(f), "held\r\n");
	test_free(f);
}

static void tabs_expand_when_asked(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->n.tio.oflag |= XTABS;
	assert_int_equal(ntty_write(&f->n, (const u8 *)"ab\tc", 4), 4);
	assert_string_equal(shown(f), "ab      c");
	test_free(f);
}

static void a_reader_gets_no_more_than_it_asks_for(void **state)
{
	struct fixture *f = fixture_new();
	bool eof;
	u8 b[3];

	(void)state;
	type(f, "abcdef\n");
	assert_int_equal(ntty_read(&f->n, b, 3, &eof), 3);
	assert_int_equal(ntty_in_count(&f->n), 4);
	assert_string_equal(line(f), "def\n");
	test_free(f);
}

static void rings_never_overflow(void **state)
{
	struct fixture *f = fixture_new();
	u32 seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		u8 b[7];
		bool eof;

		for (size_t k = 0; k < sizeof(b); k++) {
			seed = seed * 1664525 + 1013904223;
			b[k] = (u8)(seed >> 24);
		}
		if (b[0] < 8) {
			struct lx_termios2 t = f->n.tio;

			t.lflag ^= 1u << (b[1] & 15);
			t.iflag ^= 1u << (b[2] & 15);
			t.oflag ^= 1u << (b[3] & 7);
			ntty_set_termios(&f->n, &t);
		}
		(void)ntty_input(&f->n, b, sizeof(b), &f->sigs);
		(void)ntty_write(&f->n, b, 3);
		assert_true(f->n.head - f->n.tail < NTTY_IN);
		if (f->n.tio.lflag & ICANON)
			assert_true(f->n.canon - f->n.tail <= f->n.head - f->n.tail);
		assert_true(ntty_out_count(&f->n) <= NTTY_OUT);
		if (b[4] < 6)
			(void)ntty_read(&f->n, (u8 *)f->text, (size_t)b[5] * 16, &eof);
		if (b[5] < 3)
			(void)shown(f);
	}
	test_free(f);
}

static void a_full_ring_holds_the_typist_until_it_is_read(void **state)
{
	struct fixture *f = fixture_new();
	size_t n = 0;
	bool eof;

	(void)state;
	while (ntty_input(&f->n, (const u8 *)"line\n", 5, &f->sigs) == 5)
		n++;
	assert_true(n > 800 && n < 820);
	assert_int_equal(ntty_read(&f->n, (u8 *)f->text, 100, &eof), 5);
	assert_true(ntty_input(&f->n, (const u8 *)"\n", 1, &f->sigs) == 1);
	test_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_readable_when_it_ends),
		cmocka_unit_test(erasing_rubs_out_columns),
		cmocka_unit_test(utf8_is_erased_whole),
		cmocka_unit_test(words_and_lines_are_killed),
		cmocka_unit_test(signals_flush_and_are_reported),
		cmocka_unit_test(end_of_file_is_a_mark),
		cmocka_unit_test(raw_bytes_need_no_line),
		cmocka_unit_test(stop_and_start_hold_output),
		cmocka_unit_test(tabs_expand_when_asked),
		cmocka_unit_test(a_reader_gets_no_more_than_it_asks_for),
		cmocka_unit_test(rings_never_overflow),
		cmocka_unit_test(a_full_ring_holds_the_typist_until_it_is_read),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
