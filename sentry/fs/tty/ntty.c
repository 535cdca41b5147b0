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
	bool was = l(n, ICANON);

	n->tio = *tio;
	if (!was && l(n, ICANON)) {
		n->canon = n->tail;             /* what was typed raw is the line being edited */
	} else if (was && !l(n, ICANON)) {
		n->canon = n->head;
	}
	if (!i(n, IXON))
		n->stopped = false;
}

/* ---- output ---- */

size_t ntty_out_count(const struct ntty *n) { return n->ohead - n->otail; }
size_t ntty_out_room(const struct ntty *n)
{
	size_t used = ntty_out_count(n);

	return used + ECHO_SLACK >= NTTY_OUT ? 0 : NTTY_OUT - ECHO_SLACK - used;
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

const u8 *ntty_out_peek(const struct ntty *n, size_t *ret_len)
{
	size_t count = ntty_out_count(n), to_end = NTTY_OUT - OUT(n->otail);

	if (!count || n->stopped)
		return NULL;
	*ret_len = MIN(count, to_end);
	return n->out + OUT(n->otail);
}

void ntty_out_drop(struct ntty *n, size_t len) { n->otail += (u32)MIN(len, ntty_out_count(n)); }
void ntty_flush_out(struct ntty *n) { n->otail = n->ohead; }

/* ---- echo ---- */

static void echo(struct ntty *n, u8 c)
{
	if (l(n, ECHOCTL) && is_ctrl(c) && c != '\t' && c != '\n') {
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

/* Rub out what stood between column @to and the cursor. */
static void echo_rubout(struct ntty *n, u32 to)
{
	while (n->column > to) {
		out_raw(n, '\b');
		out_raw(n, ' ');
		out_raw(n, '\b');
		n->column--;
	}
}

static void erase_one(struct ntty *n)
{
	do
		n->head--;
	while (n->head != n->canon && is_cont(n, n->in[IN(n->head)]));
	if (l(n, ECHO) && l(n, ECHOE))
		echo_rubout(n, column_at(n, n->head));
}

static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static void erase_word(struct ntty *n)
{
	bool seen = false;

	while (n->head != n->canon) {
		bool word = is_word(n->in[IN(n->head - 1)]);

		if (seen && !word)
			break;
		seen |= word;
		erase_one(n);
	}
}

static void erase_line(struct ntty *n)
{
	n->head = n->canon;
	if (!l(n, ECHO))
		return;
	if (l(n, ECHOK) && l(n, ECHOKE) && l(n, ECHOE)) {
		echo_rubout(n, n->canon_column);
		return;
	}
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
		ntty_flush_out(n);
	}
	if (i(n, IXON))
		n->stopped = false;
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
		n->stopped = false;
		return true;
	}
	if (is_cc(n, VSTOP, c)) {
		n->stopped = true;
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

static void input_ordinary(struct ntty *n, u8 c)
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
	input_ordinary(n, c);
}

static void input_char(struct ntty *n, u8 c, u64 *sigs)
{
	if (i(n, ISTRIP))
		c &= 0x7f;
	if (i(n, IUCLC) && l(n, IEXTEN) && c >= 'A' && c <= 'Z')
		c = (u8)(c - 'A' + 'a');
	if (n->lnext) {
		n->lnext = false;
		input_ordinary(n, c);
		return;
	}
	if (input_flow(n, c))
		return;
	if (input_signal(n, c, sigs))
		return;
	if (n->stopped && i(n, IXON) && i(n, IXANY))
		n->stopped = false;
	if (c == '\r') {
		if (i(n, IGNCR))
			return;
		if (i(n, ICRNL))
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
	input_ordinary(n, c);
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

		if (mark == NTTY_EOF) {
			n->tail++;
			if (!l(n, ICANON))
				continue;
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
		count += n->mark[IN(k)] != NTTY_EOF;
	return count;
}

void ntty_flush_in(struct ntty *n)
{
	n->tail = n->canon = n->head;
	n->lnext = false;
}
