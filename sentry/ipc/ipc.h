/*
 * ipc.h - System V IPC objects (sysvipc(7)): identifiers, permissions, and what the calls do.
 *
 * One struct ipc_ns a namespace (ipc_namespaces(7)).  An id is slot + 32768 * sequence,
 * so that a stale id is not taken for a newer object in its slot.
 *
 * Life:  an object has one reference from its slot and one per caller or attachment; IPC_RMID takes
 *        it out of the table and sets gone, which sleepers see when they wake.
 * Locks: ns->mu (RANK_FILE) guards the tables and every object.  Nothing is released,
 *        mapped or copied under it.
 */
#pragma once
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/base/ref.h"
#include "platform/base/waitq.h"
#include "sentry/time/ktime.h"

struct kernel;
struct task;
struct tgroup;
struct ipc_ns;
struct mqfs;
struct strbuf;
struct ns;
struct user_ns;

#define IPC_SLOTS_MAX 32768u
#define IPC_SEQ_MAX   65535u

enum ipc_kind { IPC_SHM, IPC_SEM, IPC_MSG, IPC_KINDS };

/* What /proc/sys/kernel/{msg*,shm*,sem} and /proc/sys/fs/mqueue set: settings.c. */
enum ipc_limit {
	LIM_MSGMAX, LIM_MSGMNB, LIM_MSGMNI, LIM_SHMMAX, LIM_SHMALL, LIM_SHMMNI, LIM_SEMMSL, LIM_SEMMNS, LIM_SEMOPM,
	LIM_SEMMNI, LIM_MSG_NEXT, LIM_SEM_NEXT, LIM_SHM_NEXT,   /* the id that the next object is to have, UINT64_MAX: any */
	LIM_MQ_QUEUES, LIM_MQ_MSGS, LIM_MQ_SIZE, LIM_MQ_DEF_MSGS, LIM_MQ_DEF_SIZE, IPC_LIMITS
};

struct ipc_obj {                        /* what every kind embeds first */
	struct ref ref;
	void (*free)(struct ipc_obj *o);        /* immutable */
	int id;                                 /* immutable */
	s32 key;
	u32 uid, gid, cuid, cgid, mode;
	bool gone;                              /* removed: no longer in the table */
};

struct ipc_ids {
	struct ipc_obj **slot;                  /* owned array of n */
	u32 n, used;
	u32 seq;                                /* of the next object */
};

/* ids.c */
int ipc_ns_new(struct kernel *k, struct user_ns *owner, struct ns **ret) must_check;
struct ipc_ns *task_ipc_ns(struct task *t);             /* borrowed */
struct ipc_ns *ipc_ns_of(struct ns *ns);
void ipc_ns_hold(struct ipc_ns *ns);
void ipc_ns_drop(struct ipc_ns *ns);
/* A namespace goes: its queues and undo lists. */
void mq_forget_all(struct ipc_ns *ns);
void sem_forget_all(struct ipc_ns *ns);
struct mutex *ipc_lock(struct ipc_ns *ns);
struct user_ns *ipc_owner(struct ipc_ns *ns);           /* borrowed */
_Atomic u64 *ipc_limits(struct ipc_ns *ns);             /* IPC_LIMITS of them */
static inline u64 ipc_limit(struct ipc_ns *ns, enum ipc_limit l) { return atomic_load(&ipc_limits(ns)[l]); }

/* settings.c: by the name of the file in /proc/sys. -ENOENT, -EINVAL, -EPERM. */
void ipc_limits_init(struct ipc_ns *ns);
int ipc_setting_show(struct ipc_ns *ns, const char *name, struct strbuf *out) must_check;
int ipc_setting_store(struct task *t, struct ipc_ns *ns, const char *name, char *text) must_check;
/*
 * What shmget, semget and msgget have in common.  @make builds an object for a new key (called
 * without the lock); @check says whether an existing one suits (0 or -errno, under the lock).
 */
struct ipc_get {
	enum ipc_kind kind;
	s32 key;
	int flags;
	void *arg;
	int (*make)(struct task *t, void *arg, struct ipc_obj **ret);
	int (*check)(struct ipc_obj *o, void *arg);
};
int ipc_get(struct task *t, const struct ipc_get *g) must_check;                /* the id */
/* The object of @id with a reference and the lock held: -EINVAL, -EIDRM. */
int ipc_find_lock(struct task *t, enum ipc_kind kind, int id, struct ipc_ns **ret_ns, struct ipc_obj **ret)
	must_check;
/* SHM_STAT_ANY and so on: by a slot's number, whoever asks. */
enum { IPC_MSG_STAT_ANY = 13, IPC_SHM_STAT_ANY = 15, IPC_SEM_STAT_ANY = 20 };
/* The same for who may look at it (@cmd: IPC_STAT, or else @id is a slot's number); what the call is to return. */
int ipc_stat_lock(struct task *t, enum ipc_kind kind, int id, int cmd, struct ipc_ns **ret_ns, struct ipc_obj **ret)
	must_check;
/* The same for the owner, or CAP_SYS_ADMIN: -EPERM. */
int ipc_change_lock(struct task *t, enum ipc_kind kind, int id, struct ipc_ns **ret_ns, struct ipc_obj **ret) must_check;
void ipc_put_unlock(struct ipc_ns *ns, struct ipc_obj *o);      /* undoes both */
void ipc_put(struct ipc_obj *o);                                /* the reference; without the lock */
void ipc_remove_locked(struct ipc_ns *ns, enum ipc_kind kind, struct ipc_obj *o);  /* the slot's reference is the caller's */
int ipc_permit(struct task *t, const struct ipc_obj *o, u32 want) must_check;   /* want: 0444 | 0222; -EACCES */
s64 ipc_seconds(struct kernel *k);                              /* what the objects' times count */
void ipc_fill_perm(const struct ipc_obj *o, struct ipc_perm *ret);
void ipc_set_perm(struct ipc_obj *o, const struct ipc_perm *p);
/* Of kind: highest slot in use (-1 = none), objects, and each in turn. */
int ipc_highest_locked(struct ipc_ns *ns, enum ipc_kind kind, u32 *ret_used);
struct ipc_obj *ipc_slot_locked(struct ipc_ns *ns, enum ipc_kind kind, u32 slot);
struct list_head *ipc_undo_list(struct ipc_ns *ns);             /* sysv_sem.c's, guarded by the lock */
struct mqfs **ipc_mqfs(struct ipc_ns *ns);                      /* mqueue_fs.c's, guarded by the lock */

/* The calls. */
long shm_get(struct task *t, s32 key, u64 size, int flags) must_check;
long shm_at(struct task *t, int id, gaddr_t addr, int flags) must_check;
long shm_dt(struct task *t, gaddr_t addr) must_check;
long shm_ctl(struct task *t, int id, int cmd, gaddr_t buf) must_check;
long sem_get(struct task *t, s32 key, int nsems, int flags) must_check;
long sem_op(struct task *t, int id, gaddr_t sops, size_t n, ktime_t deadline) must_check;
long sem_ctl(struct task *t, int id, int num, int cmd, gaddr_t arg) must_check;
long msg_get(struct task *t, s32 key, int flags) must_check;
long msg_send(struct task *t, int id, gaddr_t msg, size_t n, int flags) must_check;
long msg_receive(struct task *t, int id, gaddr_t msg, size_t n, long type, int flags) must_check;
long msg_ctl(struct task *t, int id, int cmd, gaddr_t buf) must_check;
/* /proc/sysvipc: a table of all that @t may read. */
void shm_show(struct task *t, struct strbuf *out);
void sem_show(struct task *t, struct strbuf *out);
void msg_show(struct task *t, struct strbuf *out);
/* A process ends, or leaves @ns: its semaphore adjustments there are undone. */
void ipc_exit(struct tgroup *tg, struct ipc_ns *ns);
