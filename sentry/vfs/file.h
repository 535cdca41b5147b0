/*
 * file.h - an open file description (Linux: struct file).
 *
 * One struct file is shared by every descriptor made from it by dup, fork and
 * SCM_RIGHTS.  A kind of file embeds struct file first and supplies a const
 * file_ops; nothing outside sentry/vfs calls through the table.
 *
 * Life:   file_init() gives one reference to the maker; descriptor slots, vmas
 *         and calls in progress hold the rest; the last unref runs release,
 *         which frees the embedding object.
 * Locks:  f->mu (RANK_FILE) guards flags.  pos is guarded by pos_mu,
 *         which vfs holds around read/write/lseek/readdir of seekable files.
 * Waiting: ops never wait for the guest.  They return -EAGAIN, and vfs waits
 *         on f->wq for the events it needs.  A gofer round trip or host disk
 *         I/O is the one bounded, uninterruptible exception.
 */
#pragma once
#include <poll.h>
#include <sys/types.h>
#include "platform/base/lock.h"
#include "platform/base/ref.h"
#include "platform/base/str.h"
#include "platform/base/waitq.h"
#include "sentry/core/iobuf.h"
#include "sentry/time/ktime.h"

struct file;
struct inode;
struct dentry;
struct mount;
struct task;
struct cred;
struct strbuf;
struct fowner;
struct flock_state;
struct kstat;

struct path {                   /* a place: both pointers counted when stored */
	struct mount *mnt;
	struct dentry *dentry;
};

/*
 * What readdir tells about one entry; false = the reader is full, stop.  The op
 * tells of "." and ".." itself, first, with next = 1 and 2 (Linux's dir_emit_dots).
 */
struct dir_ctx {
	bool (*emit)(struct dir_ctx *c, const char *name, size_t len, u64 ino, unsigned type, s64 next);
	s64 pos;                /* cookie to go on from; updated as entries are emitted */
};

/* What mmap of a file means on the host. */
struct mapping {
	hostfd_t fd;            /* borrowed: valid while the file lives; HOSTFD_NONE = anonymous memory */
	u64 offset;             /* host offset of the requested one */
};

/*
 * What a kind of file can do.  Ops run in task context, without f->mu, return
 * >= 0 or -errno.  A NULL op is legal and means what is written beside it.
 *
 * read and write advance *pos by what they moved.  Writers of one regular file
 * are serialised by vfs (inode->wr_mu), which also applies RLIMIT_FSIZE, sheds
 * set-id bits and, for O_APPEND, sets *pos to the size of the inode; a kind
 * whose file may grow behind our back looks at the flag (and at iobuf.noappend) itself and sets *pos
 * to the end of what it wrote.  flush and release run without any lock.
 */
struct file_ops {
	const char *name;                                                                /* in traces */
	ssize_t (*read)(struct task *, struct file *, struct iobuf *, s64 *pos);         /* -EINVAL */
	ssize_t (*write)(struct task *, struct file *, struct iobuf *, s64 *pos);        /* -EINVAL */
	s64     (*lseek)(struct task *, struct file *, s64 off, int whence);             /* by inode size; -ESPIPE if FILE_STREAM */
	u32     (*poll)(struct file *);                                                  /* POLLIN|POLLOUT|... always ready */
	u32     (*poll_for)(struct file *, struct task *, struct waitq **ret_wq);        /* poll, if who asks matters; where it waits. By poll, on wq */
	int     (*readdir)(struct task *, struct file *, struct dir_ctx *);              /* -ENOTDIR */
	long    (*ioctl)(struct task *, struct file *, u32 cmd, gaddr_t arg);            /* -ENOTTY */
	int     (*map)(struct task *, struct file *, u64 off, u64 len, int prot, int flags,
	               struct mapping *ret);                                             /* -ENODEV */
	/* Its size, or -errno; *ret_fd, if wanted: where a view (platform.h) may have its bytes from. */
	s64     (*view)(struct file *, hostfd_t *ret_fd);                                /* no views */
	int     (*fsync)(struct task *, struct file *, bool data_only);                  /* -EINVAL */
	int     (*fallocate)(struct task *, struct file *, int mode, s64 off, s64 len);  /* -EOPNOTSUPP */
	int     (*reopen)(struct task *, struct file *, u32 flags, struct file **ret);   /* /proc/PID/fd/N of a file without a place: by its inode's open, else -ENXIO */
	int     (*flush)(struct task *, struct file *);                                  /* 0: nothing on each close */
	int     (*set_flags)(struct file *, u32 old_flags, u32 new_flags);               /* 0: F_SETFL just stores */
	int     (*async)(struct task *, struct file *);                                  /* 0: O_ASYNC is set; nothing more to do */
	void    (*fdinfo)(struct file *, struct strbuf *);                               /* extra lines of /proc/PID/fdinfo */
	struct file *(*forked)(struct file *);                                           /* what a forked address space maps instead (NULL: no memory); the same */
	void    (*release)(struct file *);                                               /* required */
};

#define FILE_STREAM   0x1       /* no position: pipes, sockets, ttys */
#define FILE_NOPOSLOCK 0x2      /* the kind keeps its own position (host stdio): ops get pos NULL for it */
#define FILE_PATH     0x4       /* O_PATH: only a place */
#define FILE_WRITER   0x20      /* counted in inode->writers */
#define FILE_READER   0x400     /* counted in inode->readers */
#define FILE_WRITE_ALL 0x8      /* a blocking write goes on until all is taken: pipes, byte streams, ttys */
#define FILE_CREATED  0x80      /* the open made it: F_CREATED_QUERY */
#define FILE_NO_TRUNCATE 0x100  /* a landlock ruleset had not let it be truncated when it was opened */
#define FILE_NO_IOCTL 0x800     /* likewise a device, and its ioctls */
#define FILE_COMMAND  0x40      /* regular, but a write is a command to the kernel: no writers' lock, no size limit */
#define FILE_ASYNC    0x200     /* knows O_ASYNC: wakes with ASYNC_* of fasync.h */
#define FILE_OWN_WAIT 0x10      /* read and write wait themselves (sockets: their timeouts) */

struct file {
	const struct file_ops *ops;             /* immutable */
	struct ref ref;
	struct path path;                       /* immutable; a reference; {NULL,NULL} for none */
	struct inode *inode;                    /* immutable; a reference; may be NULL (anon kinds) */
	const struct cred *cred;                /* immutable; a reference: who opened it */
	struct waitq *wq;                       /* immutable; NULL = always ready */
	u32 kind;                               /* immutable once open returns; FILE_* */
	struct mutex mu;                        /* RANK_FILE */
	u32 flags GUARDED_BY(mu);               /* O_ACCMODE (immutable), O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME... */
	struct flock_state *flocks;             /* without an inode: lock.c's; NULL until used */
	struct fowner *owner;                   /* set once (atomic), owned: fasync.h; NULL: none yet */
	struct mutex pos_mu;                    /* RANK_FPOS: outer to inode locks */
	s64 pos GUARDED_BY(pos_mu);
	struct list_head epitems;               /* guarded by mu: epoll items that watch this file */
	_Atomic u64 view_key;                   /* of its views; 0: there were none */
	const char *anon_name;                  /* immutable: "anon_inode:[eventpoll]", "pipe:" for /proc/PID/fd, or NULL */
	u64 anon_ino;                           /* immutable: number shown in pipe:[n], socket:[n] */
};

/* @path, @inode and @cred are referenced. */
void file_init(struct file *f, const struct file_ops *ops, u32 flags, u32 kind,
               const struct path *path, struct inode *inode, const struct cred *cred);
/* For release ops: undo file_init. The embedding object is then kfree'd by release. */
void file_done(struct file *f);

/* May it be read (or written) at all? -EBADF: its mode; -EINVAL: its kind; -ESPIPE: not @at a position. Told before the buffer is looked at. */
int file_check_io(const struct file *f, bool write, bool at) must_check;

struct file *file_ref(struct file *f);
struct file *file_unref(struct file *f);                /* NULL is fine; returns NULL */
u32 file_flags(struct file *f);
static inline void file_unref_p(struct file **fp) { file_unref(*fp); }
#define auto_file cleanup_with(file_unref_p) struct file

/* For read ops that keep something in @f: pos_mu is held already if @pos is the file's own, and not if it came by pread. */
static inline bool file_lock_pos(struct file *f, const s64 *pos) NO_TSA
{
	if (pos == &f->pos)
		return false;
	mutex_lock(&f->pos_mu);
	return true;
}
static inline void file_unlock_pos(struct file *f, bool locked) NO_TSA
{
	if (locked)
		mutex_unlock(&f->pos_mu);
}

/*
 * Blocking verbs for syscalls: mode checks (EBADF), waiting, position.
 * pos NULL = use and move the file's own position.  nowait = as if O_NONBLOCK.
 */
ssize_t file_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos, bool nowait) must_check;
/* @how: WRITE_*; a bool says nowait. */
#define WRITE_NOWAIT 1u
#define WRITE_APPEND 2u         /* as if O_APPEND, this once; a position given stays as it is */
#define WRITE_NOAPPEND 4u       /* as if not O_APPEND, this once */
ssize_t file_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos, u32 how) must_check;
s64 file_lseek_none(struct task *t, struct file *f, s64 off, int whence);       /* an lseek op: stays at 0 */
s64 file_lseek(struct task *t, struct file *f, s64 off, int whence) must_check;
u32 file_poll(struct file *f);
/* The same as @t sees it (NULL: nobody in particular), and where it waits for a change; @ret_wq may be NULL. */
u32 file_poll_for(struct task *t, struct file *f, struct waitq **ret_wq);
long file_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg) must_check;
int file_readdir(struct task *t, struct file *f, struct dir_ctx *c) must_check;
int file_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags,
             struct mapping *ret) must_check;
int file_fsync(struct task *t, struct file *f, bool data_only) must_check;
int file_truncate(struct task *t, struct file *f, u64 size) must_check;
int file_fallocate(struct task *t, struct file *f, int mode, s64 off, s64 len) must_check;
int file_getattr(struct task *t, struct file *f, struct kstat *ret) must_check;  /* also of files without inode */
/* What a file without an inode stands for: on Linux each has an inode of one of these file systems. */
enum file_anon { ANON_NOT, ANON_INODE, ANON_PIPE, ANON_SOCKET, ANON_PIDFD };
static inline enum file_anon file_anon(const struct file *f)
{
	const char *nm = f->anon_name ? f->anon_name : "";

	if (f->inode)
		return ANON_NOT;
	return str_starts(nm, "pipe") ? ANON_PIPE : str_starts(nm, "socket") ? ANON_SOCKET :
	       str_starts(nm, "anon_inode:[pidfd]") ? ANON_PIDFD : ANON_INODE;
}
bool file_is_fifo(const struct file *f);                                        /* also a pipe */
int file_set_flags(struct file *f, u32 flags, u32 mask) must_check;             /* F_SETFL, FIONBIO */
/* A descriptor of table @owner is closed: flush, and POSIX locks go. */
int file_close(struct task *t, struct file *f, const void *owner);

/* ---- lock.c: flock(2) and fcntl(2) locks ---- */
struct lx_flock { s16 type, whence; s32 pad; s64 start, len; s32 pid; s32 pad2; };
int file_flock(struct task *t, struct file *f, int op) must_check;              /* @f NULL: EBADF, once @op is known to be one */
/* @ofd: F_OFD_*. @wait: F_SETLKW. get: F_GETLK, answered in *fl. */
int file_set_lock(struct task *t, struct file *f, const struct lx_flock *fl, bool ofd, bool wait) must_check;
int file_get_lock(struct task *t, struct file *f, struct lx_flock *fl, bool ofd) must_check;
void locks_close_posix(struct task *t, struct file *f, const void *owner);
void locks_release_file(struct file *f);
void locks_free(struct inode *i);

/*
 * Sleep until @f shows one of @events (POLLERR and POLLHUP always count), a
 * signal, or @deadline.  0, -ETIMEDOUT, -ERESTARTSYS.  For kinds whose own verbs wait (sockets).
 */
int file_wait(struct task *t, struct file *f, u32 events, ktime_t deadline) must_check;
