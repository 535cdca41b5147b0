/*
 * lanes.c - a sandbox's lanes, and which one a new program takes.
 *
 * A lane is a struct systrap: a zygote with a filter, its listener, and the workers that receive from it.  One listener has one receiver
 * (workers.c), whom the host wakes on its caller's CPU, and the answered thread on the receiver's: two busy programs of one
 * lane are drawn to one CPU.  So there are two lanes where there are two CPUs.  The first is the platform that the
 * sentry knows; the second, made right after it, has its stub at the same addresses, shares the table of processes, and
 * is served by the same reaper.  Without it (the host allows no more processes) all goes through the first.
 *
 * An address space and its copies belong to the lane of the zygote that they descend from, whose filter they have; a
 * worker belongs to one lane, takes its token and its events only, and so meets contexts of another lane at one
 * occasion: execve.  Then it owns the new image's first context until it has resumed it.  What it does
 * for it makes notifications that the other lane's workers receive: lane_serve() sees to it that one does.  It is still
 * counted for the old context meanwhile (workers_forget()), so either lane has the worker more that workers.c needs.
 *
 * Programs that were started one after the other are likely to be busy together, as a server and its client, or a pipeline: a program takes the
 * other lane than the youngest living process, the one which it replaces aside.  A process is as old
 * as its program, so that a server's late forks change nothing, and of one program the last copy is the youngest; one that is being replaced counts where it goes.
 */
#include "platform/systrap/systrap.h"

#include "platform/base/alloc.h"

bool lanes_init(struct systrap *first)
{
	struct lanes *lanes = knew(struct lanes);

	if (!lanes)
		return false;
	mutex_init(&lanes->mu, RANK_PLATFORM);
	list_init(&lanes->settled);
	list_init(&lanes->pending);
	lanes->lane[0] = first;
	first->lanes = lanes;
	return true;
}

struct systrap *lane_choose(struct systrap *first)
{
	struct lanes *lanes = first->lanes;
	struct systrap_as *own = workers_serves(), *as;
	struct systrap *l = first;

	if (!lanes->lane[1])
		return first;
	mutex_lock(&lanes->mu);
	list_for_each(as, &lanes->settled, settled)
		if (as != own && !atomic_load(&as->dead)) {
			l = lanes->lane[as->goes_to == first];
			break;
		}
	if (own)
		own->goes_to = l;
	mutex_unlock(&lanes->mu);
	return l;
}

void lane_settle(struct aspace *base, struct systrap_as *parent)
{
	struct systrap_as *as = to_as(base);
	struct lanes *lanes = to_systrap(base->p)->lanes;

	mutex_lock(&lanes->mu);
	as->goes_to = to_systrap(base->p);
	if (parent && !list_empty(&parent->settled))
		list_add_tail(&as->settled, &parent->settled);  /* before it */
	else
		list_add(&as->settled, &lanes->settled);
	mutex_unlock(&lanes->mu);
}

void lane_leave(struct systrap_as *as)
{
	struct lanes *lanes = to_systrap(as->base.p)->lanes;

	mutex_lock(&lanes->mu);
	list_del_init(&as->settled);
	mutex_unlock(&lanes->mu);
}
