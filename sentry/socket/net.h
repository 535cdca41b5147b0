/*
 * net.h - the sandbox's network: one TCP/IP stack and the thread that runs its timers.
 *
 * Made by the first socket that needs it, with the loopback link up.  The
 * thread sleeps until the stack kicks it or its next deadline: an idle network costs nothing.
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct stack;

int net_stack(struct kernel *k, struct stack **ret) must_check;
