/*
 * spec_process.c - the process object: what runs, as whom, within which limits.
 *
 * Rlimits and capabilities are the guest's: they are emulated, so none is refused
 * because the host's root has less.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include "platform/base/log.h"
#include "runsc-cli/oci/spec.h"

static const char *const cap_names[OCI_CAP_LAST + 1] = {
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
};

static const char *const rlimit_names[OCI_RLIMITS] = {
	[RLIMIT_CPU] = "CPU", [RLIMIT_FSIZE] = "FSIZE", [RLIMIT_DATA] = "DATA", [RLIMIT_STACK] = "STACK",
	[RLIMIT_CORE] = "CORE", [RLIMIT_RSS] = "RSS", [RLIMIT_NPROC] = "NPROC", [RLIMIT_NOFILE] = "NOFILE",
	[RLIMIT_MEMLOCK] = "MEMLOCK", [RLIMIT_AS] = "AS", [RLIMIT_LOCKS] = "LOCKS",
	[RLIMIT_SIGPENDING] = "SIGPENDING", [RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
	[RLIMIT_RTPRIO] = "RTPRIO", [RLIMIT_RTTIME] = "RTTIME",
};

int cap_by_name(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (int i = 0; i <= OCI_CAP_LAST; i++)
		if (strcasecmp(name, cap_names[i]) == 0)
			return i;
	return -1;
}

const char *cap_name(int cap)
{
	return cap >= 0 && cap <= OCI_CAP_LAST ? cap_names[cap] : NULL;
}

int rlimit_by_name(const char *name)
{
	if (strncmp(name, "RLIMIT_", 7) != 0)
		return -1;
	for (int i = 0; i < OCI_RLIMITS; i++)
		if (strcmp(name + 7, rlimit_names[i]) == 0)
			return i;
	return -1;
}

static int parse_capset(const struct jnode *n, const char *key, u64 *ret)
{
	const char **v = NULL;
	u32 cnt = 0;
	u64 set = 0;
	int r = j_strv(n, key, &v, &cnt);

	if (r <= 0)
		return r;
	for (u32 i = 0; i < cnt; i++) {
		int c = cap_by_name(v[i]);

		if (c < 0)
			log_msg(LOG_WARN, "ignoring unknown capability %.64s of process.capabilities.%s", v[i], key);
		else
			set |= 1ull << c;
	}
	*ret = set;
	return 0;
}

static int parse_caps(const struct jnode *n, struct oci_process *p)
{
	struct jnode c;
	int r = j_get(n, "capabilities", J_OBJECT, &c);

	if (r <= 0)
		return r;
	r = parse_capset(&c, "bounding", &p->cap_bnd);
	if (r == 0)
		r = parse_capset(&c, "effective", &p->cap_eff);
	if (r == 0)
		r = parse_capset(&c, "inheritable", &p->cap_inh);
	if (r == 0)
		r = parse_capset(&c, "permitted", &p->cap_prm);
	if (r == 0)
		r = parse_capset(&c, "ambient", &p->cap_amb);
	for (int i = 0; i <= OCI_CAP_LAST; i++)
		if (p->cap_amb & ~(p->cap_prm & p->cap_inh) & (1ull << i))
			log_msg(LOG_WARN, "can't raise ambient capability CAP_%s: it is not both permitted and inheritable",
			        cap_names[i]);
	/* As the kernel does: nothing is effective that isn't permitted, nothing ambient that isn't both. */
	p->cap_eff &= p->cap_prm;
	p->cap_amb &= p->cap_prm & p->cap_inh;
	return r;
}

static int parse_rlimits(const struct jnode *n, struct oci_process *p)
{
	struct jnode a, e;
	int r = j_get(n, "rlimits", J_ARRAY, &a);

	if (r <= 0)
		return r;
	for (size_t i = 0; i < j_count(&a); i++) {
		const char *type = "";
		struct oci_rlimit v = { .set = true };
		int which;

		r = j_item(&a, i, J_OBJECT, &e);
		if (r == 0)
			r = j_str(&e, "type", &type);
		if (r < 0)
			return r;
		which = rlimit_by_name(type);
		if (which < 0)
			return j_fail(&e, -EINVAL, "type \"%.64s\" is no limit; use names like RLIMIT_NOFILE", type);
		if (p->rlimits[which].set)
			return j_fail(&e, -EINVAL, "%s is given twice", type);
		r = j_u64(&e, "soft", &v.soft);
		if (r >= 0)
			r = j_u64(&e, "hard", &v.hard);
		if (r < 0)
			return r;
		if (v.soft > v.hard)
			return j_fail(&e, -EINVAL, "soft limit %llu is above the hard limit %llu",
			              (unsigned long long)v.soft, (unsigned long long)v.hard);
		p->rlimits[which] = v;
	}
	return 0;
}

static int parse_groups(const struct jnode *u, struct oci_process *p)
{
	struct jnode a, e;
	int r = j_get(u, "additionalGids", J_ARRAY, &a);
	size_t n;

	if (r <= 0)
		return r;
	n = j_count(&a);
	if (n > OCI_NGROUPS_MAX)
		return j_fail(&a, -E2BIG, "%zu groups, at most %u are possible", n, OCI_NGROUPS_MAX);
	p->groups = pool_alloc(u->doc->pool, n, sizeof(*p->groups));
	if (!p->groups)
		return j_nomem(&a);
	for (size_t i = 0; i < n; i++) {
		u64 v = 0;

		r = j_item(&a, i, J_INT, &e);
		if (r == 0)
			r = j_u64_here(&e, &v);
		if (r < 0)
			return r;
		if (v >= UINT32_MAX)
			return j_fail(&e, -ERANGE, "%llu is no group id", (unsigned long long)v);
		p->groups[i] = (u32)v;
	}
	p->ngroups = (u32)n;
	return 0;
}

static int parse_user(const struct jnode *n, struct oci_process *p)
{
	struct jnode u;
	int r;

	p->umask = 0022;
	r = j_get(n, "user", J_OBJECT, &u);
	if (r <= 0)
		return r;
	r = j_u32(&u, "uid", &p->uid);
	if (r >= 0)
		r = j_u32(&u, "gid", &p->gid);
	if (r >= 0)
		r = j_u32(&u, "umask", &p->umask);
	if (r < 0)
		return r;
	if (p->uid == UINT32_MAX || p->gid == UINT32_MAX)
		return j_fail(&u, -ERANGE, "uid and gid 4294967295 mean \"no id\" to Linux; use another");
	if (p->umask > 0777)
		return j_fail(&u, -ERANGE, "umask %o is more than 0777 (the number is decimal: 0022 is 18)", p->umask);
	return parse_groups(&u, p);
}

static int check_strings(const struct jnode *n, const char *key, const char *const *v, u32 cnt)
{
	size_t total = 0;

	for (u32 i = 0; i < cnt; i++) {
		if (strlen(v[i]) >= 131072)
			return j_fail(n, -E2BIG, "%s[%u] is longer than 131071 bytes, which Linux refuses", key, i);
		total += strlen(v[i]) + 1 + sizeof(u64);
	}
	if (total > (2u << 20))
		return j_fail(n, -E2BIG, "%s takes %zu bytes, at most 2 MiB can be passed", key, total);
	return 0;
}

static int parse_command(const struct jnode *n, struct oci_process *p)
{
	int r = j_strv(n, "args", &p->args, &p->nargs);

	if (r < 0)
		return r;
	if (p->nargs == 0)
		return j_fail(n, -EINVAL, "args is missing or empty; give the command, for example [\"sh\"]");
	if (!*p->args[0])
		return j_fail(n, -EINVAL, "args[0] is empty; it must name a program");
	r = j_strv(n, "env", &p->env, &p->nenv);
	if (r < 0)
		return r;
	for (u32 i = 0; i < p->nenv; i++)
		if (!strchr(p->env[i], '=') || p->env[i][0] == '=')
			return j_fail(n, -EINVAL, "env[%u]: \"%.64s\" is not of the form NAME=value", i, p->env[i]);
	r = check_strings(n, "args", p->args, p->nargs);
	return r < 0 ? r : check_strings(n, "env", p->env, p->nenv);
}

static int parse_cwd(const struct jnode *n, struct oci_process *p)
{
	int r = j_str(n, "cwd", &p->cwd);

	if (r < 0)
		return r;
	if (r == 0 || p->cwd[0] != '/')
		return j_fail(n, -EINVAL, "cwd must be an absolute path inside the container (\"/\" if unsure), not \"%.200s\"",
		              r ? p->cwd : "");
	if (strlen(p->cwd) >= PATH_MAX)
		return j_fail(n, -ENAMETOOLONG, "cwd is %zu bytes long, at most %d fit", strlen(p->cwd), PATH_MAX - 1);
	return 0;
}

static int parse_misc(const struct jnode *n, struct oci_process *p)
{
	struct jnode c;
	s64 adj = 0;
	int r;

	r = j_bool(n, "terminal", &p->terminal);
	if (r >= 0)
		r = j_bool(n, "noNewPrivileges", &p->no_new_privs);
	if (r >= 0)
		r = j_int(n, "oomScoreAdj", -1000, 1000, &adj);
	if (r > 0) {
		p->oom_score_adj = (s32)adj;
		p->has_oom_score_adj = true;
	}
	if (r >= 0)
		r = j_get(n, "consoleSize", J_OBJECT, &c);
	if (r > 0) {
		r = j_u32(&c, "height", &p->console_height);
		if (r >= 0)
			r = j_u32(&c, "width", &p->console_width);
		if (r >= 0 && (p->console_height > 65535 || p->console_width > 65535))
			return j_fail(&c, -ERANGE, "height and width are at most 65535");
	}
	return r < 0 ? r : 0;
}

int parse_process(const struct jnode *n, struct oci_process *p)
{
	int r;

	*p = (struct oci_process){ .cwd = "/", .umask = 0022 };
	p->env = pool_alloc(n->doc->pool, 1, sizeof(*p->env));
	if (!p->env)
		return j_nomem(n);
	r = parse_command(n, p);
	if (r == 0)
		r = parse_cwd(n, p);
	if (r == 0)
		r = parse_user(n, p);
	if (r == 0)
		r = parse_caps(n, p);
	if (r == 0)
		r = parse_rlimits(n, p);
	if (r == 0)
		r = parse_sched(n, p);
	if (r == 0)
		r = parse_misc(n, p);
	return r;
}
