/* exec_send.c - see exec_send.h. */
#include "runsc-cli/setup/exec_send.h"
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/boot_spec.h"

int exec_send(struct cli *cli, int sock, u32 op, const struct oci_process *p, const int *fds, size_t nfds,
              u32 nextra)
{
	struct ctl_process cp;
	struct ctl_hdr h;
	void *buf, *reply = NULL;
	int got[CTL_MAX_FDS], r;
	size_t ngot;
	long n;

	process_to_ctl(p, &cp);
	cp.nextra = nextra;
	memcpy(cp.sched.cpus, p->sched.cpus, sizeof(cp.sched.cpus));
	n = ctl_process_pack(&cp, NULL, 0);
	if (n < 0)
		return err_sys(&cli->err, (int)n, "exec: arguments and environment");
	buf = kbuf_alloc((size_t)n);
	if (!buf)
		return err_set(&cli->err, -ENOMEM, "no memory");
	n = ctl_process_pack(&cp, buf, (size_t)n);
	r = n < 0 ? (int)n : ctl_send(sock, op, 0, buf, (size_t)n, fds, nfds);
	kfree(buf);
	if (r == 0)
		r = ctl_recv(sock, 0, &h, &reply, got, &ngot);
	if (r < 0)
		return err_sys(&cli->err, r, "exec failed: the sandbox does not answer");
	if (h.result < 0)
		r = err_set(&cli->err, h.result, "exec failed: %s", h.len ? (char *)reply : strerror(-h.result));
	else
		r = h.result;
	kfree(reply);
	return r;
}
