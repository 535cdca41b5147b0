/*
 * sockarg.h - arguments that socket calls share: the socket itself and its names.
 */
#pragma once
#include "sentry/socket/socket.h"

/* The socket @fd names: -EBADF, -ENOTSOCK. *ret_file is a reference, *ret borrowed from it. */
int sockarg_get(struct task *t, int fd, struct file **ret_file, struct socket **ret) must_check;
/* For calls that may be set aside: see task_call_file(). */
int sockarg_call_get(struct task *t, int fd, struct file **ret_file, struct socket **ret) must_check;
int sockarg_name_in(struct task *t, gaddr_t addr, s32 len, u8 name[SOCK_NAME_MAX]) must_check;
/* Cut to the room that *lenp offers; *lenp becomes the full length. */
int sockarg_name_out(struct task *t, gaddr_t addr, gaddr_t lenp, const void *name, u32 len) must_check;
