/*
 * doorbell.h - a call from one process to another that stays on the caller's CPU.
 *
 * The caller makes a host call whose number no kernel has; a seccomp filter of its
 * own turns it into a notification, and the process that holds the listener answers.  Such a
 * wake-up takes the woken thread to the CPU of the one that is about to wait, both ways.  A socket
 * prefers an idle CPU instead, and to wake one costs a virtual machine 45 us each time.
 * What is asked and answered lies in shared memory.
 */
#pragma once
#include <stddef.h>
#include "platform/base/compiler.h"

#define SYS_doorbell 1023

/*
 * For the calling thread, those it makes, and all others when the next filter
 * is installed on every thread.  no_new_privs must be set.  -errno if the host has no such thing.
 */
int doorbell_new(hostfd_t *ret_listener) must_check;
/* 0 once answered; -ENOSYS: nobody listens, or this thread has no bell. */
int doorbell_ring(void) must_check;

/* The listener's side.  @ret_id names the call to be answered; -errno when nobody can ring any more. */
int doorbell_await(hostfd_t listener, u64 *ret_id) must_check;
int doorbell_answer(hostfd_t listener, u64 id) must_check;

/* A memfd of @size bytes whose size nobody can change. */
int doorbell_memory(size_t size, hostfd_t *ret) must_check;
/* Map one that came from the other side, after a look at its size and seals. */
int doorbell_map(hostfd_t fd, size_t size, void **ret) must_check;
void doorbell_unmap(void *p, size_t size);
