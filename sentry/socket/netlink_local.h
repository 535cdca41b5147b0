/*
 * netlink_local.h - the table of local routes, one after the other.
 */
#pragma once
#include "netstack/api.h"

/* The route at *pos, which moves on to it from 0; false: no more.  local_route_told() goes on to the next. */
bool local_route_next(struct stack *st, u32 *pos, struct route_info *ret) must_check;
void local_route_told(u32 *pos, const struct route_info *r);
