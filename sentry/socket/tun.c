/*
 * tun.c - /dev/net/tun: a program of the sandbox holds the wire of a link of its network namespace.
 *
 * The link and its queue are the stack's (netstack/link/tun.c); here is what programs see: the ioctls, the headers
 * in front of packets, readiness.  One queue a link; nothing outlives its descriptor (no TUNSETPERSIST).
 *
 * Life: the link goes when the last reference to the file does.
 * Locks: f->mu (RANK_FILE) guards what TUNSETIFF sets, once; readers take it only to look.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/vfs/fasync.h"

#define TUN_KNOWN (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE | IFF_VNET_HDR)
#define VNET_MIN  10
#define VNET_MAX  20

struct tun_file {
	struct file f;
	struct waitq wq;
	struct net *net;                /* immutable, a reference */
	struct mutex mu;                /* RANK_FILE */
	struct tun *tun GUARDED_BY(mu); /* NULL: no link yet; then for ever the same */
	u32 flags, vnet;                /* guarded by mu: IFF_*, bytes of the vnet header */
};

struct lent {
	struct net_io io;
	struct iobuf *b;
};

static struct tun_file *tf_of(struct file *f) { return container_of(f, struct tun_file, f); }
static void tun_ready(void *opaque) { waitq_wake(&((struct tun_file *)opaque)->wq, POLLIN | POLLRDNORM | ASYNC_IN); }

static int give(struct net_io *io, void *k, size_t n)
{
	return !n || iobuf_put(container_of(io, struct lent, io)->b, k, n) == (ssize_t)n ? 0 : -EFAULT;
}

static int take(struct net_io *io, void *k, size_t n)
{
	return !n || iobuf_get(container_of(io, struct lent, io)->b, k, n) == (ssize_t)n ? 0 : -EFAULT;
}

/* Its link, and what stands in front of each packet; NULL: none yet. */
static struct tun *link_of(struct tun_file *tf, bool *ret_pi, size_t *ret_vnet)
{
	struct tun *t;

	mutex_lock(&tf->mu);
	t = tf->tun;
	*ret_pi = !(tf->flags & IFF_NO_PI);
	*ret_vnet = tf->flags & IFF_VNET_HDR ? tf->vnet : 0;
	mutex_unlock(&tf->mu);
	return t;
}

static ssize_t transfer(struct file *f, struct iobuf *b, int (*copy)(struct net_io *io, void *k, size_t n),
			ssize_t (*op)(struct tun *t, bool pi, size_t vnet, struct net_io *io))
{
	struct lent l = { .io = { .len = b->left, .copy = copy }, .b = b };
	size_t vnet, done = b->done;
	ssize_t r = -EBADFD;
	struct tun *tun;
	bool pi;

	tun = link_of(tf_of(f), &pi, &vnet);
	if (tun)
		r = op(tun, pi, vnet, &l.io);
	if (r < 0)
		iobuf_rewind(b, b->done - done);
	return r;
}

static ssize_t tun_fop_read(struct task *t unused_ok, struct file *f, struct iobuf *b, s64 *pos unused_ok)
{
	return transfer(f, b, give, tun_read);
}

static ssize_t tun_fop_write(struct task *t unused_ok, struct file *f, struct iobuf *b, s64 *pos unused_ok)
{
	return transfer(f, b, take, tun_write);
}

static u32 tun_fop_poll(struct file *f)
{
	size_t vnet;
	bool pi;
	struct tun *tun = link_of(tf_of(f), &pi, &vnet);

	if (!tun)
		return POLLERR;
	return POLLOUT | POLLWRNORM | (tun_readable(tun) ? POLLIN | POLLRDNORM : 0);
}

/* ---- ioctls ---- */

static int attach(struct tun_file *tf, struct ifreq *r)
{
	u32 flags = (u16)r->ifr_flags;
	struct link_cfg c = { .mtu = 1500, .arphrd = flags & IFF_TAP ? ARPHRD_ETHER : ARPHRD_NONE };
	struct link_info l;
	struct tun *tun;
	int e;

	if ((flags & ~(u32)TUN_KNOWN) || !(flags & IFF_TUN) == !(flags & IFF_TAP))
		return -EINVAL;
	r->ifr_name[IFNAMSIZ - 1] = 0;
	memcpy(c.name, r->ifr_name, sizeof(c.name));
	if (!c.name[0])
		memcpy(c.name, flags & IFF_TAP ? "tap%d" : "tun%d", 6);
	if (strchr(c.name, '/') || !strcmp(c.name, ".") || !strcmp(c.name, "..") ||
	    (strchr(c.name, '%') && strchr(c.name, '%') != strstr(c.name, "%d")))
		return -EINVAL;
	rand_bytes(c.mac, sizeof(c.mac));
	c.mac[0] = (u8)((c.mac[0] & 0xfe) | 2);
	e = link_add_tun(net_stack(tf->net), &c, tun_ready, tf, &tun);
	if (e < 0)
		return e;
	tf->tun = tun;
	tf->flags = flags;
	tun_info(tun, &l);
	memcpy(r->ifr_name, l.name, sizeof(r->ifr_name));
	return 0;
}

static long set_if(struct task *t, struct tun_file *tf, gaddr_t arg)
{
	struct ifreq r;
	int e = -EEXIST;

	if (copy_in(t, &r, arg, sizeof(r)) < 0)
		return -EFAULT;
	if (!net_capable(t, tf->net, CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&tf->mu);
	if (!tf->tun)
		e = attach(tf, &r);
	mutex_unlock(&tf->mu);
	return e < 0 ? e : copy_out(t, arg, &r, sizeof(r));
}

static long get_if(struct task *t, struct tun_file *tf, struct tun *tun, gaddr_t arg)
{
	struct ifreq r = { 0 };
	struct link_info l;

	tun_info(tun, &l);
	memcpy(r.ifr_name, l.name, sizeof(r.ifr_name));
	mutex_lock(&tf->mu);
	r.ifr_flags = (short)tf->flags;
	mutex_unlock(&tf->mu);
	return copy_out(t, arg, &r, sizeof(r));
}

static long set_offload(struct tun *tun, u64 v)
{
	u32 f = 0;

	if (v & TUN_F_CSUM) {
		f |= LINK_F_CSUM;
		f |= v & TUN_F_TSO4 ? LINK_F_TSO4 : 0;
		f |= v & TUN_F_TSO6 ? LINK_F_TSO6 : 0;
		v &= ~(u64)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_UFO);
	}
	if (v)
		return -EINVAL;
	tun_set_features(tun, f);
	return 0;
}

static long set_vnet(struct task *t, struct tun_file *tf, gaddr_t arg)
{
	s32 v;

	if (copy_in(t, &v, arg, sizeof(v)) < 0)
		return -EFAULT;
	if (v < VNET_MIN || v > VNET_MAX)
		return -EINVAL;
	mutex_lock(&tf->mu);
	tf->vnet = (u32)v;
	mutex_unlock(&tf->mu);
	return 0;
}

static long tun_fop_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	static const u32 known = TUN_KNOWN;
	struct tun_file *tf = tf_of(f);
	size_t vnet;
	bool pi;
	struct tun *tun = link_of(tf, &pi, &vnet);
	s32 v;

	if (cmd == TUNGETFEATURES)
		return copy_out(t, arg, &known, sizeof(known));
	if (cmd == TUNSETIFF)
		return set_if(t, tf, arg);
	if (!tun)
		return -EBADFD;
	switch (cmd) {
	case TUNGETIFF:
		return get_if(t, tf, tun, arg);
	case TUNSETNOCSUM:
		return 0;               /* as Linux: means nothing since long */
	case TUNSETPERSIST:
		return arg.v ? -EOPNOTSUPP : 0;
	case TUNSETOFFLOAD:
		return set_offload(tun, arg.v);
	case TUNGETVNETHDRSZ:
		mutex_lock(&tf->mu);
		v = (s32)tf->vnet;
		mutex_unlock(&tf->mu);
		return copy_out(t, arg, &v, sizeof(v));
	case TUNSETVNETHDRSZ:
		return set_vnet(t, tf, arg);
	default:
		return -EINVAL;
	}
}

static void tun_fop_release(struct file *f)
{
	struct tun_file *tf = tf_of(f);

	if (tf->tun)
		tun_close(tf->tun);
	net_unref(tf->net);
	file_done(f);
	kfree(tf);
}

static const struct file_ops tun_ops = {
	.name = "tun", .read = tun_fop_read, .write = tun_fop_write, .poll = tun_fop_poll, .ioctl = tun_fop_ioctl,
	.release = tun_fop_release,
};

int tun_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct tun_file *tf;

	if (!task_net(t))
		return -ENXIO;
	tf = knew(struct tun_file);
	if (!tf)
		return -ENOMEM;
	waitq_init(&tf->wq);
	tf->wq.by_net = true;
	mutex_init(&tf->mu, RANK_FILE);
	tf->net = net_ref(task_net(t));
	tf->vnet = VNET_MIN;
	file_init(&tf->f, &tun_ops, flags, FILE_STREAM | FILE_ASYNC, p, i, task_cred(t));
	tf->f.wq = &tf->wq;
	*ret = &tf->f;
	return 0;
}
