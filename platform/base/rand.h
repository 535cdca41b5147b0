/*
 * rand.h - random bytes from the host's generator.
 *
 * Used for guests' getrandom, address layout, hash keys and cookies.  There is
 * no generator of our own to seed, to snapshot by accident, or to get wrong.
 */
#pragma once
#include "platform/base/compiler.h"

void rand_bytes(void *p, size_t n);     /* cannot fail once the host has booted */
u64 rand_u64(void);
u64 rand_below(u64 limit);              /* uniform in [0, limit); limit > 0 */
