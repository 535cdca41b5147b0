/*
 * errqueue.h - what MSG_ERRQUEUE hands out (Linux' struct sock_extended_err).
 */
#pragma once
#include "platform/base/compiler.h"

struct net_ext_err {
	u32 err;
	u8  origin, type, code, pad;
	u32 info, data;
};

enum { EE_ORIGIN_LOCAL = 1, EE_ORIGIN_ICMP = 2, EE_ORIGIN_ICMP6 = 3, EE_ORIGIN_STAMP = 4, EE_ORIGIN_ZEROCOPY = 5 };
enum { EE_CODE_ZEROCOPY_COPIED = 1 };
