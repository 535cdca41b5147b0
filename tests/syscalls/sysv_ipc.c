/* System V shared memory, semaphores, message queues. */
#include <sched.h>
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

TEST(a_fork_is_an_attachment_of_its_own)
{
	struct shmid_ds ds;
	int id = shmget(IPC_PRIVATE, 5 * 4096, IPC_CREAT | 0600), go[2], done[2];
	char *p = shmat(id, NULL, 0), c;
	pid_t kid;

	REQUIRE(p != (void *)-1);
	REQUIRE_OK(pipe(go));
	REQUIRE_OK(pipe(done));
	kid = fork();
	if (kid == 0) {
		REQUIRE(read(go[0], &c, 1) == 1);
		strcpy(p, "still mapped");
		REQUIRE_OK(shmdt(p));
		REQUIRE(write(done[1], "", 1) == 1);
		REQUIRE(read(go[0], &c, 1) == 1);
		_exit(0);
	}
	EXPECT_OK(shmctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.shm_nattch, 2);
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(read(done[0], &c, 1), 1);
	EXPECT_OK(shmctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.shm_nattch, 1);
	EXPECT_STR(p, "still mapped");
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(waitpid(kid, NULL, 0), kid);
	kid = fork();                           /* this one dies with it */
	if (kid == 0)
		_exit(0);
	EXPECT_EQ(waitpid(kid, NULL, 0), kid);
	EXPECT_OK(shmctl(id, IPC_STAT, &ds));
	EXPECT_EQ(ds.shm_nattch, 1);
	EXPECT_OK(shmctl(id, IPC_RMID, NULL));
	EXPECT_OK(shmdt(p));
	EXPECT_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void own_namespace(void)
{
	if (unshare(CLONE_NEWIPC) < 0)
		SKIP("no IPC namespaces");
}

static long setting(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	return strtol(get_file(path), NULL, 10);
}

static int set(const char *name, const char *v)
{
	char path[64];
	int fd, r, e;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	fd = open(path, O_WRONLY);
	r = fd < 0 ? -1 : (int)write(fd, v, strlen(v));
	e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	return r;
}

TEST(limits_belong_to_the_namespace)
{
	struct { long type; char text[200]; } m = { 1, "" };
	struct sembuf none[3] = { { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 } };
	struct shminfo si;
	struct msginfo mi;
	int id;

	own_namespace();
	if (set("msgmax", "100") < 0)
		SKIP("read-only /proc/sys");
	id = msgget(IPC_PRIVATE, 0600);
	EXPECT_ERR(msgsnd(id, &m, 101, IPC_NOWAIT), EINVAL);
	EXPECT_OK(msgsnd(id, &m, 100, IPC_NOWAIT));
	EXPECT(set("msgmni", "1\n") > 0);
	EXPECT_ERR(msgget(IPC_PRIVATE, 0600), ENOSPC);
	EXPECT(msgctl(0, IPC_INFO, (struct msqid_ds *)&mi) >= 0);
	EXPECT(mi.msgmax == 100 && mi.msgmni == 1);
	EXPECT(set("shmmax", "8192") > 0);
	EXPECT_ERR(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
	EXPECT(shmget(IPC_PRIVATE, 8192, 0600) >= 0);
	EXPECT(set("shmall", "3") > 0);
	EXPECT_ERR(shmget(IPC_PRIVATE, 8192, 0600), ENOSPC);
	EXPECT(shmctl(0, IPC_INFO, (struct shmid_ds *)&si) >= 0);
	EXPECT(si.shmmax == 8192 && si.shmall == 3);
	EXPECT(set("sem", "4 100 2") > 0);
	EXPECT_EQ(setting("sem"), 4);
	EXPECT_ERR(semget(IPC_PRIVATE, 5, 0600), EINVAL);
	id = semget(IPC_PRIVATE, 4, 0600);
	EXPECT_OK(semop(id, none, 2));
	EXPECT_ERR(semop(id, none, 3), E2BIG);
	EXPECT_ERR(set("shmmni", "40000"), EINVAL);
	EXPECT_ERR(set("msgmax", "lots"), EINVAL);
	EXPECT_ERR(set("msgmnb", "-1"), EINVAL);
	own_namespace();
	EXPECT_EQ(setting("msgmax"), 8192);
}

TEST(an_id_can_be_asked_for)
{
	int id;

	own_namespace();
	if (set("shm_next_id", "32775") < 0)
		SKIP("no shm_next_id");
	id = shmget(IPC_PRIVATE, 10, 0600);
	EXPECT_EQ(id, 32775);
	EXPECT_EQ(setting("shm_next_id"), -1);
	EXPECT(set("shm_next_id", "32775") > 0);
	EXPECT(shmget(IPC_PRIVATE, 10, 0600) != 32775);
	EXPECT_ERR(set("shm_next_id", "-2"), EINVAL);
}

TEST(proc_lists_the_objects)
{
	char line[200], *at;
	unsigned long size, n;
	int id;

	own_namespace();
	id = shmget(0x1234, 777, IPC_CREAT | 0640);
	at = strchr(get_file("/proc/sysvipc/shm"), '\n');
	REQUIRE(at);
	EXPECT_EQ(sscanf(at, "%*d %lu %lo %lu", &n, (unsigned long *)line, &size), 3);
	EXPECT_EQ(n, id);
	EXPECT_EQ(*(unsigned long *)line, 0640);
	EXPECT_EQ(size, 777);
	id = semget(IPC_PRIVATE, 3, 0600);
	at = strchr(get_file("/proc/sysvipc/sem"), '\n');
	EXPECT_EQ(sscanf(at, "%*d %lu %*o %lu", &n, &size), 2);
	EXPECT(n == (unsigned long)id && size == 3);
	id = msgget(IPC_PRIVATE, 0600);
	at = strchr(get_file("/proc/sysvipc/msg"), '\n');
	EXPECT_EQ(sscanf(at, "%*d %lu", &n), 1);
	EXPECT_EQ(n, id);
}

TEST(copies_of_messages_leave_them)
{
	struct { long type; char text[20]; } m = { 5, "first" };
	int id = msgget(IPC_PRIVATE, 0600), flags = MSG_COPY | IPC_NOWAIT;

	EXPECT_OK(msgsnd(id, &m, 6, 0));
	m.type = 6;
	strcpy(m.text, "second");
	EXPECT_OK(msgsnd(id, &m, 7, 0));
	if (msgrcv(id, &m, 20, 0, flags) < 0 && errno == ENOSYS)
		SKIP("no MSG_COPY");
	EXPECT_EQ(msgrcv(id, &m, 20, 1, flags), 7);
	EXPECT(m.type == 6 && !strcmp(m.text, "second"));
	EXPECT_EQ(msgrcv(id, &m, 20, 0, flags), 6);
	EXPECT(m.type == 5 && !strcmp(m.text, "first"));
	EXPECT_ERR(msgrcv(id, &m, 20, 2, flags), ENOMSG);
	EXPECT_ERR(msgrcv(id, &m, 3, 0, flags), E2BIG);
	EXPECT_ERR(msgrcv(id, &m, 20, 0, MSG_COPY), EINVAL);
	EXPECT_ERR(msgrcv(id, &m, 20, 0, flags | MSG_EXCEPT), EINVAL);
	EXPECT_EQ(msgrcv(id, &m, 20, 0, IPC_NOWAIT), 6);
	EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(stat_any_takes_an_id_too)
{
	struct shmid_ds ds;
	int a = shmget(IPC_PRIVATE, 10, 0600), b = shmget(IPC_PRIVATE, 20, 0600);

	EXPECT_OK(shmctl(a, IPC_RMID, NULL));
	EXPECT_EQ(shmctl(b, 15 /* SHM_STAT_ANY */, &ds), b);
	EXPECT_EQ(ds.shm_segsz, 20);
	EXPECT_OK(shmctl(b, IPC_RMID, NULL));
}

TEST_MAIN()
