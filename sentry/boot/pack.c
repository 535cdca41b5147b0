/*
 * pack.c - struct boot_config as bytes: the description of a member, a further container of a sandbox that runs already.
 *
 * The first container's is inherited by fork; this one comes over the control socket.  Layout: struct head, the packed
 * process, one struct fixed_mount a mount, one struct fixed_device a device, the seccomp program, then
 * NUL-terminated strings in the order of put_strings().  Descriptors travel beside it and are not in here.
 */
#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"
#include "sentry/boot/boot.h"

#define MAX_ITEMS   4096u
#define MAX_SECCOMP 65536u

struct head {
	u32 process;                            /* bytes */
	u32 nmounts, ndevices, nsysctl, nmasked, nreadonly, nseccomp;
	u32 root_readonly, root_propagation, overlay, own_ns;
	s32 upper_root;
	u32 strings;                            /* bytes */
};
struct fixed_mount { u32 flags; s32 root; u32 is_dir, copy_up, propagation; };
struct fixed_device { u32 type, major, minor, mode, uid, gid; };

struct out { char *at; size_t left, n; };       /* at NULL: only counts */

static void put(struct out *o, const void *p, size_t n)
{
	o->n += n;
	if (!o->at || n > o->left)
		return;
	if (n)
		memcpy(o->at, p, n);
	o->at += n;
	o->left -= n;
}

static void put_str(struct out *o, const char *s)
{
	put(o, s ? s : "", s ? strlen(s) + 1 : 1);
}

static void put_strings(struct out *o, const struct boot_config *c)
{
	put_str(o, c->id);
	put_str(o, c->hostname);
	put_str(o, c->domainname);
	put_str(o, c->cgroup_path);
	for (u32 i = 0; i < c->nmounts; i++) {
		put_str(o, c->mounts[i].dest);
		put_str(o, c->mounts[i].type);
		put_str(o, c->mounts[i].source);
		put_str(o, c->mounts[i].data);
	}
	for (u32 i = 0; i < c->ndevices; i++)
		put_str(o, c->devices[i].path);
	for (u32 i = 0; i < c->nsysctl; i++) {
		put_str(o, c->sysctl[i].key);
		put_str(o, c->sysctl[i].value);
	}
	for (u32 i = 0; i < c->nmasked; i++)
		put_str(o, c->masked[i]);
	for (u32 i = 0; i < c->nreadonly; i++)
		put_str(o, c->readonly[i]);
}

static void put_fixed(struct out *o, const struct boot_config *c)
{
	for (u32 i = 0; i < c->nmounts; i++) {
		struct fixed_mount m = { c->mounts[i].flags, c->mounts[i].root, c->mounts[i].is_dir, c->mounts[i].copy_up,
		                         c->mounts[i].propagation };

		put(o, &m, sizeof(m));
	}
	for (u32 i = 0; i < c->ndevices; i++) {
		const struct boot_device *d = &c->devices[i];
		struct fixed_device f = { (u32)d->type, d->major, d->minor, d->mode, d->uid, d->gid };

		put(o, &f, sizeof(f));
	}
	put(o, c->seccomp, c->nseccomp * sizeof(*c->seccomp));
}

static bool counts_ok(const struct head *h)
{
	return h->nmounts <= MAX_ITEMS && h->ndevices <= MAX_ITEMS && h->nsysctl <= MAX_ITEMS &&
	       h->nmasked <= MAX_ITEMS && h->nreadonly <= MAX_ITEMS && h->nseccomp <= MAX_SECCOMP &&
	       h->process <= CTL_MAX && h->strings <= CTL_MAX;
}

long boot_config_pack(const struct boot_config *c, void *buf, size_t cap)
{
	long process = ctl_process_pack(c->process, NULL, 0);
	struct out strings = { 0 }, o = { .at = buf, .left = cap };
	struct head h = {
		.process = (u32)MAX(process, 0), .nmounts = c->nmounts, .ndevices = c->ndevices, .nsysctl = c->nsysctl,
		.nmasked = c->nmasked, .nreadonly = c->nreadonly, .nseccomp = c->nseccomp,
		.root_readonly = c->root_readonly, .root_propagation = c->root_propagation, .overlay = c->overlay, .own_ns = c->own_ns,
		.upper_root = c->upper_root,
	};

	put_strings(&strings, c);
	h.strings = (u32)MIN(strings.n, (size_t)UINT32_MAX);
	if (process < 0 || !counts_ok(&h))
		return -E2BIG;
	put(&o, &h, sizeof(h));
	if (o.at && h.process <= o.left && ctl_process_pack(c->process, o.at, o.left) < 0)
		return -E2BIG;
	if (o.at && h.process <= o.left) {
		o.at += h.process;
		o.left -= h.process;
	}
	o.n += h.process;
	put_fixed(&o, c);
	put_strings(&o, c);
	if (o.n > CTL_MAX || (buf && o.n > cap))
		return -E2BIG;
	return (long)o.n;
}

/* ---- and back ---- */

struct in {
	const char *at, *end;           /* fixed parts */
	char *str, *str_end;            /* strings: in a copy of our own */
	char *mem, *mem_end;            /* arrays */
	bool bad;
};

static void take(struct in *i, void *dst, size_t n)
{
	if (n > (size_t)(i->end - i->at)) {
		i->bad = true;
		memset(dst, 0, n);
		return;
	}
	memcpy(dst, i->at, n);
	i->at += n;
}

static const char *take_str(struct in *i)
{
	char *s = i->str, *nul = s < i->str_end ? memchr(s, 0, (size_t)(i->str_end - s)) : NULL;

	if (!nul) {
		i->bad = true;
		return "";
	}
	i->str = nul + 1;
	return s;
}

/* @count things of @size, a multiple of 8 bytes taken from the block that was sized for them. */
static void *carve(struct in *i, u32 count, size_t size)
{
	void *p = i->mem;

	i->mem += ALIGN_UP(count * size, 8);
	return p;
}

static size_t arrays_size(const struct head *h)
{
	return ALIGN_UP(h->nmounts * sizeof(struct boot_mount), 8) + ALIGN_UP(h->ndevices * sizeof(struct boot_device), 8) +
	       ALIGN_UP(h->nsysctl * sizeof(struct boot_pair), 8) + ALIGN_UP(h->nmasked * sizeof(char *), 8) +
	       ALIGN_UP(h->nreadonly * sizeof(char *), 8) + ALIGN_UP(h->nseccomp * sizeof(struct sock_filter), 8);
}

static void take_fixed(struct in *i, const struct head *h, struct boot_config *c)
{
	struct sock_filter *f = carve(i, h->nseccomp, sizeof(*f));

	c->mounts = carve(i, c->nmounts, sizeof(*c->mounts));
	c->devices = carve(i, c->ndevices, sizeof(*c->devices));
	c->sysctl = carve(i, c->nsysctl, sizeof(*c->sysctl));
	c->masked = carve(i, c->nmasked, sizeof(*c->masked));
	c->readonly = carve(i, c->nreadonly, sizeof(*c->readonly));
	for (u32 k = 0; k < c->nmounts; k++) {
		struct fixed_mount m;

		take(i, &m, sizeof(m));
		c->mounts[k] = (struct boot_mount){
			.flags = m.flags & 0xff, .root = m.root, .is_dir = m.is_dir != 0, .copy_up = m.copy_up != 0,
			.propagation = m.propagation <= BOOT_PROP_MAX ? m.propagation : 0,
		};
	}
	for (u32 k = 0; k < c->ndevices; k++) {
		struct fixed_device d;

		take(i, &d, sizeof(d));
		c->devices[k] = (struct boot_device){ .type = (char)d.type, .major = d.major, .minor = d.minor, .mode = d.mode,
		                                      .uid = d.uid, .gid = d.gid };
	}
	if (h->nseccomp)
		take(i, f, h->nseccomp * sizeof(*f));
	c->seccomp = f;
}

static void take_strings(struct in *i, struct boot_config *c)
{
	c->id = take_str(i);
	c->hostname = take_str(i);
	c->domainname = take_str(i);
	c->cgroup_path = take_str(i);
	for (u32 k = 0; k < c->nmounts; k++) {
		c->mounts[k].dest = take_str(i);
		c->mounts[k].type = take_str(i);
		c->mounts[k].source = take_str(i);
		c->mounts[k].data = take_str(i);
	}
	for (u32 k = 0; k < c->ndevices; k++)
		c->devices[k].path = take_str(i);
	for (u32 k = 0; k < c->nsysctl; k++) {
		c->sysctl[k].key = take_str(i);
		c->sysctl[k].value = take_str(i);
	}
	for (u32 k = 0; k < c->nmasked; k++)
		c->masked[k] = take_str(i);
	for (u32 k = 0; k < c->nreadonly; k++)
		c->readonly[k] = take_str(i);
}

static int unpack_rest(struct in *i, const struct head *h, struct boot_config *c)
{
	*c = (struct boot_config){
		.nmounts = h->nmounts, .ndevices = h->ndevices, .nsysctl = h->nsysctl, .nmasked = h->nmasked,
		.nreadonly = h->nreadonly, .nseccomp = h->nseccomp, .root_readonly = h->root_readonly != 0,
		.root_propagation = h->root_propagation <= BOOT_PROP_MAX ? h->root_propagation : 0,
		.overlay = h->overlay != 0, .own_ns = h->own_ns, .upper_root = h->upper_root,
		.sync_fd = -1, .ctl_fd = -1, .stdio = { -1, -1, -1 }, .tty_fd = -1, .gofer_inval = -1, .log_fd = -1,
	};
	for (int k = 0; k < BOOT_GOFER_CTL; k++)
		c->gofer_ctl[k] = -1;
	take_fixed(i, h, c);
	take_strings(i, c);
	return i->bad || i->at != i->end || i->str != i->str_end ? -EINVAL : 0;
}

int boot_config_unpack(const void *buf, size_t n, struct boot_config *ret, struct ctl_process *ret_process,
                       void **ret_mem, void **ret_process_mem)
{
	const char *p = buf;
	struct head h;
	struct in i = { 0 };
	char *mem;
	void *process_mem;
	int r;

	if (n < sizeof(h))
		return -EINVAL;
	memcpy(&h, p, sizeof(h));
	if (!counts_ok(&h) || (size_t)h.process + h.strings > n - sizeof(h))
		return -EINVAL;
	r = ctl_process_unpack(p + sizeof(h), h.process, ret_process, &process_mem);
	if (r < 0)
		return r;
	mem = kbuf_alloc(arrays_size(&h) + h.strings + 1);
	if (!mem) {
		kfree(process_mem);
		return -ENOMEM;
	}
	i.at = p + sizeof(h) + h.process;
	i.end = p + n - h.strings;
	i.mem = mem;
	i.str = mem + arrays_size(&h);
	i.str_end = i.str + h.strings;
	memcpy(i.str, p + n - h.strings, h.strings);
	r = unpack_rest(&i, &h, ret);
	if (r < 0) {
		kfree(mem);
		kfree(process_mem);
		return r;
	}
	ret->process = ret_process;
	*ret_mem = mem;
	*ret_process_mem = process_mem;
	return 0;
}
