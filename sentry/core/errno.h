/*
 * errno.h - the kernel-internal codes above Linux's visible errnos.
 *
 * A handler that was interrupted returns one of these; task_run.c alone turns
 * them into EINTR or a restart (Linux: include/linux/errno.h, arch signal.c).
 */
#pragma once
#include <errno.h>

#define ERESTARTSYS           512       /* restart if SA_RESTART or no handler runs */
#define ERESTARTNOINTR        513       /* always restart */
#define ERESTARTNOHAND        514       /* restart only if no handler runs */
#define ERESTART_RESTARTBLOCK 516       /* through restart_syscall(2), or EINTR */
#define ENOFRAME_RESULT       600       /* the handler has set all registers itself, or the host will (ctx_pass) */
#define ENEEDFRAME            601       /* call the handler again, with a frame this time; nothing was done yet */
#define EPARKED               602       /* the same once the task is woken: task_park.c */
