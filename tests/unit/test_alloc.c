#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "platform/base/alloc_int.h"

struct apple { u64 x[6]; };
struct brick { u64 x[6]; };

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void memory_is_zeroed_also_when_reused(void **state)
{
	static const size_t sizes[] = { 0, 1, 16, 17, 128, 129, 4096, 5000, 32768, 32769, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int round = 0; round < 3; round++) {
			char *p = kbuf_alloc(sizes[i]);

			assert_non_null(p);
			assert_true(all_zero(p, sizes[i]));
			memset(p, 0xaa, sizes[i]);
			kfree(p);
		}
	}
	assert_int_equal(alloc_live(), 0);
}

static void sizes_of_all_kinds_do_not_overlap(void **state)
{
	enum { N = 600 };
	static char *p[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		p[i] = kbuf_alloc(i * 97 + 1);
		assert_non_null(p[i]);
		memset(p[i], (int)i, i * 97 + 1);
	}
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < i * 97 + 1; k += 61)
			assert_int_equal((unsigned char)p[i][k], i & 0xff);
	for (size_t i = 0; i < N; i++)
		kfree(p[(i * 7) % N]);
	assert_int_equal(alloc_live(), 0);
}

static void two_types_of_one_size_never_share_an_address(void **state)
{
	enum { N = 500 };
	struct apple *a[N];
	struct brick *b[N];

	(void)state;
	for (size_t i = 0; i < N; i++)
		assert_non_null(a[i] = knew(struct apple));
	for (size_t i = 0; i < N; i++)
		kfree(a[i]);
	for (size_t i = 0; i < N; i++)
		assert_non_null(b[i] = knew(struct brick));
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < N; k++)
			assert_ptr_not_equal(a[i], b[k]);
	for (size_t i = 0; i < N; i++)
		kfree(b[i]);
}

static void equal_type_names_share_slabs(void **state)
{
	static const char n1[] = "struct pear", n2[] = "struct pear";
	void *p, *q;

	(void)state;
	p = kmem_zalloc(64, n1);
	kfree(p);
	q = kmem_zalloc(64, n2);
	assert_ptr_equal(p, q);
	kfree(q);
}

static void realloc_keeps_old_bytes_and_zeroes_new_ones(void **state)
{
	char *p = kbuf_alloc(10);

	(void)state;
	memset(p, 'x', 10);
	for (size_t n = 11; n < 300000; n = n * 3 / 2) {
		size_t was = n == 11 ? 10 : 0;

		p = kbuf_realloc(p, n);
		assert_non_null(p);
		if (was)
			assert_true(all_zero(p + was, n - was));
		assert_memory_equal(p, "xxxxxxxxxx", 10);
	}
	p = kbuf_realloc(p, 100);
	memset(p, 'y', 100);
	p = kbuf_realloc(p, 90);
	p = kbuf_realloc(p, 112);
	assert_int_equal(p[89], 'y');
	assert_true(all_zero(p + 90, 22));
	kfree(p);
	assert_int_equal(alloc_live(), 0);
}

static void impossible_sizes_give_null(void **state)
{
	(void)state;
	assert_null(kbuf_alloc(SIZE_MAX));
	assert_null(kbuf_alloc((size_t)1 << 40));
	assert_null(kbuf_array(SIZE_MAX / 2, 3));
	kfree(NULL);
}

static void the_nth_allocation_fails_once(void **state)
{
	void *p;

	(void)state;
	alloc_fail_nth(2);
	p = kbuf_alloc(1);
	assert_non_null(p);
	assert_null(kbuf_alloc(1));
	kfree(p);
	p = knew(struct apple);
	assert_non_null(p);
	kfree(p);
}

/* 2500 rounds of 2 MiB are more than the arena: they fit only if pieces become whole again. */
static void large_spans_are_merged_and_reused(void **state)
{
	char *p[32], *big;

	(void)state;
	for (int round = 0; round < 2500; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(p); i++)
			assert_non_null(p[i] = kbuf_alloc(64 << 10));
		p[round % 32][7] = 'x';
		for (size_t i = 0; i < ARRAY_SIZE(p); i += 2)
			kfree(p[i]);
		for (size_t i = 1; i < ARRAY_SIZE(p); i += 2)
			kfree(p[i]);
		big = kbuf_alloc(32 * (64 << 10));
		assert_non_null(big);
		assert_true(all_zero(big, 4096));
		kfree(big);
	}
}

#ifndef CONFIG_TSAN      /* its shadow memory is in the RSS */
static long rss_pages(void)
{
	long size = 0, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &rss), 2);
	fclose(f);
	return rss;
}

static void freed_memory_goes_back_to_the_host(void **state)
{
	enum { N = 20000 };
	static void *p[N];
	long before = rss_pages(), peak, after;

	(void)state;
	for (int i = 0; i < N; i++)
		assert_non_null(p[i] = kmem_zalloc(1024, "ballast"));
	peak = rss_pages();
	for (int i = 0; i < N; i++)
		kfree(p[i]);
	after = rss_pages();
	assert_true(peak - before >= N / 4);
#ifdef ARENA_ASAN              /* its shadow of the addresses stays */
	assert_true(after - before <= (peak - before) / 4);
#else
	assert_true(after - before <= (peak - before) / 20);
#endif
}

static void holes_are_filled_before_empty_slabs_are(void **state)
{
	enum { N = 20000, KEPT = 16 };          /* one object in each slab outlives the burst */
	static void *p[N];
	long before;

	(void)state;
	for (int i = 0; i < N; i++)
		assert_non_null(p[i] = kmem_zalloc(256, "holes"));
	for (int i = 0; i < N; i++)
		if (i % KEPT != 0 || i > N / 2) {
			kfree(p[i]);
			p[i] = NULL;
		}
	before = rss_pages();
	for (int i = 0; i < N / 3; i++)
		if (!p[i])
			assert_non_null(p[i] = kmem_zalloc(256, "holes"));
	assert_true(rss_pages() - before <= N / KEPT / 20);
	for (int i = 0; i < N; i++)
		kfree(p[i]);
	assert_int_equal(alloc_live(), 0);
}

#endif

static void *worker(void *arg)
{
	void *p[64] = { 0 };
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (int i = 0; i < 20000; i++) {
		size_t k = (size_t)rand_r(&seed) % 64, n = (size_t)rand_r(&seed) % 3000;

		if (i % 512 == 0)
			n += 40000;
		kfree(p[k]);
		p[k] = i & 1 ? kbuf_alloc(n) : kmem_zalloc(n, "w");
		if (p[k])
			memset(p[k], 1, n);
	}
	for (size_t k = 0; k < 64; k++)
		kfree(p[k]);
	return NULL;
}

static void threads_can_allocate_at_once(void **state)
{
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, worker, (void *)(i + 1)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(alloc_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_also_when_reused),
		cmocka_unit_test(sizes_of_all_kinds_do_not_overlap),
		cmocka_unit_test(two_types_of_one_size_never_share_an_address),
		cmocka_unit_test(equal_type_names_share_slabs),
		cmocka_unit_test(realloc_keeps_old_bytes_and_zeroes_new_ones),
		cmocka_unit_test(impossible_sizes_give_null),
		cmocka_unit_test(the_nth_allocation_fails_once),
		cmocka_unit_test(large_spans_are_merged_and_reused),
#ifndef CONFIG_TSAN
		cmocka_unit_test(freed_memory_goes_back_to_the_host),
		cmocka_unit_test(holes_are_filled_before_empty_slabs_are),
#endif
		cmocka_unit_test(threads_can_allocate_at_once),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
