/*
 * sysctl.h - the settings under /proc/sys/net that the stack obeys.
 *
 * One row a setting: path, field, how many integers, default, bounds.  Writers
 * hold cfg_mu; readers read single ints without a lock (torn reads of one int
 * do not happen on x86-64, and a stale value is harmless).  Two that belong together
 * are written and read as one (sysctl_pair()).
 */
#pragma once
#include <string.h>
#include "platform/base/compiler.h"

/* Of all interfaces, and of those to come: @at is "all" or "default", @f begins the fields' names. */
#define NET_SYSCTLS_CONF4(X, at, f) \
	X("ipv4/conf/" at "/accept_redirects", f##_accept_redirects, 1, 0, 1, 1) \
	X("ipv4/conf/" at "/accept_source_route", f##_accept_source_route, 1, 0, 1, 0) \
	X("ipv4/conf/" at "/arp_accept", f##_arp_accept, 1, 0, 2, 0) \
	X("ipv4/conf/" at "/arp_announce", f##_arp_announce, 1, 0, 2, 0) \
	X("ipv4/conf/" at "/arp_ignore", f##_arp_ignore, 1, 0, 8, 0) \
	X("ipv4/conf/" at "/arp_notify", f##_arp_notify, 1, 0, 1, 0) \
	X("ipv4/conf/" at "/log_martians", f##_log_martians, 1, 0, 1, 0) \
	X("ipv4/conf/" at "/proxy_arp", f##_proxy_arp, 1, 0, 1, 0) \
	X("ipv4/conf/" at "/route_localnet", f##_route_localnet, 1, 0, 1, 0) \
	X("ipv4/conf/" at "/rp_filter", f##_rp_filter, 1, 0, 2, 0) \
	X("ipv4/conf/" at "/secure_redirects", f##_secure_redirects, 1, 0, 1, 1) \
	X("ipv4/conf/" at "/send_redirects", f##_send_redirects, 1, 0, 1, 1) \
	X("ipv4/conf/" at "/src_valid_mark", f##_src_valid_mark, 1, 0, 1, 0)

/* Connections that netfilter tracks: how many, and for how many seconds after the last packet. */
#define CT_TCP "netfilter/nf_conntrack_tcp_timeout_"
#define NET_SYSCTLS_CT(X) \
	X("netfilter/nf_conntrack_max", ct_max, 1, 0, 1 << 20, 32768) \
	X("netfilter/nf_conntrack_generic_timeout", ct_generic, 1, 1, 1 << 24, 600) \
	X("netfilter/nf_conntrack_icmp_timeout", ct_icmp, 1, 1, 1 << 24, 30) \
	X("netfilter/nf_conntrack_udp_timeout", ct_udp, 1, 1, 1 << 24, 30) \
	X("netfilter/nf_conntrack_udp_timeout_stream", ct_udp_stream, 1, 1, 1 << 24, 120) \
	X(CT_TCP "syn_sent", ct_syn_sent, 1, 1, 1 << 24, 120) \
	X(CT_TCP "syn_recv", ct_syn_recv, 1, 1, 1 << 24, 60) \
	X(CT_TCP "established", ct_established, 1, 1, 1 << 24, 432000) \
	X(CT_TCP "fin_wait", ct_fin_wait, 1, 1, 1 << 24, 120) \
	X(CT_TCP "close_wait", ct_close_wait, 1, 1, 1 << 24, 60) \
	X(CT_TCP "last_ack", ct_last_ack, 1, 1, 1 << 24, 30) \
	X(CT_TCP "time_wait", ct_time_wait, 1, 1, 1 << 24, 120) \
	X(CT_TCP "close", ct_close, 1, 1, 1 << 24, 10)

#define NET_SYSCTLS_CONF6(X, at, f) \
	X("ipv6/conf/" at "/accept_redirects", f##_accept_redirects, 1, 0, 1, 1) \
	X("ipv6/conf/" at "/accept_source_route", f##_accept_source_route, 1, -1, 1, 0) \
	X("ipv6/conf/" at "/autoconf", f##_autoconf, 1, 0, 1, 1) \
	X("ipv6/conf/" at "/use_tempaddr", f##_use_tempaddr, 1, -1, 2, 0)

/*
 * Kept and shown, without effect here: what container engines and init systems set, and what only
 * matters to parts that this stack does not have (redirects, source routes, ARP variants).
 */
#define NET_SYSCTLS_KEPT(X) \
	NET_SYSCTLS_CONF4(X, "all", v4a) \
	NET_SYSCTLS_CONF4(X, "default", v4d) \
	NET_SYSCTLS_CONF6(X, "all", v6a) \
	NET_SYSCTLS_CONF6(X, "default", v6d) \
	X("core/netdev_max_backlog", netdev_backlog, 1, 0, INT32_MAX, 1000) \
	X("core/busy_poll", busy_poll, 1, 0, INT32_MAX, 0) \
	X("core/busy_read", busy_read, 1, 0, INT32_MAX, 0) \
	X("ipv6/flowlabel_consistency", flow_consistency, 1, 0, 1, 1) \
	X("ipv4/icmp_ratemask", icmp_ratemask, 1, 0, INT32_MAX, 6168) \
	X("ipv4/icmp_ignore_bogus_error_responses", icmp_bogus, 1, 0, 1, 1) \
	X("ipv4/icmp_errors_use_inbound_ifaddr", icmp_inbound, 1, 0, 1, 0) \
	X("ipv4/ip_dynaddr", ip_dynaddr, 1, 0, 7, 0) \
	X("ipv4/ip_early_demux", early_demux, 1, 0, 1, 1) \
	X("ipv4/ipfrag_time", frag_time, 1, 1, 3600, 30) \
	X("ipv4/tcp_recovery", tcp_recovery, 1, 0, 255, 1) \
	X("ipv4/tcp_tso_win_divisor", tso_divisor, 1, 0, INT32_MAX, 3) \
	X("ipv4/tcp_ecn_option", ecn_option, 1, 0, 2, 2) \
	X("ipv4/ipfrag_high_thresh", frag_high, 1, 0, INT32_MAX, 4194304) \
	X("ipv4/igmp_max_msf", igmp_max_msf, 1, 1, 4096, 10) \
	X("ipv4/tcp_autocorking", tcp_autocork, 1, 0, 1, 1) \
	X("ipv4/tcp_max_orphans", tcp_max_orphans, 1, 0, INT32_MAX, 16384) \
	X("ipv4/tcp_fack", tcp_fack, 1, 0, 1, 0) \
	X("ipv4/tcp_frto", tcp_frto, 1, 0, 2, 2) \
	X("ipv4/tcp_rfc1337", tcp_rfc1337, 1, 0, 1, 0) \
	X("ipv4/tcp_stdurg", tcp_stdurg, 1, 0, 1, 0) \
	X("ipv4/tcp_thin_linear_timeouts", tcp_thin, 1, 0, 1, 0) \
	X("ipv4/tcp_adv_win_scale", tcp_adv_win, 1, -31, 31, 1) \
	X("ipv4/udp_rmem_min", udp_rmem_min, 1, 1, INT32_MAX, 4096) \
	X("ipv4/udp_wmem_min", udp_wmem_min, 1, 1, INT32_MAX, 4096)

#define NET_SYSCTLS(X) \
	NET_SYSCTLS_KEPT(X) \
	X("core/somaxconn",                  somaxconn, 1,            0, INT32_MAX, 4096) \
	X("core/rmem_default",               rmem_default, 1,         2048, INT32_MAX, 212992) \
	X("core/rmem_max",                   rmem_max, 1,             2048, INT32_MAX, 212992) \
	X("core/wmem_default",               wmem_default, 1,         4608, INT32_MAX, 212992) \
	X("core/wmem_max",                   wmem_max, 1,             4608, INT32_MAX, 212992) \
	X("core/optmem_max",                 optmem_max, 1,           0, INT32_MAX, 131072) \
	X("ipv4/ip_forward",                 ip_forward, 1,           0, 1, 0) \
	X("ipv4/ip_default_ttl",             ttl, 1,                  1, 255, 64) \
	X("ipv4/ip_local_port_range",        port_range, 2,           1, 65535, 32768, 60999) \
	X("ipv4/ip_unprivileged_port_start", unpriv_port, 1,          0, 65535, 1024) \
	X("ipv4/ip_nonlocal_bind",           nonlocal_bind, 1,        0, 1, 0) \
	X("ipv4/ip_no_pmtu_disc",            no_pmtu_disc, 1,         0, 3, 0) \
	X("ipv4/ping_group_range",           ping_group, 2,           0, INT32_MAX, 0, INT32_MAX) \
	X("ipv4/icmp_echo_ignore_all",       echo_ignore_all, 1,      0, 1, 0) \
	X("ipv4/icmp_echo_ignore_broadcasts", echo_ignore_bcast, 1,   0, 1, 1) \
	X("ipv4/icmp_ratelimit",             icmp_ratelimit, 1,       0, INT32_MAX, 1000) \
	X("ipv4/icmp_msgs_per_sec",          icmp_per_sec, 1,         0, INT32_MAX, 1000) \
	X("ipv4/tcp_rmem",                   tcp_rmem, 3,             1, INT32_MAX, 4096, 131072, 6291456) \
	X("ipv4/tcp_wmem",                   tcp_wmem, 3,             1, INT32_MAX, 4096, 16384, 4194304) \
	X("ipv4/tcp_window_scaling",         tcp_wscale, 1,           0, 1, 1) \
	X("ipv4/tcp_timestamps",             tcp_ts, 1,               0, 2, 1) \
	X("ipv4/tcp_sack",                   tcp_sack, 1,             0, 1, 1) \
	X("ipv4/tcp_early_retrans",          tcp_early, 1,            0, 4, 3) \
	X("ipv4/tcp_min_tso_segs",           tcp_min_tso, 1,          1, 65535, 2) \
	X("ipv4/tcp_pacing_ss_ratio",        tcp_pace_ss, 1,          0, 1000, 200) \
	X("ipv4/tcp_pacing_ca_ratio",        tcp_pace_ca, 1,          0, 1000, 120) \
	X("ipv4/tcp_reordering",             tcp_reordering, 1,       1, 300, 3) \
	X("ipv4/tcp_dsack",                  tcp_dsack, 1,            0, 1, 1) \
	X("ipv4/tcp_ecn",                    tcp_ecn, 1,              0, 5, 2) \
	X("ipv4/tcp_fastopen",               tcp_fastopen, 1,         0, INT32_MAX, 1) \
	X("ipv4/tcp_fastopen_blackhole_timeout_sec", tcp_fo_blackhole, 1, 0, INT32_MAX, 0) \
	X("ipv4/tcp_syncookies",             tcp_syncookies, 1,       0, 2, 1) \
	X("ipv4/tcp_max_syn_backlog",        tcp_syn_backlog, 1,      0, 1 << 20, 512) \
	X("ipv4/tcp_max_tw_buckets",         tcp_max_tw, 1,           0, 1 << 20, 16384) \
	X("ipv4/tcp_tw_reuse",               tcp_tw_reuse, 1,         0, 2, 2) \
	X("ipv4/tcp_fin_timeout",            tcp_fin_timeout, 1,      1, 3600, 60) \
	X("ipv4/tcp_keepalive_time",         tcp_keep_time, 1,        1, 32767, 7200) \
	X("ipv4/tcp_keepalive_intvl",        tcp_keep_intvl, 1,       1, 32767, 75) \
	X("ipv4/tcp_keepalive_probes",       tcp_keep_probes, 1,      1, 127, 9) \
	X("ipv4/tcp_syn_retries",            tcp_syn_retries, 1,      1, 127, 6) \
	X("ipv4/tcp_synack_retries",         tcp_synack_retries, 1,   0, 127, 5) \
	X("ipv4/tcp_retries1",               tcp_retries1, 1,         0, 255, 3) \
	X("ipv4/tcp_retries2",               tcp_retries2, 1,         0, 255, 15) \
	X("ipv4/tcp_orphan_retries",         tcp_orphan_retries, 1,   0, 255, 0) \
	X("ipv4/tcp_abort_on_overflow",      tcp_abort_overflow, 1,   0, 1, 0) \
	X("ipv4/tcp_moderate_rcvbuf",        tcp_moderate, 1,         0, 1, 1) \
	X("ipv4/tcp_no_metrics_save",        tcp_no_metrics, 1,       0, 1, 1) \
	X("ipv4/tcp_slow_start_after_idle",  tcp_ss_idle, 1,          0, 1, 1) \
	X("ipv4/tcp_challenge_ack_limit",    tcp_chal_limit, 1,       0, INT32_MAX, 1000) \
	X("ipv4/tcp_invalid_ratelimit",      tcp_invalid_ms, 1,       0, 1000000, 500) \
	X("ipv4/tcp_mtu_probing",            tcp_mtu_probing, 1,      0, 2, 0) \
	X("ipv4/tcp_base_mss",               tcp_base_mss, 1,         88, 65535, 1024) \
	X("ipv4/tcp_probe_interval",         tcp_probe_interval, 1,   0, INT32_MAX, 600) \
	X("ipv4/tcp_probe_threshold",        tcp_probe_threshold, 1,  1, 65535, 8) \
	X("ipv4/tcp_notsent_lowat",          tcp_notsent, 1,          -1, INT32_MAX, -1) \
	X("ipv4/igmp_max_memberships",       igmp_max, 1,             1, 4096, 20) \
	X("ipv6/conf/all/forwarding",        ip6_forward, 1,          0, 1, 0) \
	X("ipv6/conf/all/disable_ipv6",      disable_ip6, 1,          0, 1, 0) \
	X("ipv6/conf/default/disable_ipv6",  disable_ip6_def, 1,      0, 1, 0) \
	X("ipv6/conf/all/accept_ra",         accept_ra, 1,            0, 2, 1) \
	X("ipv6/conf/all/accept_dad",        accept_dad, 1,           0, 2, 1) \
	X("ipv6/conf/all/hop_limit",         hlim, 1,                 1, 255, 64) \
	X("ipv6/auto_flowlabels",            auto_flowlabels, 1,      0, 3, 1) \
	X("ipv6/flowlabel_reflect",          flowlabel_reflect, 1,    0, 7, 0) \
	X("ipv6/bindv6only",                 bindv6only, 1,           0, 1, 0) \
	NET_SYSCTLS_CT(X)

struct net_sysctl {
#define X(path, field, n, ...) _Alignas((n) == 2 ? 8 : 4) s32 field[n];
	NET_SYSCTLS(X)
#undef X
	const struct cc_ops *tcp_cc;            /* ipv4/tcp_congestion_control */
};

/* Both ints of a setting that has two, of one time. */
static inline void sysctl_pair(const s32 v[2], s32 ret[2])
{
	u64 both = __atomic_load_n((const u64 *)(const void *)v, __ATOMIC_RELAXED);

	memcpy(ret, &both, sizeof(both));
}

void sysctl_init(struct net_sysctl *s);
