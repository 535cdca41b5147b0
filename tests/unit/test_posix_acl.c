/*
 * Access control lists by themselves: what tests/syscalls/posix_acl.c cannot see, or not at every allocation.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include "sentry/kernel/cred.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/posix_acl.h"

struct bytes { u32 version; struct acl_entry e[6]; };

static const struct bytes named = { 2, {
	{ ACL_USER_OBJ, 6, ID_NONE }, { ACL_USER, 4, 10 }, { ACL_GROUP_OBJ, 4, ID_NONE }, { ACL_GROUP, 7, 20 },
	{ ACL_MASK, 6, ID_NONE }, { ACL_OTHER, 1, ID_NONE },
} };

static struct posix_acl *parsed(const struct bytes *b)
{
	struct posix_acl *a;

	assert_int_equal(acl_parse(NULL, b, sizeof(*b), &a), 0);
	return a;
}

static void bytes_come_back_as_they_were(void **state)
{
	auto_acl *a = parsed(&named);
	struct bytes b;

	(void)state;
	assert_true(acl_valid(a));
	assert_int_equal(acl_size(a), sizeof(b));
	acl_format(NULL, a, &b);
	assert_memory_equal(&b, &named, sizeof(b));
}

static void ids_that_are_nobodys_are_refused_to_the_guest_and_kept_for_the_host(void **state)
{
	struct bytes b = named;
	struct cred c = { .fsuid = ID_NONE, .fsgid = ID_NONE };
	struct posix_acl *a;

	(void)state;
	b.e[1].id = b.e[3].id = ID_NONE;
	assert_int_equal(acl_parse(NULL, &b, sizeof(b), &a), -EINVAL);
	assert_int_equal(acl_parse_host(&b, sizeof(b), &a), 0);
	assert_true(acl_valid(a));
	assert_int_equal(acl_check(a, &c, 1, 1, 4), -EACCES);
	assert_int_equal(acl_check(a, &c, 1, 1, 1), 0);
	acl_unref(a);
}

static void every_allocation_may_fail(void **state)
{
	auto_acl *a = parsed(&named);
	struct posix_acl *b;
	u32 mode = 0777;

	(void)state;
	alloc_fail_nth(1);
	assert_int_equal(acl_parse(NULL, &named, sizeof(named), &b), -ENOMEM);
	alloc_fail_nth(1);
	assert_null(acl_chmod(a, 0));
	alloc_fail_nth(1);
	assert_null(acl_for_new(a, &mode));
	alloc_fail_nth(0);
	assert_int_equal(mode, 0777);
}

static void a_new_list_is_another(void **state)
{
	auto_acl *a = parsed(&named), *b = NULL, *c = NULL;
	u32 mode = S_IFREG | S_ISGID | 0421, now = 0;

	(void)state;
	b = acl_chmod(a, 0421);
	assert_false(acl_to_mode(b, &now));
	assert_int_equal(now, 0421);
	c = acl_for_new(a, &mode);
	assert_int_equal(mode, S_IFREG | S_ISGID | 0421);
	assert_true(acl_valid(c));
	now = 0;
	assert_false(acl_to_mode(a, &now));
	assert_int_equal(now, 0661);
}

static void nothing_is_left_behind(void **state)
{
	(void)state;
	assert_int_equal(alloc_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_back_as_they_were),
		cmocka_unit_test(ids_that_are_nobodys_are_refused_to_the_guest_and_kept_for_the_host),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(a_new_list_is_another),
		cmocka_unit_test(nothing_is_left_behind),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
