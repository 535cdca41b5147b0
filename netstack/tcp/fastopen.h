/*
 * fastopen.h - TCP Fast Open (RFC 7413): what a stack remembers, and the verbs.
 *
 * struct tfo hangs from the stack.  Its lock (RANK_STACK) guards the keys of
 * our cookies and the cache of cookies that peers gave us, a ring of bounded
 * size that is allocated with its first entry.
 */
#pragma once
#include "platform/base/lock.h"
#include "netstack/core/siphash.h"
#include "netstack/tcp/conntab.h"
#include "netstack/wire/tcp.h"

#define TFO_CACHE 128

/* Bits of net.ipv4.tcp_fastopen. */
enum {
	TFO_CLIENT = 1, TFO_SERVER = 2, TFO_CLIENT_NO_COOKIE = 4,
	TFO_SERVER_NO_COOKIE = 0x200, TFO_SERVER_ALWAYS = 0x400,
};

struct tfo_cookie {
	int8_t len;                       /* -1: none at all, 0: asks for one */
	bool exp;                       /* the experimental option (RFC 4727) */
	u8 b[TCP_FO_MAX];
};

struct tfo_entry {
	struct ipaddr laddr, raddr;
	struct tfo_cookie c;
	u16 mss;                        /* 0: the entry is free */
	u8 try_exp;                     /* 1: next time by the experimental option, 2: never again */
};

struct tfo {
	struct mutex mu;                /* RANK_STACK */
	struct sipkey key[2];           /* ours, and one that is still honoured */
	u8 nkeys;
	struct tfo_entry *cache;
	u32 next;
};

struct stack;
struct tcp_ep;
struct synreq;
struct tcp_seg;

void tfo_init(struct stack *s);
void tfo_done(struct stack *s);
/* net.ipv4.tcp_fastopen_key as text, and as bytes for TCP_FASTOPEN_KEY (16 or 32). */
int tfo_key_get(struct stack *s, char *buf, size_t cap) must_check;
int tfo_key_set(struct stack *s, const char *val) must_check;
void tfo_keys_load(struct sipkey *key, const u8 *b, u32 n);
void tfo_keys_store(const struct sipkey *key, u8 *b, u32 n);

/*
 * Server: may a SYN with these options make a connection at once?  Else *ret_send
 * is the cookie for the SYN-ACK.  Listener's mu held.
 */
bool tfo_accepts(struct tcp_ep *l, const struct connkey *k, const struct tcp_seg *g,
		 struct tfo_cookie *ret_send);
void tfo_cookie_of(const struct tcp_opts *o, struct tfo_cookie *ret);
void tfo_put(struct tcp_opts *o, const struct tfo_cookie *c);

/* Client: true when data may go into the SYN; what to put there either way. */
bool tfo_client(struct tcp_ep *t, struct tfo_cookie *ret, u16 *ret_mss);
/* send() that connects as well: always -errno, m->taken tells what the SYN took. */
ssize_t tfo_send(struct tcp_ep *t, struct net_msg *m);
/* The SYN-ACK is here: learn; true when data of the SYN must go again. */
bool tfo_synack(struct tcp_ep *t, const struct tcp_seg *g);
