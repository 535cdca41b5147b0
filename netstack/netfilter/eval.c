/*
 * eval.c - programs: their life, and a packet's way through one.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "netstack/netfilter/nf_int.h"

struct nf_prog *nf_prog_new(u32 nrules, u32 nexprs)
{
	struct nf_prog *g = knew(struct nf_prog);

	if (!g)
		return NULL;
	ref_init(&g->ref);
	g->rule = kbuf_array(MAX(nrules, 1u), sizeof(*g->rule));
	g->expr = kbuf_array(MAX(nexprs, 1u), sizeof(*g->expr));
	if (!g->rule || !g->expr) {
		nf_prog_unref(g);
		return NULL;
	}
	return g;
}

void nf_prog_unref(struct nf_prog *g)
{
	if (!g || !ref_put(&g->ref))
		return;
	for (u32 i = 0; i < g->nexprs; i++)
		kfree(g->expr[i].state);
	for (u32 i = 0; i < g->nkeep; i++)
		g->drop(g->keep[i]);
	kfree(g->keep);
	kfree(g->rule);
	kfree(g->expr);
	kfree(g->counter);
	kfree(g->blob);
	kfree(g);
}

enum nf_verdict nf_eval_count(struct nf_pkt *k, const struct nf_expr *e)
{
	struct nf_counter *c = (struct nf_counter *)e->data;

	atomic_fetch_add_explicit(&c->packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->bytes, k->p->len, memory_order_relaxed);
	return NF_V_CONT;
}

enum nf_verdict nf_eval_verdict(struct nf_pkt *k, const struct nf_expr *e)
{
	k->target = e->arg >> 8;
	return (enum nf_verdict)(e->arg & 0xff);
}

static enum nf_verdict run_rule(const struct nf_prog *g, const struct nf_rule *r, struct nf_pkt *k)
{
	enum nf_verdict v = NF_V_CONT;

	for (u32 i = 0; i < r->n && v == NF_V_CONT; i++)
		v = g->expr[r->first + i].eval(k, &g->expr[r->first + i]);
	return v;
}

enum nf_verdict nf_run(struct nf_prog *g, enum nf_hook h, struct nf_pkt *k)
{
	u32 back[NF_DEPTH], sp = 0, i = g->base[h].start, steps;

	for (steps = 0; steps < NF_STEPS && i < g->nrules; steps++) {
		switch (run_rule(g, &g->rule[i], k)) {
		case NF_V_CONT: case NF_V_BREAK:
			i++;
			break;
		case NF_V_ACCEPT:
			return NF_V_ACCEPT;
		case NF_V_JUMP:
			if (sp == NF_DEPTH)
				return NF_V_DROP;
			back[sp++] = i + 1;
			i = k->target;
			break;
		case NF_V_GOTO:
			i = k->target;
			break;
		case NF_V_RETURN:
			i = sp ? back[--sp] : g->base[h].policy;
			break;
		default:
			return NF_V_DROP;
		}
	}
	return NF_V_DROP;       /* off the end, or a maze */
}
