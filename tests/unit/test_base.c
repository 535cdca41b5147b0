#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/bitmap.h"
#include "platform/base/hash.h"
#include "platform/base/overflow.h"
#include "platform/base/rand.h"
#include "platform/base/rbtree.h"
#include "platform/base/str.h"
#include "platform/host/hthread.h"

static void siphash_gives_the_published_values(void **state)
{
	const struct hash_key key = { { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u } };
	u8 in[64];
	u64 v;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (u8)i;
	/* SipHash-1-3 vectors of the Rust and Python implementations. */
	assert_true(hash_bytes(&key, in, 0) == 0xabac0158050fc4dcu);
	assert_true(hash_bytes(&key, in, 1) == 0xc9f49bf37d57ca93u);
	memcpy(&v, in, 8);
	assert_true(hash_bytes(&key, in, 8) == hash_u64(&key, v));
}

struct item {
	struct hnode h;
	struct rb_node rb;
	u64 key;
};

static void hash_table_finds_what_was_added_until_deleted(void **state)
{
	enum { N = 2000 };
	struct item *it = kbuf_array(N, sizeof(*it));
	struct htable t;
	size_t seen = 0;

	(void)state;
	htable_init(&t);
	for (u64 i = 0; i < N; i++) {
		it[i].key = i;
		htable_add(&t, &it[i].h, i / 2 * 0x9e3779b97f4a7c15u);
	}
	for (struct hnode *n = htable_first(&t); n; n = htable_next(&t, n))
		seen++;
	assert_int_equal(seen, N);
	for (u64 i = 0; i < N; i++) {
		struct hnode *n = htable_find(&t, i / 2 * 0x9e3779b97f4a7c15u);

		while (n && hnode_entry(n, struct item, h)->key != i)
			n = htable_find_next(n);
		assert_ptr_equal(n, &it[i].h);
	}
	htable_del(&t, &it[10].h);
	assert_ptr_equal(htable_find(&t, 5 * 0x9e3779b97f4a7c15u), &it[11].h);
	for (struct hnode *n; (n = htable_any(&t));)
		htable_del(&t, n);
	assert_int_equal(t.count, 0);
	htable_done(&t);
	kfree(it);
}

static void hash_table_works_without_memory(void **state)
{
	struct item it[32];
	struct htable t;

	(void)state;
	htable_init(&t);
	for (u64 i = 0; i < ARRAY_SIZE(it); i++) {
		alloc_fail_nth(1);
		htable_add(&t, &it[i].h, i);
	}
	alloc_fail_nth(0);
	for (u64 i = 0; i < ARRAY_SIZE(it); i++)
		assert_ptr_equal(htable_find(&t, i), &it[i].h);
	htable_done(&t);
}

static bool item_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct item, rb)->key < rb_entry(b, struct item, rb)->key;
}

static bool item_from(const struct rb_node *n, const void *key)
{
	return rb_entry(n, struct item, rb)->key >= *(const u64 *)key;
}

/* Black height of a valid tree; fails the test on a broken rule. */
static int check_tree(const struct rb_node *n, bool parent_red)
{
	bool red;
	int l, r;

	if (!n)
		return 1;
	red = n->parent_red & 1;
	assert_false(red && parent_red);
	l = check_tree(n->child[0], red);
	r = check_tree(n->child[1], red);
	assert_int_equal(l, r);
	return l + !red;
}

static void tree_stays_balanced_and_ordered(void **state)
{
	enum { N = 1000 };
	struct item *it = kbuf_array(N, sizeof(*it));
	struct rb_root root = RB_ROOT;
	u64 key, last;
	size_t n;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		it[i].key = i * 7919 % N;
		rb_add(&root, &it[i].rb, item_less);
		if (i % 50 == 0)
			check_tree(root.node, true);
	}
	for (size_t round = 0; round < N; round++) {
		if (round % 20 == 0) {
			n = 0;
			last = 0;
			check_tree(root.node, true);
			for (struct rb_node *r = rb_first(&root); r; r = rb_next(r), n++) {
				assert_true(rb_entry(r, struct item, rb)->key >= last);
				last = rb_entry(r, struct item, rb)->key;
			}
			assert_int_equal(n, N - round);
		}
		rb_erase(&root, &it[round * 331 % N].rb);
		assert_false(rb_is_linked(&it[round * 331 % N].rb));
	}
	assert_null(root.node);
	for (size_t i = 0; i < N; i++) {
		it[i].key = i * 10;
		rb_add(&root, &it[i].rb, item_less);
	}
	key = 41;
	assert_ptr_equal(rb_find_first(&root, &key, item_from), &it[5].rb);
	assert_ptr_equal(rb_prev(&it[5].rb), &it[4].rb);
	assert_ptr_equal(rb_last(&root), &it[N - 1].rb);
	key = N * 10;
	assert_null(rb_find_first(&root, &key, item_from));
	kfree(it);
}

static void bitmap_searches_stop_at_the_end(void **state)
{
	u64 map[BITMAP_WORDS(130)] = { 0 };

	(void)state;
	assert_int_equal(bitmap_next_set(map, 130, 0), 130);
	bitmap_set(map, 64);
	bitmap_set(map, 129);
	assert_int_equal(bitmap_next_set(map, 130, 0), 64);
	assert_int_equal(bitmap_next_set(map, 130, 65), 129);
	assert_int_equal(bitmap_count(map, 130), 2);
	bitmap_clear(map, 64);
	assert_false(bitmap_test(map, 64));
	memset(map, 0xff, sizeof(map));
	assert_int_equal(bitmap_next_clear(map, 130, 0), 130);
	bitmap_clear(map, 127);
	assert_int_equal(bitmap_next_clear(map, 130, 3), 127);
	assert_int_equal(bitmap_next_clear(map, 130, 128), 130);
}

static void strbuf_grows_to_its_limit_and_remembers_errors(void **state)
{
	struct strbuf s;
	char *text;

	(void)state;
	strbuf_init_limit(&s, 1000);
	for (int i = 0; i < 90; i++)
		strbuf_printf(&s, "%09d ", i);
	assert_int_equal(strbuf_err(&s), 0);
	assert_int_equal(s.len, 900);
	for (int i = 0; i < 20; i++)
		strbuf_puts(&s, "0123456789");
	assert_int_equal(strbuf_err(&s), -E2BIG);
	assert_null(strbuf_take(&s));
	strbuf_init(&s);
	strbuf_put_octal(&s, "a b\\c\n", " \\");
	text = strbuf_take(&s);
	assert_string_equal(text, "a\\040b\\134c\\012");
	kfree(text);
	strbuf_init(&s);
	alloc_fail_nth(1);
	strbuf_puts(&s, "x");
	strbuf_puts(&s, "y");
	assert_int_equal(strbuf_err(&s), -ENOMEM);
	assert_string_equal(s.p, "");
	strbuf_done(&s);
	assert_int_equal(alloc_live(), 0);
}

static void fixed_strbuf_keeps_a_prefix(void **state)
{
	char buf[8];
	struct strbuf s;

	(void)state;
	strbuf_fixed(&s, buf, sizeof(buf));
	strbuf_puts(&s, "abc");
	strbuf_printf(&s, "%d", 123456);
	assert_int_equal(strbuf_err(&s), -E2BIG);
	assert_string_equal(buf, "abc1234");
	strbuf_clear(&s);
	strbuf_puts(&s, "0123456789");
	assert_string_equal(buf, "0123456");
}

static void numbers_are_read_strictly(void **state)
{
	u64 u;
	s64 v;

	(void)state;
	assert_int_equal(str_to_u64("18446744073709551615", 10, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(str_to_u64("18446744073709551616", 10, &u), -ERANGE);
	assert_int_equal(str_to_u64("-1", 10, &u), -EINVAL);
	assert_int_equal(str_to_u64(" 1", 10, &u), -EINVAL);
	assert_int_equal(str_to_u64("1x", 10, &u), -EINVAL);
	assert_int_equal(str_to_u64("", 10, &u), -EINVAL);
	assert_int_equal(str_to_u64("0755", 8, &u), 0);
	assert_int_equal(u, 0755);
	assert_int_equal(str_to_s64("-12", 10, &v), 0);
	assert_int_equal(v, -12);
	assert_int_equal(str_to_s64("--1", 10, &v), -EINVAL);
}

static void ranges_are_checked_without_wrapping(void **state)
{
	u64 r;

	(void)state;
	assert_true(range_ok(0, 10, 10));
	assert_false(range_ok(1, 10, 10));
	assert_false(range_ok(5, UINT64_MAX - 2, 100));
	assert_true(align_up_overflows(UINT64_MAX - 10, 4096, &r));
	assert_false(align_up_overflows(1, 4096, &r));
	assert_int_equal(r, 4096);
	assert_true(size_mul(SIZE_MAX, 2) == SIZE_MAX);
}

static void random_numbers_stay_below_their_limit(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(rand_below(7) < 7);
	assert_true(rand_u64() != rand_u64());
}

static void says_so(int sig)
{
	(void)sig;
	_exit(77);
}

static int deeper(volatile char *above, int n)
{
	volatile char here[1000];

	here[0] = above[0];
	return n ? deeper(here, n - 1) + here[0] : 0;
}

static void *overflows(void *arg)
{
	_exit(deeper(arg, 1 << 20));
}

static void a_thread_that_overflows_its_stack_can_say_so(void **state)
{
	struct sigaction sa = { .sa_handler = says_so, .sa_flags = SA_ONSTACK };
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		char c = 0;

		sigaction(SIGSEGV, &sa, NULL);
		if (hthread_start(overflows, &c, 64 * 1024, HTHREAD_NO_SIGNALS) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 77 << 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_published_values),
		cmocka_unit_test(hash_table_finds_what_was_added_until_deleted),
		cmocka_unit_test(hash_table_works_without_memory),
		cmocka_unit_test(tree_stays_balanced_and_ordered),
		cmocka_unit_test(bitmap_searches_stop_at_the_end),
		cmocka_unit_test(strbuf_grows_to_its_limit_and_remembers_errors),
		cmocka_unit_test(fixed_strbuf_keeps_a_prefix),
		cmocka_unit_test(numbers_are_read_strictly),
		cmocka_unit_test(ranges_are_checked_without_wrapping),
		cmocka_unit_test(random_numbers_stay_below_their_limit),
		cmocka_unit_test(a_thread_that_overflows_its_stack_can_say_so),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
