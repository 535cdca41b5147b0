/*
 * unit.h - what every cmocka program needs, in the order cmocka wants it.
 *
 * Test functions are named as sentences.  unit_setup() makes the arena.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/base/alloc.h"

static inline int unit_setup(void **state)
{
	(void)state;
	return alloc_init((size_t)4 << 30);
}
