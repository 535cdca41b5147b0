/*
 * test_resident.c - how much of an address space is in memory: exact for small maps, near for large ones, from
 * few questions.
 */
#include <errno.h>
#include "platform/platform.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/resident.h"
#include "tests/unit/unit.h"

#define BASE 0x10000000ul
#define MIB (1ul << 20)

static bool (*present)(u64 addr);
static u32 asked;
static int error;

int aspace_present(const struct aspace *as, const u64 *addr, u32 n, u32 *ret)
{
	(void)as;
	assert_true(n > 0 && n <= PRESENT_MAX);
	*ret = 0;
	asked += n;
	for (u32 i = 0; i < n; i++)
		*ret += present(addr[i]);
	return error;
}

static bool all_of_it(u64 addr) { return addr % PAGE_SIZE == 0; }
static bool each_third(u64 addr) { return addr / PAGE_SIZE % 3 == 0; }
static bool first_half(u64 addr) { return addr < BASE + 512 * MIB; }

static u64 count(bool (*fn)(u64), u64 len)
{
	struct resident_range r = { .start = BASE, .end = BASE + len };

	present = fn;
	asked = 0;
	assert_int_equal(resident_count(NULL, &r, 1), 0);
	assert_true(asked <= 2048);
	return r.ret;
}

static void small_maps_are_counted(void **state)
{
	(void)state;
	assert_int_equal(count(all_of_it, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(count(all_of_it, 511 * PAGE_SIZE), 511 * PAGE_SIZE);
	assert_int_equal(count(each_third, 300 * PAGE_SIZE), 100 * PAGE_SIZE);
	assert_int_equal(count(all_of_it, 0), 0);
}

static void large_maps_are_estimated(void **state)
{
	(void)state;
	assert_int_equal(count(all_of_it, 1000 * MIB), 1000 * MIB);
	assert_in_range(count(first_half, 1024 * MIB), 500 * MIB, 524 * MIB);
	assert_in_range(count(each_third, 999 * MIB), 300 * MIB, 366 * MIB);
}

static void a_hit_in_a_vast_map_is_not_all_of_it(void **state)
{
	(void)state;
	assert_true(count(first_half, 1ul << 46) < 1024 * MIB);
}

static void many_maps_share_what_may_be_asked(void **state)
{
	static struct resident_range r[5000];

	(void)state;
	for (u64 i = 0; i < 5000; i++)
		r[i] = (struct resident_range){ .start = BASE + 2 * i * MIB, .end = BASE + (2 * i + 1) * MIB };
	r[4999].end += 1024 * MIB;
	present = all_of_it;
	asked = 0;
	assert_int_equal(resident_count(NULL, r, 5000), 0);
	assert_true(asked <= 5000 + 2048);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(r[i].ret, r[i].end - r[i].start);
}

static void a_host_that_does_not_tell_is_an_error(void **state)
{
	struct resident_range r = { .start = BASE, .end = BASE + MIB };

	(void)state;
	present = all_of_it;
	error = -ENOSYS;
	assert_int_equal(resident_count(NULL, &r, 1), -ENOSYS);
	error = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_maps_are_counted),
		cmocka_unit_test(large_maps_are_estimated),
		cmocka_unit_test(a_hit_in_a_vast_map_is_not_all_of_it),
		cmocka_unit_test(many_maps_share_what_may_be_asked),
		cmocka_unit_test(a_host_that_does_not_tell_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
