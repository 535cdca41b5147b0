#include "tests/unit/unit.h"

#include <pthread.h>
#include <sys/mman.h>
#include "platform/host/tidmap.h"

enum { PAGES = 300, PER_PAGE = 512 };

static int resident(const struct tidmap *m)
{
	u8 there[PAGES];
	int n = 0;

	assert_int_equal(mincore((void *)m->at, sizeof(there) * 4096, there), 0);
	for (size_t i = 0; i < sizeof(there); i++)
		n += there[i] & 1;
	return n;
}

static void what_is_set_is_found_until_it_is_taken(void **state)
{
	struct tidmap m;
	int a, b;

	(void)state;
	assert_int_equal(tidmap_init(&m), 0);
	assert_null(tidmap_get(&m, 7));
	tidmap_set(&m, 7, &a);
	tidmap_set(&m, TIDMAP_MAX - 1, &b);
	assert_ptr_equal(tidmap_get(&m, 7), &a);
	assert_ptr_equal(tidmap_get(&m, TIDMAP_MAX - 1), &b);
	assert_null(tidmap_take(&m, 7, &b));
	tidmap_set(&m, 7, &b);
	assert_null(tidmap_take(&m, 7, &a));
	assert_ptr_equal(tidmap_take(&m, 7, &b), &b);
	assert_null(tidmap_take(&m, 7, NULL));
	assert_null(tidmap_get(&m, 7));
	assert_ptr_equal(tidmap_take(&m, TIDMAP_MAX - 1, NULL), &b);
}

static void what_is_no_id_has_nothing(void **state)
{
	struct tidmap m;

	(void)state;
	assert_int_equal(tidmap_init(&m), 0);
	assert_null(tidmap_get(&m, -1));
	assert_null(tidmap_get(&m, 0));
	assert_null(tidmap_get(&m, TIDMAP_MAX));
	assert_null(tidmap_get(&m, 1ll << 32));
}

/* One that stays in each tenth page, and short-lived ones throughout. */
static void pages_of_ids_that_are_gone_are_given_back(void **state)
{
	struct tidmap m;
	int v;

	(void)state;
	assert_int_equal(tidmap_init(&m), 0);
	for (u32 id = 1; id < PAGES * PER_PAGE; id++) {
		tidmap_set(&m, id, &v);
		if (id % (10 * PER_PAGE) != 1)
			assert_ptr_equal(tidmap_take(&m, id, &v), &v);
	}
	assert_int_equal(resident(&m), PAGES / 10 + 1);
	for (u32 id = 1; id < PAGES * PER_PAGE; id += 10 * PER_PAGE)
		assert_ptr_equal(tidmap_take(&m, id, NULL), &v);
	assert_int_equal(resident(&m), 1);
}

struct churn { struct tidmap *m; u32 first; };

static void *churn(void *arg)
{
	struct churn *c = arg;

	for (int round = 0; round < 200; round++)
		for (u32 id = c->first; id < 4 * PER_PAGE; id += 2) {
			tidmap_set(c->m, id, c);
			if (tidmap_get(c->m, id) != c || tidmap_take(c->m, id, c) != c)
				return c;
		}
	return NULL;
}

static void no_entry_is_lost_to_a_page_that_goes(void **state)
{
	struct tidmap m;
	struct churn c[2] = { { &m, 1 }, { &m, 2 } };
	pthread_t th[2];
	void *bad;

	(void)state;
	assert_int_equal(tidmap_init(&m), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&th[i], NULL, churn, &c[i]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(th[i], &bad), 0);
		assert_null(bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_is_found_until_it_is_taken),
		cmocka_unit_test(what_is_no_id_has_nothing),
		cmocka_unit_test(pages_of_ids_that_are_gone_are_given_back),
		cmocka_unit_test(no_entry_is_lost_to_a_page_that_goes),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
