/*
 * link_tap.c - TAP and macvtap devices as a sandbox's own link.
 *
 * Both give a descriptor that takes and gives frames of up to 64 KiB behind a virtio-net header, as a packet socket does.  A TAP is
 * found by name in the namespace of whoever opens /dev/net/tun; a macvtap has a device node of its own, whose number only
 * a sysfs of that namespace tells and which nobody may have made: so both are mounted here, in a mount namespace of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "runsc-cli/setup/link.h"

#define VNET_HDR_LEN 10

int link_fail(const struct link_req *q, int code, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(q->why, LINK_WHY, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < LINK_WHY)
		snprintf(q->why + n, (size_t)(LINK_WHY - n), ": %s", strerror(-code));
	return code;
}

/* Attach @fd, with super-frames both ways. */
static int attach(const struct link_req *q, int fd, const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int len = VNET_HDR_LEN, e;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &r) < 0) {
		e = -errno;
		r.ifr_flags |= IFF_MULTI_QUEUE;         /* how the device was made; we take one queue */
		if (e != -EINVAL || ioctl(fd, TUNSETIFF, &r) < 0)
			return link_fail(q, e, "cannot attach to %s", q->name);
	}
	if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
		return link_fail(q, -errno, "cannot have virtio-net headers on %s", q->name);
	return 0;
}

int link_open_tap(const struct link_req *q, int *ret_fd)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0)
		return link_fail(q, -errno, "cannot open /dev/net/tun (modprobe tun?) for the TAP device %s", q->name);
	r = attach(q, fd, q->name);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int read_devno(const struct link_req *q, dev_t *ret)
{
	static const char *const where[] = { "/sys/class/net/%s/tap%u/dev", "/sys/class/net/%s/macvtap/tap%u/dev" };
	unsigned major, minor;
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		FILE *f;
		int n;

		snprintf(path, sizeof(path), i ? where[1] : where[0], q->name, q->ifindex);
		f = fopen(path, "re");
		if (!f)
			continue;
		n = fscanf(f, "%u:%u", &major, &minor);
		fclose(f);
		if (n == 2) {
			*ret = makedev(major, minor);
			return 0;
		}
	}
	return link_fail(q, -ENOENT, "sysfs does not tell the device number of the macvtap %s", q->name);
}

int link_open_macvtap(const struct link_req *q, int *ret_fd)
{
	dev_t dev;
	int fd, r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return link_fail(q, -errno, "cannot look at sysfs of the container's network for the macvtap %s", q->name);
	r = read_devno(q, &dev);
	if (r < 0)
		return r;
	if (mount("tmpfs", "/sys", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=700,size=4k") < 0 ||
	    mknod("/sys/tap", S_IFCHR | 0600, dev) < 0)
		return link_fail(q, -errno, "cannot make the device node of the macvtap %s", q->name);
	fd = open("/sys/tap", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return link_fail(q, -errno, "cannot open the device of the macvtap %s (device cgroup? in use?)", q->name);
	r = attach(q, fd, "");
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
