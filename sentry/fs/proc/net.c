/*
 * net.c - /proc/PID/net without a network: the headers that readers expect.
 */
#include "sentry/fs/proc/proc.h"

#define TEXT(nm, tx) { .name = nm, .mode = S_IFREG | 0444, .text = tx }
#define SOCK_HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"

static const struct pseudo_entry entries[] = {
	TEXT("arp", "IP address       HW type     Flags       HW address            Mask     Device\n"),
	TEXT("dev", "Inter-|   Receive                                                |  Transmit\n"
	     " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo"
	     " colls carrier compressed\n"
	     "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0"
	     "     0       0          0\n"),
	TEXT("if_inet6", ""),
	TEXT("ipv6_route", ""),
	TEXT("netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"),
	TEXT("packet", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
	TEXT("raw", SOCK_HEAD "\n"),
	TEXT("route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
	     "                                                       \n"),
	TEXT("sockstat", "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n"
	     "UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"),
	TEXT("tcp", SOCK_HEAD "                                                     \n"),
	TEXT("tcp6", SOCK_HEAD "\n"),
	TEXT("udp", SOCK_HEAD " ref pointer drops             \n"),
	TEXT("udp6", SOCK_HEAD " ref pointer drops\n"),
	TEXT("unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"),
};

const struct pseudo_dir proc_net_dir = { .entries = entries, .n = ARRAY_SIZE(entries) };
