/* System V shared memory, semaphores, message queues. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include "tests/lib/harness.h"

union semun { int val; struct semid_ds *buf; unsigned short *array; };

TEST(shared_memory_is_shared)
{
	struct shmid_ds ds;
	int id = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600);
	char *p, *q;

	REQUIRE(id >= 0);
	p = shmat(id, NULL, 0);
	REQUIRE(p != (void *)-1);
	EXPECT_OK(shmctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.shm_segsz, 5000);
	EXPECT_EQ(ds.shm_nattch, 1);
	EXPECT_EQ(ds.shm_cpid, getpid());
	if (fork() == 0) {
		strcpy(p, "from the child");
		_exit(0);
	}
	wait(NULL);
	EXPECT_STR(p, "from the child");
	q = shmat(id, NULL, SHM_RDONLY);
	REQUIRE(q != (void *)-1);
	EXPECT(q != p);
	EXPECT_STR(q, "from the child");
	EXPECT_OK(shmdt(q));
	EXPECT_ERR(shmdt(q), EINVAL);
	EXPECT_OK(shmctl(id, IPC_RMID, NULL));
	EXPECT_OK(shmctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.shm_nattch, 1);
	EXPECT(ds.shm_perm.mode & SHM_DEST);
	EXPECT_OK(shmdt(p));
	EXPECT_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(keys_name_segments)
{
	key_t key = 0x5a000000 + getpid();
	int id = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);

	REQUIRE(id >= 0);
	EXPECT_EQ(shmget(key, 100, 0), id);
	EXPECT_EQ(shmget(key, 0, 0), id);
	EXPECT_ERR(shmget(key, 8192, 0), EINVAL);
	EXPECT_ERR(shmget(key, 100, IPC_CREAT | IPC_EXCL), EEXIST);
	EXPECT_OK(shmctl(id, IPC_RMID, NULL));
	EXPECT_ERR(shmget(key, 100, 0), ENOENT);
	EXPECT_ERR(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
	EXPECT_ERR((long)shmat(id, NULL, 0), EINVAL);
}

TEST(semaphores_wait_and_wake)
{
	struct sembuf down = { 0, -1, 0 }, up = { 0, 1, 0 }, try = { 0, -1, IPC_NOWAIT };
	int id = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600), status;

	REQUIRE(id >= 0);
	EXPECT_EQ(semctl(id, 0, GETVAL), 0);
	EXPECT_ERR(semop(id, &try, 1), EAGAIN);
	if (fork() == 0) {
		EXPECT_OK(semop(id, &down, 1));
		_exit(test_failures);
	}
	while (semctl(id, 0, GETNCNT) != 1)
		sleep_ms(2);
	EXPECT_OK(semop(id, &up, 1));
	wait(&status);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(semctl(id, 0, GETVAL), 0);
	EXPECT_OK(semctl(id, 0, IPC_RMID));
	EXPECT_ERR(semop(id, &up, 1), EINVAL);
}

TEST(operation_lists_are_atomic)
{
	struct sembuf ops[2] = { { 0, -1, IPC_NOWAIT }, { 1, -1, IPC_NOWAIT } };
	unsigned short vals[2] = { 1, 0 };
	struct timespec ts = { 0, 10000000 };
	union semun u = { .array = vals };
	int id = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);

	REQUIRE(id >= 0);
	EXPECT_OK(semctl(id, 0, SETALL, u));
	EXPECT_ERR(semop(id, ops, 2), EAGAIN);
	EXPECT_EQ(semctl(id, 0, GETVAL), 1);
	u.val = 1;
	EXPECT_OK(semctl(id, 1, SETVAL, u));
	EXPECT_OK(semop(id, ops, 2));
	ops[0].sem_flg = 0;
	EXPECT_ERR(semtimedop(id, ops, 1, &ts), EAGAIN);
	ops[0].sem_num = 7;
	EXPECT_ERR(semop(id, ops, 1), EFBIG);
	u.val = 40000;
	EXPECT_ERR(semctl(id, 0, SETVAL, u), ERANGE);
	EXPECT_OK(semctl(id, 0, IPC_RMID));
}

TEST(undo_gives_back_at_exit)
{
	struct sembuf down = { 0, -1, SEM_UNDO };
	union semun u = { .val = 1 };
	int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);

	REQUIRE(id >= 0);
	EXPECT_OK(semctl(id, 0, SETVAL, u));
	if (fork() == 0) {
		EXPECT_OK(semop(id, &down, 1));
		_exit(test_failures);
	}
	wait(NULL);
	EXPECT_EQ(semctl(id, 0, GETVAL), 1);
	EXPECT_OK(semctl(id, 0, IPC_RMID));
}

static int the_id;

static void wait_for_removal(void)
{
	struct sembuf down = { 0, -1, 0 };

	EXPECT_ERR(semop(the_id, &down, 1), EIDRM);
}

TEST(removal_wakes_sleepers)
{
	int status;

	the_id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	REQUIRE(the_id >= 0);
	if (fork() == 0) {
		wait_for_removal();
		_exit(test_failures);
	}
	while (semctl(the_id, 0, GETNCNT) != 1)
		sleep_ms(2);
	EXPECT_OK(semctl(the_id, 0, IPC_RMID));
	wait(&status);
	EXPECT_EQ(status, 0);
}

struct letter { long type; char text[16]; };

TEST(messages_are_picked_by_type)
{
	struct letter m = { 3, "three" };
	struct msqid_ds ds;
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	REQUIRE(id >= 0);
	EXPECT_OK(msgsnd(id, &m, 6, 0));
	m = (struct letter){ 1, "one" };
	EXPECT_OK(msgsnd(id, &m, 4, 0));
	m = (struct letter){ 2, "two" };
	EXPECT_OK(msgsnd(id, &m, 4, 0));
	EXPECT_OK(msgctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.msg_qnum, 3);
	EXPECT_EQ(msgrcv(id, &m, 16, 2, 0), 4);
	EXPECT_STR(m.text, "two");
	EXPECT_EQ(msgrcv(id, &m, 16, -5, 0), 4);
	EXPECT_STR(m.text, "one");
	EXPECT_ERR(msgrcv(id, &m, 2, 0, 0), E2BIG);
	EXPECT_EQ(msgrcv(id, &m, 2, 0, MSG_NOERROR), 2);
	EXPECT_ERR(msgrcv(id, &m, 16, 0, IPC_NOWAIT), ENOMSG);
	m.type = 0;
	EXPECT_ERR(msgsnd(id, &m, 4, 0), EINVAL);
	EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(a_full_queue_makes_senders_wait)
{
	static struct { long type; char text[8000]; } big = { 1, "" };
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600), status;

	REQUIRE(id >= 0);
	EXPECT_OK(msgsnd(id, &big, 8000, 0));
	EXPECT_OK(msgsnd(id, &big, 8000, 0));
	EXPECT_ERR(msgsnd(id, &big, 8000, IPC_NOWAIT), EAGAIN);
	if (fork() == 0) {
		EXPECT_OK(msgsnd(id, &big, 8000, 0));
		_exit(test_failures);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(msgrcv(id, &big, 8000, 0, 0), 8000);
	wait(&status);
	EXPECT_EQ(status, 0);
	EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

TEST_MAIN()
