/*
 * siphash.h - SipHash-2-4: the keyed hash behind ISNs, ports, tables, cookies.
 */
#pragma once
#include "platform/base/compiler.h"

struct sipkey { u64 k[2]; };

u64 siphash(const struct sipkey *key, const void *p, size_t n);
