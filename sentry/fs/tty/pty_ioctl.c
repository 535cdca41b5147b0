/*
 * pty_ioctl.c - ioctl_tty(2) on both sides of a pseudo terminal. See pty.h.
 *
 * Calls that change the terminal are refused to background processes (SIGTTOU) when
 * made through the slave.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <termios.h>

#include "sentry/core/usercopy.h"
#include "sentry/fs/tty/pty.h"
#include "sentry/kernel/cred.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif
/* TCGETS2 and friends, whose headers clash with libc's termios.h. */
#define CMD_GETS2   0x802c542au
#define CMD_SETS2   0x402c542bu
#define CMD_SETSW2  0x402c542cu
#define CMD_SETSF2  0x402c542du

/* ---- termios ---- */

enum when { NOW, DRAIN, DRAIN_FLUSH };

static long get_termios(struct task *t, struct pty *p, gaddr_t arg, size_t size)
{
	struct lx_termios2 tio;

	mutex_lock(&p->mu);
	tio = p->n.tio;
	mutex_unlock(&p->mu);
	return copy_out(t, arg, &tio, size);
}

/* Until the other side has taken all output (or is gone). */
static int drain(struct task *t, struct pty *p)
{
	struct task_waiter tw;
	int r = 0;

	task_waiter_init(&tw, t, POLLOUT | POLLHUP);
	waitq_add(&p->slave_wq, &tw.w);
	for (;;) {
		bool empty;

		mutex_lock(&p->mu);
		empty = !ntty_out_count(&p->n) || p->hungup || !p->host;
		mutex_unlock(&p->mu);
		if (empty)
			break;
		r = task_sleep(t, KTIME_MAX);
		if (r < 0)
			break;
	}
	waitq_del(&p->slave_wq, &tw.w);
	return r;
}

static void keep(u32 *flags, u32 old, u32 locked) { *flags = (*flags & ~locked) | (old & locked); }

/* TIOCSLCKTRMIOS: what may not change. */
static void keep_locked(const struct pty *p, struct lx_termios2 *tio)
{
	const struct lx_termios2 *lock = &p->lock, *old = &p->n.tio;

	keep(&tio->iflag, old->iflag, lock->iflag);
	keep(&tio->oflag, old->oflag, lock->oflag);
	keep(&tio->cflag, old->cflag, lock->cflag);
	keep(&tio->lflag, old->lflag, lock->lflag);
	if (lock->line)
		tio->line = old->line;
	for (u32 i = 0; i < ARRAY_SIZE(tio->cc); i++)
		if (lock->cc[i])
			tio->cc[i] = old->cc[i];
}

static long lock_termios(struct task *t, struct pty *p, gaddr_t arg, bool set)
{
	struct lx_termios2 lock = { 0 };
	int r;

	if (set && !capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	if (set) {
		r = copy_in(t, &lock, arg, LX_TERMIOS_SIZE);
		if (r < 0)
			return r;
	}
	mutex_lock(&p->mu);
	if (set)
		p->lock = lock;
	lock = p->lock;
	mutex_unlock(&p->mu);
	return set ? 0 : copy_out(t, arg, &lock, LX_TERMIOS_SIZE);
}

#define BAUD_BITS  0010017u
#define BAUD_EXTRA 0010000u                     /* alone: the speed as told (BOTHER) */

/* The bits of c_cflag say the speed, unless they leave it to the number beside them. */
static u32 speed_of(u32 bits, u32 told)
{
	static const u32 rates[] = {
		0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400,
		460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
	};
	u32 i = bits & BAUD_EXTRA ? (bits & ~BAUD_EXTRA) + 15 : bits;

	return bits == BAUD_EXTRA ? told : i < ARRAY_SIZE(rates) ? rates[i] : 0;
}

static bool usual_flow(const struct lx_termios2 *tio)
{
	return (tio->iflag & IXON) && tio->cc[VSTOP] == 023 && tio->cc[VSTART] == 021;
}

/* Packet mode: does the slave now take ^S and ^Q for itself, or no more? */
static void tell_packets(struct pty *p, const struct lx_termios2 *tio) REQUIRES(p->mu)
{
	bool flow = usual_flow(tio);

	if (!p->packet)
		return;
	if (flow != usual_flow(&p->n.tio))
		p->packet_status = (u8)((p->packet_status & ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) |
		                        (flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP));
	if ((tio->lflag | p->n.tio.lflag) & EXTPROC)
		p->packet_status |= TIOCPKT_IOCTL;
}

static long apply_termios(struct task *t, struct pty *p, struct lx_termios2 *tio, enum when when)
{
	int r = when == NOW ? 0 : drain(t, p);
	bool was;

	if (r < 0)
		return r;
	/* As pty_set_termios of Linux: eight bits, no parity, always readable. */
	tio->cflag = (tio->cflag & ~(u32)(CSIZE | PARENB)) | CS8 | CREAD;
	tio->ospeed = speed_of(tio->cflag & BAUD_BITS, tio->ospeed);
	tio->ispeed = tio->cflag >> 16 & BAUD_BITS ? speed_of(tio->cflag >> 16 & BAUD_BITS, tio->ispeed) : tio->ospeed;
	mutex_lock(&p->mu);
	was = p->n.stopped;
	if (when == DRAIN_FLUSH) {
		ntty_flush_in(&p->n);
		p->packet_status |= p->packet ? TIOCPKT_FLUSHREAD : 0;
	}
	keep_locked(p, tio);
	tell_packets(p, tio);
	ntty_set_termios(&p->n, tio);
	pty_tell_flow(p, was);
	mutex_unlock(&p->mu);
	waitq_wake(&p->slave_wq, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
	waitq_wake(&p->master_wq, POLLIN | POLLOUT);
	return 0;
}

static void current_termios(struct pty *p, struct lx_termios2 *ret)
{
	mutex_lock(&p->mu);
	*ret = p->n.tio;
	mutex_unlock(&p->mu);
}

static long set_termios(struct task *t, struct pty *p, gaddr_t arg, size_t size, enum when when)
{
	struct lx_termios2 tio;
	int r;

	current_termios(p, &tio);
	r = copy_in(t, &tio, arg, size);
	return r < 0 ? r : apply_termios(t, p, &tio, when);
}

/* System V's struct: sixteen flags each, eight characters. */
struct lx_termio { u16 iflag, oflag, cflag, lflag; u8 line, cc[8], pad; };

static u32 low_half(u32 old, u16 bits) { return (old & 0xffff0000u) | bits; }

static long get_termio(struct task *t, struct pty *p, gaddr_t arg)
{
	struct lx_termios2 tio;
	struct lx_termio o = { 0 };

	current_termios(p, &tio);
	o.iflag = (u16)tio.iflag;
	o.oflag = (u16)tio.oflag;
	o.cflag = (u16)tio.cflag;
	o.lflag = (u16)tio.lflag;
	o.line = tio.line;
	memcpy(o.cc, tio.cc, sizeof(o.cc));
	return copy_out(t, arg, &o, sizeof(o));
}

static long set_termio(struct task *t, struct pty *p, gaddr_t arg, enum when when)
{
	struct lx_termios2 tio;
	struct lx_termio o;
	int r = copy_in(t, &o, arg, sizeof(o));

	if (r < 0)
		return r;
	current_termios(p, &tio);
	tio.iflag = low_half(tio.iflag, o.iflag);
	tio.oflag = low_half(tio.oflag, o.oflag);
	tio.cflag = low_half(tio.cflag, o.cflag);
	tio.lflag = low_half(tio.lflag, o.lflag);
	tio.line = o.line;
	memcpy(tio.cc, o.cc, sizeof(o.cc));
	return apply_termios(t, p, &tio, when);
}

/* ---- window size ---- */

void pty_set_winsize(struct pty *p, const struct lx_winsize *ws)
{
	bool changed;

	mutex_lock(&p->mu);
	changed = memcmp(&p->ws, ws, sizeof(*ws)) != 0;
	p->ws = *ws;
	mutex_unlock(&p->mu);
	if (changed)
		session_tty_signal(&p->link, SIGWINCH);
}

static long winsize(struct task *t, struct pty *p, gaddr_t arg, bool set)
{
	struct lx_winsize ws;
	int r;

	if (set) {
		r = copy_in(t, &ws, arg, sizeof(ws));
		if (r == 0)
			pty_set_winsize(p, &ws);
		return r;
	}
	mutex_lock(&p->mu);
	ws = p->ws;
	mutex_unlock(&p->mu);
	return copy_out(t, arg, &ws, sizeof(ws));
}

/* ---- flow and queues ---- */

static long flush(struct pty *p, struct pty_file *pf, u64 what)
{
	bool in = what == TCIFLUSH || what == TCIOFLUSH, out = what == TCOFLUSH || what == TCIOFLUSH;

	if (!in && !out)
		return -EINVAL;
	/* The master's input is the slave's output; what either has written the other has already. */
	mutex_lock(&p->mu);
	if (pf->master && in)
		ntty_flush_out(&p->n);
	else if (in)
		ntty_flush_in(&p->n);
	if (!pf->master && out)
		ntty_drop_unsent(&p->n);
	if (p->packet && !pf->master)
		p->packet_status |= (in ? TIOCPKT_FLUSHREAD : 0) | (out ? TIOCPKT_FLUSHWRITE : 0);
	if (in && p->host)
		pty_host_resume(p);
	mutex_unlock(&p->mu);
	waitq_wake(&p->slave_wq, POLLOUT | POLLWRNORM);
	waitq_wake(&p->master_wq, POLLIN | POLLOUT | POLLWRNORM);
	return 0;
}

static long flow(struct pty *p, struct pty_file *pf, u64 what)
{
	bool was;
	u8 c;

	switch (what) {
	case TCOOFF:
	case TCOON:
		mutex_lock(&p->mu);
		was = p->n.stopped;
		if (what == TCOOFF || p->n.held) {
			p->n.held = what == TCOOFF;
			ntty_stop(&p->n, what == TCOOFF);
		}
		pty_tell_flow(p, was);
		if (p->host)
			pty_host_flush(p);
		mutex_unlock(&p->mu);
		waitq_wake(&p->master_wq, POLLIN | POLLRDNORM);
		waitq_wake(&p->slave_wq, POLLOUT | POLLWRNORM);
		return 0;
	case TCIOFF:
	case TCION:                     /* ask the other side */
		mutex_lock(&p->mu);
		c = p->n.tio.cc[what == TCIOFF ? VSTOP : VSTART];
		if (c && !pf->master && !p->n.stopped)
			ntty_send_raw(&p->n, c);
		if (p->host)
			pty_host_flush(p);
		mutex_unlock(&p->mu);
		waitq_wake(&p->master_wq, POLLIN | POLLRDNORM);
		return 0;
	default:
		return -EINVAL;
	}
}

static long put_int(struct task *t, gaddr_t arg, int v) { return copy_out(t, arg, &v, sizeof(v)); }

static long queued(struct task *t, struct pty *p, struct pty_file *pf, gaddr_t arg)
{
	size_t n;

	mutex_lock(&p->mu);
	n = pf->master ? ntty_out_ready(&p->n) : ntty_in_count(&p->n);
	mutex_unlock(&p->mu);
	return put_int(t, arg, (int)n);
}

static long soft_carrier(struct task *t, struct pty *p, gaddr_t arg, bool set)
{
	int v = 0, r = set ? copy_in(t, &v, arg, sizeof(v)) : 0;

	if (r < 0)
		return r;
	mutex_lock(&p->mu);
	if (set)
		p->n.tio.cflag = v ? p->n.tio.cflag | CLOCAL : p->n.tio.cflag & ~(u32)CLOCAL;
	v = (p->n.tio.cflag & CLOCAL) != 0;
	mutex_unlock(&p->mu);
	return set ? 0 : put_int(t, arg, v);
}

/* ---- master only ---- */

static long get_peer(struct task *t, struct pty *p, u64 flags)
{
	auto_file *f = NULL;
	struct inode *i;
	int r = devpts_inode(p, &i);

	if (r < 0)
		return r;
	r = pty_open_slave(t, p, NULL, i, (u32)flags, &f);
	inode_unref(i);
	return r < 0 ? r : fd_install(t, f, flags & O_CLOEXEC);
}

static long set_flag(struct task *t, struct pty *p, gaddr_t arg, bool *flag)
{
	int v, r = copy_in(t, &v, arg, sizeof(v));

	if (r < 0)
		return r;
	mutex_lock(&p->mu);
	if (flag == &p->packet && !*flag)
		p->packet_status = 0;
	*flag = v != 0;
	mutex_unlock(&p->mu);
	return 0;
}

static long master_ioctl(struct task *t, struct pty *p, u32 cmd, gaddr_t arg)
{
	switch (cmd) {
	case TIOCGPTN: return copy_out(t, arg, &p->index, sizeof(p->index));
	case TIOCSPTLCK: return set_flag(t, p, arg, &p->locked);
	case TIOCGPTLCK: return put_int(t, arg, p->locked);
	case TIOCPKT: return set_flag(t, p, arg, &p->packet);
	case TIOCGPKT: return put_int(t, arg, p->packet);
	case TIOCGPTPEER: return get_peer(t, p, arg.v);
	case TIOCSIG:
		if (arg.v != SIGINT && arg.v != SIGQUIT && arg.v != SIGTSTP)
			return -EINVAL;
		session_tty_signal(&p->link, (int)arg.v);
		return 0;
	default: return -ENOTTY;
	}
}

/* ---- job control ---- */

static long job_ioctl(struct task *t, struct pty *p, struct pty_file *pf, u32 cmd, gaddr_t arg)
{
	int v = 0, r;

	switch (cmd) {
	case TIOCSCTTY:
		if (pf->master)
			return -EINVAL;
		return session_set_tty(t, &p->link, arg.v == 1);
	case TIOCNOTTY:
		return session_drop_tty(t, &p->link);
	case TIOCGPGRP:
		r = session_tty_pgrp(t, &p->link, pf->master);
		r = r > 0 ? pid_nr(t, r) : r;
		return r < 0 ? r : put_int(t, arg, r);
	case TIOCGSID:
		r = session_tty_sid(t, &p->link, pf->master);
		r = r > 0 ? pid_nr(t, r) : r;
		return r < 0 ? r : put_int(t, arg, r);
	case TIOCSPGRP:
		r = copy_in(t, &v, arg, sizeof(v));
		return r < 0 ? r : session_tty_set_pgrp(t, &p->link, pid_from_nr(t, v));
	default:
		return -ENOTTY;
	}
}

static bool changes(u32 cmd)
{
	switch (cmd) {
	case TCSETS: case TCSETSW: case TCSETSF:
	case TCSETA: case TCSETAW: case TCSETAF:
	case CMD_SETS2: case CMD_SETSW2: case CMD_SETSF2:
	case TIOCSPGRP: case TCXONC: case TCFLSH: case TCSBRK: case TCSBRKP:
		return true;
	default:
		return false;
	}
}

static long steal_input(struct task *t, struct pty *p, gaddr_t arg)
{
	u8 c;
	int r = copy_in(t, &c, arg, 1);

	if (r < 0)
		return r;
	if (!capable(t, CAP_SYS_ADMIN))
		return -EIO;            /* Linux with dev.tty.legacy_tiocsti = 0 */
	(void)pty_input(p, &c, 1);
	return 0;
}

static long common_ioctl(struct task *t, struct pty *p, struct pty_file *pf, u32 cmd, gaddr_t arg)
{
	size_t full = sizeof(struct lx_termios2);
	u32 dev;

	switch (cmd) {
	case TCGETS: return get_termios(t, p, arg, LX_TERMIOS_SIZE);
	case CMD_GETS2: return get_termios(t, p, arg, full);
	case TCSETS: return set_termios(t, p, arg, LX_TERMIOS_SIZE, NOW);
	case TCSETSW: return set_termios(t, p, arg, LX_TERMIOS_SIZE, DRAIN);
	case TCSETSF: return set_termios(t, p, arg, LX_TERMIOS_SIZE, DRAIN_FLUSH);
	case CMD_SETS2: return set_termios(t, p, arg, full, NOW);
	case CMD_SETSW2: return set_termios(t, p, arg, full, DRAIN);
	case CMD_SETSF2: return set_termios(t, p, arg, full, DRAIN_FLUSH);
	case TCGETA: return get_termio(t, p, arg);
	case TCSETA: return set_termio(t, p, arg, NOW);
	case TCSETAW: return set_termio(t, p, arg, DRAIN);
	case TCSETAF: return set_termio(t, p, arg, DRAIN_FLUSH);
	case TIOCGLCKTRMIOS: return lock_termios(t, p, arg, false);
	case TIOCSLCKTRMIOS: return lock_termios(t, p, arg, true);
	case TIOCGWINSZ: return winsize(t, p, arg, false);
	case TIOCSWINSZ: return winsize(t, p, arg, true);
	case TCFLSH: return flush(p, pf, arg.v);
	case TCXONC: return flow(p, pf, arg.v);
	case TCSBRK:
	case TCSBRKP: return drain(t, p);
	case TIOCSBRK:
	case TIOCCBRK: return 0;
	case FIONREAD: return queued(t, p, pf, arg);
	case TIOCOUTQ: return put_int(t, arg, 0);       /* what was written is with the master at once */
	case TIOCGSOFTCAR:
	case TIOCSSOFTCAR: return soft_carrier(t, p, arg, cmd == TIOCSSOFTCAR);
	case TIOCSTI: return steal_input(t, p, arg);
	case TIOCGETD: return put_int(t, arg, 0);
	case TIOCSETD: return copy_in(t, &dev, arg, sizeof(dev)) < 0 ? -EFAULT : dev ? -EINVAL : 0;
	case TIOCEXCL: p->exclusive = true; return 0;
	case TIOCNXCL: p->exclusive = false; return 0;
	case TIOCGEXCL: return put_int(t, arg, p->exclusive);
	case TIOCGDEV:
		dev = pty_dev(p);
		return copy_out(t, arg, &dev, sizeof(dev));
	case TIOCVHANGUP:
		if (!capable(t, CAP_SYS_ADMIN))
			return -EPERM;
		session_tty_hangup(&p->link);
		return 0;
	case TIOCSCTTY:
	case TIOCNOTTY:
	case TIOCGPGRP:
	case TIOCGSID:
	case TIOCSPGRP: return job_ioctl(t, p, pf, cmd, arg);
	default:
		if (pf->master)
			return master_ioctl(t, p, cmd, arg);
		return cmd == TIOCGPTPEER ? -EIO : -ENOTTY;
	}
}

long pty_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct pty_file *pf = pty_file_of(f);
	struct pty *p = pf->pty;
	int r;

	if (!pf->master && p->hungup)
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	if (!pf->master && changes(cmd)) {
		r = session_tty_check(t, &p->link, SIGTTOU);
		if (r < 0)
			return r;
	}
	return common_ioctl(t, p, pf, cmd, arg);
}
