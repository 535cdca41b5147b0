/*
 * rpc_bell.c - calls by doorbell: the gofer answers on this thread's CPU, from shared memory.
 *
 * The gofer may write to that memory at any time: a reply's header is copied before it
 * is looked at, and its parts are copied to where they belong by the lengths in that copy.
 */
#include <errno.h>
#include <string.h>
#include "gofer/proto/channel.h"
#include "platform/base/log.h"
#include "platform/host/doorbell.h"
#include "platform/host/hostfile.h"
#include "sentry/fs/gofer/rpc_int.h"

/* The request that brings the listener to the gofer, and its memory here.  Nobody else uses the sockets yet. */
static int exchange_ends(struct gofer_rpc *r, int sock, hostfd_t listener, hostfd_t *ret_memory)
{
	struct gw_empty q = { 0 };
	struct { struct gw_hdr h; struct gw_empty e; } rep;
	struct gw_hdr h = { .size = sizeof(h) + sizeof(q), .op = GW_OP_bell };
	struct iovec out[2] = { { &h, sizeof(h) }, { &q, sizeof(q) } }, in = { &rep, sizeof(rep) };
	int fd = -1, rc = gchan_send(sock, out, 2, listener.fd);
	ssize_t n = rc < 0 ? rc : gchan_recv(sock, &in, 1, &fd);

	if (n != sizeof(rep) || rep.h.op != GW_OP_bell || rep.h.err || fd < 0) {
		host_close(HOSTFD(fd));
		return grpc_break(r, "there is no doorbell");
	}
	*ret_memory = HOSTFD(fd);
	return 0;
}

int grpc_bell(struct gofer_rpc *r)
{
	hostfd_t listener, memory = HOSTFD_NONE;
	void *mem;
	int rc;

	if (r->nchan < 2)
		return 0;
	rc = doorbell_new(&listener);
	if (rc < 0) {
		log_debug("gofer: no doorbell: %s", strerror(-rc));
		return 0;
	}
	rc = exchange_ends(r, r->chan[r->nchan - 1].sock, listener, &memory);
	/* Ours would keep a call waiting for a gofer that has died. */
	host_close(listener);
	if (rc == 0)
		rc = doorbell_map(memory, GW_BELL_SIZE, &mem);
	host_close(memory);
	if (rc < 0)
		return rc;
	r->bell.sock = r->chan[--r->nchan].sock;
	r->bell.mem = mem;
	return 0;
}

void grpc_bell_done(struct gofer_rpc *r)
{
	if (!r->bell.mem)
		return;
	doorbell_unmap(r->bell.mem, GW_BELL_SIZE);
	host_close(HOSTFD(r->bell.sock));
	r->bell.mem = NULL;
}

static bool put_request(struct gofer_rpc *r, const struct exchange *x)
{
	struct gw_hdr h = { .size = sizeof(h), .op = x->op, .tag = ++r->bell.tag };

	for (u32 k = 0; k < x->nreq; k++) {
		if (x->req[k].iov_len > GW_MSG_MAX - h.size)
			return false;
		memcpy(r->bell.mem + h.size, x->req[k].iov_base, x->req[k].iov_len);
		h.size += (u32)x->req[k].iov_len;
	}
	memcpy(r->bell.mem, &h, sizeof(h));
	return true;
}

static int take_reply(struct gofer_rpc *r, struct exchange *x, int *fd)
{
	const u8 *at = r->bell.mem + GW_BELL_REPLY;
	struct iovec byte = { (char[1]){ 0 }, 1 };
	struct gw_hdr h;
	ssize_t n;

	memcpy(&h, at, sizeof(h));
	if (h.size < sizeof(h) || h.size > GW_MSG_MAX)
		return grpc_break(r, "a reply has a strange size");
	if ((h.flags & GW_HDR_FD) && gchan_recv(r->bell.sock, &byte, 1, x->fd ? fd : NULL) != 1)
		return grpc_break(r, "a promised descriptor did not come");
	n = grpc_check_header(r, &h, h.size, x, r->bell.tag);
	if (n < 0)
		return (int)n;
	if ((size_t)n > x->tail_cap)
		return grpc_break(r, "a reply is longer than allowed");
	if (x->rep_len)                         /* a message without a reply names no place for one */
		memcpy(x->rep, at + sizeof(h), x->rep_len);
	if (n)
		memcpy(x->tail, at + sizeof(h) + x->rep_len, (size_t)n);
	x->tail_len = (size_t)n;
	return 0;
}

int grpc_ring(struct gofer_rpc *r, struct exchange *x, int *fd) NO_TSA
{
	int rc = -EAGAIN;

	if (!r->bell.mem || !mutex_trylock(&r->bell.mu))
		return -EAGAIN;
	/* One without a bell finds nobody: the call was not made. */
	if (put_request(r, x) && doorbell_ring() == 0)
		rc = x->op == GW_OP_close ? 0 : take_reply(r, x, fd);
	mutex_unlock(&r->bell.mu);
	return rc;
}
