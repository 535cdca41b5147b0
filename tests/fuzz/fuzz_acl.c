/*
 * fuzz_acl.c - any bytes as an access control list: refused, or a list that stays valid and means the same whatever is done to it.
 *
 * The first four bytes say who asks: user, group, mode.
 */
#include <stdlib.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/cred.h"
#include "sentry/vfs/posix_acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Its bytes are those of a list with the same entries. */
static void check_bytes(const struct posix_acl *a)
{
	struct posix_acl *again;
	size_t n = acl_size(a);
	void *bytes = malloc(n);

	acl_format(NULL, a, bytes);
	check(acl_parse_host(bytes, n, &again) == 0 && again->n == a->n);
	check(memcmp(again->e, a->e, a->n * sizeof(a->e[0])) == 0);
	acl_unref(again);
	free(bytes);
}

static void check_valid(const struct posix_acl *a, const struct cred *c, u32 mode)
{
	u32 was = 0, now = 0, left = mode;
	struct posix_acl *b = acl_chmod(a, mode);
	bool more = !acl_to_mode(a, &was);

	check(b && acl_valid(b) && acl_to_mode(b, &now) != more && now == mode);
	acl_unref(b);
	b = acl_for_new(a, &left);
	check(b && acl_valid(b) && (left & ~(mode & was)) == 0);
	now = 0;
	check(acl_to_mode(b, &now) != more && now == left);
	acl_unref(b);
	/* More is never permitted where less is refused. */
	for (int mask = 1; mask < 8; mask++)
		for (int less = 1; less < mask; less++)
			if ((less & mask) == less && acl_check(a, c, 1, 2, mask) == 0)
				check(acl_check(a, c, 1, 2, less) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct posix_acl *a = NULL;
	u32 groups[] = { 3, 5 };
	struct cred c = { .ngroups = 2, .groups = groups };

	if (!ready && alloc_init((size_t)1 << 30) < 0)
		abort();
	ready = true;
	if (size < 4)
		return 0;
	c.fsuid = data[0] & 7;
	c.fsgid = data[1] & 7;
	if (acl_parse(NULL, data + 4, size - 4, &a) == 0 && a) {
		check_bytes(a);
		if (acl_valid(a))
			check_valid(a, &c, (data[2] | (u32)data[3] << 8) & 0777);
	}
	acl_unref(a);
	if (acl_parse_host(data + 4, size - 4, &a) == 0 && a && acl_valid(a))
		check_valid(a, &c, 0640);
	acl_unref(a);
	return 0;
}
