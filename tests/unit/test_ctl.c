/*
 * test_ctl.c - control messages: what goes in comes out, and malformed bytes are refused.
 */
#include "unit.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "platform/host/seccomp.h"
#include "runsc-cli/ctl/ctl.h"
#include "sentry/boot/boot.h"

static struct ctl_process sample(void)
{
	static char *argv[] = { "sh", "-c", "", NULL }, *envp[] = { "A=1", NULL };
	static u32 groups[] = { 4, 5 };

	return (struct ctl_process){
		.uid = 1, .gid = 2, .umask = 022, .ngroups = 2, .groups = groups, .cap_bnd = 7, .rlim_set = 1,
		.rlim_soft = { 3 }, .rlim_hard = { 4 }, .oom_score_adj = -9, .rows = 24, .cols = 80,
		.argc = 3, .envc = 1, .argv = argv, .envp = envp, .cwd = "/tmp",
	};
}

static void a_process_survives_packing(void **state)
{
	struct ctl_process p = sample(), q;
	long n = ctl_process_pack(&p, NULL, 0);
	char buf[1024];
	void *mem;

	(void)state;
	assert_true(n > 0 && n < (long)sizeof(buf));
	assert_int_equal(ctl_process_pack(&p, buf, (size_t)n - 1), -E2BIG);
	assert_int_equal(ctl_process_pack(&p, buf, sizeof(buf)), n);
	assert_int_equal(ctl_process_unpack(buf, (size_t)n, &q, &mem), 0);
	assert_string_equal(q.cwd, "/tmp");
	assert_string_equal(q.argv[1], "-c");
	assert_string_equal(q.argv[2], "");
	assert_null(q.argv[3]);
	assert_string_equal(q.envp[0], "A=1");
	assert_null(q.envp[1]);
	assert_int_equal(q.groups[1], 5);
	assert_int_equal(q.rlim_hard[0], 4);
	assert_int_equal(q.oom_score_adj, -9);
	kfree(mem);
}

static void a_cut_or_changed_process_is_refused_or_harmless(void **state)
{
	struct ctl_process p = sample(), q;
	char buf[1024], copy[1024];
	long n = ctl_process_pack(&p, buf, sizeof(buf));
	void *mem;

	(void)state;
	for (long i = 0; i < n; i++)
		assert_int_equal(ctl_process_unpack(buf, (size_t)i, &q, &mem), -EINVAL);
	for (long i = 0; i < n; i++) {
		memcpy(copy, buf, sizeof(copy));
		copy[i] = (char)~copy[i];
		if (ctl_process_unpack(copy, (size_t)n, &q, &mem) == 0)
			kfree(mem);
	}
}

static struct boot_config sample_container(struct ctl_process *p)
{
	static struct boot_mount mounts[] = {
		{ .dest = "/proc", .type = "proc", .source = "proc", .data = NULL, .flags = 3, .root = -1 },
		{ .dest = "/v", .type = "bind", .source = "/src", .data = "", .root = 1, .is_dir = true },
	};
	static struct boot_device devices[] = { { "/dev/x", 'c', 1, 3, 0666, 4, 5 } };
	static struct boot_pair sysctl[] = { { "net.a", "1" } };
	static const char *masked[] = { "/proc/kcore" };
	static const struct sock_filter filter[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };

	*p = sample();
	return (struct boot_config){
		.id = "c", .hostname = "h", .domainname = "", .process = p, .mounts = mounts, .nmounts = 2, .devices = devices,
		.ndevices = 1, .sysctl = sysctl, .nsysctl = 1, .masked = masked, .nmasked = 1, .seccomp = filter, .nseccomp = 1,
		.root_readonly = true, .root_propagation = BOOT_PROP(1, true), .upper_root = -1, .own_ns = 7,
	};
}

static void a_container_survives_packing(void **state)
{
	struct ctl_process p, q;
	struct boot_config c = sample_container(&p), d;
	void *mem, *process_mem;
	char buf[2048];
	long n = boot_config_pack(&c, NULL, 0);

	(void)state;
	assert_true(n > 0 && n < (long)sizeof(buf));
	assert_int_equal(boot_config_pack(&c, buf, (size_t)n - 1), -E2BIG);
	assert_int_equal(boot_config_pack(&c, buf, sizeof(buf)), n);
	assert_int_equal(boot_config_unpack(buf, (size_t)n, &d, &q, &mem, &process_mem), 0);
	assert_string_equal(d.id, "c");
	assert_string_equal(d.mounts[0].data, "");
	assert_string_equal(d.mounts[1].source, "/src");
	assert_true(d.mounts[1].is_dir && d.mounts[1].root == 1 && d.mounts[0].root == -1);
	assert_int_equal(d.devices[0].mode, 0666);
	assert_string_equal(d.sysctl[0].value, "1");
	assert_string_equal(d.masked[0], "/proc/kcore");
	assert_int_equal(d.seccomp[0].k, SECCOMP_RET_ALLOW);
	assert_true(d.root_readonly && !d.overlay && d.upper_root == -1 && d.own_ns == 7);
	assert_int_equal(d.root_propagation, BOOT_PROP(1, true));
	assert_string_equal(d.process->argv[1], "-c");
	kfree(mem);
	kfree(process_mem);
}

static void a_cut_or_changed_container_is_refused_or_harmless(void **state)
{
	struct ctl_process p, q;
	struct boot_config c = sample_container(&p), d;
	char buf[2048], copy[2048];
	long n = boot_config_pack(&c, buf, sizeof(buf));
	void *mem, *process_mem;

	(void)state;
	for (long i = 0; i < n; i++)
		assert_int_equal(boot_config_unpack(buf, (size_t)i, &d, &q, &mem, &process_mem), -EINVAL);
	for (long i = 0; i < n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, buf, (size_t)n);
			copy[i] = (char)(copy[i] ^ 1 << bit);
			if (boot_config_unpack(copy, (size_t)n, &d, &q, &mem, &process_mem) < 0)
				continue;
			kfree(mem);
			kfree(process_mem);
		}
	}
}

static void messages_carry_payload_and_descriptors(void **state)
{
	int sv[2], fds[CTL_MAX_FDS], pass[2] = { 0, 1 };
	struct ctl_hdr h;
	size_t nfds;
	void *p;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	assert_int_equal(ctl_send(sv[0], CTL_EXEC, -3, "hello", 5, pass, 2), 0);
	assert_int_equal(ctl_recv(sv[1], 0, &h, &p, fds, &nfds), 0);
	assert_int_equal(h.op, CTL_EXEC);
	assert_int_equal(h.result, -3);
	assert_string_equal(p, "hello");
	assert_int_equal(nfds, 2);
	assert_true(fds[0] >= 0 && fds[1] >= 0 && fds[2] == -1);
	close(fds[0]);
	close(fds[1]);
	kfree(p);
	assert_int_equal(ctl_recv(sv[1], MSG_DONTWAIT, &h, &p, fds, &nfds), -EAGAIN);
	assert_int_equal(send(sv[0], "garbage that is no message", 26, 0), 26);
	assert_int_equal(ctl_recv(sv[1], 0, &h, &p, fds, &nfds), -EPROTO);
	assert_int_equal(send(sv[0], "x", 1, 0), 1);
	assert_int_equal(ctl_recv(sv[1], 0, &h, &p, fds, &nfds), -EPROTO);
	close(sv[0]);
	close(sv[1]);
}

/* What the kernel would do with a filter: enough of classic BPF for ours. */
static u32 run_filter(const struct sock_filter *f, int n, const struct seccomp_data *d)
{
	u32 a = 0;

	for (int pc = 0; pc < n; pc++) {
		switch (f[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + f[pc].k, 4);
			break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == f[pc].k ? f[pc].jt : f[pc].jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += a >= f[pc].k ? f[pc].jt : f[pc].jf; break;
		case BPF_JMP | BPF_JSET | BPF_K: pc += a & f[pc].k ? f[pc].jt : f[pc].jf; break;
		case BPF_RET | BPF_K: return f[pc].k;
		default: fail_msg("instruction %d has code %x", pc, f[pc].code);
		}
	}
	fail_msg("the filter runs off its end");
	return 0;
}

static void filters_allow_exactly_their_rows(void **state)
{
	static const struct hc_row rows[] = {
		{ .nr = 1, ANY },
		{ .nr = 2, IF1(EQ32(1, 7)) },
		{ .nr = 2, IF2(EQ(0, 0x100000005ull), NOBITS(3, 0x8000000000000004ull)) },
		{ .nr = 3, IF3(NOBITS(2, 4), EQ32(0, 1), EQ(1, 2)) },
	};
	static const struct { u32 nr; u64 a[4]; bool ok; } t[] = {
		{ 1, { 9, 9, 9, 9 }, true }, { 0, { 0 }, false }, { 4, { 0 }, false },
		{ 2, { 0, 7 }, true }, { 2, { 0, 0x500000007 }, true }, { 2, { 0, 8 }, false },
		{ 2, { 0x100000005, 0, 0, 3 }, true }, { 2, { 5, 0, 0, 3 }, false },
		{ 2, { 0x100000005, 0, 0, 4 }, false }, { 2, { 0x100000005, 0, 0, 1ull << 63 }, false },
		{ 3, { 1, 2, 3 }, true }, { 3, { 1, 2, 4 }, false }, { 3, { 1, 3, 0 }, false }, { 3, { 0, 2, 0 }, false },
	};
	struct sock_filter f[HC_MAX_INSNS];
	int n = hc_compile(rows, ARRAY_SIZE(rows), SECCOMP_RET_TRAP, f, ARRAY_SIZE(f));
	struct seccomp_data d;

	(void)state;
	assert_true(n > 0);
	assert_int_equal(hc_count(rows, ARRAY_SIZE(rows)), 3);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		d = (struct seccomp_data){ .nr = (int)t[i].nr, .arch = AUDIT_ARCH_X86_64 };
		memcpy(d.args, t[i].a, sizeof(t[i].a));
		if (run_filter(f, n, &d) != (t[i].ok ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP))
			fail_msg("row %zu", i);
	}
	d.arch = AUDIT_ARCH_I386;
	assert_true(run_filter(f, n, &d) == SECCOMP_RET_KILL_PROCESS);
	d.arch = AUDIT_ARCH_X86_64;
	d.nr = 0x40000001;
	assert_true(run_filter(f, n, &d) == SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(hc_compile(rows, ARRAY_SIZE(rows), 0, f, 8), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_survives_packing),
		cmocka_unit_test(a_cut_or_changed_process_is_refused_or_harmless),
		cmocka_unit_test(a_container_survives_packing),
		cmocka_unit_test(a_cut_or_changed_container_is_refused_or_harmless),
		cmocka_unit_test(messages_carry_payload_and_descriptors),
		cmocka_unit_test(filters_allow_exactly_their_rows),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
