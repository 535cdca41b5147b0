/*
 * mib.h - the counters of /proc/net/snmp, snmp6 and netstat that we keep.
 */
#pragma once
#include <stdatomic.h>
#include "platform/base/compiler.h"

#define NET_MIB(X) \
	X(Ip, InReceives) X(Ip, InHdrErrors) X(Ip, InAddrErrors) X(Ip, ForwDatagrams) \
	X(Ip, InUnknownProtos) X(Ip, InDiscards) X(Ip, InDelivers) X(Ip, OutRequests) \
	X(Ip, OutDiscards) X(Ip, OutNoRoutes) X(Ip, ReasmTimeout) X(Ip, ReasmReqds) \
	X(Ip, ReasmOKs) X(Ip, ReasmFails) X(Ip, FragOKs) X(Ip, FragFails) X(Ip, FragCreates) \
	X(Icmp, InMsgs) X(Icmp, InErrors) X(Icmp, InCsumErrors) X(Icmp, InDestUnreachs) \
	X(Icmp, InTimeExcds) X(Icmp, InEchos) X(Icmp, InEchoReps) \
	X(Icmp, OutMsgs) X(Icmp, OutErrors) X(Icmp, OutRateLimitGlobal) X(Icmp, OutDestUnreachs) \
	X(Icmp, OutTimeExcds) X(Icmp, OutEchos) X(Icmp, OutEchoReps) \
	X(Tcp, ActiveOpens) X(Tcp, PassiveOpens) X(Tcp, AttemptFails) X(Tcp, EstabResets) \
	X(Tcp, CurrEstab) X(Tcp, InSegs) X(Tcp, OutSegs) X(Tcp, RetransSegs) X(Tcp, InErrs) \
	X(Tcp, OutRsts) X(Tcp, InCsumErrors) \
	X(Udp, InDatagrams) X(Udp, NoPorts) X(Udp, InErrors) X(Udp, OutDatagrams) \
	X(Udp, RcvbufErrors) X(Udp, SndbufErrors) X(Udp, InCsumErrors) \
	X(Ip6, InReceives) X(Ip6, InHdrErrors) X(Ip6, InAddrErrors) X(Ip6, InUnknownProtos) \
	X(Ip6, InDiscards) X(Ip6, InDelivers) X(Ip6, OutRequests) X(Ip6, OutNoRoutes) \
	X(Ip6, ReasmReqds) X(Ip6, ReasmOKs) X(Ip6, ReasmFails) X(Ip6, FragOKs) \
	X(Ip6, FragFails) X(Ip6, FragCreates) \
	X(Icmp6, InMsgs) X(Icmp6, InErrors) X(Icmp6, OutMsgs) \
	X(TcpExt, SyncookiesSent) X(TcpExt, SyncookiesRecv) X(TcpExt, SyncookiesFailed) \
	X(TcpExt, TW) X(TcpExt, TWRecycled) X(TcpExt, PAWSEstab) X(TcpExt, DelayedACKs) \
	X(TcpExt, ListenOverflows) X(TcpExt, ListenDrops) X(TcpExt, TCPTimeouts) \
	X(TcpExt, TCPFastRetrans) X(TcpExt, TCPSackRecovery) X(TcpExt, TCPRenoRecovery) \
	X(TcpExt, TCPLossProbes) X(TcpExt, TCPLostRetransmit) X(TcpExt, TCPDSACKRecv) \
	X(TcpExt, TCPDSACKOldSent) X(TcpExt, TCPOFOQueue) X(TcpExt, TCPOFODrop) \
	X(TcpExt, TCPChallengeACK) X(TcpExt, TCPSYNChallenge) X(TcpExt, TCPKeepAlive) \
	X(TcpExt, TCPAbortOnData) X(TcpExt, TCPAbortOnClose) X(TcpExt, TCPAbortOnTimeout) \
	X(TcpExt, TCPAbortOnLinger) X(TcpExt, TCPRcvQDrop) X(TcpExt, TCPReqQFullDoCookies) \
	X(TcpExt, TCPReqQFullDrop) X(TcpExt, OfoPruned) X(TcpExt, TCPAutoCorking) \
	X(TcpExt, TCPFastOpenActive) X(TcpExt, TCPFastOpenActiveFail) X(TcpExt, TCPFastOpenPassive) \
	X(TcpExt, TCPFastOpenPassiveFail) X(TcpExt, TCPFastOpenListenOverflow) \
	X(TcpExt, TCPFastOpenCookieReqd) X(TcpExt, OutOfWindowIcmps) \
	X(IpExt, InMcastPkts) X(IpExt, OutMcastPkts) X(IpExt, InBcastPkts) X(IpExt, InOctets) \
	X(IpExt, OutOctets)

enum net_mib {
#define X(g, n) MIB_##g##_##n,
	NET_MIB(X)
#undef X
	MIB_MAX
};

struct mib { _Atomic u64 c[MIB_MAX]; };

static inline void mib_add(struct mib *m, enum net_mib i, u64 n)
{
	atomic_fetch_add_explicit(&m->c[i], n, memory_order_relaxed);
}

static inline void mib_inc(struct mib *m, enum net_mib i) { mib_add(m, i, 1); }
