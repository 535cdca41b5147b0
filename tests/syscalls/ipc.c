/* System V shared memory, semaphores and messages; POSIX message queues. */
#include <signal.h>
#include <sys/socket.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include "tests/lib/harness.h"

union semun { int val; struct semid_ds *buf; unsigned short *array; };

TEST(shared_segments_are_shared_and_counted)
{
	struct shmid_ds ds;
	int id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600), status;
	volatile int *a, *b;
	pid_t pid;

	REQUIRE_OK(id);
	a = shmat(id, NULL, 0);
	b = shmat(id, NULL, SHM_RDONLY);
	REQUIRE(a != (void *)-1 && b != (void *)-1 && a != b);
	a[5] = 55;
	EXPECT_EQ(b[5], 55);
	pid = fork();
	if (pid == 0) {
		a[5] = 66;
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(b[5], 66);
	EXPECT_OK(shmctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.shm_nattch, 2);
	EXPECT_EQ(ds.shm_segsz, 8192);
	EXPECT_EQ(ds.shm_cpid, getpid());
	EXPECT_OK(shmdt((void *)b));
	EXPECT_ERR(shmdt((void *)b), EINVAL);
	EXPECT_OK(shmctl(id, IPC_RMID, NULL));
	EXPECT_EQ(a[5], 66);            /* lives until detached */
	EXPECT_OK(shmdt((void *)a));
	EXPECT_ERR(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0, EINVAL);
}

TEST(keys_find_segments)
{
	key_t key = 0x43530000 + getpid();
	int id = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);

	REQUIRE_OK(id);
	EXPECT_EQ(shmget(key, 4096, 0), id);
	EXPECT_ERR(shmget(key, 4096, IPC_CREAT | IPC_EXCL), EEXIST);
	EXPECT_ERR(shmget(key, 100000, 0), EINVAL);
	EXPECT_OK(shmctl(id, IPC_RMID, NULL));
	EXPECT_ERR(shmget(key, 4096, 0), ENOENT);
	EXPECT_ERR(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
}

TEST(semaphores_block_undo_and_report)
{
	struct sembuf down = { 0, -1, 0 }, up = { 0, 1, 0 }, nowait = { 0, -1, IPC_NOWAIT };
	struct sembuf both[2] = { { 0, -1, 0 }, { 1, -1, IPC_NOWAIT } }, undo = { 0, 1, SEM_UNDO };
	struct timespec ts = { 0, 1000000 };
	int id = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600), status;
	pid_t pid;

	REQUIRE_OK(id);
	EXPECT_EQ(semctl(id, 0, GETVAL), 0);
	EXPECT_OK(semctl(id, 0, SETVAL, (union semun){ .val = 2 }));
	EXPECT_OK(semop(id, &down, 1));
	EXPECT_EQ(semctl(id, 0, GETVAL), 1);
	EXPECT_ERR(semop(id, both, 2), EAGAIN);
	EXPECT_EQ(semctl(id, 0, GETVAL), 1);            /* all or nothing */
	EXPECT_OK(semop(id, &down, 1));
	EXPECT_ERR(semop(id, &nowait, 1), EAGAIN);
	EXPECT_ERR(semtimedop(id, &down, 1, &ts), EAGAIN);
	pid = fork();
	if (pid == 0)
		_exit(semop(id, &down, 1) == 0 ? 0 : 1);
	wait_until_asleep(pid);
	EXPECT_EQ(semctl(id, 0, GETNCNT), 1);
	EXPECT_OK(semop(id, &up, 1));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(semctl(id, 0, GETPID), pid);
	pid = fork();
	if (pid == 0)
		_exit(semop(id, &undo, 1) == 0 ? 0 : 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(semctl(id, 0, GETVAL), 0);            /* undone at exit */
	EXPECT_ERR(semctl(id, 5, GETVAL), EINVAL);
	EXPECT_ERR(semop(id, &(struct sembuf){ 9, 1, 0 }, 1), EFBIG);
	EXPECT_ERR(semop(id, &up, 0), EINVAL);
	pid = fork();
	if (pid == 0)
		_exit(semop(id, &down, 1) < 0 && errno == EIDRM ? 0 : 1);
	wait_until_asleep(pid);
	EXPECT_OK(semctl(id, 0, IPC_RMID));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_ERR(semctl(id, 0, GETVAL), EINVAL);
}

struct text { long type; char s[32]; };

TEST(messages_are_received_by_type)
{
	struct text m = { 3, "three" };
	struct msqid_ds ds;
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600), status;
	pid_t pid;

	REQUIRE_OK(id);
	EXPECT_OK(msgsnd(id, &m, 6, 0));
	m = (struct text){ 1, "one" };
	EXPECT_OK(msgsnd(id, &m, 4, 0));
	m = (struct text){ 2, "two" };
	EXPECT_OK(msgsnd(id, &m, 4, 0));
	EXPECT_OK(msgctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.msg_qnum, 3);
	EXPECT_EQ(msgrcv(id, &m, 32, 2, 0), 4);
	EXPECT_STR(m.s, "two");
	EXPECT_EQ(msgrcv(id, &m, 32, -5, 0), 4);        /* the lowest */
	EXPECT_STR(m.s, "one");
	EXPECT_ERR(msgrcv(id, &m, 2, 0, 0), E2BIG);
	EXPECT_EQ(msgrcv(id, &m, 2, 0, MSG_NOERROR), 2);
	EXPECT_ERR(msgrcv(id, &m, 32, 0, IPC_NOWAIT), ENOMSG);
	m.type = 0;
	EXPECT_ERR(msgsnd(id, &m, 4, 0), EINVAL);
	pid = fork();
	if (pid == 0)
		_exit(msgrcv(id, &m, 32, 9, 0) == 1 && m.s[0] == 'n' ? 0 : 1);
	wait_until_asleep(pid);
	m = (struct text){ 9, "n" };
	EXPECT_OK(msgsnd(id, &m, 1, 0));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_OK(msgctl(id, IPC_RMID, NULL));
	EXPECT_ERR(msgsnd(id, &m, 1, 0), EINVAL);
}

TEST(posix_queues_order_by_priority)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 32 }, got;
	struct timespec past = { 1, 0 };
	char name[32], buf[32];
	unsigned int prio = 0;
	mqd_t q;

	snprintf(name, sizeof(name), "/csb-%d", getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (q < 0 && errno == ENOSYS)
		SKIP("message queues");
	REQUIRE_OK(q);
	EXPECT_ERR(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr), EEXIST);
	EXPECT_OK(mq_send(q, "low", 3, 1));
	EXPECT_OK(mq_send(q, "high", 4, 9));
	EXPECT_OK(mq_send(q, "low2", 4, 1));
	EXPECT_OK(mq_getattr(q, &got));
	EXPECT(got.mq_curmsgs == 3 && got.mq_maxmsg == 4 && got.mq_msgsize == 32);
	EXPECT_EQ(mq_receive(q, buf, 32, &prio), 4);
	EXPECT_EQ(prio, 9);
	EXPECT_EQ(mq_receive(q, buf, 32, &prio), 3);
	EXPECT_EQ(mq_receive(q, buf, 32, &prio), 4);
	EXPECT_ERR(mq_timedreceive(q, buf, 32, NULL, &past), ETIMEDOUT);
	EXPECT_ERR(mq_receive(q, buf, 8, NULL), EMSGSIZE);
	EXPECT_ERR(mq_send(q, buf, 33, 0), EMSGSIZE);
	for (int i = 0; i < 4; i++)
		EXPECT_OK(mq_send(q, "x", 1, 0));
	EXPECT_ERR(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
	EXPECT_OK(mq_unlink(name));
	EXPECT_ERR(mq_unlink(name), ENOENT);
	EXPECT_OK(mq_close(q));
}

/* What libc does for SIGEV_THREAD: a cookie comes by netlink. */
TEST(queues_tell_a_thread_by_netlink)
{
	char cookie[32] = "a cookie", got[64];
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), u = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_signo = nl, .sigev_value.sival_ptr = cookie };
	mqd_t q = mq_open("/thread-told", O_CREAT | O_RDWR, 0600, NULL);

	REQUIRE(q >= 0 && nl >= 0);
	mq_unlink("/thread-told");
	EXPECT_OK(syscall(SYS_mq_notify, q, &ev));
	EXPECT_ERR(syscall(SYS_mq_notify, q, &ev), EBUSY);
	EXPECT_ERR(recv(nl, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	EXPECT_OK(mq_send(q, "x", 1, 0));
	EXPECT_EQ(recv(nl, got, sizeof(got), MSG_DONTWAIT), 32);
	EXPECT(!strcmp(got, "a cookie") && got[31] == 1);
	EXPECT_OK(syscall(SYS_mq_notify, q, &ev));
	EXPECT_OK(syscall(SYS_mq_notify, q, NULL));
	EXPECT_EQ(recv(nl, got, sizeof(got), MSG_DONTWAIT), 32);
	EXPECT_EQ(got[31], 2);
	EXPECT_OK(syscall(SYS_mq_notify, q, &ev));
	close(q);
	EXPECT_EQ(recv(nl, got, sizeof(got), MSG_DONTWAIT), 32);
	EXPECT_EQ(got[31], 2);
	ev.sigev_signo = u;
	EXPECT_ERR(syscall(SYS_mq_notify, q, &ev), EINVAL);
	ev.sigev_signo = BAD_FD;
	EXPECT_ERR(syscall(SYS_mq_notify, q, &ev), EBADF);
	ev.sigev_value.sival_ptr = BAD_PTR;
	EXPECT_ERR(syscall(SYS_mq_notify, q, &ev), EFAULT);
	ev.sigev_notify = 77;
	EXPECT_ERR(syscall(SYS_mq_notify, BAD_FD, &ev), EINVAL);
}

TEST_MAIN()
