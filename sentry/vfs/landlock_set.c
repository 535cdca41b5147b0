/*
 * landlock_set.c - rulesets: a descriptor that rules are added to, and the layer that is made of it.
 *
 * Locks: s->mu (RANK_FPOS) guards the rules; a layer has copies of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/lock.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/landlock_int.h"
#include "sentry/vfs/mount_int.h"

struct landlock_set {
	struct file f;
	struct mutex mu;                        /* RANK_FPOS */
	struct ll_rules r;                      /* guarded by mu; r.on immutable */
};

static struct landlock_set *set_of(const struct file *f)
{
	return container_of((struct file *)(uintptr_t)f, struct landlock_set, f);
}

static void set_release(struct file *f)
{
	struct landlock_set *s = set_of(f);

	file_done(f);
	ll_rules_done(&s->r);
	kfree(s);
}

static const struct file_ops set_ops = { .name = "landlock-ruleset", .release = set_release };

bool is_landlock_set(const struct file *f)
{
	return f->ops == &set_ops;
}

int landlock_set_new(struct task *t, const struct landlock_handled *h, struct file **ret)
{
	struct landlock_set *s = knew(struct landlock_set);

	if (!s)
		return -ENOMEM;
	mutex_init(&s->mu, RANK_FPOS);
	s->r.on = *h;
	file_init(&s->f, &set_ops, O_RDWR, FILE_STREAM, NULL, NULL, task_cred(t));
	s->f.anon_name = "anon_inode:[landlock-ruleset]";
	*ret = &s->f;
	return 0;
}

struct landlock_handled landlock_handled(const struct file *set)
{
	return set_of(set)->r.on;
}

/* Room for one more of @n things, at most LANDLOCK_RULES. */
static int reserve(void **v, u32 *cap, u32 n, size_t size)
{
	u32 want = *cap ? *cap * 2 : 8;
	void *more;

	if (n >= LANDLOCK_RULES)
		return -E2BIG;
	if (n < *cap)
		return 0;
	more = kbuf_array(want, size);
	if (!more)
		return -ENOMEM;
	if (n)
		memcpy(more, *v, n * size);
	kfree(*v);
	*v = more;
	*cap = want;
	return 0;
}

int landlock_add_path(struct file *set, const struct path *p, u32 access)
{
	struct landlock_set *s = set_of(set);
	struct ll_rules *r = &s->r;
	void *v;
	bool there;
	u32 at;
	int e = 0;

	if (p->mnt->internal)
		return -EBADFD;
	if (!S_ISDIR(path_inode(p)->mode) && (access & ~LL_ON_FILES))
		return -EINVAL;
	mutex_lock(&s->mu);
	at = ll_rule_find(r, path_inode(p), &there);
	if (!there) {
		v = r->rule;
		e = reserve(&v, &r->rules_cap, r->nrules, sizeof(*r->rule));
		r->rule = v;
	}
	if (!there && e == 0) {
		memmove(r->rule + at + 1, r->rule + at, (r->nrules - at) * sizeof(*r->rule));
		r->rule[at] = (struct ll_rule){ .at = dentry_ref(p->dentry) };
		r->nrules++;
	}
	if (e == 0)
		r->rule[at].access |= access;
	mutex_unlock(&s->mu);
	return e;
}

int landlock_add_port(struct file *set, u16 port, u32 access)
{
	struct landlock_set *s = set_of(set);
	struct ll_rules *r = &s->r;
	void *v = NULL;
	u32 at = 0;
	bool there;
	int e = 0;

	mutex_lock(&s->mu);
	while (at < r->nports && r->port[at].port < port)
		at++;
	there = at < r->nports && r->port[at].port == port;
	if (!there) {
		v = r->port;
		e = reserve(&v, &r->ports_cap, r->nports, sizeof(*r->port));
		r->port = v;
	}
	if (!there && e == 0) {
		memmove(r->port + at + 1, r->port + at, (r->nports - at) * sizeof(*r->port));
		r->port[at] = (struct ll_port){ .port = port };
		r->nports++;
	}
	if (e == 0)
		r->port[at].access |= (u16)access;
	mutex_unlock(&s->mu);
	return e;
}

static int copy_rules(struct landlock_set *s, struct ll_rules *ret)
{
	struct ll_rules c = { .on = s->r.on };
	int e = 0;

	mutex_lock(&s->mu);
	c.rule = kbuf_array(MAX(s->r.nrules, 1u), sizeof(*c.rule));
	c.port = kbuf_array(MAX(s->r.nports, 1u), sizeof(*c.port));
	if (!c.rule || !c.port)
		e = -ENOMEM;
	for (u32 i = 0; e == 0 && i < s->r.nrules; i++)
		c.rule[c.nrules++] = (struct ll_rule){ dentry_ref(s->r.rule[i].at), s->r.rule[i].access };
	if (e == 0 && s->r.nports)
		memcpy(c.port, s->r.port, s->r.nports * sizeof(*c.port));
	c.nports = e == 0 ? s->r.nports : 0;
	mutex_unlock(&s->mu);
	if (e < 0)
		ll_rules_done(&c);
	else
		*ret = c;
	return e;
}

int landlock_restrict(struct task *t, struct file *set)
{
	struct landlock *old = task_cred(t)->landlock, *l;
	struct cred *c;
	int r;

	if (old && old->depth >= LANDLOCK_LAYERS)
		return -E2BIG;
	l = knew(struct landlock);
	if (!l)
		return -ENOMEM;
	ref_init(&l->ref);
	r = copy_rules(set_of(set), &l->r);
	c = r == 0 ? cred_dup(task_cred(t)) : NULL;
	if (!c) {
		if (r == 0)
			ll_rules_done(&l->r);
		kfree(l);
		return r < 0 ? r : -ENOMEM;
	}
	l->prev = c->landlock;                  /* the copy's reference */
	l->depth = old ? old->depth + 1 : 1;
	c->landlock = l;
	task_set_cred(t, c);
	return 0;
}
