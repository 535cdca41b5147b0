/*
 * sys_ipc.c - System V shared memory, semaphores and message queues.
 */
#include "sentry/ipc/ipc.h"
#include "sentry/syscalls/sigset_arg.h"
#include "sentry/syscalls/syscall.h"

#define IPC_64 0x100                    /* libc on other architectures sets it; ignored as on Linux */

long sys_shmget(struct task *t, const struct sysargs *a)
{
	return shm_get(t, arg_s32(a, 0), arg_u64(a, 1), arg_s32(a, 2));
}

long sys_shmat(struct task *t, const struct sysargs *a)
{
	return shm_at(t, arg_s32(a, 0), arg_addr(a, 1), arg_s32(a, 2));
}

long sys_shmdt(struct task *t, const struct sysargs *a) { return shm_dt(t, arg_addr(a, 0)); }

long sys_shmctl(struct task *t, const struct sysargs *a)
{
	return shm_ctl(t, arg_s32(a, 0), arg_s32(a, 1) & ~IPC_64, arg_addr(a, 2));
}

long sys_semget(struct task *t, const struct sysargs *a)
{
	return sem_get(t, arg_s32(a, 0), arg_s32(a, 1), arg_s32(a, 2));
}

long sys_semop(struct task *t, const struct sysargs *a)
{
	return sem_op(t, arg_s32(a, 0), arg_addr(a, 1), arg_u32(a, 2), KTIME_MAX);
}

long sys_semtimedop(struct task *t, const struct sysargs *a)
{
	ktime_t deadline;
	int r = timeout_arg(t, arg_addr(a, 3), &deadline);

	return r < 0 ? r : sem_op(t, arg_s32(a, 0), arg_addr(a, 1), arg_u32(a, 2), deadline);
}

long sys_semctl(struct task *t, const struct sysargs *a)
{
	return sem_ctl(t, arg_s32(a, 0), arg_s32(a, 1), arg_s32(a, 2) & ~IPC_64, arg_addr(a, 3));
}

long sys_msgget(struct task *t, const struct sysargs *a) { return msg_get(t, arg_s32(a, 0), arg_s32(a, 1)); }

long sys_msgsnd(struct task *t, const struct sysargs *a)
{
	return msg_send(t, arg_s32(a, 0), arg_addr(a, 1), arg_size(a, 2), arg_s32(a, 3));
}

long sys_msgrcv(struct task *t, const struct sysargs *a)
{
	return msg_receive(t, arg_s32(a, 0), arg_addr(a, 1), arg_size(a, 2), arg_long(a, 3), arg_s32(a, 4));
}

long sys_msgctl(struct task *t, const struct sysargs *a)
{
	return msg_ctl(t, arg_s32(a, 0), arg_s32(a, 1) & ~IPC_64, arg_addr(a, 2));
}
