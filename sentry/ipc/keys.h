/*
 * keys.h - keys and keyrings (keyrings(7)): what add_key, request_key and keyctl do.
 *
 * One registry for the whole sandbox hangs from struct kernel; the rings of a thread are in
 * task->keys.  Types are "user", "logon" and "keyring".  Nobody builds a missing key: there is no
 * /sbin/request-key in the sentry, so request_key only searches.
 *
 * Locks: the registry's (RANK_LEAF) guards everything, the task_keys of all tasks too.
 * All functions return >= 0 or -errno and take the ids that the guest gave.
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct keys;
struct settings;
struct strbuf;
struct task;

#define KEY_TYPE_MAX 32                 /* with its NUL */
#define KEY_DESC_MAX 4096               /* the same */
#define KEY_ADD_MAX ((1u << 20) - 1)
#define KEY_UPDATE_MAX 4096u

struct keys *keys_new(const struct settings *s) must_check;      /* the quotas; borrowed */
/* A user namespace is gone: so are the rings of its users. */
void keys_forget_ns(struct kernel *k, u64 ns);

/* ---- life of a task (key_process.c) ---- */
void keys_inherit(struct task *from, struct task *to, bool thread);
void keys_exec(struct task *t);
void keys_drop(struct task *t);
void keys_ids_changed(struct task *t);  /* another fsuid or fsgid */

/* ---- the calls (keyctl.c, key_change.c) ---- */
struct key_name { const char *type, *desc; };   /* desc NULL: none was given */

long keys_add(struct task *t, struct key_name name, const void *data, size_t n, s32 ring) must_check;
long keys_request(struct task *t, struct key_name name, s32 dest, bool build) must_check;      /* @build: if it could */
long keys_search(struct task *t, s32 ring, struct key_name name, s32 dest) must_check;
long keys_ring_id(struct task *t, s32 id, bool create) must_check;
long keys_join_session(struct task *t, const char *name) must_check;    /* NULL: a new one without a name */
long keys_update(struct task *t, s32 id, const void *data, size_t n) must_check;
long keys_revoke(struct task *t, s32 id) must_check;
long keys_invalidate(struct task *t, s32 id) must_check;
long keys_chown(struct task *t, s32 id, u32 uid, u32 gid) must_check;
long keys_setperm(struct task *t, s32 id, u32 perm) must_check;
long keys_set_timeout(struct task *t, s32 id, u32 seconds) must_check;
/* The text, or the content if it is no longer than @max: in *ret (for kfree) or NULL; its length either way. */
long keys_describe(struct task *t, s32 id, size_t max, void **ret) must_check;
long keys_read(struct task *t, s32 id, size_t max, void **ret) must_check;
long keys_check_view(struct task *t, s32 id) must_check;
long keys_clear(struct task *t, s32 ring) must_check;
long keys_link(struct task *t, s32 id, s32 ring) must_check;
long keys_unlink(struct task *t, s32 id, s32 ring) must_check;
long keys_move(struct task *t, s32 id, s32 from, s32 to, u32 flags) must_check;
long keys_restrict(struct task *t, s32 ring, const char *type) must_check;      /* NULL: nothing may be added */
long keys_set_reqkey(struct task *t, s32 which) must_check;

/* ---- /proc (key_show.c) ---- */
void keys_show(struct task *t, struct strbuf *out);
void key_users_show(struct task *t, struct strbuf *out);
