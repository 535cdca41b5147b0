/*
 * keys_int.h - what the files about keys share; see keys.h.
 *
 * A key lives while something refers to it: links in rings, task->keys, the rings of users, a call.
 * Counts are plain numbers: everything here happens under keys->mu, and no function waits.
 *
 * What a guest can make is bounded by its users' quotas as on Linux, and, as a privileged guest has
 * as many users as it likes, for the sandbox as a whole (KEYS_*).  Quota is charged before memory is taken.
 * Nothing recurses: rings are walked breadth first with the nodes in struct key, and what dies is queued.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "sentry/ipc/keys.h"

struct cred;

#define KEYS_ALL 65536u                 /* keys of the sandbox */
#define KEYS_LINKS 262144u
#define KEYS_BYTES (32u << 20)
#define KEY_DATA_MAX 32767u
#define KEY_LINK_BYTES 4u               /* what a link costs the ring's owner */
#define RING_DEPTH 6u

enum key_kind { KEY_USER, KEY_LOGON, KEY_RING, KEY_KINDS };

/* Permissions of one class; the possessor's are 24 bits up, user 16, group 8, other 0. */
enum {
	NEED_VIEW = 1, NEED_READ = 2, NEED_WRITE = 4, NEED_SEARCH = 8, NEED_LINK = 0x10, NEED_SETATTR = 0x20,
	NEED_ALL = 0x3f,
	NEED_NOTHING = 0x100,           /* neither right nor life: to unlink it */
	NEED_LATER = 0x200,             /* the caller checks */
};
#define PERM(pos, usr) ((u32)(pos) << 24 | (u32)(usr) << 16)

struct key_user {
	struct list_head node;
	u32 uid;
	u32 nkeys;                              /* the user goes with the last one */
	u64 nbytes;
};

struct key {
	u32 refs;
	s32 serial;                             /* immutable */
	enum key_kind kind;                     /* immutable */
	char *desc;                             /* immutable, owned */
	u32 desc_len;                           /* immutable, without NUL */
	u64 ns;                                 /* immutable: user namespace of its maker */
	u32 uid, gid, perm;
	struct key_user *user;                  /* who pays: in nbytes desc_len + 1 + charged */
	u32 charged;
	void *data;                             /* owned; NULL: a ring, or revoked */
	u32 len;
	s64 expiry;                             /* seconds of CLOCK_REALTIME; 0: none */
	s64 dead_at;                            /* revoked: when */
	bool revoked, invalid, uid_ring, restricted;
	struct list_head links;                 /* a ring: key_link.in_ring */
	struct list_head uses;                  /* key_link.in_key */
	u32 nlinks;
	u64 mark;                               /* last walk that met it */
	u32 depth;                              /* in that walk */
	struct list_head queue, deeper;         /* of a walk: this level, the next */
	struct list_head dead;
};

struct key_link {
	struct list_head in_ring, in_key;
	struct key *ring;
	struct key *key;                        /* a reference */
};

struct user_rings {                             /* of one user in one user namespace */
	struct list_head node;
	u64 ns;
	u32 uid;
	struct key *user, *session;             /* references */
};

struct keys {
	const struct settings *settings;        /* immutable: quotas, and how long a dead key stays linked */
	struct mutex mu;                        /* RANK_LEAF: guards all of it */
	struct key **all;                       /* owned, sorted by serial: n of cap */
	u32 n, cap;
	u32 nlinks;
	u64 nbytes;
	u64 mark;
	bool reaping;
	struct list_head users, rings, dead;
	struct list_head level, next_level;     /* of a walk: empty between walks */
};

struct key_ref { struct key *key; bool possessed; };

/* What to make. */
struct key_spec {
	enum key_kind kind;
	const char *desc;
	const void *data;
	u32 len;
	u32 uid, gid, perm;
	bool overrun;                           /* the user's quota does not refuse it */
};

static inline struct key *key_hold(struct key *k)
{
	k->refs++;
	return k;
}

/* ---- key.c ---- */
int key_kind_of(const char *type) must_check;           /* -ENODEV */
const char *key_kind_name(enum key_kind kind);
s64 key_now(struct task *t);
int key_new(struct keys *ks, struct task *t, const struct key_spec *s, struct key **ret) must_check;
void key_drop(struct keys *ks, struct key *k);          /* a reference; NULL is fine */
struct key *key_find(struct keys *ks, s32 serial) must_check;   /* borrowed; NULL */
int key_valid(const struct key *k, s64 now) must_check; /* -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
int key_permit(struct task *t, const struct key *k, bool possessed, u32 need) must_check;       /* -EACCES */
/* Charge its content as @bytes: -EDQUOT. */
int key_recharge(struct keys *ks, struct key *k, u32 bytes) must_check;
int key_give(struct keys *ks, struct key *k, u32 uid) must_check;       /* -EDQUOT, -ENOMEM */
int key_shown_gid(struct task *t, const struct key *k);
u32 key_quota_keys(const struct keys *ks, u32 uid);
u64 key_quota_bytes(const struct keys *ks, u32 uid);

/* ---- keyring.c ---- */
struct key_link *ring_find(struct key *ring, enum key_kind kind, const char *desc) must_check;
struct key_link *ring_has(struct key *ring, const struct key *k) must_check;
/* All checks of a link, then the link; it displaces a key of the same name. */
int ring_link(struct keys *ks, struct key *ring, struct key *k) must_check;
int ring_may_link(struct keys *ks, struct key *ring, const struct key *k) must_check;
void ring_unlink(struct keys *ks, struct key_link *l);
void ring_clear(struct keys *ks, struct key *ring);
/* Links to what is dead for long go. */
void ring_prune(struct keys *ks, struct key *ring, s64 now);

struct key_search {
	enum key_kind kind;
	const char *desc;
	const struct key *want;                 /* not NULL: this very key, whatever its state */
	bool skip_expired;                      /* instead of telling -EKEYEXPIRED */
	struct key *found;                      /* borrowed */
};
/* In @ring and those below: -ENOTDIR, -EACCES, -EAGAIN (none), or what is wrong with the one there is. */
int ring_search(struct keys *ks, struct task *t, struct key *ring, bool possessed, struct key_search *s) must_check;
/* Mark (ks->mark) every key that a search of @ring could find, without a limit of kinds. */
void ring_mark(struct keys *ks, struct task *t, struct key *ring);

/* ---- key_process.c ---- */
/* In all rings of the task, as its possessor. */
int process_search(struct keys *ks, struct task *t, struct key_search *s) must_check;
void process_mark(struct keys *ks, struct task *t);
bool process_has(struct keys *ks, struct task *t, const struct key *k) must_check;
enum { LOOKUP_CREATE = 1 };
/* What @id names, special ids included: a reference to drop. */
int key_lookup(struct keys *ks, struct task *t, s32 id, u32 flags, u32 need, struct key_ref *ret) must_check;
int process_join(struct keys *ks, struct task *t, const char *name) must_check;
int process_install(struct keys *ks, struct task *t, s32 id) must_check;        /* KEY_SPEC_{THREAD,PROCESS}_KEYRING */
