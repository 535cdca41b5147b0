/*
 * wire.h - the layout of messages between the gofer client and the gofer.
 *
 * A message is one packet of a SOCK_SEQPACKET socket: gw_hdr, the fixed part
 * that msg.def names, then a variable part to the end of the packet.  Numbers are
 * little-endian, structs have no holes, and every length is checked by
 * the receiver against the length of the packet: each side takes the other for
 * hostile.  A handle names an inode that the gofer holds; 0 is no handle.
 */
#pragma once
#include "platform/base/compiler.h"

#define GW_VERSION 1
#define GW_MSG_MAX (72 * 1024)          /* of a whole packet */
#define GW_TAIL_MAX (66 * 1024)         /* of a variable part: an xattr value is at most 64 KiB */
#define GW_NAME_MAX 255
#define GW_WALK_MAX 64
#define GW_CLOSE_MAX 256
#define GW_TIME_NONE INT64_MIN

struct gw_hdr {
	u32 size;               /* of the whole packet */
	u16 op;                 /* GW_* */
	u16 flags;              /* GW_HDR_* */
	u32 tag;                /* of a request; its reply has the same */
	s32 err;                /* reply: 0 or -errno, and then nothing follows; request: GW_VERSION in mount */
};

#define GW_HDR_FD 0x1           /* reply by doorbell: a descriptor waits in the socket */

/* The memory of a doorbell: a request at its beginning, the reply here. */
#define GW_BELL_REPLY GW_MSG_MAX
#define GW_BELL_SIZE (2 * GW_MSG_MAX)

/* Times are nanoseconds since 1970, saturated. */
struct gw_attr {
	u64 dev, ino, size, blocks;
	s64 atime, mtime, ctime, btime; /* btime may be GW_TIME_NONE */
	u32 mode, nlink, uid, gid;
	u32 blksize, rdev_major, rdev_minor, attributes;
};

#define GW_NODE_WATCHED 0x1     /* a directory whose changes will be told */
#define GW_NODE_NO_ACL  0x4     /* it has no access control list; told if GW_WALK_ACL asks */
struct gw_node {
	u32 handle;
	u32 flags;              /* GW_NODE_* */
	s32 err;                /* 0, or why there is no node */
	u32 pad;
	struct gw_attr attr;
};

struct gw_empty { u32 zero[2]; };

struct gw_mount_req { u32 root, version; };
struct gw_node_rep { struct gw_node node; };
#define GW_ROOT_READONLY 0x2    /* with GW_NODE_WATCHED in node.flags of mount */

#define GW_WALK_SIBLINGS 0x1    /* every name is looked up in dir itself; else each in the one before */
#define GW_WALK_ACL      0x2    /* somebody asks who is judged by lists */
struct gw_walk_req { u32 dir; u16 n, flags; };  /* then n x (u8 length, bytes) */
struct gw_walk_rep { u32 n; u32 flags; };       /* GW_NODE_WATCHED: dir; then n nodes, the last with err if it stopped early */

/* getattr, open, readlink, listxattr, statfs, fsync */
#define GW_GETATTR_WATCH 0x1    /* getattr: watch it, if it is a directory */
#define GW_GETATTR_CLOSES 0x2   /* with it: tell GW_EV_CLOSED too */
#define GW_OPEN_READ  0x1
#define GW_OPEN_WRITE 0x2
#define GW_OPEN_TRUNC 0x4
#define GW_FSYNC_DATA 0x1
struct gw_handle_req { u32 handle, flags; };
struct gw_attr_rep { u32 flags, pad; struct gw_attr attr; };

#define GW_SET_MODE      0x01
#define GW_SET_UID       0x02
#define GW_SET_GID       0x04
#define GW_SET_SIZE      0x08
#define GW_SET_ATIME     0x10
#define GW_SET_MTIME     0x20
#define GW_SET_ATIME_NOW 0x40
#define GW_SET_MTIME_NOW 0x80
#define GW_SET_ALL       0xff
struct gw_setattr_req {
	u32 handle, valid;
	u32 mode, uid, gid, pad;
	u64 size;
	s64 atime, mtime;
};

struct gw_readdir_req { u32 dir, pad; s64 cookie; };
struct gw_readdir_rep { u32 n, flags; s64 next; };      /* flags: GW_DIR_END, GW_NODE_WATCHED */
#define GW_DIR_END 0x4
/* Each entry is padded to 8 bytes; "." and ".." are not told. */
struct gw_dirent { u64 ino; u8 type, namelen; u16 pad[3]; };    /* then the name */

/* create mkdir mknod symlink: an entry with exactly these attributes, or nothing. */
struct gw_make_req {
	u32 dir, mode, uid, gid;        /* mode with its type bits for mknod */
	u32 rdev_major, rdev_minor;
	u32 name_len, pad;
};
struct gw_link_req { u32 dir, target; };
struct gw_unlink_req { u32 dir, rmdir; };
struct gw_rename_req { u32 odir, ndir, flags, oname_len; };
struct gw_xattr_req { u32 handle, flags, name_len, size; };
struct gw_statfs_rep {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
};
struct gw_fallocate_req { u32 handle, mode; s64 off, len; };
struct gw_close_req { u32 n, pad; };                    /* then n u32 */

/* What happened in a watched directory. */
#define GW_EV_NAME     0x1      /* the name may mean something else now */
#define GW_EV_ATTR     0x2      /* attributes of what it names changed */
#define GW_EV_DATA     0x10     /* its content did, and with it size and times */
#define GW_EV_SELF     0x4      /* the directory's own attributes changed; no name */
#define GW_EV_GONE     0x20     /* with NAME: it was removed */
#define GW_EV_OVERFLOW 0x8      /* events were lost: forget everything */
struct gw_inval { u32 n, pad; };
/* How the name changed, and more that only watchers want to know. */
#define GW_EV_MADE     0x40
#define GW_EV_LEFT     0x80     /* moved from here */
#define GW_EV_CAME     0x100    /* moved to here */
#define GW_EV_CLOSED   0x200    /* who had it open for writing closed it (GW_GETATTR_CLOSES) */
#define GW_EV_DIR      0x400    /* the name is a directory's */
struct gw_event { u64 dev, ino; u16 what; u16 namelen; u32 cookie; };   /* directory; then the name, padded to 8 */

enum gw_op {
#define GMSG(nr, name, req, rep) GW_OP_##name = nr,
#include "gofer/proto/msg.def"
#undef GMSG
	GW_OP_MAX
};


/* A name a client or a server may send: 1-255 bytes, no '/', no NUL, neither "." nor "..". */
bool gw_name_ok(const char *name, size_t len);

#define GW_PAD8(n) ALIGN_UP((size_t)(n), 8)
