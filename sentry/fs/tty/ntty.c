/*
 * ntty.c - see ntty.h.  Behaviour is that of Linux's n_tty where programs can tell.
 */
#include "sentry/fs/tty/ntty.h"

#include <signal.h>
#include <string.h>
#include <termios.h>

#define IN(i)  ((i) & (NTTY_IN - 1))
#define OUT(i) ((i) & (NTTY_OUT - 1))
#define SIG(s) (1ull << ((s) - 1))
#define ECHO_SLACK 32u                  /* room kept for echo when a writer fills the ring */

static bool l(const struct ntty *n, u32 f) { return n->tio.lflag & f; }
static bool i(const struct ntty *n, u32 f) { return n->tio.iflag & f; }
static bool o(const struct ntty *n, u32 f) { return n->tio.oflag & f; }
/* A control character that is not disabled. */
static bool is_cc(const struct ntty *n, int which, u8 c) { return c && n->tio.cc[which] == c; }
static bool is_cont(const struct ntty *n, u8 c) { return i(n, IUTF8) && (c & 0xc0) == 0x80; }
static bool is_ctrl(u8 c) { return c < 0x20 || c == 0x7f; }

void ntty_init(struct ntty *n)
{
	static const u8 cc[LX_NCCS] = {
		[VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1,
		[VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15,
		[VWERASE] = 23, [VLNEXT] = 22,
	};

	memset(n, 0, sizeof(*n));
	n->tio = (struct lx_termios2){
		.iflag = ICRNL | IXON,
		.oflag = OPOST | ONLCR,
		.cflag = B38400 | CS8 | CREAD,
		.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.ispeed = 38400, .ospeed = 38400,
	};
	memcpy(n->tio.cc, cc, sizeof(cc));
}

void ntty_set_termios(struct ntty *n, const struct lx_termios2 *tio)
{
	bool was = l(n, ICANON), had_flow = i(n, IXON);

	n->tio = *tio;
	if (was != l(n, ICANON)) {
		/* What is there now is one line, whatever it was. */
		for (u32 k = n->tail; k != n->head; k++)
			n->mark[IN(k)] = 0;
		if (n->head != n->tail)
			n->mark[IN(n->head - 1)] = NTTY_EOL;
		n->canon = n->head;
	}
	if (had_flow && !i(n, IXON))
		ntty_stop(n, false);
}

/* ---- output ---- */

size_t ntty_out_count(const struct ntty *n) { return n->ohead - n->otail; }
size_t ntty_out_room(const struct ntty *n)
{
	size_t used = ntty_out_count(n);

	return n->stopped || used + ECHO_SLACK >= NTTY_OUT ? 0 : NTTY_OUT - ECHO_SLACK - used;
}

static void out_raw(struct ntty *n, u8 c)
{
	if (ntty_out_count(n) < NTTY_OUT)
		n->out[OUT(n->ohead++)] = c;
}

static void track_column(struct ntty *n, u8 c)
{
	if (c == '\r' || c == '\n')
		n->column = 0;
	else if (c == '\t')
		n->column = (n->column | 7) + 1;
	else if (c == '\b')
		n->column -= n->column > 0;
	else if (!is_ctrl(c) && !is_cont(n, c))
		n->column++;
}

/* One byte with output processing; at most 8 bytes come of it. */
static void out_char(struct ntty *n, u8 c)
{
	if (!o(n, OPOST)) {
		out_raw(n, c);
		track_column(n, c);
		return;
	}
	switch (c) {
	case '\n':
		if (o(n, ONLCR))
			out_raw(n, '\r');
		if (o(n, ONLCR | ONLRET))
			n->column = 0;
		out_raw(n, '\n');
		return;
	case '\r':
		if (o(n, ONOCR) && n->column == 0)
			return;
		n->column = 0;
		out_raw(n, o(n, OCRNL) ? '\n' : '\r');
		return;
	case '\t':
		if ((n->tio.oflag & TABDLY) == XTABS) {
			do {
				out_raw(n, ' ');
				n->column++;
			} while (n->column & 7);
			return;
		}
		break;
	default:
		if (o(n, OLCUC) && c >= 'a' && c <= 'z')
			c = (u8)(c - 'a' + 'A');
		break;
	}
	track_column(n, c);
	out_raw(n, c);
}

size_t ntty_write(struct ntty *n, const u8 *p, size_t len)
{
	size_t k;

	for (k = 0; k < len && ntty_out_room(n) >= 8; k++)
		out_char(n, p[k]);
	return k;
}

size_t ntty_out_ready(const struct ntty *n) { return (n->stopped ? n->ostop : n->ohead) - n->otail; }

void ntty_stop(struct ntty *n, bool on)
{
	if (!on && n->held)
		return;
	if (on && !n->stopped)
		n->ostop = n->ohead;
	n->stopped = on;
}

const u8 *ntty_out_peek(const struct ntty *n, size_t *ret_len)
{
	size_t count = ntty_out_ready(n), to_end = NTTY_OUT - OUT(n->otail);

	if (!count)
		return NULL;
	*ret_len = MIN(count, to_end);
	return n->out + OUT(n->otail);
}

void ntty_out_drop(struct ntty *n, size_t len) { n->otail += (u32)MIN(len, ntty_out_count(n)); }
void ntty_send_raw(struct ntty *n, u8 c) { out_raw(n, c); }
void ntty_flush_out(struct ntty *n) { n->otail = n->ostop = n->ohead; }

void ntty_drop_unsent(struct ntty *n)
{
	n->ohead = n->ostop = n->otail + (u32)MIN(ntty_out_ready(n), (size_t)NTTY_SENT);
}

/* ---- echo ---- */

static void echo(struct ntty *n, u8 c)
{
	if (l(n, ECHOCTL) && is_ctrl(c) && c != '\t') {
		out_raw(n, '^');
		out_raw(n, c ^ 0100);
		n->column += 2;
		return;
	}
	out_char(n, c);
}

/* Columns that the edited line takes up to input position @end. */
static u32 column_at(const struct ntty *n, u32 end)
{
	u32 col = n->canon_column;

	for (u32 k = n->canon; k != end; k++) {
		u8 c = n->in[IN(k)];

		if (c == '\t')
			col = (col | 7) + 1;
		else if (is_ctrl(c))
			col += l(n, ECHOCTL) ? 2 : 0;
		else if (!is_cont(n, c))
			col++;
	}
	return col;
}

static void back(struct ntty *n, bool wipe)
{
	out_raw(n, '\b');
	if (wipe) {
		out_raw(n, ' ');
		out_raw(n, '\b');
	}
	n->column -= n->column > 0;
}

/* Rub out @c, which was the last of the line: a tab goes back only, to where the rest of the line ends. */
static void echo_rubout(struct ntty *n, u8 c)
{
	if (c == '\t') {
		for (u32 k = 8 - (column_at(n, n->head) & 7); k > 0; k--)
			back(n, false);
		return;
	}
	if (is_ctrl(c) && !l(n, ECHOCTL))
		return;
	if (is_ctrl(c))
		back(n, true);
	back(n, true);
}

static void erase_one(struct ntty *n)
{
	u8 c;

	do
		c = n->in[IN(--n->head)];
	while (n->head != n->canon && is_cont(n, c));
	if (l(n, ECHO) && l(n, ECHOE))
		echo_rubout(n, c);
}

static bool is_word(u8 c)
{
	/* Linux' letters are those of Latin-1, which the first byte of any in UTF-8 looks like, too. */
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static void erase_word(struct ntty *n)
{
	bool seen = false;

	while (n->head != n->canon) {
		u32 k = n->head;
		bool word;

		do
			k--;
		while (k != n->canon && is_cont(n, n->in[IN(k)]));
		word = is_word(n->in[IN(k)]);
		if (seen && !word)
			break;
		seen |= word;
		erase_one(n);
	}
}

static void erase_line(struct ntty *n)
{
	if (l(n, ECHO) && l(n, ECHOK) && l(n, ECHOKE) && l(n, ECHOE)) {
		while (n->head != n->canon)
			erase_one(n);
		return;
	}
	n->head = n->canon;
	if (!l(n, ECHO))
		return;
	echo(n, n->tio.cc[VKILL]);
	if (l(n, ECHOK))
		out_char(n, '\n');
}

/* ---- input ---- */

static u32 in_room(const struct ntty *n) { return NTTY_IN - 1 - (n->head - n->tail); }

static void put_in(struct ntty *n, u8 c, u8 mark)
{
	n->mark[IN(n->head)] = mark;
	n->in[IN(n->head++)] = c;
}

static void finish_line(struct ntty *n, u8 c, u8 mark)
{
	put_in(n, c, mark);
	n->canon = n->head;
	n->canon_column = n->column;
}

static bool input_signal(struct ntty *n, u8 c, u64 *sigs)
{
	int sig = 0;

	if (!l(n, ISIG))
		return false;
	if (is_cc(n, VINTR, c))
		sig = SIGINT;
	else if (is_cc(n, VQUIT, c))
		sig = SIGQUIT;
	else if (is_cc(n, VSUSP, c))
		sig = SIGTSTP;
	if (!sig)
		return false;
	if (!l(n, NOFLSH)) {
		ntty_flush_in(n);
		ntty_drop_unsent(n);
	}
	if (i(n, IXON))
		ntty_stop(n, false);
	if (l(n, ECHO))
		echo(n, c);
	*sigs |= SIG(sig);
	return true;
}

static bool input_flow(struct ntty *n, u8 c)
{
	if (!i(n, IXON))
		return false;
	if (is_cc(n, VSTART, c)) {
		ntty_stop(n, false);
		return true;
	}
	if (is_cc(n, VSTOP, c)) {
		ntty_stop(n, true);
		return true;
	}
	return false;
}

static void reprint(struct ntty *n)
{
	echo(n, n->tio.cc[VREPRINT]);
	out_char(n, '\n');
	n->canon_column = n->column;
	for (u32 k = n->canon; k != n->head; k++)
		echo(n, n->in[IN(k)]);
}

/* Editing characters of canonical mode. True if @c was one. */
static bool input_edit(struct ntty *n, u8 c)
{
	bool any = n->head != n->canon;

	if (is_cc(n, VERASE, c)) {
		if (any && l(n, ECHO) && !l(n, ECHOE))
			echo(n, c);
		if (any)
			erase_one(n);
		return true;
	}
	if (is_cc(n, VKILL, c)) {
		if (any)
			erase_line(n);
		return true;
	}
	if (!l(n, IEXTEN))
		return false;
	if (is_cc(n, VWERASE, c)) {
		erase_word(n);
		return true;
	}
	if (is_cc(n, VREPRINT, c) && l(n, ECHO)) {
		reprint(n);
		return true;
	}
	if (is_cc(n, VLNEXT, c)) {
		n->lnext = true;
		if (l(n, ECHO) && l(n, ECHOCTL)) {
			out_raw(n, '^');
			out_raw(n, '\b');
		}
		return true;
	}
	return false;
}

/* @plain: echo it as it is, also if it is a control character. */
static void input_ordinary(struct ntty *n, u8 c, bool plain)
{
	/* The last place of a canonical line is for its end. */
	if (in_room(n) <= (l(n, ICANON) ? 1u : 0u)) {
		if (i(n, IMAXBEL))
			out_raw(n, '\a');
		return;
	}
	if (l(n, ECHO)) {
		if (n->head == n->canon)
			n->canon_column = n->column;
		if (plain)
			out_char(n, c);
		else
			echo(n, c);
	}
	put_in(n, c, 0);
}

static void input_canon(struct ntty *n, u8 c)
{
	if (input_edit(n, c))
		return;
	if (c == '\n') {
		if (l(n, ECHO | ECHONL))
			out_char(n, '\n');
		finish_line(n, c, NTTY_EOL);
		return;
	}
	if (is_cc(n, VEOF, c)) {
		finish_line(n, 0, NTTY_EOF);
		return;
	}
	if (is_cc(n, VEOL, c) || (l(n, IEXTEN) && is_cc(n, VEOL2, c))) {
		if (l(n, ECHO))
			echo(n, c);
		finish_line(n, c, NTTY_EOL);
		return;
	}
	input_ordinary(n, c, false);
}

static void input_char(struct ntty *n, u8 c, u64 *sigs)
{
	bool from_cr = false;

	if (i(n, ISTRIP))
		c &= 0x7f;
	if (i(n, IUCLC) && l(n, IEXTEN) && c >= 'A' && c <= 'Z')
		c = (u8)(c - 'A' + 'a');
	if (n->lnext) {
		n->lnext = false;
		input_ordinary(n, c, false);
		return;
	}
	if (input_flow(n, c))
		return;
	if (input_signal(n, c, sigs))
		return;
	if (n->stopped && i(n, IXON) && i(n, IXANY))
		ntty_stop(n, false);
	if (c == '\r') {
		if (i(n, IGNCR))
			return;
		from_cr = i(n, ICRNL);
		if (from_cr)
			c = '\n';
	} else if (c == '\n' && i(n, INLCR)) {
		c = '\r';
	}
	if (l(n, ICANON)) {
		input_canon(n, c);
		return;
	}
	if (c == '\n' && !l(n, ECHO) && l(n, ECHONL) && l(n, ICANON))
		out_char(n, c);
	input_ordinary(n, c, c == '\n' && from_cr);
}

size_t ntty_input(struct ntty *n, const u8 *p, size_t len, u64 *sigs)
{
	size_t k;

	for (k = 0; k < len; k++) {
		/* Full: wait for the reader, if there is something he can take. */
		if (in_room(n) == 0 && ntty_readable(n, 0) && !n->lnext)
			break;
		if (in_room(n) == 0 && l(n, ICANON))
			n->head--;              /* a line without end fills the ring: its last byte gives way */
		input_char(n, p[k], sigs);
	}
	return k;
}

bool ntty_readable(const struct ntty *n, u32 min)
{
	if (l(n, ICANON))
		return n->canon != n->tail;
	return n->head - n->tail >= MAX(min, 1u);
}

size_t ntty_read(struct ntty *n, u8 *dst, size_t len, bool *ret_eof)
{
	u32 end = l(n, ICANON) ? n->canon : n->head;
	size_t got = 0;

	*ret_eof = false;
	while (n->tail != end && got < len) {
		u8 mark = n->mark[IN(n->tail)];

		if (mark == NTTY_EOF && l(n, ICANON)) {
			n->tail++;
			*ret_eof = got == 0;
			break;
		}
		dst[got++] = n->in[IN(n->tail++)];
		if (mark == NTTY_EOL && l(n, ICANON))
			break;
	}
	/* Of a line that just fits, an end of file behind it belongs to it. */
	if (got == len && got && l(n, ICANON) && n->tail != end && n->mark[IN(n->tail)] == NTTY_EOF &&
	    n->mark[IN(n->tail - 1)] != NTTY_EOL)
		n->tail++;
	return got;
}

size_t ntty_in_count(const struct ntty *n)
{
	u32 end = l(n, ICANON) ? n->canon : n->head;
	size_t count = 0;

	for (u32 k = n->tail; k != end; k++)
		count += !l(n, ICANON) || n->mark[IN(k)] != NTTY_EOF;     /* raw, it is a zero */
	return count;
}

void ntty_flush_in(struct ntty *n)
{
	n->tail = n->canon = n->head;
	n->lnext = false;
}
