/*
 * user_ns.h - user_namespaces(7): ids and capabilities that hold within.
 *
 * Everywhere in the sentry ids are those of the first namespace; the guest's are translated where they
 * come in (user_ns_uid()) and go out (user_ns_show_uid()).  Capabilities in a
 * struct cred hold in its user namespace and those below.
 *
 * Maps are written once and then immutable.
 */
#pragma once
#include "sentry/kernel/ns.h"

#define ID_NONE ((u32)-1)
#define ID_OVERFLOW 65534u
#define ID_EXTENTS 340
#define USER_NS_DEPTH 32

struct id_map {
	u32 n;
	struct id_extent { u32 first, outer, count; } e[];      /* outer: in the first namespace */
};

struct user_ns {
	struct ns ns;
	struct user_ns *parent;         /* immutable: a reference; NULL: the first */
	u32 level;                      /* immutable */
	u32 uid, gid;                   /* immutable: of its maker */
	bool maker_setfcap;             /* immutable: the maker had CAP_SETFCAP */
	_Atomic(struct id_map *) uids, gids;    /* owned; NULL: nothing is mapped */
	_Atomic bool no_setgroups;
	const char *shown_uids, *shown_gids;    /* immutable once tasks run; the first: text of its maps to the host, or NULL */
};

static inline struct user_ns *user_ns_ref(struct user_ns *u)
{
	ns_ref(&u->ns);
	return u;
}

static inline void user_ns_unref(struct user_ns *u)     /* NULL is fine */
{
	if (u)
		ns_unref(&u->ns);
}

int user_ns_first(struct kernel *k, struct user_ns **ret) must_check;
/* A child of the caller's: -EPERM (own ids not mapped), -ENOSPC. */
int user_ns_new(struct task *t, struct user_ns **ret) must_check;
/* Everything @c may do in @u, whose maker it is or who joins it. */
void cred_enter_user_ns(struct cred *c, struct user_ns *u);

/* ---- id_map.c ---- */
/* The guest's id -> ours; ID_NONE if there is none. */
u32 user_ns_uid(const struct user_ns *u, u32 id);
u32 user_ns_gid(const struct user_ns *u, u32 id);
/* Ours -> the guest's; ID_NONE if it has none. */
u32 user_ns_from_uid(const struct user_ns *u, u32 id);
u32 user_ns_from_gid(const struct user_ns *u, u32 id);
/* The same, with 65534 for those without. */
u32 user_ns_show_uid(const struct user_ns *u, u32 id);
u32 user_ns_show_gid(const struct user_ns *u, u32 id);
bool user_ns_is_root(const struct user_ns *u, u32 id);  /* is it uid 0 there? */
bool user_ns_within(const struct user_ns *u, const struct user_ns *anc);

/* /proc/PID/{uid_map,gid_map,setgroups}. @by opened the file, @t writes to it. */
struct strbuf;
void user_ns_show_map(const struct user_ns *u, bool gids, const struct user_ns *reader, struct strbuf *out);
int user_ns_store_map(struct task *t, const struct cred *by, struct user_ns *u, bool gids, char *text) must_check;
int user_ns_store_setgroups(const struct cred *by, struct user_ns *u, const char *text) must_check;
bool user_ns_may_setgroups(const struct user_ns *u);

/* Those of the caller. */
struct user_ns *task_user_ns(struct task *t);
