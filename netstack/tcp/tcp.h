/*
 * tcp.h - a TCP connection (RFC 9293) and what its files share.
 *
 *   ep.c       the endpoint table: bind, connect, shutdown, close, poll
 *   listen.c   listeners, half-open requests, accept       cookie.c  SYN cookies
 *   in.c       a segment arrives: which connection, states  tw.c      TIME_WAIT
 *   ack.c      what an ACK means    sack.c  the scoreboard   rack.c    what is lost
 *   recovery.c reacting to loss     rtt.c   the timeout      reno.c cubic.c hystart.c
 *   rcvq.c     data in, reordering, windows, reading
 *   sndq.c     data to send         out.c   what may be sent now   seg.c  building it
 *   timer.c    all timers           opts.c  socket options
 *   fastopen.c cookies and what they allow              delack.c when to acknowledge
 *   mtuprobe.c how long a segment may be, found out by trying
 *
 * Sequence numbers are u32 and compared modulo 2^32.  Everything is under
 * ep.mu, except the reader's copies (ep.rd_mu).  A connection is in the
 * connection table from connect() or the end of the handshake until CLOSED.
 */
#pragma once
#include "netstack/core/ep.h"
#include "netstack/tcp/cc.h"
#include "netstack/tcp/conntab.h"
#include "netstack/wire/tcp.h"

enum tcp_state {        /* Linux' numbers */
	TCPS_ESTABLISHED = 1, TCPS_SYN_SENT, TCPS_SYN_RECV, TCPS_FIN_WAIT1, TCPS_FIN_WAIT2,
	TCPS_TIME_WAIT, TCPS_CLOSE, TCPS_CLOSE_WAIT, TCPS_LAST_ACK, TCPS_LISTEN, TCPS_CLOSING,
};
/* Linux' socket->state, which lags behind the connection's own: what was told of it, and how connect() goes on. */
enum tcp_told { SS_FREE, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING };

#define STATE_BIT(s) (1u << (s))
#define STATES_SYNCED (~(STATE_BIT(TCPS_CLOSE) | STATE_BIT(TCPS_SYN_SENT) | STATE_BIT(TCPS_LISTEN)))
#define STATES_CAN_SEND (STATE_BIT(TCPS_ESTABLISHED) | STATE_BIT(TCPS_CLOSE_WAIT))

/* In the order in which they fire when several are late: a probe goes instead of the timeout, which it moves away. */
enum tcp_timer {
	TT_PTO, TT_REXMIT, TT_PERSIST, TT_REO, TT_DELACK, TT_KEEP, TT_LINGER, TT_PACE, TT_MAX
};

/* Busy at all, and then: no window from the peer, no room for the writer. */
enum tcp_chrono { CHRONO_IDLE, CHRONO_BUSY, CHRONO_RWND, CHRONO_SNDBUF, CHRONO_MAX };

enum tcp_ca { CA_OPEN, CA_CWR, CA_RECOVERY, CA_LOSS };

#define NSEC_MS          1000000ull
#define NSEC_S           1000000000ull
#define TCP_RTO_MIN      (200 * NSEC_MS)
#define TCP_RTO_MAX      (120 * NSEC_S)
#define TCP_RTO_INIT     (1 * NSEC_S)
#define TCP_DELACK       (40 * NSEC_MS)
#define TCP_MSS_MIN      88u
#define TCP_MSS_DEFAULT  536u
#define TCP_INIT_CWND    10u
#define TCP_TW_NS        (60 * NSEC_S)
#define TCP_OOO_MAX      1024
/* Buffers of connections over loopback grow to this only: there is no round trip to fill, and what waits longer has left the cache. */
#define TCP_LOOP_BUF     (512u * 1024)

static inline bool seq_lt(u32 a, u32 b) { return (s32)(a - b) < 0; }
static inline bool seq_le(u32 a, u32 b) { return (s32)(a - b) <= 0; }
static inline bool seq_gt(u32 a, u32 b) { return (s32)(a - b) > 0; }
static inline bool seq_ge(u32 a, u32 b) { return (s32)(a - b) >= 0; }
static inline u32 seq_max(u32 a, u32 b) { return seq_gt(a, b) ? a : b; }
static inline u32 seq_min(u32 a, u32 b) { return seq_lt(a, b) ? a : b; }

/* Bytes of the send queue: a part of a block, in sequence order. */
struct chunk {
	struct list_head node;
	struct pblock *b;
	u32 off, len, seq;
	bool eor;               /* MSG_EOR: its last byte ends a segment */
};

/* One transmission still in flight or lost. */
enum { TXR_SACKED = 1, TXR_LOST = 2, TXR_RETRANS = 4, TXR_EVER = 8, TXR_PSH = 16 };
struct txr {
	struct list_head node;
	u32 seq, end;
	u64 sent;               /* last transmission, ns */
	u8 flags;
};

struct rtt_est { u64 srtt, var, min, rto; u32 backoff; bool valid; u64 min_at; };

/* One send that SO_TIMESTAMPING tells of: its last byte, and SOF_TIMESTAMPING_TX_* still to be told. */
struct ts_wait { struct list_head node; u32 last, flags; };

/* One send by MSG_ZEROCOPY. */
struct zc_wait { struct list_head node; u32 end, id; };

struct accept_q {
	struct list_head ready;         /* struct tcp_ep by acc_node */
	u32 n, max;
	u32 nreq;
	struct list_head reqs;          /* struct synreq */
	_Atomic u32 fo_pending;         /* Fast Open children whose handshake is not done */
};

struct tcp_ep {
	struct ep ep;
	struct connnode conn;
	u8 state;
	bool in_table;
	/* Small fields of below, together: there is one of these for each idle connection. */
	u8 ca, reo_mult, pushed, urg_byte;
	bool rack_reordered, tlp_out;

	/* Sending. */
	struct list_head chunks;
	struct chunk *cursor;           /* the chunk last sent from */
	u32 iss, snd_una, snd_nxt, write_seq, snd_wnd, snd_wl1, snd_wl2, max_wnd, snd_up;
	u8 snd_wscale, rcv_wscale;
	bool fin_queued, fin_sent, urg_out;
	u32 push_seq, reserved;         /* last end of a write without MSG_MORE; bytes being copied in */
	bool more_now;                  /* this very send said MSG_MORE */
	bool force_out;                 /* the persist timer: hold nothing back */
	bool has_eor;                   /* some chunk may have eor */
	u32 snd_sml;                    /* end of the last segment that was not full (Minshall) */
	u32 max_out, max_out_end;       /* most bytes in flight in this window of data */
	u16 mss, peer_mss, user_mss;    /* mss: payload of one segment now */
	u32 pmtu;
	struct mtup { u32 low, high, size, start, end, ssthresh; u64 at; bool on; } mtup;       /* size: of the probe in flight, 0: none */
	u64 last_send;
	u64 pace_next;                  /* SO_MAX_PACING_RATE: when the next segment may go */

	/* Scoreboard and loss. */
	struct list_head txrs;
	u32 ntxr, sacked, lost, retrans;        /* bytes */
	u32 high_sacked, dupacks, recover;
	u64 rack_sent, rack_rtt;                /* RFC 8985 */
	u32 rack_end;
	u32 reordering, reord_seen;             /* segments that may overtake one; how often seen */
	u32 tlp_end;
	u32 prr_delivered, prr_out, prr_flight;
	u64 delivered;
	u32 undo_cwnd, undo_ssthresh;
	u64 total_retrans;
	u32 ndelivered;                         /* segments, as tcpi_delivered counts */
	u32 retries;                            /* timeouts since progress */
	u64 first_retry;
	u32 probes;                             /* unanswered keepalives or window probes */
	u32 zc_next, n_tsq;                     /* of the lists zc and tsq */

	/* Congestion control. */
	const struct cc_ops *cc;
	u32 cwnd, ssthresh;
	struct { u64 epoch, k; u32 wmax, origin, last_max, west; u32 acc; } cub;
	struct { u64 last_min, cur_min, css_min; u32 end, samples, css_rounds; bool begun, css; } hy;   /* HyStart++ */
	struct rtt_est rtt;

	/* Receiving. */
	struct list_head rcvq, oooq;
	u32 irs, rcv_nxt, rcv_adv, copied_seq, rcvq_len, ooo_n, ooo_mem;
	u32 rcv_ssthresh;               /* the window opens by slow start, too */
	u32 quickack, rcv_mss, last_seg;
	u64 last_recv, last_data, ato, last_oow_ack;    /* last_recv: anything; last_data: with data */
	struct { u32 start, end; } rx_sack[TCP_SACK_MAX], dsack;
	u8 n_rx_sack;
	bool has_dsack, ack_now, ack_pending, pingpong;
	bool urg_valid, urg_have;
	u32 urg_seq;
	struct { u64 at; u32 seq, space; } drs;     /* receive buffer tuning */
	u64 rcv_rtt;

	/* Options agreed upon. */
	bool ts_ok, sack_ok, wscale_ok;
	u32 ts_recent, ts_off, last_ack_sent;
	u32 syn_tsval;                  /* of our first SYN */
	u64 ts_recent_at;

	/* MSG_ZEROCOPY: sends whose bytes are not acknowledged, oldest first (struct zc_wait). */
	struct list_head zc;

	/* Sends that asked for timestamps and are not done, oldest first (struct ts_wait); tstamp.c. */
	struct list_head tsq;

	/* ECN (RFC 3168). */
	bool ecn_asked, ecn_ok, ecn_seen, ecn_echo, ecn_cwr;    /* echo: ECE till CWR; cwr: owed to the peer */
	bool cwnd_limited, was_limited;         /* of congestion control */
	bool fin_rcvd;
	u32 auto_label;                 /* of IPv6, worked out with the first segment */
	bool port_asked;                /* by bind(): it stays when the connection ends */
	u8 ss;                          /* SS_*: what connect() has told */
	bool nodelay, cork, inq, thin;  /* what the user asked for; thin is only shown */
	u8 chrono_now;                  /* see chrono */

	/* What holds sending back, for TCP_INFO: the longest times, ns. */
	struct { u64 since, ns[CHRONO_MAX]; } chrono;

	/* Timers: one heap entry, several deadlines. */
	struct ntimer timer;
	u64 due[TT_MAX];

	/* What the user asked for. */
	u32 keep_idle, keep_intvl, keep_cnt, user_timeout_ms, syn_cnt, defer_s, window_clamp;
	s32 linger2;
	u32 notsent_lowat;              /* 0: the sysctl's */

	/* Fast Open (RFC 7413). */
	struct {
		bool connect, no_cookie;        /* TCP_FASTOPEN_CONNECT, _NO_COOKIE */
		bool deferred;                  /* connect() said yes; the SYN goes with the first bytes */
		bool taking;                    /* a sender copies the SYN's data */
		bool asked, exp, data;          /* what our SYN carried */
		bool data_acked;                /* SYN data was taken, theirs or ours */
		bool more;                      /* a blocked writer has more: it takes the ACK along */
		bool child;                     /* made by a SYN; its SYN-ACK is not acknowledged */
		u8 nkeys;
		struct tfo_cookie cookie;       /* for the SYN or SYN-ACK */
		u32 backlog;                    /* listener: TCP_FASTOPEN */
		struct sipkey key[2];           /* TCP_FASTOPEN_KEY */
		struct tcp_ep *listener;        /* a reference, while it counts in fo_pending */
	} fo;

	/* Listening, and waiting to be accepted. */
	struct accept_q *aq;
	struct list_head acc_node;
	struct tcp_ep *parent;          /* not yet accepted: the listener (a reference) */

	struct { u64 bytes_acked, bytes_received, bytes_sent, bytes_retrans; u32 segs_in, segs_out,
		 data_segs_in, data_segs_out, dsacks; } st;
};

struct synreq {
	struct connnode conn;
	struct ref ref;
	struct list_head node;          /* listener's aq->reqs */
	struct stack *stack;
	struct tcp_ep *listener;        /* a reference */
	struct ntimer timer;
	u32 iss, irs, ts_recent, ts_off, flow;
	u16 mss;
	u8 snd_wscale, rcv_wscale, retries, tos;
	bool ts_ok, sack_ok, wscale_ok, ecn_ok, acked, dead, in_list;
	u32 ifindex;
	u64 sent;
	struct tfo_cookie fo;
	struct ip4_opts *opts4;         /* what the SYN brought, turned round; NULL: nothing */
	struct rt rt;
};

struct tcp_tw {
	struct connnode conn;
	struct ref ref;
	struct stack *stack;
	struct ntimer timer;
	u32 snd_nxt, rcv_nxt, ts_recent, ts_off;
	u64 ts_at, due;
	u16 wnd;
	u32 uid;
	u64 ino;
	bool ts_ok, v6;
	struct bindnode bind;           /* keeps the port from others; ep is NULL */
	struct rt rt;
};

/* A segment on its way in. */
struct tcp_seg {
	struct tcp_hdr h;
	struct tcp_opts o;
	u32 len;                /* payload */
	u32 end;                /* seq after it, SYN and FIN counted */
	u32 wnd;                /* scaled */
};

static inline struct tcp_ep *tcp(struct ep *e) { return container_of(e, struct tcp_ep, ep); }
static inline struct tcp_ep *tcp_of_conn(struct connnode *n)
{
	return container_of(n, struct tcp_ep, conn);
}
static inline bool in_states(const struct tcp_ep *t, u32 bits) { return STATE_BIT(t->state) & bits; }
static inline u64 tcp_now(struct tcp_ep *t) { return stack_now(t->ep.stack); }
static inline u32 tcp_tsval(struct stack *s, u32 off) { return (u32)(stack_now(s) / NSEC_MS) + off; }
static inline u32 tcp_flight(const struct tcp_ep *t)
{
	u32 out = t->snd_nxt - t->snd_una + t->retrans, gone = t->sacked + t->lost;

	return out > gone ? out - gone : 0;
}
struct ref *conn_mini_ref(struct connnode *n);
void conn_mini_free(struct connnode *n);

/* ep.c */
struct tcp_ep *tcp_new_child(struct tcp_ep *listener);
void tcp_set_state(struct tcp_ep *t, enum tcp_state st);
void tcp_established(struct tcp_ep *t);         /* handshake done: buffers, timers, events */
void tcp_start_sending(struct tcp_ep *t);       /* windows and clocks before the first byte */
/* connect() up to the SYN, which tcp_launch() sends; mu held. */
int tcp_connect_state(struct tcp_ep *t);        /* 0: connect() may start */
int tcp_prepare(struct tcp_ep *t, const struct net_sa *sa);
void tcp_launch(struct tcp_ep *t, u32 len);
void tfo_handshake_done(struct tcp_ep *t);
/* The connection is over: @err for the owner (positive, 0 none), out of all tables. */
void tcp_done(struct tcp_ep *t, int err);
void tcp_send_rst(struct tcp_ep *t);
void tcp_init_fields(struct tcp_ep *t);
u32 tcp_isn(struct stack *s, const struct connkey *k);
u32 tcp_ts_offset(struct stack *s, const struct connkey *k);
void tcp_connkey(const struct tcp_ep *t, struct connkey *ret);
void tcp_write_space(struct tcp_ep *t);
/* A buffer of @now bytes may grow to @want, but not beyond @limits (tcp_rmem, tcp_wmem). */
u32 tcp_tuned(const struct tcp_ep *t, u32 now, u32 want, const s32 *limits);
/* TIME_WAIT takes over from @t; tw.c */
void tcp_time_wait(struct tcp_ep *t);
void tw_input(struct nic *n, struct tcp_tw *tw, struct pktbuf *p, struct tcp_seg *g, bool *ret_again);
bool tw_recycle(struct stack *s, const struct connkey *k, u32 *ret_isn);

/* in.c */
void tcp_rx(struct nic *n, struct pktbuf *p);
void tcp_input(struct tcp_ep *t, struct nic *n, struct pktbuf *p, struct tcp_seg *g);
void tcp_challenge_ack(struct tcp_ep *t);
int tcp_dump_mini(struct stack *s, ep_dump_fn *fn, void *arg);

/* listen.c, cookie.c */
int tcp_listen(struct ep *e, int backlog);
int tcp_accept(struct ep *e, struct net_sa *peer, struct ep **ret);
void listen_input(struct tcp_ep *l, struct nic *n, struct pktbuf *p, struct tcp_seg *g);
void req_input(struct synreq *q, struct nic *n, struct pktbuf *p, struct tcp_seg *g);
void listen_stop(struct tcp_ep *l);
void req_icmp(struct synreq *q, u32 seq, bool hard);
void req_free(struct synreq *q);
void req_kill(struct synreq *q);                /* out of table, list and timer */
u32 cookie_make(struct stack *s, const struct connkey *k, u32 irs, u16 mss);
bool cookie_check(struct stack *s, const struct connkey *k, u32 irs, u32 cookie, u16 *ret_mss);
struct tcp_ep *req_to_child(struct synreq *q);

/* ack.c, sack.c, rack.c, recovery.c, rtt.c */
/* False: the segment must not be looked at further. */
bool tcp_ack(struct tcp_ep *t, const struct tcp_seg *g);
void tcp_rtt_sample(struct tcp_ep *t, u64 ns);
u64 tcp_rto(const struct tcp_ep *t);
struct txr *txr_add(struct tcp_ep *t, u32 seq, u32 end);
void txr_purge(struct tcp_ep *t);
void txr_mark_lost(struct tcp_ep *t, struct txr *x);
void txr_sent_again(struct tcp_ep *t, struct txr *x, u64 now);
struct txr *txr_split(struct tcp_ep *t, struct txr *x, u32 at);
struct ack_info {
	u64 now;
	u32 acked, sacked;      /* bytes newly acknowledged, selectively */
	u64 rtt;                /* sample, 0 none */
	bool dsack, progress, retrans_acked, was_limited;
	u32 newly;              /* bytes that were not known to have arrived before */
	u32 prior_flight;
};
u32 sack_process(struct tcp_ep *t, const struct tcp_seg *g, struct ack_info *a);
void txr_ack(struct tcp_ep *t, u32 ack, struct ack_info *a);
void rack_seen(struct tcp_ep *t, const struct txr *x, u64 now);
/* Mark what is lost by now; true when anything was. */
bool rack_detect(struct tcp_ep *t, u64 now);
void recovery_enter(struct tcp_ep *t, u64 now);
void recovery_cwr(struct tcp_ep *t, u64 now);   /* the peer saw congestion */
void recovery_step(struct tcp_ep *t, const struct ack_info *a, bool lost);
void recovery_timeout(struct tcp_ep *t, u64 now);

/* hystart.c: every ACK of new data (@rtt 0: no sample), and what @acked bytes give in slow start. */
void hystart_init(struct tcp_ep *t);
void hystart_ack(struct tcp_ep *t, u64 rtt);
u32 hystart_growth(const struct tcp_ep *t, u32 acked);

/* tstamp.c: the last byte of a send was queued, sent (up to snd_nxt), is about to be acknowledged. */
void ts_note(struct tcp_ep *t);
void ts_sent(struct tcp_ep *t);
void ts_acked(struct tcp_ep *t, u32 una);
void ts_purge(struct tcp_ep *t);

/* rcvq.c, rcvread.c */
void rcv_data(struct tcp_ep *t, struct pktbuf *p, struct tcp_seg *g);
u32 rcv_window(struct tcp_ep *t);               /* bytes we could take now */
u32 rcv_fresh_window(struct tcp_ep *t);         /* what we would like to advertise */
u32 rcv_clamp(const struct tcp_ep *t);          /* the largest window ever */
u32 rcv_select_window(struct tcp_ep *t);        /* what to advertise, unscaled, never shrinking */
void rcv_purge(struct tcp_ep *t);
void rcv_purge_ooo(struct tcp_ep *t);
void rcv_consume(struct tcp_ep *t, u32 n);              /* take bytes off the queue; mu held */
void rcv_init(struct tcp_ep *t);
ssize_t tcp_recv(struct ep *e, struct net_msg *m);
void rcv_tune(struct tcp_ep *t);
void rcv_dsack(struct tcp_ep *t, u32 start, u32 end);   /* tell of a duplicate */
void rcv_urgent(struct tcp_ep *t, struct pktbuf *p, const struct tcp_seg *g);

/* delack.c */
void ack_data_received(struct tcp_ep *t, u32 len, u32 gso, bool psh);
void ack_check(struct tcp_ep *t);               /* at once (ack_now) or by the timer? */
void ack_later(struct tcp_ep *t);
void ack_quickly(struct tcp_ep *t);
void ack_sent(struct tcp_ep *t);
void ack_data_sent(struct tcp_ep *t);
void ack_timeout(struct tcp_ep *t);
void ack_after_read(struct tcp_ep *t, u32 copied);
void ack_set_quick(struct tcp_ep *t, int v);

/* sndq.c */
ssize_t tcp_send(struct ep *e, struct net_msg *m);
bool tcp_window_limited(const struct tcp_ep *t);        /* by the congestion window, that is */
void tcp_chrono_set(struct tcp_ep *t, enum tcp_chrono what);
u64 tcp_pacing_rate(const struct tcp_ep *t);            /* bytes a second */
u32 sndq_space(const struct tcp_ep *t);
/* Blocks filled with the caller's bytes (without mu), and putting them behind the last byte. */
ssize_t sndq_fill(struct tcp_ep *t, struct net_io *io, size_t n, struct list_head *out);
void sndq_append(struct tcp_ep *t, struct list_head *chunks);
void sndq_drop(struct list_head *chunks);
u32 sndq_gather(struct tcp_ep *t, struct pktbuf *p, u32 seq, u32 len);
/* Bytes from @seq, at most @len, that no record boundary divides. */
u32 sndq_record(const struct tcp_ep *t, u32 seq, u32 len);
void sndq_ack(struct tcp_ep *t, u32 una);
void zc_note(struct tcp_ep *t, const struct net_msg *m);
void zc_done(struct tcp_ep *t, u32 una);        /* tell of sends that end at or before @una */
void sndq_purge(struct tcp_ep *t);

/* out.c, seg.c */
void tcp_output(struct tcp_ep *t);              /* send what may be sent now, arm timers */
int tcp_route(struct tcp_ep *t);
void tcp_sync_mss(struct tcp_ep *t);

/* mtuprobe.c */
enum mtup_next { MTUP_NONE, MTUP_WAIT, MTUP_SEND };
void mtup_begin(struct tcp_ep *t);              /* the peer's options are known */
u32 mtup_limit(struct tcp_ep *t, u32 mtu);      /* how much of the path's MTU may be used */
void mtup_black_hole(struct tcp_ep *t);         /* another timeout */
enum mtup_next mtup_probe(struct tcp_ep *t, u32 *ret_len) must_check;   /* should the next segment be a probe, how long? */
void mtup_sent(struct tcp_ep *t, u32 len);
void mtup_acked(struct tcp_ep *t);
bool mtup_lost(struct tcp_ep *t);               /* was the probe all that was lost?  It is repaired, and says nothing of congestion */
void mtup_repaired(struct tcp_ep *t);

/* Bytes of payload that went out, or -errno. */
int tcp_xmit(struct tcp_ep *t, u32 seq, u32 len, u8 flags);
void tcp_send_ack(struct tcp_ep *t);
void tcp_send_syn(struct tcp_ep *t, bool ack, u32 len);
bool tcp_retransmit(struct tcp_ep *t, struct txr *x);
u32 tcp_notsent_lowat(const struct tcp_ep *t);
void tcp_send_probe(struct tcp_ep *t);          /* una - 1: keepalive and window probes */
void tcp_arm_tlp(struct tcp_ep *t);
/* Stateless answers: SYN-ACK of a request, ACK of a TIME_WAIT, RST to a stray. */
struct tcp_reply {
	struct connkey key;
	u32 seq, ack;
	u8 flags, ttl, tos;
	u16 wnd;
	struct tcp_opts o;
	u32 flow;
	const struct ip4_opts *opts4;   /* NULL: none */
	const struct ip6_ext *ext6;     /* NULL: none */
};
/* The IPv4 options of an answer to @p; false: there can be none. */
bool tcp_opts_echo(struct stack *s, const struct pktbuf *p, struct ip4_opts *ret) must_check;
void tcp_send_reply(struct stack *s, struct rt *rt, const struct tcp_reply *r);
void tcp_rst_stray(struct nic *n, struct pktbuf *p, const struct tcp_seg *g);

/* timer.c */
void tcp_timer_set(struct tcp_ep *t, enum tcp_timer which, u64 due);
static inline void tcp_timer_off(struct tcp_ep *t, enum tcp_timer which) { t->due[which] = NET_NEVER; }
void tcp_timer_fire(struct ntimer *n);
void tcp_rearm_rexmit(struct tcp_ep *t);
void tcp_keepalive_arm(struct tcp_ep *t);

/* opts.c */
int tcp_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len);
int tcp_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len);
struct tcp_info;
void tcp_fill_info(struct tcp_ep *t, struct tcp_info *i);        /* mu held */
