/*
 * pid_ns.h - pid_namespaces(7).
 *
 * Inside the sentry a process has one number, that of the first namespace.  What a guest says and
 * hears is translated with these where it comes in and goes out.  A process in a namespace of
 * level n has n numbers more (struct pid_nums), kept with its entry of the pid table, so that groups and
 * sessions that outlive their leader keep theirs too.
 *
 * Locks: kernel->mu guards the tables, init and dead.  Functions without _locked take it, but
 * not for readers in the first namespace, to whom numbers are what they are.
 */
#pragma once
#include "sentry/kernel/ns.h"
#include "sentry/kernel/pid.h"

struct pid_ns {
	struct ns ns;
	struct pid_ns *parent;          /* immutable: a reference; NULL: the first */
	u32 level;                      /* immutable */
	struct tgroup *init;            /* guarded by kernel->mu: borrowed, NULL before and after it lived */
	bool dead;                      /* guarded by kernel->mu: init has died, nobody may come */
	int last;                       /* guarded by kernel->mu: number handed out last */
	u16 *chunk[PID_MAX / 256];      /* guarded by kernel->mu: number here -> ours */
};

struct pid_nums {
	struct pid_ns *ns;              /* a reference: the deepest */
	int nr[];                       /* [level], nr[0] unused */
};

int pid_ns_first(struct kernel *k, struct ns **ret) must_check;
int pid_ns_new(struct task *t, struct user_ns *owner, struct ns **ret) must_check;
struct pid_ns *pid_ns_of(struct ns *ns);
struct ns *tgroup_pid_ns_get(struct tgroup *tg) must_check;     /* a reference */
/* reboot(2): its init ends as if by @sig, and all that is in it. */
void pid_ns_end(struct pid_ns *ns, int sig);
bool pid_ns_within(struct ns *ns, struct tgroup *tg);   /* is it that of @tg or below it? */
/* That of the children to come, and that of @t itself: borrowed. */
struct pid_ns *task_pid_ns_for_children(struct task *t);

/* For pid.c, kernel->mu held: numbers for @pid in @ns and above, the first @n as wanted; and back. */
int pid_nums_make_locked(struct pid_ns *ns, int pid, const int *want, u32 n, struct pid_nums **ret) must_check;
void pid_nums_free_locked(struct pid_nums *p);
/* Is @p known in @ns? Its number there, or 0. */
int pid_nums_in(const struct pid_nums *p, const struct pid_ns *ns);

/* Our number -> the one that @t knows; 0: none. */
int pid_nr(struct task *t, int pid);
int pid_nr_in(struct pid_ns *ns, int pid);
int pid_nr_in_locked(struct pid_ns *ns, int pid);
/* What @t calls @nr -> ours; 0: nothing. Negative and 0 stay as they are. */
int pid_from_nr(struct task *t, int nr);
int pid_from_nr_in(struct pid_ns *ns, int nr);
int pid_from_nr_in_locked(struct pid_ns *ns, int nr);
/* The task, or process, that @t calls @nr: a reference or NULL. */
struct task *task_find_nr(struct task *t, int nr) must_check;
struct tgroup *tgroup_find_nr(struct task *t, int nr) must_check;
