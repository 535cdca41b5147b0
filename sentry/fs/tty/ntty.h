/*
 * ntty.h - the line discipline of terminals (termios(3)), apart from files, tasks and locks.
 *
 * Two rings: input (from the master, after editing, for the slave's readers)
 * and output (from the slave's writers and from echo, for the master's reader).
 * Pure: the caller brings the lock, does the waiting and sends the signals
 * that a function reports.
 *
 * Invariant: tail <= canon <= head (modulo 2^32): [tail, canon) are finished lines, [canon, head)
 * is the line being edited.  In raw mode canon is not looked at.
 */
#pragma once
#include "platform/base/compiler.h"

#define NTTY_IN  4096u                  /* powers of two */
#define NTTY_OUT 8192u
#define NTTY_SENT 4095u
#define LX_NCCS  19

struct lx_termios2 {                    /* Linux: struct termios2; struct termios is all but the speeds */
	u32 iflag, oflag, cflag, lflag;
	u8 line, cc[LX_NCCS];
	u32 ispeed, ospeed;
};
#define LX_TERMIOS_SIZE 36

enum { NTTY_EOL = 1, NTTY_EOF = 2 };    /* marks on input bytes */

struct ntty {
	struct lx_termios2 tio;
	u8 in[NTTY_IN], mark[NTTY_IN];
	u32 tail, canon, head;
	u8 out[NTTY_OUT];
	u32 otail, ohead;
	u32 column;                     /* of the cursor, for tabs and erasing */
	u32 canon_column;               /* where the line being edited began */
	bool stopped;                   /* VSTOP or TCOOFF: nothing is written, and echo waits */
	bool held;                      /* by TCOOFF, which only TCOON ends */
	u32 ostop;                      /* while stopped: the master reads what is before */
	bool lnext;                     /* VLNEXT was typed */
};

void ntty_init(struct ntty *n);
void ntty_set_termios(struct ntty *n, const struct lx_termios2 *tio);

/*
 * Bytes typed at the master.  Returns how many were taken: fewer than @len when
 * the readers must catch up first.  *sigs gets SIGBIT-style bits (1 << (sig - 1)) to
 * send to the foreground group.
 */
size_t ntty_input(struct ntty *n, const u8 *p, size_t len, u64 *sigs);
/* Is there something to read, of which at least @min bytes in raw mode? */
bool ntty_readable(const struct ntty *n, u32 min);
/* Up to @len bytes; *ret_eof: an end of file stood first and was taken. In canonical mode at most one line. */
size_t ntty_read(struct ntty *n, u8 *dst, size_t len, bool *ret_eof);
size_t ntty_in_count(const struct ntty *n);     /* FIONREAD */

/* Bytes written at the slave, processed; how many were taken. */
size_t ntty_write(struct ntty *n, const u8 *p, size_t len);
void ntty_send_raw(struct ntty *n, u8 c);        /* START and STOP, past all processing */
size_t ntty_out_count(const struct ntty *n);
size_t ntty_out_room(const struct ntty *n);
/* What the master may read now: a contiguous piece; NULL if there is none or output is stopped. */
const u8 *ntty_out_peek(const struct ntty *n, size_t *ret_len);
void ntty_out_drop(struct ntty *n, size_t len);
size_t ntty_out_ready(const struct ntty *n);            /* all that the master may read now */
void ntty_stop(struct ntty *n, bool on);
/* Output that the master has not got yet goes: what fits its own buffer (Linux: N_TTY_BUF_SIZE - 1) it has. */
void ntty_drop_unsent(struct ntty *n);

void ntty_flush_in(struct ntty *n);
void ntty_flush_out(struct ntty *n);
