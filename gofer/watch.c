/* watch.c - see watch.h. */
#include "gofer/watch.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "gofer/proto/channel.h"
#include "platform/base/alloc.h"

#define NBUCKETS 4096u
#define NONE UINT32_MAX
#define MASK (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_MODIFY | \
              IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK | IN_MASK_ADD)
#define NAMES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define EXPECT_NS 2000000000ll          /* an announcement older than this is void */
#define GATHER_NS 3000000               /* after a batch: let a stream of events merge in the kernel's queue */

int watches_init(struct watches *w, int ifd)
{
	mutex_init(&w->mu, RANK_LEAF);
	w->slot = kbuf_array(WATCH_MAX, sizeof(*w->slot));
	w->bucket = kbuf_array(NBUCKETS, sizeof(*w->bucket));
	if (!w->slot || !w->bucket)
		return -ENOMEM;
	w->free_head = NONE;
	for (u32 i = 0; i < NBUCKETS; i++)
		w->bucket[i] = NONE;
	w->ifd = ifd;
	w->ready = epoll_create1(EPOLL_CLOEXEC);
	if (w->ready < 0 || (ifd >= 0 && epoll_ctl(w->ready, EPOLL_CTL_ADD, ifd, &(struct epoll_event){ .events = EPOLLIN }) < 0))
		return -errno;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, w->grave) < 0 ? -errno : 0;
}

void watches_bury(struct watches *w)
{
	struct iovec nothing = { (char[]){ 0 }, 1 };

	/* For good: who comes second waits here until the first has ended the process. */
	mutex_lock(&w->mu);
	if (gchan_send(w->grave[0], &nothing, 1, w->ifd) == 0 && gchan_send(w->grave[0], &nothing, 1, w->grave[1]) == 0) {
		close(w->grave[1]);
		close(w->ifd);
		close(w->grave[0]);
	}
}

static u32 find_locked(struct watches *w, int wd) REQUIRES(w->mu)
{
	u32 i = w->bucket[(u32)wd % NBUCKETS];

	while (i != NONE && w->slot[i].wd != wd)
		i = w->slot[i].next;
	return i;
}

static void unhash_locked(struct watches *w, u32 i) REQUIRES(w->mu)
{
	u32 *p = &w->bucket[(u32)w->slot[i].wd % NBUCKETS];

	while (*p != i)
		p = &w->slot[*p].next;
	*p = w->slot[i].next;
	w->slot[i].wd = -1;
}

int watch_add(struct watches *w, const struct fdlinks *l, int fd, u64 dev, u64 ino)
{
	u32 i, *b;
	int wd;

	if (w->ifd < 0)
		return -1;
	mutex_lock(&w->mu);
	if (w->free_head == NONE && w->fresh < WATCH_MAX) {
		w->slot[w->fresh].next = NONE;
		w->free_head = w->fresh++;
	}
	if (w->free_head == NONE) {
		mutex_unlock(&w->mu);
		return -1;
	}
	wd = path_watch(l, w->ifd, fd, MASK);
	if (wd < 0) {
		mutex_unlock(&w->mu);
		return -1;
	}
	i = find_locked(w, wd);
	if (i == NONE) {
		i = w->free_head;
		w->free_head = w->slot[i].next;
		b = &w->bucket[(u32)wd % NBUCKETS];
		w->slot[i] = (struct watch){ .wd = wd, .next = *b, .dev = dev, .ino = ino };
		*b = i;
	}
	w->slot[i].refs++;
	mutex_unlock(&w->mu);
	return (int)i;
}

void watch_closes(struct watches *w, const struct fdlinks *l, int fd)
{
	/* The inode is watched: this adds to its mask. */
	(void)!path_watch(l, w->ifd, fd, MASK | IN_CLOSE_WRITE);
}

void watch_put(struct watches *w, int slot)
{
	struct watch *s;

	if (slot < 0)
		return;
	mutex_lock(&w->mu);
	s = &w->slot[slot];
	if (--s->refs == 0) {
		if (s->wd >= 0) {
			inotify_rm_watch(w->ifd, s->wd);
			unhash_locked(w, (u32)slot);
		}
		s->next = w->free_head;
		w->free_head = (u32)slot;
	}
	mutex_unlock(&w->mu);
}

static u64 name_hash(const char *name)
{
	u64 h = 0xcbf29ce484222325ull;

	for (; *name; name++)
		h = (h ^ (u8)*name) * 0x100000001b3ull;
	return h;
}

static s64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

u32 watch_expect(struct watches *w, int slot, u32 mask, const char *name)
{
	u32 t;

	if (slot < 0)
		return NONE;
	mutex_lock(&w->mu);
	t = w->next_expected++ % WATCH_EXPECT;
	w->expected[t] = (struct watch_expected){ name_hash(name), (u32)slot, mask, now_ns() };
	mutex_unlock(&w->mu);
	return t;
}

void watch_unexpect(struct watches *w, u32 token)
{
	if (token == NONE)
		return;
	mutex_lock(&w->mu);
	w->expected[token].mask = 0;
	mutex_unlock(&w->mu);
}

static bool is_own_locked(struct watches *w, u32 slot, u32 mask, const char *name) REQUIRES(w->mu)
{
	u64 h = name_hash(name);
	s64 oldest = now_ns() - EXPECT_NS;

	for (u32 i = 0; i < WATCH_EXPECT; i++) {
		struct watch_expected *e = &w->expected[i];

		if ((e->mask & mask) && e->slot == slot && e->hash == h && e->when >= oldest) {
			e->mask = 0;
			return true;
		}
	}
	return false;
}

static u16 what_of(u32 mask, bool named)
{
	u16 dir = mask & IN_ISDIR ? GW_EV_DIR : 0;

	if (mask & IN_DELETE)
		return GW_EV_NAME | GW_EV_GONE | dir;
	if (mask & IN_CREATE)
		return GW_EV_NAME | GW_EV_MADE | dir;
	if (mask & (IN_MOVED_FROM | IN_MOVED_TO))
		return (u16)(GW_EV_NAME | (mask & IN_MOVED_FROM ? GW_EV_LEFT : GW_EV_CAME) | dir);
	if (!named)
		return GW_EV_SELF;
	return (u16)((mask & IN_ATTRIB ? GW_EV_ATTR : 0) | (mask & IN_MODIFY ? GW_EV_DATA : 0) |
	             (mask & IN_CLOSE_WRITE ? GW_EV_CLOSED : 0) | dir);
}

/* Translate one event into @out (room for the largest); bytes used, 0 = nothing to tell. */
static size_t tell(struct watches *w, const struct inotify_event *e, u8 *out)
{
	const char *name = e->len ? e->name : "";
	struct gw_event ev = { 0 };
	u32 i;

	mutex_lock(&w->mu);
	if (e->mask & IN_Q_OVERFLOW) {
		memset(w->expected, 0, sizeof(w->expected));
		ev.what = GW_EV_OVERFLOW;
	} else if ((i = find_locked(w, e->wd)) != NONE) {
		if (e->mask & IN_IGNORED)
			unhash_locked(w, i);
		else if (!((e->mask & NAMES) && is_own_locked(w, i, e->mask, name)))
			ev.what = what_of(e->mask, name[0] != '\0');
		ev.dev = w->slot[i].dev;
		ev.ino = w->slot[i].ino;
		ev.cookie = e->cookie;
	}
	mutex_unlock(&w->mu);
	if (!ev.what)
		return 0;
	ev.namelen = ev.what & (GW_EV_NAME | GW_EV_ATTR | GW_EV_DATA | GW_EV_CLOSED) ? (u16)strnlen(name, GW_NAME_MAX) : 0;
	memcpy(out, &ev, sizeof(ev));
	memset(out + sizeof(ev), 0, GW_PAD8(ev.namelen));
	memcpy(out + sizeof(ev), name, ev.namelen);
	return sizeof(ev) + GW_PAD8(ev.namelen);
}

static int send_batch(int sock, u32 n, const u8 *events, size_t len)
{
	struct gw_inval inval = { .n = n };
	struct gw_hdr h = { .size = (u32)(sizeof(h) + sizeof(inval) + len), .op = GW_OP_inval };
	struct iovec iov[3] = {
		{ &h, sizeof(h) }, { &inval, sizeof(inval) }, { (void *)events, len },
	};

	return gchan_send(sock, iov, 3, -1);
}

void watch_serve(struct watches *w, int inval_fd)
{
	_Alignas(8) static const struct timespec gather = { 0, GATHER_NS };
	_Alignas(8) char in[8192];
	/* A translated event is at most 8 bytes longer than the kernel's. */
	u8 out[2 * sizeof(in)];

	for (;;) {
		struct epoll_event any;
		int ready = epoll_wait(w->ready, &any, 1, -1);
		ssize_t got = ready > 0 ? read(w->ifd, in, sizeof(in)) : ready;
		size_t len = 0, last = 0;
		u32 n = 0;

		if (got < 0 && errno != EINTR)
			return;
		for (ssize_t at = 0; at < got;) {
			const struct inotify_event *e = (const void *)(in + at);
			size_t add = tell(w, e, out + len);

			at += (ssize_t)(sizeof(*e) + e->len);
			if (add == 0 || (n && add == len - last && !memcmp(out + last, out + len, add)))
				continue;
			last = len;
			len += add;
			n++;
		}
		if (n && send_batch(inval_fd, n, out, len) < 0)
			return;
		/* Also after events of our own making: else each would wake this thread. */
		nanosleep(&gather, NULL);
	}
}
