/*
 * server.h - one request at a time, from bytes to a reply.
 *
 * A request lies in a buffer of ours, copied once from the socket; server_handle()
 * checks its lengths against the row of msg.def before a handler sees it.
 * Handlers (h_*.c) validate handles, names and flags, act, and append to the
 * reply.  They run in one thread a control socket and share only fdmap and
 * watches, which have their own locks.
 */
#pragma once
#include "gofer/fdmap.h"
#include "gofer/gofer.h"
#include "gofer/path.h"
#include "gofer/watch.h"

struct server {
	const struct gofer_config *cfg;         /* immutable */
	struct fdlinks links;                   /* immutable */
	struct fdmap map;
	struct watches watches;
	hostfd_t bell;                          /* immutable: memory for requests by doorbell */
	_Atomic bool bell_given;
};

struct call {
	struct server *s;
	const void *req;                /* the fixed part, aligned to 8 */
	const u8 *tail;                 /* the variable part */
	size_t tail_len;
	u8 *rep;                        /* the fixed part of the reply, zeroed */
	u8 *rep_tail;
	size_t rep_tail_len, rep_tail_cap;
	int donate;                     /* descriptor to send along and close here, or -1 */
};

/* Longest reply: header, fixed part, variable part. */
#define SERVER_BUF GW_MSG_MAX

/* @ifd: of jail_inotify(). */
int server_init(struct server *s, const struct gofer_config *cfg, const char *fdlinks_prefix, int ifd) must_check;

/*
 * Handle the request of @len bytes at @in (aligned to 8); write the reply to
 * @out (SERVER_BUF bytes, aligned).  Returns its length, 0 for "no reply", or
 * -EPROTO for bytes that are no request at all: the connection is then ended.
 * *ret_fd is a descriptor to send and close, or -1.
 */
ssize_t server_handle(struct server *s, const u8 *in, size_t len, u8 *out, int *ret_fd) must_check;

/* ---- for handlers ---- */
struct fdnode *call_node(struct call *c, u32 handle) must_check;        /* NULL: bad handle */
struct fdnode *call_dir(struct call *c, u32 handle, int *ret_err) must_check;   /* -EBADF, -ENOTDIR */
void call_put(struct call *c, struct fdnode *n);                        /* NULL is fine */
bool call_readonly(const struct call *c, const struct fdnode *n);
/* A name of @len bytes at @at of the variable part, with its NUL. 0, -EINVAL or -ENAMETOOLONG. */
int call_name(const struct call *c, size_t at, size_t len, char ret[GW_NAME_MAX + 1]) must_check;
bool call_reply(struct call *c, const void *p, size_t n) must_check;    /* false: no room */
/* Describe @fd (taken over; closed on failure) as a new handle of @root. @known: ret->attr is filled in already. */
int call_new_node(struct call *c, int fd, u16 root, bool watch, bool known, struct gw_node *ret) must_check;
bool call_watch(struct call *c, struct fdnode *n);                      /* true: it is watched */

#define GMSG(nr, name, req, rep) int h_##name(struct call *c) must_check;
#include "gofer/proto/msg.def"
#undef GMSG
