/*
 * fdmap.h - the inodes that the gofer holds for its client, by handle.
 *
 * A handle is an index and a generation, chosen here: one that was closed or
 * never given is refused.  A node lives while its handle is open or a call
 * uses it (refs); then its descriptor is closed.
 *
 * Locks: m->mu (RANK_LEAF) guards the slots; fd, type, root and the identity of
 *        a node do not change while somebody holds a reference.
 */
#pragma once
#include "platform/base/lock.h"

struct fdnode {
	int fd;                 /* O_PATH; immutable while held */
	u32 gen;
	u32 refs;               /* guarded by mu: the open handle counts one */
	u32 next_free;          /* guarded by mu */
	u16 root;               /* immutable while held: index of the root it was reached from */
	u16 type;               /* S_IFMT bits >> 12 */
	bool open;              /* guarded by mu: the client still has the handle */
	int watch;              /* guarded by the watch table: its slot or -1 */
};

struct fdmap {
	struct mutex mu;                        /* RANK_LEAF */
	struct fdnode *nodes;                   /* [cap] */
	u32 cap, used, free_head;               /* guarded by mu */
	u32 fresh;                              /* guarded by mu: slots from here on were never used nor touched */
};

#define FDMAP_MAX 16384u

int fdmap_init(struct fdmap *m, u32 cap) must_check;
/* Take @fd over.  The new handle (never 0), with no call's reference; -ENFILE leaves @fd alone. */
int fdmap_add(struct fdmap *m, int fd, u16 root, u32 mode, u32 *ret) must_check;
/* A call's reference, or NULL for a handle that is not open. */
struct fdnode *fdmap_get(struct fdmap *m, u32 handle) must_check;
/* Drop it.  Returns the descriptor that the caller must close once its watch is gone, or -1. */
int fdmap_put(struct fdmap *m, struct fdnode *n, int *ret_watch) must_check;
/* The client closes a handle: fdmap_put() of a reference that this call took is to follow. */
struct fdnode *fdmap_close(struct fdmap *m, u32 handle) must_check;
