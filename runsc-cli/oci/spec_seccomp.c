/*
 * spec_seccomp.c - reading linux.seccomp.
 *
 * Everything is checked whether it has an effect or not.  architectures: only the guest's own matters,
 * flags: TSYNC, LOG and SPEC_ALLOW change nothing here.  SCMP_ACT_NOTIFY needs a
 * supervisor that could not see the guest's memory, and is refused.
 */
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include "runsc-cli/oci/seccomp.h"

static int parse_action(const struct jnode *n, const char *key, u32 *ret)
{
	static const struct { const char *name; u32 action; } known[] = {
		{ "SCMP_ACT_KILL", SCMP_ACT_KILL }, { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
		{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS }, { "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
		{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) }, { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
		{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW }, { "SCMP_ACT_LOG", SCMP_ACT_LOG },
	};
	const char *text = NULL;
	int r = j_str(n, key, &text);

	if (r < 0)
		return r;
	if (r == 0)
		return j_fail(n, -EINVAL, "%s is missing", key);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, text) == 0) {
			*ret = known[i].action;
			return 0;
		}
	if (strcmp(text, "SCMP_ACT_NOTIFY") == 0)
		return j_fail(n, -EOPNOTSUPP, "%s: SCMP_ACT_NOTIFY is not supported: a supervisor outside the sandbox cannot "
		              "look into its processes; use SCMP_ACT_ERRNO", key);
	return j_fail(n, -EINVAL, "%s: \"%.40s\" is no action", key, text);
}

static int parse_errno(const struct jnode *n, const char *key, u32 *ret)
{
	s64 v = 0;
	int r = j_int(n, key, 0, 4095, &v);

	*ret = r > 0 ? (u32)v : OCI_SECCOMP_NONE;
	return r < 0 ? r : 0;
}

static int parse_arg(const struct jnode *e, struct oci_sc_arg *a)
{
	static const char *const ops[] = { "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE",
	                                   "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ" };
	int r = j_u32(e, "index", &a->index);

	if (r >= 0 && a->index > 5)
		return j_fail(e, -EINVAL, "index must be at most 5");
	if (r >= 0)
		r = j_u64(e, "value", &a->value);
	if (r >= 0)
		r = j_u64(e, "valueTwo", &a->value_two);
	a->op = "";
	if (r >= 0)
		r = j_str(e, "op", &a->op);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i], a->op) == 0)
			return 0;
	return j_fail(e, -EINVAL, "op: \"%.40s\" is no comparison", a->op);
}

static int parse_args(const struct jnode *e, struct oci_sc_rule *rule)
{
	struct jnode a, x;
	int r = j_get(e, "args", J_ARRAY, &a);

	if (r <= 0)
		return r;
	rule->args = pool_alloc(e->doc->pool, j_count(&a), sizeof(*rule->args));
	if (!rule->args)
		return j_nomem(&a);
	for (size_t i = 0; i < j_count(&a); i++) {
		r = j_item(&a, i, J_OBJECT, &x);
		if (r == 0)
			r = parse_arg(&x, &rule->args[i]);
		if (r < 0)
			return r;
		rule->nargs++;
	}
	return 0;
}

static int parse_rule(const struct jnode *e, struct oci_sc_rule *rule)
{
	int r = j_strv(e, "names", &rule->names, &rule->nnames);

	if (r < 0)
		return r;
	if (rule->nnames == 0)
		return j_fail(e, -EINVAL, "names is missing or empty");
	r = parse_action(e, "action", &rule->action);
	if (r == 0)
		r = parse_errno(e, "errnoRet", &rule->errno_ret);
	return r < 0 ? r : parse_args(e, rule);
}

int parse_seccomp(const struct jnode *lin, struct oci_seccomp **ret)
{
	struct oci_seccomp *s;
	struct jnode n, a, e;
	int r = j_get(lin, "seccomp", J_OBJECT, &n);

	if (r <= 0)
		return r;
	s = pool_alloc(lin->doc->pool, 1, sizeof(*s));
	if (!s)
		return j_nomem(&n);
	r = parse_action(&n, "defaultAction", &s->action);
	if (r == 0)
		r = parse_errno(&n, "defaultErrnoRet", &s->errno_ret);
	if (r == 0)
		r = j_get(&n, "syscalls", J_ARRAY, &a);
	if (r < 0)
		return r;
	if (r > 0) {
		s->rules = pool_alloc(lin->doc->pool, j_count(&a), sizeof(*s->rules));
		if (!s->rules)
			return j_nomem(&a);
		for (size_t i = 0; i < j_count(&a); i++) {
			r = j_item(&a, i, J_OBJECT, &e);
			if (r == 0)
				r = parse_rule(&e, &s->rules[i]);
			if (r < 0)
				return r;
			s->nrules++;
		}
	}
	*ret = s;
	return 1;
}
