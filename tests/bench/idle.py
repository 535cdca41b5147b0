#!/usr/bin/env python3
"""idle.py PID WORD: for process PID, its descendants, and whatever has WORD in its command line with descendants: rows of
PSS (KiB, added up) and context switches a second (over five seconds)."""
import os
import sys
import time


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def members(first, word):
    parent, found = {}, {first}
    for p in filter(str.isdigit, os.listdir("/proc")):
        stat = read(f"/proc/{p}/stat")
        if not stat:
            continue
        parent[int(p)] = int(stat.rsplit(")", 1)[1].split()[1])
        if word in read(f"/proc/{p}/cmdline") and int(p) != os.getpid():
            found.add(int(p))
    while more := {p for p, up in parent.items() if up in found} - found - {os.getpid()}:
        found |= more
    return found


def switches(pids):
    total = 0
    for p in pids:
        for t in os.listdir(f"/proc/{p}/task") if os.path.isdir(f"/proc/{p}/task") else []:
            total += sum(int(line.split()[1]) for line in read(f"/proc/{p}/task/{t}/status").split("\n")
                         if "ctxt_switches" in line)
    return total


pids = members(int(sys.argv[1]), sys.argv[2])
before = switches(pids)
time.sleep(5)
print("idle-wakeups", (switches(pids) - before) / 5)
print("idle-pss-kib", sum(int(line.split()[1]) for p in pids for line in read(f"/proc/{p}/smaps_rollup").split("\n")
                          if line.startswith("Pss:")))
