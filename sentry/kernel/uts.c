/*
 * uts.c - uts_namespaces(7): the system's names.
 */
#include <errno.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/sysinfo.h"
#include "sentry/kernel/task.h"

/* A current long-term release: software switches features off for older ones. */
#define GUEST_RELEASE "6.12.0"
#define GUEST_VERSION "#1 SMP PREEMPT_DYNAMIC csandbox"

static void release(struct ns *ns)
{
	ns_done(ns);
	kfree(container_of(ns, struct uts, ns));
}

static int make(struct kernel *k, struct user_ns *owner, struct uts **ret)
{
	struct uts *u = knew(struct uts);
	int r;

	if (!u)
		return -ENOMEM;
	mutex_init(&u->mu, RANK_LEAF);
	r = ns_init(&u->ns, k, NS_UTS, owner, release);
	if (r < 0)
		kfree(u);
	else
		*ret = u;
	return r;
}

int uts_first(struct kernel *k, struct ns **ret)
{
	struct uts *u;
	int r = make(k, k->user_ns, &u);

	if (r < 0)
		return r;
	str_copy(u->sysname, sizeof(u->sysname), "Linux");
	str_copy(u->nodename, sizeof(u->nodename), "localhost");
	str_copy(u->release, sizeof(u->release), GUEST_RELEASE);
	str_copy(u->version, sizeof(u->version), GUEST_VERSION);
	str_copy(u->machine, sizeof(u->machine), "x86_64");
	str_copy(u->domainname, sizeof(u->domainname), "(none)");
	*ret = &u->ns;
	return 0;
}

int uts_copy(struct kernel *k, struct uts *from, struct user_ns *owner, struct ns **ret)
{
	char names[6][65];
	struct uts *u;
	int r = make(k, owner, &u);

	if (r < 0)
		return r;
	uts_get(from, names);
	memcpy(u->sysname, names[0], 65);
	memcpy(u->nodename, names[1], 65);
	memcpy(u->release, names[2], 65);
	memcpy(u->version, names[3], 65);
	memcpy(u->machine, names[4], 65);
	memcpy(u->domainname, names[5], 65);
	*ret = &u->ns;
	return 0;
}

struct uts *task_uts(struct task *t)
{
	return container_of(t->nsset->of[NS_UTS], struct uts, ns);
}

void uts_get(struct uts *u, char ret[6][65])
{
	mutex_lock(&u->mu);
	memcpy(ret[0], u->sysname, 65);
	memcpy(ret[1], u->nodename, 65);
	memcpy(ret[2], u->release, 65);
	memcpy(ret[3], u->version, 65);
	memcpy(ret[4], u->machine, 65);
	memcpy(ret[5], u->domainname, 65);
	mutex_unlock(&u->mu);
}

void uts_set(struct uts *u, bool domain, const char *name)
{
	char *dst = domain ? u->domainname : u->nodename;

	mutex_lock(&u->mu);
	memset(dst, 0, 65);
	str_copy(dst, 65, name);
	mutex_unlock(&u->mu);
}
