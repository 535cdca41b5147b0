/*
 * tcp.h - TCP headers and options (RFC 9293, 7323, 2018): parse and emit.
 */
#pragma once
#include "netstack/wire/bytes.h"

#define TCP_HLEN        20
#define TCP_HLEN_MAX    60

enum {
	TH_FIN = 1, TH_SYN = 2, TH_RST = 4, TH_PSH = 8, TH_ACK = 16, TH_URG = 32,
	TH_ECE = 64, TH_CWR = 128,
};

struct tcp_hdr {
	u16 sport, dport;
	u32 seq, ack;
	u8  hlen, flags;
	u16 wnd, urg;
};

#define TCP_SACK_MAX 4
#define TCP_FO_MIN   4             /* bytes of a Fast Open cookie */
#define TCP_FO_MAX   16

struct tcp_opts {
	bool has_mss, has_wscale, has_ts, sack_ok;
	u8   wscale;
	u8   nsack;
	u16  mss;
	u32  tsval, tsecr;
	struct { u32 start, end; } sack[TCP_SACK_MAX];
	const u8 *fo_cookie;            /* Fast Open (RFC 7413); points into the segment */
	u8   fo_len;
	bool has_fo, fo_exp;            /* exp: by the experimental option, magic 0xf989 */
};

/* 0, or -EINVAL when the header does not fit @len. */
int tcp_parse(const u8 *p, size_t len, struct tcp_hdr *ret) must_check;
/* Options behind the header; malformed ones end the scan, as Linux does. */
void tcp_parse_opts(const u8 *p, size_t n, struct tcp_opts *ret);
/* h->hlen bytes must be there; options are already in place; checksum zero. */
void tcp_emit(u8 *p, const struct tcp_hdr *h);
/* Bytes written (a multiple of 4, <= 40).  @syn: MSS, scale, SACK permitted are legal. */
size_t tcp_emit_opts(u8 *p, const struct tcp_opts *o);
