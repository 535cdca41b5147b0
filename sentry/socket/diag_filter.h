/*
 * diag_filter.h - the programs by which ss(8) chooses sockets (INET_DIAG_REQ_BYTECODE).
 *
 * A program that diag_filter_check() let pass moves on with each of its instructions and never outside of its bytes.
 */
#pragma once
#include "netstack/api.h"

/* 0, -EINVAL, -ENOMEM, or -EPERM: marks are for @net_admin. */
int diag_filter_check(const u8 *code, u32 len, bool net_admin) must_check;
bool diag_filter_run(const u8 *code, u32 len, const struct ep_info *e) must_check;
