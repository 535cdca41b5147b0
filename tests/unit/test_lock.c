#include "tests/unit/unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/lock.h"
#include "platform/base/ref.h"
#include "platform/base/waitq.h"

struct counter {
	struct mutex mu;
	long n;
};

static void *count_up(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < 50000; i++) {
		mutex_lock(&c->mu);
		c->n++;
		mutex_unlock(&c->mu);
	}
	return NULL;
}

static void a_mutex_excludes_other_threads(void **state)
{
	struct counter c = { .mu = MUTEX_INIT(LEAF) };
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, count_up, &c), 0);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
	assert_int_equal(c.n, 4 * 50000);
}

static void trylock_fails_on_a_held_mutex(void **state)
{
	struct mutex mu = MUTEX_INIT(LEAF);

	(void)state;
	assert_true(mutex_trylock(&mu));
	assert_false(mutex_trylock(&mu));
	mutex_unlock(&mu);
	assert_true(mutex_trylock(&mu));
	mutex_unlock(&mu);
}

static void a_pair_of_one_rank_can_be_taken_in_either_order(void **state)
{
	struct mutex a = MUTEX_INIT(INODE), b = MUTEX_INIT(INODE);

	(void)state;
	mutex_lock_pair(&a, &b);
	mutex_unlock_pair(&a, &b);
	mutex_lock_pair(&b, &a);
	mutex_unlock_pair(&b, &a);
	mutex_lock_pair(&a, &a);
	mutex_unlock_pair(&a, &a);
	assert_true(mutex_trylock(&a));
	mutex_unlock(&a);
}

#ifdef CONFIG_LOCKDEP
static bool dies(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

static void wrong_order(void) NO_TSA
{
	struct mutex outer = MUTEX_INIT(TASK), inner = MUTEX_INIT(FILE);

	mutex_lock(&inner);
	mutex_lock(&outer);
}

static void one_rank_twice(void) NO_TSA
{
	struct mutex a = MUTEX_INIT(FILE), b = MUTEX_INIT(FILE);

	mutex_lock(&a);
	mutex_lock(&b);
}

static void not_held(void) NO_TSA
{
	struct mutex a = MUTEX_INIT(FILE);

	mutex_unlock(&a);
}

static void right_order(void) NO_TSA
{
	struct mutex outer = MUTEX_INIT(TASK), inner = MUTEX_INIT(FILE);

	mutex_lock(&outer);
	mutex_lock(&inner);
	mutex_unlock(&outer);
	mutex_unlock(&inner);
}

static void breaking_the_lock_order_ends_the_process(void **state)
{
	(void)state;
	assert_true(dies(wrong_order));
	assert_true(dies(one_rank_twice));
	assert_true(dies(not_held));
	assert_false(dies(right_order));
}
#endif

struct seen {
	struct waiter w;
	u32 events;
	int calls;
};

static bool note(struct waiter *w, u32 events)
{
	struct seen *s = container_of(w, struct seen, w);

	s->events = events;
	s->calls++;
	return true;
}

static struct mutex outer = MUTEX_INIT(PLATFORM), contended = MUTEX_INIT(LEAF), inner = MUTEX_INIT(PLATFORM);
static _Atomic int hook_calls, waiting;

static void hook(void *arg)
{
	(void)arg;
	atomic_fetch_add(&hook_calls, 1);
	atomic_store(&waiting, 1);
	/* Held by the test as well: waited for without coming here again. */
	mutex_lock(&inner);
	mutex_unlock(&inner);
}

static void *waits_with_a_hook(void *arg)
{
	(void)arg;
	mutex_before_sleep(hook, NULL);
	/* What the hook takes has no order with this. */
	mutex_lock(&outer);
	mutex_lock(&contended);
	mutex_unlock(&contended);
	mutex_unlock(&outer);
	return NULL;
}

static void the_call_before_a_sleep_is_not_made_again_inside_itself(void **state) NO_TSA
{
	pthread_t th;

	(void)state;
	mutex_lock(&inner);
	assert_true(mutex_trylock(&contended));
	assert_int_equal(pthread_create(&th, NULL, waits_with_a_hook, NULL), 0);
	while (!atomic_load(&waiting))
		sched_yield();
	/* Long enough for it to come to the inner wait; were that to call it again, it would do so for ever. */
	usleep(20000);
	mutex_unlock(&inner);
	mutex_unlock(&contended);
	pthread_join(th, NULL);
	assert_int_equal(atomic_load(&hook_calls), 1);
}

static void waiters_are_woken_for_what_they_asked(void **state)
{
	struct seen in = { .w = { .interest = 1, .fn = note } };
	struct seen out = { .w = { .interest = 4, .fn = note } };
	struct waitq q;

	(void)state;
	waitq_init(&q);
	waitq_add(&q, &in.w);
	waitq_add(&q, &out.w);
	waitq_wake(&q, 1 | 8);
	assert_int_equal(in.calls, 1);
	assert_int_equal(in.events, 1 | 8);
	assert_int_equal(out.calls, 0);
	waitq_del(&q, &in.w);
	waitq_del(&q, &in.w);
	waitq_wake(&q, 1 | 4);
	assert_int_equal(in.calls, 1);
	assert_int_equal(out.calls, 1);
	waitq_del(&q, &out.w);
	waitq_add(NULL, &out.w);
	waitq_del(NULL, &out.w);
}

static void one_exclusive_waiter_is_woken_at_a_time(void **state)
{
	struct seen a = { .w = { .interest = 1, .exclusive = true, .fn = note } };
	struct seen b = { .w = { .interest = 1, .exclusive = true, .fn = note } };
	struct seen c = { .w = { .interest = 1, .fn = note } };
	struct waitq q;

	(void)state;
	waitq_init(&q);
	waitq_add(&q, &a.w);
	waitq_add(&q, &b.w);
	waitq_add(&q, &c.w);
	waitq_wake(&q, 1);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_int_equal(c.calls, 1);
}

static void references_cannot_be_raised_from_the_dead(void **state)
{
	struct ref r;

	(void)state;
	ref_init(&r);
	ref_get(&r);
	assert_false(ref_put(&r));
	assert_true(ref_get_unless_zero(&r));
	assert_false(ref_put(&r));
	assert_true(ref_put(&r));
	assert_false(ref_get_unless_zero(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mutex_excludes_other_threads),
		cmocka_unit_test(trylock_fails_on_a_held_mutex),
		cmocka_unit_test(a_pair_of_one_rank_can_be_taken_in_either_order),
#ifdef CONFIG_LOCKDEP
		cmocka_unit_test(breaking_the_lock_order_ends_the_process),
#endif
		cmocka_unit_test(the_call_before_a_sleep_is_not_made_again_inside_itself),
		cmocka_unit_test(waiters_are_woken_for_what_they_asked),
		cmocka_unit_test(one_exclusive_waiter_is_woken_at_a_time),
		cmocka_unit_test(references_cannot_be_raised_from_the_dead),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
