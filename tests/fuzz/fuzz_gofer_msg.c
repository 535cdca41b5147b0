/*
 * fuzz_gofer_msg.c - the gofer's decoder and handlers, fed with packets.
 *
 * An input is a row of packets: a byte for the operation, a length byte, then that
 * many bytes of its parts.  The header is made to fit mostly (bit 7 of the
 * operation leaves it as it comes), and 0xfd in place of a handle's first byte means the root.
 * Runs on a directory of its own, with little space for files.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gofer/jail.h"
#include "gofer/server.h"
#include "platform/base/alloc.h"

static struct server server;
static struct gofer_root root;
static struct gofer_config cfg = { .roots = &root, .nroots = 1, .max_nodes = 500 };
static u32 root_handle;
static _Alignas(8) u8 in[SERVER_BUF], out[SERVER_BUF];

static void one(size_t len)
{
	int fd;
	ssize_t n = server_handle(&server, in, len, out, &fd);

	if (fd >= 0)
		close(fd);
	if (n > SERVER_BUF || (n < 0 && n != -EPROTO) || (n > 0 && ((struct gw_hdr *)out)->size != n))
		abort();
}

static void start(void)
{
	struct rlimit small = { 1 << 16, 1 << 16 };
	struct gw_mount_req q = { .version = GW_VERSION };
	struct gw_hdr h = { .size = sizeof(h) + sizeof(q), .op = GW_OP_mount };
	static char dir[] = "/tmp/fuzz-gofer-XXXXXX";

	if (alloc_init((size_t)1 << 30) < 0 || !mkdtemp(dir))
		abort();
	root.dirfd = open(dir, O_PATH | O_DIRECTORY);
	if (server_init(&server, &cfg, "/proc/self/fd", jail_inotify()) < 0)
		abort();
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);        /* its own memory is made by now */
	memcpy(in, &h, sizeof(h));
	memcpy(in + sizeof(h), &q, sizeof(q));
	one(h.size);
	root_handle = ((struct gw_node_rep *)(out + sizeof(h)))->node.handle;
	if (!root_handle)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct gw_hdr h = { 0 };

	if (!root_handle)
		start();
	while (size >= 2) {
		size_t n = MIN((size_t)data[1], size - 2);

		h.op = data[0] & 0x1f;
		h.size = (u32)(sizeof(h) + n);
		if (h.op == GW_OP_fsync)        /* slow, and teaches nothing */
			h.op = GW_OP_walk;
		memcpy(in, &h, sizeof(h));
		memcpy(in + sizeof(h), data + 2, n);
		if (n >= 4 && data[2] == 0xfd)
			memcpy(in + sizeof(h), &root_handle, 4);
		if (n >= 8 && data[6] == 0xfd)
			memcpy(in + sizeof(h) + 4, &root_handle, 4);
		if (data[0] & 0x80)
			memcpy(in, data + 2, MIN(n, sizeof(h)));
		one(sizeof(h) + n);
		data += 2 + n;
		size -= 2 + n;
	}
	return 0;
}
