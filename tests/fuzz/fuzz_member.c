/*
 * fuzz_member.c - the description of a further container, as it comes over the control socket: an
 * answer, no crash, nothing left allocated; what is understood reads the same after packing it again.
 *
 * The first byte chooses: the rest is the message, or changes to a sound one (16 bits: where, 8 bits: what).
 */
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"
#include "sentry/boot/boot.h"

static size_t sound(u8 *buf, size_t cap)
{
	char *argv[] = { "sh", "-c", "true", NULL }, *envp[] = { "PATH=/bin", NULL };
	struct ctl_process p = { .argv = argv, .envp = envp, .cwd = "/" };
	struct boot_mount mounts[] = { { .dest = "/proc", .type = "proc", .source = "proc", .data = "" },
				       { .dest = "/tmp", .type = "tmpfs", .source = "", .data = "size=1m" } };
	struct boot_device dev = { .path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .mode = 0666 };
	struct boot_pair sysctl = { "net.core.somaxconn", "100" };
	const char *masked[] = { "/proc/kcore" };
	struct sock_filter allow = { 0x06, 0, 0, 0x7fff0000 };
	struct boot_config c = {
		.process = &p, .id = "a", .hostname = "h", .domainname = "d", .cgroup_path = "/x", .mounts = mounts, .nmounts = 2,
		.devices = &dev, .ndevices = 1, .sysctl = &sysctl, .nsysctl = 1, .masked = masked, .nmasked = 1,
		.readonly = masked, .nreadonly = 1, .seccomp = &allow, .nseccomp = 1, .upper_root = -1,
	};
	long n = boot_config_pack(&c, buf, cap);

	if (n <= 0)
		abort();
	return (size_t)n;
}

static void unpack(const u8 *msg, size_t n)
{
	struct boot_config c;
	struct ctl_process p;
	void *mem, *process_mem, *again;
	long m;

	if (boot_config_unpack(msg, n, &c, &p, &mem, &process_mem) < 0)
		return;
	m = boot_config_pack(&c, NULL, 0);
	again = m > 0 ? kbuf_alloc((size_t)m) : NULL;
	if (again && boot_config_pack(&c, again, (size_t)m) != m)
		abort();
	kfree(again);
	kfree(mem);
	kfree(process_mem);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static u8 msg[4096];
	static u64 before;
	size_t size;

	if (!before) {
		if (alloc_init((size_t)1 << 30) < 0)
			abort();
		before = alloc_live() + 1;
	}
	if (n && data[0] % 4 == 0) {
		unpack(data + 1, n - 1);
	} else {
		size = sound(msg, sizeof(msg));
		for (size_t i = 1; i + 3 <= n; i += 3)
			msg[(data[i] | data[i + 1] << 8) % size] = data[i + 2];
		unpack(msg, size);
	}
	if (alloc_live() + 1 != before)
		abort();
	return 0;
}
