/*
 * user_ns.c - making and entering user namespaces, and the files of /proc that map ids; see user_ns.h.
 */
#include "sentry/kernel/user_ns.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/ipc/keys.h"
#include "sentry/kernel/task.h"

static void release(struct ns *ns)
{
	struct user_ns *u = container_of(ns, struct user_ns, ns);
	struct user_ns *parent = u->parent;

	keys_forget_ns(ns->kernel, ns->ino);
	kfree(atomic_load(&u->uids));
	kfree(atomic_load(&u->gids));
	ns_done(&u->ns);
	kfree(u);
	user_ns_unref(parent);
}

static struct id_map *identity(void)
{
	struct id_map *m = kbuf_alloc(sizeof(*m) + sizeof(m->e[0]));

	if (m) {
		m->n = 1;
		m->e[0] = (struct id_extent){ 0, 0, ID_NONE };
	}
	return m;
}

int user_ns_first(struct kernel *k, struct user_ns **ret)
{
	struct user_ns *u = knew(struct user_ns);

	if (!u || ns_init(&u->ns, k, NS_USER, NULL, release) < 0)
		return -ENOMEM;
	atomic_init(&u->uids, identity());
	atomic_init(&u->gids, identity());
	if (!atomic_load(&u->uids) || !atomic_load(&u->gids)) {
		release(&u->ns);
		return -ENOMEM;
	}
	*ret = u;
	return 0;
}

int user_ns_new(struct task *t, struct user_ns **ret)
{
	const struct cred *c = task_cred(t);
	struct user_ns *parent = c->user_ns, *u;
	int r;

	if (parent->level >= USER_NS_DEPTH)
		return -ENOSPC;
	if (user_ns_from_uid(parent, c->euid) == ID_NONE || user_ns_from_gid(parent, c->egid) == ID_NONE)
		return -EPERM;
	u = knew(struct user_ns);
	if (!u)
		return -ENOMEM;
	r = ns_init(&u->ns, t->kernel, NS_USER, parent, release);
	if (r < 0) {
		kfree(u);
		return r;
	}
	u->parent = user_ns_ref(parent);
	u->level = parent->level + 1;
	u->uid = c->euid;
	u->gid = c->egid;
	u->maker_setfcap = (c->cap_eff >> CAP_SETFCAP) & 1;
	atomic_init(&u->no_setgroups, atomic_load(&parent->no_setgroups));
	*ret = u;
	return 0;
}

void cred_enter_user_ns(struct cred *c, struct user_ns *u)
{
	struct user_ns *old = c->user_ns;

	c->user_ns = user_ns_ref(u);
	user_ns_unref(old);
	c->securebits = 0;
	c->cap_inh = c->cap_amb = 0;
	c->cap_prm = c->cap_eff = c->cap_bnd = (1ull << (CAP_LAST_CAP + 1)) - 1;
}

bool user_ns_may_setgroups(const struct user_ns *u)
{
	return !u || (atomic_load(&u->gids) && !atomic_load(&u->no_setgroups));
}

/* ---- /proc/PID/uid_map and friends ---- */

void user_ns_show_map(const struct user_ns *u, bool gids, const struct user_ns *reader, struct strbuf *out)
{
	struct id_map *m = atomic_load(gids ? &u->gids : &u->uids);
	/* Who looks from inside sees the ids of the parent. */
	const struct user_ns *as = reader == u && u->parent ? u->parent : reader;
	const char *shown = gids ? u->shown_gids : u->shown_uids;

	if (shown && reader == u) {
		strbuf_puts(out, shown);
		return;
	}

	for (u32 i = 0; m && i < m->n; i++) {
		u32 outer = gids ? user_ns_from_gid(as, m->e[i].outer) : user_ns_from_uid(as, m->e[i].outer);

		strbuf_printf(out, "%10u %10u %10u\n", m->e[i].first, outer, m->e[i].count);
	}
}

static int parse_u32(char **at, u32 *ret)
{
	char *p = *at + strspn(*at, " \t"), *end = p + strspn(p, "0123456789");
	char save = *end;
	u64 v;
	int r;

	if (end == p || (save && !strchr(" \t\n", save)))
		return -EINVAL;
	*end = 0;
	r = str_to_u64(p, 10, &v);
	*end = save;
	if (r < 0 || v > UINT32_MAX)
		return -EINVAL;
	*ret = (u32)v;
	*at = end;
	return 0;
}

static bool overlaps(u32 a, u32 an, u32 b, u32 bn)
{
	return a < (u64)b + bn && b < (u64)a + an;
}

static int add_extent(struct id_map *m, struct id_extent e)
{
	if (e.first == ID_NONE || e.outer == ID_NONE || e.count == 0 || (u64)e.first + e.count > ID_NONE ||
	    (u64)e.outer + e.count > ID_NONE || m->n == ID_EXTENTS)
		return -EINVAL;
	for (u32 i = 0; i < m->n; i++)
		if (overlaps(e.first, e.count, m->e[i].first, m->e[i].count) ||
		    overlaps(e.outer, e.count, m->e[i].outer, m->e[i].count))
			return -EINVAL;
	m->e[m->n++] = e;
	return 0;
}

static int parse_map(char *text, struct id_map *m)
{
	char *p = text;
	int r = 0;

	while (*p && r == 0) {
		struct id_extent e;

		r = parse_u32(&p, &e.first);
		if (r == 0)
			r = parse_u32(&p, &e.outer);
		if (r == 0)
			r = parse_u32(&p, &e.count);
		if (r < 0)
			return r;
		p += strspn(p, " \t");
		if (*p && *p++ != '\n')
			return -EINVAL;
		r = add_extent(m, e);
	}
	return r < 0 ? r : m->n ? 0 : -EINVAL;
}

/* From ids of the parent to ours: each extent must lie in one of the parent's. */
static int resolve(const struct user_ns *parent, bool gids, struct id_map *m)
{
	for (u32 i = 0; i < m->n; i++) {
		u32 n = m->e[i].count - 1, first = m->e[i].outer;
		u32 lo = gids ? user_ns_gid(parent, first) : user_ns_uid(parent, first);
		u32 hi = gids ? user_ns_gid(parent, first + n) : user_ns_uid(parent, first + n);

		if (lo == ID_NONE || hi == ID_NONE || hi - lo != n)
			return -EPERM;
		m->e[i].outer = lo;
	}
	return 0;
}

/* @c opened the file, @t writes: without privilege over the parent one may map only oneself. */
static bool may_map(struct task *t, const struct cred *c, struct user_ns *u, bool gids, const struct id_map *m)
{
	int cap = gids ? CAP_SETGID : CAP_SETUID;

	if (c->user_ns != u && c->user_ns != u->parent)
		return false;
	/* Root of the parent is given away only by who could give capabilities to files there. */
	for (u32 i = 0; !gids && i < m->n; i++)
		if (m->e[i].outer == 0 && u->parent->level == 0 &&
		    !(c->user_ns == u ? u->maker_setfcap : cred_ns_capable(c, u->parent, CAP_SETFCAP)))
			return false;
	if (m->n == 1 && m->e[0].count == 1 && u->uid == c->euid) {
		u32 outer = gids ? user_ns_gid(u->parent, m->e[0].outer) : user_ns_uid(u->parent, m->e[0].outer);

		if (!gids && outer == c->euid)
			return true;
		if (gids && atomic_load(&u->no_setgroups) && outer == c->egid)
			return true;
	}
	return ns_capable(t, u->parent, cap) && cred_ns_capable(c, u->parent, cap);
}

int user_ns_store_map(struct task *t, const struct cred *by, struct user_ns *u, bool gids, char *text)
{
	struct id_map *m, *none = NULL;
	int r;

	if (!u->parent)
		return -EPERM;
	m = kbuf_alloc(sizeof(*m) + ID_EXTENTS * sizeof(m->e[0]));
	if (!m)
		return -ENOMEM;
	r = cred_ns_capable(by, u, CAP_SYS_ADMIN) ? parse_map(text, m) : -EPERM;
	if (r == 0 && !may_map(t, by, u, gids, m))
		r = -EPERM;
	if (r == 0)
		r = resolve(u->parent, gids, m);
	if (r == 0 && !atomic_compare_exchange_strong(gids ? &u->gids : &u->uids, &none, m))
		r = -EPERM;             /* only once */
	if (r < 0)
		kfree(m);
	return r;
}

int user_ns_store_setgroups(const struct cred *by, struct user_ns *u, const char *text)
{
	bool deny = !strncmp(text, "deny", 4) && (!text[4] || text[4] == '\n');

	if (!cred_ns_capable(by, u, CAP_SYS_ADMIN))
		return -EPERM;
	if (!deny && (strncmp(text, "allow", 5) != 0 || (text[5] && text[5] != '\n')))
		return -EINVAL;
	if (deny && atomic_load(&u->gids) && !atomic_load(&u->no_setgroups))
		return -EPERM;
	if (!deny && atomic_load(&u->no_setgroups))
		return -EPERM;
	if (deny)
		atomic_store(&u->no_setgroups, true);
	return 0;
}
