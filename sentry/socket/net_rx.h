/*
 * net_rx.h - receiving from the links of the first network namespace; see net_rx.c.
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct net;

/* Before the filter is on.  Sets kernel->net_rx. */
int net_rx_new(struct kernel *k, struct net *n) must_check;

/* net.c: a detached thread, and what is due in a stack, run in the caller's thread. */
int net_thread(void *(*fn)(void *), void *arg) must_check;
void net_run(struct net *n);
