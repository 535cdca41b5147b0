/*
 * sys_keys.c - add_key, request_key, keyctl: see ipc/keys.h.
 *
 * Strings have limits of Linux (type 31, description 4095 bytes), beyond which they are -EINVAL.
 * Building keys (instantiate, reject) needs an authority that only a /sbin/request-key has.
 */
#include <errno.h>
#include <linux/keyctl.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/keys.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

static int type_in(struct task *t, gaddr_t from, char *type)
{
	ssize_t n = copy_in_str(t, type, from, KEY_TYPE_MAX);

	if (n == -ENAMETOOLONG || n == 0)
		return -EINVAL;
	return n < 0 ? (int)n : type[0] == '.' ? -EPERM : 0;
}

static int text_in(struct task *t, gaddr_t from, char **ret)
{
	ssize_t n;

	*ret = kbuf_alloc(KEY_DESC_MAX);
	if (!*ret)
		return -ENOMEM;
	n = copy_in_str(t, *ret, from, KEY_DESC_MAX);
	return n == -ENAMETOOLONG ? -EINVAL : n < 0 ? (int)n : 0;
}

static int data_in(struct task *t, gaddr_t from, size_t n, void **ret)
{
	if (n == 0)
		return 0;
	*ret = kbuf_alloc(n);
	return *ret ? copy_in(t, *ret, from, n) : -ENOMEM;
}

long sys_add_key(struct task *t, const struct sysargs *a)
{
	auto_kfree char *desc = NULL;
	auto_kfree void *data = NULL;
	size_t n = arg_size(a, 3);
	char type[KEY_TYPE_MAX];
	int r;

	if (n > KEY_ADD_MAX)
		return -EINVAL;
	r = type_in(t, arg_addr(a, 0), type);
	if (r == 0 && arg_addr(a, 1).v)
		r = text_in(t, arg_addr(a, 1), &desc);
	/* Rings of the kernel's own begin with a dot. */
	if (r == 0 && desc && desc[0] == '.' && str_starts(type, "keyring"))
		r = -EPERM;
	if (r == 0)
		r = data_in(t, arg_addr(a, 2), n, &data);
	if (r < 0)
		return r;
	return keys_add(t, (struct key_name){ type, desc && *desc ? desc : NULL }, data, n, arg_s32(a, 4));
}

long sys_request_key(struct task *t, const struct sysargs *a)
{
	auto_kfree char *desc = NULL, *callout = NULL;
	char type[KEY_TYPE_MAX];
	int r = type_in(t, arg_addr(a, 0), type);

	if (r == 0)
		r = text_in(t, arg_addr(a, 1), &desc);
	if (r == 0 && arg_addr(a, 2).v)
		r = text_in(t, arg_addr(a, 2), &callout);
	return r < 0 ? r : keys_request(t, (struct key_name){ type, desc }, arg_s32(a, 3), callout != NULL);
}

static long join_session(struct task *t, gaddr_t name)
{
	auto_kfree char *s = NULL;
	int r = name.v ? text_in(t, name, &s) : 0;

	return r < 0 ? r : keys_join_session(t, s);
}

static long update(struct task *t, s32 id, gaddr_t from, size_t n)
{
	auto_kfree void *data = NULL;
	int r = n > KEY_UPDATE_MAX ? -EINVAL : data_in(t, from, n, &data);

	return r < 0 ? r : keys_update(t, id, data, n);
}

typedef long get_fn(struct task *t, s32 id, size_t max, void **ret);

/* Nothing is copied unless all of it fits; its length is told. */
static long get(struct task *t, get_fn *fn, s32 id, gaddr_t to, size_t max)
{
	auto_kfree void *data = NULL;
	long n = fn(t, id, to.v ? max : 0, &data);
	int r = n > 0 && data ? copy_out(t, to, data, (size_t)n) : 0;

	return r < 0 ? r : n;
}

static long search(struct task *t, s32 ring, gaddr_t type_at, gaddr_t desc_at, s32 dest)
{
	auto_kfree char *desc = NULL;
	char type[KEY_TYPE_MAX];
	int r = type_in(t, type_at, type);

	if (r == 0)
		r = text_in(t, desc_at, &desc);
	return r < 0 ? r : keys_search(t, ring, (struct key_name){ type, desc }, dest);
}

/* Without security modules a key's label is the empty string. */
static long get_security(struct task *t, s32 id, gaddr_t to, size_t max)
{
	long r = keys_check_view(t, id);

	if (r == 0 && to.v && max)
		r = copy_out(t, to, "", 1);
	return r < 0 ? r : 1;
}

static long restrict_ring(struct task *t, s32 id, gaddr_t type_at, gaddr_t how)
{
	auto_kfree char *text = NULL;
	char type[KEY_TYPE_MAX];
	int r = !type_at.v == !how.v ? 0 : -EINVAL;

	if (r == 0 && type_at.v) {
		r = type_in(t, type_at, type);
		if (r == 0)
			r = text_in(t, how, &text);
	}
	return r < 0 ? r : keys_restrict(t, id, type_at.v ? type : NULL);
}

static long capabilities(struct task *t, gaddr_t to, size_t max)
{
	static const u8 caps[2] = {
		KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_INVALIDATE | KEYCTL_CAPS0_RESTRICT_KEYRING | KEYCTL_CAPS0_MOVE,
		KEYCTL_CAPS1_NS_KEYRING_NAME,
	};
	size_t n = MIN(max, sizeof(caps));
	int r = n ? copy_out(t, to, caps, n) : 0;

	if (r == 0 && max > n)
		r = zero_out(t, GADDR(to.v + n), max - n);
	return r < 0 ? r : (long)sizeof(caps);
}

static bool is_error(u32 e)
{
	return e > 0 && e < 4095 && (e < 512 || e > 516);
}

/* The operations on keys under construction: there are none. */
static long construct(const struct sysargs *a)
{
	switch (arg_u32(a, 0)) {
	case KEYCTL_INSTANTIATE:
		return arg_size(a, 3) > KEY_ADD_MAX ? -EINVAL : -EPERM;
	case KEYCTL_REJECT:
		return is_error(arg_u32(a, 3)) ? -EPERM : -EINVAL;
	case KEYCTL_ASSUME_AUTHORITY:
		return arg_s32(a, 1) < 0 ? -EINVAL : arg_s32(a, 1) > 0 ? -ENOKEY : 0;
	default:
		return -EPERM;
	}
}

long sys_keyctl(struct task *t, const struct sysargs *a)
{
	s32 id = arg_s32(a, 1), id2 = arg_s32(a, 2);

	switch (arg_u32(a, 0)) {
	case KEYCTL_GET_KEYRING_ID:
		return keys_ring_id(t, id, id2 != 0);
	case KEYCTL_JOIN_SESSION_KEYRING:
		return join_session(t, arg_addr(a, 1));
	case KEYCTL_UPDATE:
		return update(t, id, arg_addr(a, 2), arg_size(a, 3));
	case KEYCTL_REVOKE:
		return keys_revoke(t, id);
	case KEYCTL_CHOWN:
		return keys_chown(t, id, arg_u32(a, 2), arg_u32(a, 3));
	case KEYCTL_SETPERM:
		return keys_setperm(t, id, arg_u32(a, 2));
	case KEYCTL_DESCRIBE:
		return get(t, keys_describe, id, arg_addr(a, 2), arg_u32(a, 3));
	case KEYCTL_CLEAR:
		return keys_clear(t, id);
	case KEYCTL_LINK:
		return keys_link(t, id, id2);
	case KEYCTL_UNLINK:
		return keys_unlink(t, id, id2);
	case KEYCTL_SEARCH:
		return search(t, id, arg_addr(a, 2), arg_addr(a, 3), arg_s32(a, 4));
	case KEYCTL_READ:
		return get(t, keys_read, id, arg_addr(a, 2), arg_size(a, 3));
	case KEYCTL_SET_REQKEY_KEYRING:
		return keys_set_reqkey(t, id);
	case KEYCTL_SET_TIMEOUT:
		return keys_set_timeout(t, id, arg_u32(a, 2));
	case KEYCTL_GET_SECURITY:
		return get_security(t, id, arg_addr(a, 2), arg_size(a, 3));
	case KEYCTL_INVALIDATE:
		return keys_invalidate(t, id);
	case KEYCTL_RESTRICT_KEYRING:
		return restrict_ring(t, id, arg_addr(a, 2), arg_addr(a, 3));
	case KEYCTL_MOVE:
		return arg_u32(a, 4) & ~(u32)KEYCTL_MOVE_EXCL ? -EINVAL :
		       keys_move(t, id, id2, arg_s32(a, 3), arg_u32(a, 4));
	case KEYCTL_CAPABILITIES:
		return capabilities(t, arg_addr(a, 1), arg_size(a, 2));
	case KEYCTL_INSTANTIATE:
	case KEYCTL_INSTANTIATE_IOV:
	case KEYCTL_NEGATE:
	case KEYCTL_REJECT:
	case KEYCTL_ASSUME_AUTHORITY:
		return construct(a);
	default:                        /* persistent rings, DH, public keys, watching, the parent's session */
		return -EOPNOTSUPP;
	}
}
