/*
 * core_name.c - what a core file is called: kernel.core_pattern and its specifiers (core(5)).
 *
 * The pattern is the sandbox's, numbers and names are the dying process's; the name is used as that process
 * would use it, so a pattern gives it no file that it could not reach.
 */
#include <limits.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/coredump.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task_int.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/vfs.h"

/* A name in a file name: Linux turns its slashes into '!'. */
static void put_word(struct strbuf *s, const char *word)
{
	for (; *word; word++)
		strbuf_putc(s, *word == '/' ? '!' : *word);
}

static void put_exe(struct strbuf *s, struct task *t)
{
	auto_kfree char *name = kbuf_alloc(PATH_MAX);
	struct file *exe;

	mutex_lock(&t->mm->mu);
	exe = t->mm->exe ? file_ref(t->mm->exe) : NULL;
	mutex_unlock(&t->mm->mu);
	if (name && exe && exe->path.dentry && vfs_path_name(t, &exe->path, name, PATH_MAX) > 0)
		put_word(s, name);
	file_unref(exe);
}

/* What core(5) puts for %@what; false: nothing, as for a letter that it does not know. */
static bool put_specifier(struct strbuf *s, struct task *t, char what, int sig, u64 limit)
{
	char word[65];

	switch (what) {
	case '%':
		return strbuf_putc(s, '%'), true;
	case 'p':
		return strbuf_printf(s, "%d", pid_nr(t, t->tg->tgid)), true;
	case 'P':
		return strbuf_printf(s, "%d", t->tg->tgid), true;
	case 'i':
		return strbuf_printf(s, "%d", pid_nr(t, t->tid)), true;
	case 'I':
		return strbuf_printf(s, "%d", t->tid), true;
	case 'u':
		return strbuf_printf(s, "%u", task_cred(t)->uid), true;
	case 'g':
		return strbuf_printf(s, "%u", task_cred(t)->gid), true;
	case 'd':
		return strbuf_printf(s, "%d", t->tg->dumpable), true;
	case 's':
		return strbuf_printf(s, "%d", sig), true;
	case 't':
		return strbuf_printf(s, "%lld", (long long)(ktime_real(t->kernel) / NSEC_PER_SEC)), true;
	case 'c':
		return strbuf_printf(s, "%llu", (unsigned long long)limit), true;
	case 'h':
		mutex_lock(&task_uts(t)->mu);
		str_copy(word, sizeof(word), task_uts(t)->nodename);
		mutex_unlock(&task_uts(t)->mu);
		return put_word(s, word), true;
	case 'e':
	case 'f':
		mutex_lock(&t->mu);
		str_copy(word, sizeof(word), t->comm);
		mutex_unlock(&t->mu);
		return put_word(s, word), true;
	case 'E':
		return put_exe(s, t), true;
	default:
		return false;
	}
}

char *core_name(struct task *t, int sig, u64 limit)
{
	char pattern[CORE_PATTERN_MAX];
	bool has_pid = false;
	struct strbuf s;

	core_pattern_get(&t->kernel->settings, pattern);
	strbuf_init_limit(&s, PATH_MAX);
	for (const char *p = pattern; *p; p++) {
		if (*p != '%') {
			strbuf_putc(&s, *p);
			continue;
		}
		if (!*++p)
			break;
		has_pid = has_pid || *p == 'p';
		(void)put_specifier(&s, t, *p, sig, limit);
	}
	if (!has_pid && setting_get(&t->kernel->settings, SETTING_CORE_USES_PID))
		strbuf_printf(&s, ".%d", pid_nr(t, t->tg->tgid));
	return strbuf_take(&s);
}
