/*
 * seccomp_notify.h - calls that a supervisor answers: SECCOMP_RET_USER_NOTIF, seccomp_unotify(2).
 *
 * A filter attached with NEW_LISTENER has a listener, which the supervisor holds as a descriptor. A call that the filter
 * refers to it waits, its request in the listener's list and on its own stack, until it is answered, a signal
 * comes, or the descriptor is closed.
 */
#pragma once
#include "platform/base/compiler.h"

struct file;
struct listener;
struct seccomp_data;
struct task;

/* *ret_file: its descriptor's file, with one reference; the listener's first reference is the filter's. */
int listener_new(struct task *t, bool killable, struct listener **ret, struct file **ret_file) must_check;
/* The filter is gone: nobody will ask again. NULL is fine. */
void listener_unused(struct listener *l);
/* true: the call goes on. false: *ret_result is its result. @l is kept by the caller. */
bool listener_ask(struct listener *l, struct task *t, const struct seccomp_data *d, long *ret_result);
