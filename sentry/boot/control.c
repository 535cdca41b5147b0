/*
 * control.c - serve the command line: the main thread's loop.
 *
 * The main thread sleeps in ppoll over the listening socket and the connections; SIGWINCH (the terminal
 * of the first process changed its size) is let in only there.  A connection that waits for a process to
 * end is answered by the worker that sees the end.
 *
 * Locks:  control->mu (RANK_LEAF) guards conns and exits against on_task_exit; sends under it do
 *         not block.  Connections are made and freed by the main thread alone.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/base/str.h"
#include "platform/host/hostfile.h"
#include "platform/host/shed.h"
#include "sentry/boot/boot_int.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/pid.h"
#include "sentry/mm/mm.h"
#include "sentry/socket/net.h"

#define MAX_CONNS 256
#define MAX_EXITS 64
#define SPARE_FDS 16

struct conn {
	int fd;                                 /* -1: free.  Changed by the main thread under mu */
	struct boot *b;                         /* main thread: the container that it is about */
	bool keeper;                            /* main thread: a member lives as long as this */
	s32 wait_pid;                           /* guarded by mu: 0 = waits for nothing */
	bool owns;                              /* main thread: the process dies with the connection */
	struct file *tty;                       /* main thread: of the process that it made, or NULL */
};

struct control {
	struct mutex mu;                        /* RANK_LEAF */
	struct conn conns[MAX_CONNS];
	/* Ends of processes that nobody waited for yet: between their start and the reply to EXEC. */
	struct ctl_exit exits[MAX_EXITS];       /* guarded by mu; a ring */
	u32 nexits;                             /* guarded by mu: ever */
	struct boot *members[MEMBERS_MAX];      /* main thread; NULL: free */
	u32 last_member;                        /* main thread: number given last */
	hostfd_t spare[SPARE_FDS];              /* main thread: given up for a connection when a guest has taken all descriptors */
	int sig_fd;                             /* immutable: signals for the guest's first process */
	int winch_fd;                           /* main thread: the host's terminal, to ask for its size; -1 */
};

static void on_winch(int sig)
{
	(void)sig;                              /* it only has to interrupt ppoll */
}

void control_signals(sigset_t *set)
{
	static const int pass[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT };

	for (size_t i = 0; i < ARRAY_SIZE(pass); i++)
		sigaddset(set, pass[i]);
}

/* ---- descriptors kept for the command line ---- */

static void keep_spare(struct control *c)
{
	for (int i = 0; i < SPARE_FDS; i++)
		if (c->spare[i].fd < 0 && host_dup(HOSTFD(c->sig_fd), &c->spare[i]) < 0)
			return;
}

static void give_up_spare(struct control *c)
{
	for (int i = 0; i < SPARE_FDS; i++) {
		host_close(c->spare[i]);
		c->spare[i] = HOSTFD_NONE;
	}
}

int control_new(struct boot *b)
{
	sigset_t pass;
	struct sigaction sa = { .sa_handler = on_winch };
	struct control *c = knew(struct control);

	if (!c)
		return -ENOMEM;
	mutex_init(&c->mu, RANK_LEAF);
	for (int i = 0; i < MAX_CONNS; i++)
		c->conns[i].fd = -1;
	c->winch_fd = -1;
	sigemptyset(&pass);
	control_signals(&pass);
	c->sig_fd = signalfd(-1, &pass, SFD_CLOEXEC | SFD_NONBLOCK);
	for (int i = 0; i < SPARE_FDS; i++)
		c->spare[i] = HOSTFD_NONE;
	keep_spare(c);
	b->control = c;
	if (b->cfg->tty_fd >= 0) {
		/* The sentry leads a session of its own (launcher): sizes are told to it. */
		(void)sigaction(SIGWINCH, &sa, NULL);
		(void)ioctl(b->cfg->tty_fd, TIOCSCTTY, 0);
		c->winch_fd = dup(b->cfg->tty_fd);
	}
	return 0;
}

static void send_exit(int fd, u32 op, s32 pid, s32 wstatus)
{
	struct ctl_exit e = { .pid = pid, .wstatus = wstatus };

	(void)!ctl_send(fd, op, 0, &e, sizeof(e), NULL, 0);
}

void control_task_exit(struct kernel *k, int pid, int wstatus)
{
	struct control *c = ((struct boot *)k->boot)->control;
	bool told = false;

	mutex_lock(&c->mu);
	for (int i = 0; i < MAX_CONNS; i++) {
		struct conn *x = &c->conns[i];

		if (x->fd < 0 || x->wait_pid != pid)
			continue;
		send_exit(x->fd, CTL_WAIT, pid, wstatus);
		x->wait_pid = 0;
		told = true;
	}
	if (!told)
		c->exits[c->nexits++ % MAX_EXITS] = (struct ctl_exit){ pid, wstatus };
	mutex_unlock(&c->mu);
}

void control_init_exit(struct kernel *k, int wstatus)
{
	(void)k;
	/* Every process of this pid namespace is killed by the host before our exit is seen. */
	_exit(WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus));
}

/* The connection wants to hear of @pid's end, which may have come already. */
static void watch(struct control *c, struct conn *x, s32 pid)
{
	mutex_lock(&c->mu);
	x->wait_pid = pid;
	for (u32 i = 0; i < MAX_EXITS; i++) {
		struct ctl_exit *e = &c->exits[i];

		if (e->pid != pid)
			continue;
		send_exit(x->fd, CTL_WAIT, pid, e->wstatus);
		x->wait_pid = 0;
		e->pid = 0;
		break;
	}
	mutex_unlock(&c->mu);
}

static void drop_conn(struct conn *x);

/* The keeper of a member is gone, so is the member. */
static void end_member(struct control *c, struct boot *b)
{
	for (int i = 0; i < MAX_CONNS; i++)
		if (c->conns[i].fd >= 0 && c->conns[i].b == b)
			drop_conn(&c->conns[i]);
	for (int i = 0; i < MEMBERS_MAX; i++)
		if (c->members[i] == b)
			c->members[i] = NULL;
	member_free(b);
}

static void drop_conn(struct conn *x)
{
	struct boot *b = x->b, *kept = x->keeper ? b : NULL;
	struct control *c = b->control;
	struct file *tty = x->tty;
	s32 orphan;
	int fd = x->fd;

	mutex_lock(&c->mu);
	orphan = x->owns ? x->wait_pid : 0;
	*x = (struct conn){ .fd = -1 };
	mutex_unlock(&c->mu);
	close(fd);
	keep_spare(c);
	file_unref(tty);
	if (orphan > 0) {
		struct tgroup *tg = tgroup_find(b->kernel, orphan);

		if (tg) {
			(void)signal_send_tgroup(tg, SIGKILL, NULL);
			tgroup_unref(tg);
		}
	}
	if (kept)
		end_member(c, kept);
}

static int reply(struct conn *x, u32 op, int result, const void *payload, size_t n)
{
	return ctl_send(x->fd, op, result, payload, n, NULL, 0);
}

static int reply_error(struct boot *b, struct conn *x, u32 op, int code)
{
	return reply(x, op, code, b->error, strlen(b->error));
}

static int make_first(struct boot *b, bool hold)
{
	struct boot_fds fds = {
		.stdio = b->cfg->stdio, .tty = b->cfg->tty_fd, .extra = b->cfg->extra, .nextra = b->cfg->process->nextra,
	};
	int r;

	if (b->fds_taken)
		return -EBUSY;
	b->fds_taken = true;
	r = boot_process(b, b->cfg->process, &fds, hold, &b->tty);
	if (r >= 0)
		b->init_pid = r;
	return r;
}

/* The keeper waits for @b's first process; without one (@code) it ends now. */
static void tell_keeper(struct boot *b, int code)
{
	struct control *c = b->control;

	for (int i = 0; i < MAX_CONNS; i++) {
		struct conn *x = &c->conns[i];

		if (x->fd < 0 || x->b != b || !x->keeper)
			continue;
		if (code)
			send_exit(x->fd, CTL_WAIT, 0, code << 8);
		else
			watch(c, x, b->init_pid);
	}
}

static int do_start(struct boot *b, struct conn *x)
{
	int r, code;

	b->error[0] = 0;
	if (b->started)
		return reply(x, CTL_START, -EBUSY, NULL, 0);
	r = b->held ? process_release(b->kernel, b->init_pid) : make_first(b, false);
	if (r < 0) {
		/* The descriptors are used up: there is no second try. */
		(void)!reply_error(b, x, CTL_START, r);
		code = r == -ENOENT ? 127 : r == -EACCES ? 126 : 1;
		if (!b->member)
			_exit(code);
		tell_keeper(b, code);
		return 0;
	}
	b->started = true;
	tell_keeper(b, 0);
	return reply(x, CTL_START, 0, NULL, 0);
}

/* The first process, before it is started: others may run beside it then. */
static int hold_first(struct boot *b)
{
	int r = b->held || b->started ? 0 : make_first(b, true);

	if (r >= 0 && !b->started)
		b->held = true;
	return r < 0 ? r : 0;
}

static int run_exec(struct boot *b, struct conn *x, const struct ctl_process *p, const int *fds)
{
	static const int none[3] = { -1, -1, -1 };
	struct boot_fds f = { .stdio = fds, .tty = -1, .extra = fds + 3, .nextra = p->nextra };

	if (p->tty)
		f = (struct boot_fds){ .stdio = none, .tty = fds[0], .extra = fds + 1, .nextra = p->nextra };
	return boot_process(b, p, &f, false, p->tty ? &x->tty : NULL);
}

/* @hook: a startContainer hook, before the first process runs. */
static int do_exec(struct boot *b, struct conn *x, bool hook, const void *payload, size_t n, int fds[CTL_MAX_FDS],
                   size_t nfds)
{
	struct ctl_process p;
	void *mem;
	int r = ctl_process_unpack(payload, n, &p, &mem), i;

	b->error[0] = 0;
	if (r == 0 && nfds != (p.tty ? 1u : 3u) + p.nextra) {
		kfree(mem);
		r = -EINVAL;
	}
	if (r == 0 && hook && (b->started || p.tty)) {
		kfree(mem);
		r = -ESRCH;
	}
	if (r < 0)
		return reply(x, CTL_EXEC, r, NULL, 0);
	r = hold_first(b);
	if (r == 0) {
		r = run_exec(b, x, &p, fds);
		for (i = 0; i < CTL_MAX_FDS; i++)
			fds[i] = -1;    /* taken over */
	}
	kfree(mem);
	if (r < 0)
		return reply_error(b, x, CTL_EXEC, r);
	i = reply(x, CTL_EXEC, r, NULL, 0);
	x->owns = true;
	watch(b->control, x, r);
	return i;
}

static void signal_one(void *arg, struct tgroup *tg)
{
	const struct ctl_signal *s = arg;
	struct lx_siginfo info = { .signo = s->sig, .code = SI_USER };

	(void)signal_send_tgroup(tg, s->sig, &info);
}

/* 0: none yet. */
static s32 default_pid(struct boot *b, s32 pid)
{
	return pid ? pid : b->init_pid;
}

static int do_signal(struct boot *b, struct conn *x, const void *payload, size_t n)
{
	struct ctl_signal s;
	struct tgroup *tg;

	if (n != sizeof(s))
		return -EINVAL;
	memcpy(&s, payload, sizeof(s));
	if (s.sig < 1 || s.sig > 64 || s.pid < 0)
		return reply(x, CTL_SIGNAL, -EINVAL, NULL, 0);
	if (s.all) {
		boot_for_each_process(b, signal_one, &s);
		return reply(x, CTL_SIGNAL, 0, NULL, 0);
	}
	tg = tgroup_find(b->kernel, default_pid(b, s.pid));
	if (!tg)
		return reply(x, CTL_SIGNAL, -ESRCH, NULL, 0);
	(void)signal_one(&s, tg);
	tgroup_unref(tg);
	return reply(x, CTL_SIGNAL, 0, NULL, 0);
}

static int do_wait(struct boot *b, struct conn *x, const void *payload, size_t n)
{
	struct ctl_pid p;
	struct tgroup *tg;

	if (n != sizeof(p))
		return -EINVAL;
	memcpy(&p, payload, sizeof(p));
	tg = tgroup_find(b->kernel, default_pid(b, p.pid));
	if (!tg)
		return reply(x, CTL_WAIT, -ESRCH, NULL, 0);
	tgroup_unref(tg);
	watch(b->control, x, default_pid(b, p.pid));
	return 0;
}

struct pids { struct ctl_proc v[4096]; size_t n; };

static void add_pid(void *arg, struct tgroup *tg)
{
	struct pids *p = arg;
	auto_task *t = task_find(tg->kernel, tg->tgid);
	struct mm *mm = t ? task_mm_get(t) : NULL;

	if (mm && p->n < ARRAY_SIZE(p->v))
		p->v[p->n++] = (struct ctl_proc){ tg->tgid, aspace_host_pid(mm->as) };
	mm_unref(mm);
}

static int do_ps(struct boot *b, struct conn *x)
{
	struct pids *p = kbuf_alloc(sizeof(*p));
	int r;

	if (!p)
		return reply(x, CTL_PS, -ENOMEM, NULL, 0);
	boot_for_each_process(b, add_pid, p);
	r = reply(x, CTL_PS, 0, p->v, p->n * sizeof(p->v[0]));
	kfree(p);
	return r;
}

static int do_winsize(struct boot *b, struct conn *x, const void *payload, size_t n)
{
	struct control *c = b->control;
	struct ctl_winsize w;
	struct file *tty = NULL;

	if (n != sizeof(w))
		return -EINVAL;
	memcpy(&w, payload, sizeof(w));
	if (w.pid == 0 || w.pid == b->init_pid)
		tty = b->tty;
	for (int i = 0; i < MAX_CONNS && !tty; i++)
		if (c->conns[i].fd >= 0 && c->conns[i].owns && c->conns[i].wait_pid == w.pid)
			tty = c->conns[i].tty;
	return reply(x, CTL_WINSIZE, tty ? tty_set_winsize(tty, w.rows, w.cols) : -ENOTTY, NULL, 0);
}

static void count_one(void *arg, struct tgroup *tg)
{
	(void)tg;
	++*(u64 *)arg;
}

static int do_stats(struct boot *b, struct conn *x)
{
	struct kernel *k = b->kernel;
	struct ctl_stats s = { .mem_limit = k->mem_limit, .uptime_ns = (u64)(ktime_mono(k) - k->boot_mono) };

	mutex_lock(&k->mu);
	s.ntasks = k->ntasks;
	s.max_tasks = k->max_tasks;
	mutex_unlock(&k->mu);
	if (b->member) {
		s.ntasks = s.max_tasks = s.mem_limit = 0;
		boot_for_each_process(b, count_one, &s.ntasks);
	}
	return reply(x, CTL_STATS, 0, &s, sizeof(s));
}

static int do_limits(struct boot *b, struct conn *x, const void *payload, size_t n)
{
	struct ctl_limits l;

	if (n != sizeof(l))
		return -EINVAL;
	if (b->member)
		return reply(x, CTL_LIMITS, -EOPNOTSUPP, NULL, 0);
	memcpy(&l, payload, sizeof(l));
	if (l.set & LIMIT_TASKS)
		pid_limit(b->kernel, l.max_tasks);
	if (l.set & LIMIT_MEM)
		kernel_set_memory(b->kernel, l.mem_limit);
	if (l.set & LIMIT_QUOTA)
		b->kernel->cpu_quota = l.cpu_quota;
	if (l.set & LIMIT_PERIOD)
		b->kernel->cpu_period = l.cpu_period;
	if (l.set & LIMIT_WEIGHT)
		b->kernel->cpu_weight = l.cpu_weight;
	return reply(x, CTL_LIMITS, 0, NULL, 0);
}

static int do_state(struct boot *b, struct conn *x)
{
	struct ctl_state s = { .started = b->started, .init_pid = b->started ? b->init_pid : 0 };

	return reply(x, CTL_STATE, 0, &s, sizeof(s));
}

static int do_link(struct boot *b, struct conn *x, const void *payload, size_t n, int fds[CTL_MAX_FDS], size_t nfds)
{
	struct ctl_link l;
	int r = -EINVAL;

	if (n == sizeof(l) && !b->member) {
		memcpy(&l, payload, sizeof(l));
		r = boot_add_link(b, &l, fds, nfds);
	}
	return reply(x, CTL_LINK, r, NULL, 0);
}

static int do_hostnet(struct boot *b, struct conn *x, int fds[CTL_MAX_FDS], size_t nfds)
{
	int r = nfds != 1 || b->started || b->member ? -EINVAL : net_use_broker(net_first(b->kernel), HOSTFD(fds[0]));

	if (r == 0)
		fds[0] = -1;                    /* taken over */
	return reply(x, CTL_HOSTNET, r, NULL, 0);
}

static int do_resolver(struct boot *b, struct conn *x, int fds[CTL_MAX_FDS], size_t nfds)
{
	int r = -EINVAL;

	if (nfds == 1 && !b->started && !b->member) {
		r = boot_add_resolver(b, HOSTFD(fds[0]));
		if (r == 0)
			fds[0] = -1;            /* taken over */
	}
	return reply(x, CTL_RESOLVER, r, NULL, 0);
}

static int do_member(struct boot *b, struct conn *x, const void *payload, size_t n, int fds[CTL_MAX_FDS], size_t nfds)
{
	struct control *c = b->control;
	struct boot *m;
	int r, i = 0;

	b->error[0] = 0;
	while (i < MEMBERS_MAX && c->members[i])
		i++;
	if (b->member || i == MEMBERS_MAX)
		return reply(x, CTL_MEMBER, b->member ? -EINVAL : -EMFILE, NULL, 0);
	r = member_new(b, c->last_member + 1, payload, n, fds, nfds, &m);
	if (r < 0)
		return reply_error(b, x, CTL_MEMBER, r);
	c->last_member++;
	c->members[i] = m;
	x->b = m;
	x->keeper = true;
	return reply(x, CTL_MEMBER, 0, NULL, 0);
}

static int dispatch(struct boot *b, struct conn *x, const struct ctl_hdr *h, const void *payload,
                    int fds[CTL_MAX_FDS], size_t nfds)
{
	switch ((enum ctl_op)h->op) {
	case CTL_STATE: return do_state(b, x);
	case CTL_START: return do_start(b, x);
	case CTL_SIGNAL: return do_signal(b, x, payload, h->len);
	case CTL_EXEC: return do_exec(b, x, false, payload, h->len, fds, nfds);
	case CTL_HOOK: return do_exec(b, x, true, payload, h->len, fds, nfds);
	case CTL_WAIT: return do_wait(b, x, payload, h->len);
	case CTL_PS: return do_ps(b, x);
	case CTL_WINSIZE: return do_winsize(b, x, payload, h->len);
	case CTL_STATS: return do_stats(b, x);
	case CTL_LIMITS: return do_limits(b, x, payload, h->len);
	case CTL_HOSTNET: return do_hostnet(b, x, fds, nfds);
	case CTL_RESOLVER: return do_resolver(b, x, fds, nfds);
	case CTL_MEMBER: return do_member(b, x, payload, h->len, fds, nfds);
	case CTL_LINK: return do_link(b, x, payload, h->len, fds, nfds);
	case CTL_NONE:
	case CTL_COUNT: break;
	}
	return reply(x, h->op, -ENOSYS, NULL, 0);
}

static void serve(struct conn *x)
{
	struct control *c = x->b->control;
	int fds[CTL_MAX_FDS];
	struct ctl_hdr h;
	void *payload;
	size_t nfds;
	bool more;
	int r;

	give_up_spare(c);               /* what finds no place is lost, with the message */
	r = ctl_recv(x->fd, MSG_DONTWAIT, &h, &payload, fds, &nfds);
	more = r == -EAGAIN;
	if (r == 0) {
		r = dispatch(x->b, x, &h, payload, fds, nfds);
		for (int i = 0; i < CTL_MAX_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		kfree(payload);
	}
	if (r < 0 && !more)
		drop_conn(x);
	keep_spare(c);
}

/* -1: there is none, or no descriptor for it; then it is asked for again, but not at once. */
static int accept_next(struct control *c, int listener)
{
	int fd;

	give_up_spare(c);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && errno == EMFILE)
		(void)poll(NULL, 0, 10);
	keep_spare(c);
	return fd;
}

static void accept_conn(struct boot *b)
{
	struct control *c = b->control;
	int fd = accept_next(c, b->member ? member_listen_fd(b) : b->cfg->ctl_fd);

	if (fd < 0)
		return;
	for (int i = 0; i < MAX_CONNS; i++) {
		if (c->conns[i].fd >= 0)
			continue;
		mutex_lock(&c->mu);
		c->conns[i] = (struct conn){ .fd = fd, .b = b };
		mutex_unlock(&c->mu);
		return;
	}
	log_ratelimited("more than %d control connections", MAX_CONNS);
	close(fd);
}

static void pass_winsize(struct boot *b)
{
	struct control *c = b->control;
	struct winsize ws;

	if (b->tty && c->winch_fd >= 0 && ioctl(c->winch_fd, TIOCGWINSZ, &ws) == 0)
		(void)!tty_set_winsize(b->tty, ws.ws_row, ws.ws_col);
}

/* Our process stands for the guest's first one: `kill $(cat PIDFILE)`. What a terminal of the host says of itself is not meant. */
static void pass_signal(struct boot *b)
{
	struct signalfd_siginfo si;
	struct tgroup *tg;

	if (read(b->control->sig_fd, &si, sizeof(si)) != sizeof(si) || si.ssi_code > 0)
		return;
	if (!b->started && si.ssi_signo != SIGCONT)
		_exit(128 + (int)si.ssi_signo);
	tg = b->started ? tgroup_find(b->kernel, b->init_pid) : NULL;
	if (tg) {
		struct ctl_signal s = { .sig = (s32)si.ssi_signo };

		signal_one(&s, tg);
		tgroup_unref(tg);
	}
}

/* What the main thread waits for: signals, listening sockets of containers, then connections. */
struct waits {
	struct pollfd pf[2 + MEMBERS_MAX + MAX_CONNS];
	struct boot *listener[2 + MEMBERS_MAX];
	struct conn *who[2 + MEMBERS_MAX + MAX_CONNS];
	nfds_t nlisten, n;
};

static void list_waits(struct boot *b, struct waits *w)
{
	struct control *c = b->control;

	w->pf[0] = (struct pollfd){ .fd = c->sig_fd, .events = POLLIN };
	w->listener[1] = b;
	w->pf[1] = (struct pollfd){ .fd = b->cfg->ctl_fd, .events = POLLIN };
	w->n = 2;
	for (int i = 0; i < MEMBERS_MAX; i++) {
		if (!c->members[i])
			continue;
		w->listener[w->n] = c->members[i];
		w->pf[w->n++] = (struct pollfd){ .fd = member_listen_fd(c->members[i]), .events = POLLIN };
	}
	w->nlisten = w->n;
	for (int i = 0; i < MAX_CONNS; i++) {
		if (c->conns[i].fd < 0)
			continue;
		w->who[w->n] = &c->conns[i];
		w->pf[w->n++] = (struct pollfd){ .fd = c->conns[i].fd, .events = POLLIN };
	}
}

static void serve_all(struct waits *w)
{
	if (w->pf[0].revents)
		pass_signal(w->listener[1]);
	/* New ones first: serving may end a member. */
	for (nfds_t i = 1; i < w->nlisten; i++)
		if (w->pf[i].revents)
			accept_conn(w->listener[i]);
	for (nfds_t i = w->nlisten; i < w->n; i++)
		if (w->pf[i].revents && w->who[i]->fd == w->pf[i].fd)
			serve(w->who[i]);
}

void control_run(struct boot *b)
{
	struct waits w;
	/* Once, when the program has begun and nobody asks for anything. */
	static const struct timespec settle = { 0, 400 * 1000 * 1000 };
	bool shed = false;
	sigset_t open_mask;

	(void)pthread_sigmask(SIG_BLOCK, NULL, &open_mask);
	sigdelset(&open_mask, SIGWINCH);
	for (;;) {
		int r;

		list_waits(b, &w);
		r = ppoll(w.pf, w.n, shed ? NULL : &settle, &open_mask);
		if (r < 0) {
			pass_winsize(b);        /* EINTR */
			continue;
		}
		if (r == 0) {
			shed = true;
			host_shed();
			continue;
		}
		serve_all(&w);
	}
}
