/*
 * resident.h - how much of an address space is in memory, as the host has it: private to sentry/mm.
 */
#pragma once
#include "platform/base/compiler.h"

struct aspace;

/* A map of an address space; ret: of its bytes, those in memory. */
struct resident_range { u64 start, end, ret; };

/* Fill in what the host tells of these @n; an estimate where they are large. 0, or -errno: it does not tell. */
int resident_count(struct aspace *as, struct resident_range *r, size_t n) must_check;
