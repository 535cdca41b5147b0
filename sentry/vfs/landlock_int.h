/*
 * landlock_int.h - a layer of rules, as landlock.c and landlock_set.c share it.
 */
#pragma once
#include "platform/base/ref.h"
#include "sentry/vfs/landlock.h"

#define LANDLOCK_LAYERS 16
#define LANDLOCK_RULES  8192            /* a layer, of each kind */

struct ll_rule { struct dentry *at; u32 access; };      /* at: a reference */
struct ll_port { u16 port; u16 access; };

/* A ruleset's content; a layer's is immutable. */
struct ll_rules {
	struct landlock_handled on;
	struct ll_rule *rule;                   /* by super block and number */
	struct ll_port *port;                   /* by port */
	u32 nrules, nports, rules_cap, ports_cap;
};

struct landlock {
	struct ref ref;
	struct landlock *prev;                  /* a reference; NULL: the first layer */
	u32 depth;
	struct ll_rules r;                      /* owned */
};

/* Where a rule on @i is or would be. */
u32 ll_rule_find(const struct ll_rules *r, const struct inode *i, bool *ret_there);
void ll_rules_done(struct ll_rules *r);
