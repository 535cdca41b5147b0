#!/usr/bin/env python3
"""badwire.py IF IF [SEED [DROP [DUP [REORDER]]]]: a wire between two Ethernet links of this network namespace that loses,
repeats and swaps frames, of 1000 each (30 10 50), by a seed.  Super-frames pass whole, with their virtio-net headers."""
import random
import select
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE, ETH_P_ALL = 263, 15, 23, 33, 3


def opened(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    s.bind((name, ETH_P_ALL))
    s.setblocking(False)
    return s


ends = [opened(sys.argv[1]), opened(sys.argv[2])]
args = [int(x) for x in sys.argv[3:]]
seed, drop, dup, reorder = args + [1, 30, 10, 50][len(args):]
rnd = random.Random(seed)
held = []                       # (due, socket, frame), in order


def send(s, frame):
    try:
        s.send(frame)
    except OSError:
        pass                    # a full queue, or a link that goes down: one more loss


while True:
    ready, _, _ = select.select(ends, [], [], 0.001 if held else None)
    for s in ready:
        other = ends[s is ends[0]]
        for _ in range(32):
            try:
                frame = s.recv(70000)
            except OSError:
                break
            if rnd.randrange(1000) < drop:
                continue
            for _ in range(1 + (rnd.randrange(1000) < dup)):
                if rnd.randrange(1000) < reorder:
                    held.append((time.monotonic() + 0.001, other, frame))
                else:
                    send(other, frame)
    while held and held[0][0] <= time.monotonic():
        send(*held.pop(0)[1:])
