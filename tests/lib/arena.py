#!/usr/bin/env python3
"""arena.py PID CSANDBOX [all]: what the kernel objects of a running sentry take, read from outside (root, gdb for the layout).

One line: resident KiB of the process, resident KiB of slabs, KiB and number of objects in them that are in use, resident KiB
of spans in use and of free ones, and of the rest (code, stacks, mailboxes).  With "all" a line for each class of
objects as well: resident KiB, objects in use, slabs with memory, type and size.  To find a leak, compare two calls after the same work was done
in between and what waits for time (TIME_WAIT) is gone.
"""
import struct
import subprocess
import sys

FIELDS = {"struct arena": "npages next_page nr_classes spans classes pages",
          "struct slab_class": "size pages per_slab backed live type", "struct page": "kind cls npages"}
PAGE_SLAB, PAGE_SPAN, PAGE_FREE = 1, 2, 3


def layout(binary):
    """Offsets and sizes, as the debug information has them, and the address of `arena`."""
    want = [(t, f) for t, fs in FIELDS.items() for f in fs.split()]
    cmd = ["gdb", "-nx", "-batch", binary]
    for t, f in want:
        cmd += ["-ex", f"output/d (long)&(({t} *)0)->{f}", "-ex", "echo \\n"]
    for t in FIELDS:
        cmd += ["-ex", f"output/d sizeof({t})", "-ex", "echo \\n"]
    cmd += ["-ex", "output/d (long)&'platform/base/alloc.c'::arena", "-ex", "echo \\n"]
    n = [int(x) for x in subprocess.run(cmd, check=True, capture_output=True, text=True).stdout.split()]
    off = {k: n[i] for i, k in enumerate(want)}
    off.update({(t, ""): n[len(want) + i] for i, t in enumerate(FIELDS)})
    return off, n[-1]


def main():
    pid, binary = sys.argv[1], sys.argv[2]
    off, symbol = layout(binary)
    name = binary.rsplit("/", 1)[-1]
    with open(f"/proc/{pid}/maps", encoding="ascii") as f:
        base = min(int(m[0].split("-")[0], 16) for m in map(str.split, f) if len(m) > 5 and m[5].endswith("/" + name))
    with open(f"/proc/{pid}/mem", "rb") as mem, open(f"/proc/{pid}/pagemap", "rb") as pm:
        def read(at, n):
            mem.seek(at)
            return mem.read(n)

        arena = struct.unpack("Q", read(base + symbol, 8))[0]
        head = read(arena, off["struct arena", "pages"])
        at = {f: off["struct arena", f] for f in FIELDS["struct arena"].split()}
        npages, end, classes = (struct.unpack_from("I", head, at[f])[0] for f in ("npages", "next_page", "nr_classes"))
        psize = off["struct page", ""]
        first = (at["pages"] + npages * psize + 4095) // 4096
        pages = read(arena + at["pages"] + first * psize, (end - first) * psize)
        pm.seek((arena // 4096 + first) * 8)
        present = [x >> 63 for x in struct.unpack(f"{end - first}Q", pm.read(8 * (end - first)))]
    slab, span, free, k = [0] * classes, 0, 0, 0
    while k < end - first:
        kind = pages[k * psize + off["struct page", "kind"]]
        n = max(struct.unpack_from("I", pages, k * psize + off["struct page", "npages"])[0], 1)
        if kind == PAGE_SLAB:
            slab[struct.unpack_from("H", pages, k * psize + off["struct page", "cls"])[0]] += present[k] * 4
        elif kind == PAGE_SPAN:
            span += sum(present[k:k + n]) * 4
        elif kind == PAGE_FREE:
            free += sum(present[k:k + n]) * 4
        k += n if kind in (PAGE_SPAN, PAGE_FREE) else 1
    rows, used, count = [], 0, 0
    for c in range(classes):
        def field(f, fmt, c=c):
            return struct.unpack_from(fmt, head, at["classes"] + c * off["struct slab_class", ""] + off["struct slab_class", f])[0]
        kind = field("type", "32s").split(b"\0")[0].decode()
        used += field("live", "Q") * field("size", "I")
        count += field("live", "Q")
        rows.append((slab[c], field("live", "Q"), field("backed", "I"), f"{kind}:{field('size', 'I')}"))
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        rss = next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
    print(f"rss {rss} slabs {sum(slab)} used {used // 1024} objects {count} spans {span} free {free} "
          f"rest {rss - sum(slab) - span - free}")
    if len(sys.argv) > 3:
        for r in sorted(rows, reverse=True):
            if r[0]:
                print("%6d KiB %7d used %6d slabs  %s" % r)


main()
