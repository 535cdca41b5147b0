/*
 * session.h - sessions, process groups and their terminal (credentials(7), tty(4)).
 *
 * A session is what setsid(2) makes; tgroup->session holds a reference, and so
 * does a terminal that controls it.  Process groups are numbers (tgroup->pgid), not objects.
 *
 * session.c:     the objects, setsid, setpgid, orphaned groups.
 * session_tty.c: the link between a session and its controlling terminal.
 *
 * A terminal embeds a struct tty_link, whose count is the terminal's own, so
 * that /dev/tty can take a reference without knowing what a terminal is.
 *
 * Locks: kernel->mu (RANK_KERNEL) guards every field marked so.  The functions below take
 * it themselves unless named _locked: call them without any lock of rank KERNEL or later
 * (a line discipline collects its signals and sends them after dropping its own lock).
 */
#pragma once
#include "platform/base/ref.h"
#include "sentry/kernel/kernel.h"

struct task;
struct tgroup;
struct tty_link;

struct session {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	int sid;                                /* immutable */
	struct tgroup *leader;                  /* guarded by kernel->mu; borrowed; NULL once it has exited */
	struct tty_link *tty;                   /* guarded by kernel->mu; borrowed: each side clears the other */
};

struct tty_link {
	struct ref ref;                         /* the embedding terminal's count */
	struct kernel *kernel;                  /* immutable */
	u32 dev;                                /* immutable: device number as /proc/PID/stat shows it */
	struct session *session;                /* guarded by kernel->mu; a reference; NULL = controls nothing */
	int fg_pgid;                            /* guarded by kernel->mu; 0 = none */
};

/* ---- session.c ---- */
struct session *session_new(struct kernel *k, int sid, struct tgroup *leader) must_check;
struct session *session_ref(struct session *s);
void session_unref(struct session *s);          /* NULL is fine */

int session_setsid(struct task *t) must_check;                          /* the new id, or -EPERM */
int session_setpgid(struct task *t, int pid, int pgid) must_check;
/* The process group (@sid: the session) of the process that @pid's thread is in, 0 = @t's own; or -ESRCH. */
int session_id_of(struct task *t, int pid, bool sid) must_check;
/* No member has a parent in another group of the same session (POSIX orphaned group). */
bool pgrp_is_orphaned_locked(struct kernel *k, int pgid) must_check;
/* Some process of session @s is in group @pgid. */
bool pgrp_in_session_locked(struct session *s, int pgid) must_check;

/* ---- session_tty.c ---- */
void tty_link_init(struct tty_link *tl, struct kernel *k);
/* The terminal goes away, or has been hung up: nobody's controlling terminal any more. */
void tty_link_detach(struct tty_link *tl);

/* @t's controlling terminal with a reference taken on its count, or NULL. */
struct tty_link *session_tty_get(struct task *t) must_check;
/* open(2) of a terminal without O_NOCTTY: a session leader without one acquires a free one. */
void session_tty_opened(struct task *t, struct tty_link *tl);
/* TIOCSCTTY, TIOCNOTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID; 0 or an id, or -errno of tty_ioctl(4). */
int session_set_tty(struct task *t, struct tty_link *tl, bool steal) must_check;
int session_drop_tty(struct task *t, struct tty_link *tl) must_check;
int session_tty_pgrp(struct task *t, struct tty_link *tl, bool from_master) must_check;
int session_tty_set_pgrp(struct task *t, struct tty_link *tl, int pgid) must_check;
int session_tty_sid(struct task *t, struct tty_link *tl, bool from_master) must_check;

/*
 * May @t, seen from job control, read (@sig SIGTTIN) or change (@sig SIGTTOU) @tl now?
 * 0; -EIO (orphaned group, or SIGTTIN ignored or blocked); -ERESTARTSYS after the signal was sent to its group.
 */
int session_tty_check(struct task *t, struct tty_link *tl, int sig) must_check;
/* Keyboard and window signals: to the foreground group; harmless without one. */
void session_tty_signal(struct tty_link *tl, int sig);
/* The line is gone: SIGHUP and SIGCONT to the leader and the foreground group, then detach. */
void session_tty_hangup(struct tty_link *tl);
/* The same for the controlling terminal of @t, if there is one. */
void session_vhangup(struct task *t);
/* A session leader exits (task_exit.c, before it is a zombie): SIGHUP to the foreground group, detach. */
void session_leader_exit(struct tgroup *leader);
/* A first process starts with a terminal already its own (process_args.ctty). */
void session_tty_attach(struct session *s, struct tty_link *tl, int pgid);
