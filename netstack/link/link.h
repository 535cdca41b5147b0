/*
 * link.h - the kinds of link, for the inside of the stack.
 */
#pragma once
#include "netstack/core/nic.h"

extern const struct nic_ops loopback_ops;
