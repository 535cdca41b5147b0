/*
 * test_cgroup.c - the tree of control groups: pids.max counts below it, what is moved takes its count along,
 * and nothing of it stays. (What the files say is compared with Linux in tests/syscalls/cgroup.c; there the
 * host may have its pids controller elsewhere.)
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/task_int.h"
#include "tests/unit/unit.h"

static struct kernel *k;

static int setup(void **state)
{
	(void)state;
	k = kernel_new(NULL);
	return k ? 0 : -1;
}

static struct cgroup *group(struct cgroup *up, const char *name)
{
	struct cgroup *cg = NULL;

	assert_int_equal(cgroup_mkdir(up, name, strlen(name), &cg), 0);
	return cg;
}

static struct tgroup *process(struct cgroup *at, int want)
{
	struct tgroup *tg = tgroup_new(k);

	assert_int_equal(cgroup_add_task(tg, NULL, at), want);
	return tg;
}

/* From where it is. */
static int attach(struct cgroup *cg, struct tgroup *tg)
{
	return cgroup_attach(cg, tg, tg->cgroup);
}

static void end(struct tgroup *tg)
{
	cgroup_process_ended(tg);
	cgroup_drop_task(tg);
	tgroup_unref(tg);
}

static void limits_hold_for_all_below(void **state)
{
	struct cgroup *a = group(k->cgroups.root, "a"), *b = group(a, "b"), *c = group(a, "c");
	struct tgroup *p, *q, *r;

	(void)state;
	a->pids_max = 3;
	c->pids_max = 1;
	p = process(b, 0);
	assert_int_equal(cgroup_add_task(p, NULL, NULL), 0);    /* a thread */
	q = process(c, 0);
	assert_int_equal(cgroup_add_task(p, NULL, NULL), -EAGAIN);
	assert_int_equal(a->pids_refused, 1);
	assert_int_equal(cgroup_add_task(q, NULL, NULL), -EAGAIN);
	assert_int_equal(c->pids_refused, 1);
	r = process(b, -EAGAIN);
	assert_null(r->cgroup);
	tgroup_unref(r);
	/* Who is moved is not asked. */
	assert_int_equal(cgroup_attach(c, p, a), -ESTALE);
	assert_int_equal(attach(c, p), 0);
	assert_int_equal(c->ntasks, 3);
	assert_int_equal(b->ntasks, 0);
	assert_int_equal(a->ntasks, 3);
	assert_int_equal(cgroup_rmdir(b), 0);
	cgroup_drop_task(p);
	end(p);
	assert_int_equal(cgroup_rmdir(c), -EBUSY);
	end(q);
	assert_int_equal(cgroup_rmdir(c), 0);
	assert_int_equal(cgroup_rmdir(a), 0);
	cgroup_unref(c);
	cgroup_unref(b);
	cgroup_unref(a);
	assert_int_equal(k->cgroups.root->ntasks, 0);
	assert_int_equal(k->cgroups.root->nbelow, 0);
}

static void an_add_that_is_undone_leaves_nothing(void **state)
{
	struct cgroup *a = group(k->cgroups.root, "a");
	struct tgroup *p = process(a, 0);

	(void)state;
	assert_int_equal(cgroup_rmdir(a), -EBUSY);
	cgroup_drop_task(p);
	assert_int_equal(cgroup_rmdir(a), 0);
	assert_int_equal(a->nlive, 0);
	tgroup_unref(p);
	cgroup_unref(a);
}

static void controllers_and_processes_exclude_each_other(void **state)
{
	struct cgroup *a = group(k->cgroups.root, "a"), *b = group(a, "b");
	struct tgroup *p = process(a, 0);

	(void)state;
	assert_int_equal(cgroup_control(a, CGROUP_PIDS, 0), -ENOENT);   /* the root does not hand it on */
	assert_int_equal(cgroup_control(k->cgroups.root, CGROUP_PIDS, 0), 0);
	assert_int_equal(cgroup_control(a, CGROUP_PIDS, 0), -EBUSY);
	assert_int_equal(attach(b, p), 0);
	assert_int_equal(cgroup_control(a, CGROUP_PIDS, 0), 0);
	assert_int_equal(cgroup_control(k->cgroups.root, 0, CGROUP_PIDS), -EBUSY);
	assert_int_equal(attach(a, p), -EBUSY);
	assert_int_equal(attach(k->cgroups.root, p), -EBUSY);
	assert_int_equal(cgroup_control(a, 0, CGROUP_PIDS), 0);
	assert_int_equal(cgroup_control(k->cgroups.root, 0, CGROUP_PIDS), 0);
	assert_int_equal(attach(k->cgroups.root, p), 0);
	end(p);
	assert_int_equal(cgroup_rmdir(b), 0);
	assert_int_equal(cgroup_rmdir(a), 0);
	assert_int_equal(attach(a, process(k->cgroups.root, 0)), -ENODEV);
	cgroup_unref(b);
	cgroup_unref(a);
}

static void trees_end_somewhere(void **state)
{
	struct cgroup *at = k->cgroups.root, *next;
	char want[2 * CGROUP_LEVELS + 1] = "";
	auto_strbuf path = { 0 };

	(void)state;
	for (int i = 0; i < CGROUP_LEVELS; i++) {
		next = group(at, "d");
		if (at != k->cgroups.root)
			cgroup_unref(at);               /* the one below has it */
		at = next;
		strcat(want, "/d");
	}
	assert_int_equal(cgroup_mkdir(at, "d", 1, &next), -EAGAIN);
	strbuf_init(&path);
	cgroup_path(&path, k->cgroups.root, at);
	assert_string_equal(path.p, want);
	strbuf_clear(&path);
	cgroup_path(&path, at->parent, k->cgroups.root);
	assert_int_equal(path.len, 3 * (CGROUP_LEVELS - 1));
	while (at != k->cgroups.root) {
		next = at->parent;
		cgroup_ref(next);
		assert_int_equal(cgroup_rmdir(at), 0);
		cgroup_unref(at);
		at = next;
	}
	cgroup_unref(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_hold_for_all_below),
		cmocka_unit_test(an_add_that_is_undone_leaves_nothing),
		cmocka_unit_test(controllers_and_processes_exclude_each_other),
		cmocka_unit_test(trees_end_somewhere),
	};

	if (alloc_init(1ul << 30) < 0)
		return 1;
	return cmocka_run_group_tests(tests, setup, NULL);
}
