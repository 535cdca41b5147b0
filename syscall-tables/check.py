#!/usr/bin/env python3
"""check.py [--check]: is x86_64.def sorted, unique and complete, and does every row say what it must?

Writes docs/syscalls.md; with --check only tells whether it is up to date.
"""
import os
import re
import sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
table = os.path.join(top, "syscall-tables", "x86_64.def")
header = os.path.join(top, "sentry", "syscalls", "syscall.h")
doc = os.path.join(top, "docs", "syscalls.md")
expected = list(range(0, 337)) + list(range(424, 470))
row = re.compile(r'^SYS\(\s*(\d+),\s*(\w+),\s*(\w+),\s*(\w+),\s*A(\d)\(([\w, ]*)\),\s*"([^"]*)"\)$')
errors = []


def error(line, text):
    errors.append(f"syscall-tables/x86_64.def:{line}: {text}")


def read_rows():
    rows = []
    for n, line in enumerate(open(table, encoding="utf-8"), 1):
        if not line.startswith("SYS("):
            continue
        m = row.match(line.rstrip())
        if not m:
            error(n, "not of the form SYS(nr, name, handler, support, An(...), \"note\")")
            continue
        nr, name, fn, support, count, args, note = m.groups()
        kinds = [a.strip() for a in args.split(",") if a.strip()]
        if len(kinds) != int(count):
            error(n, f"A{count} with {len(kinds)} arguments")
        rows.append((n, int(nr), name, fn, support, kinds, note))
    return rows


def check_rows(rows):
    kinds = set(re.findall(r"X\((\w+)\)", open(header, encoding="utf-8").read()))
    last = -1
    for n, nr, name, fn, support, args, note in rows:
        if nr <= last:
            error(n, f"{nr} is out of order")
        last = nr
        for a in args:
            if a not in kinds:
                error(n, f"{a} is not an argument kind of syscall.h")
        if support not in ("FULL", "PARTIAL", "NONE", "REMOVED"):
            error(n, f"{support} is not a support level")
        if support in ("FULL", "PARTIAL") and fn == "sys_none":
            error(n, f"{name} is {support} but has no handler")
        if support == "REMOVED" and fn != "sys_none":
            error(n, f"{name} is REMOVED but has a handler")
        if support == "NONE" and fn != "sys_none" and not note:
            error(n, f"{name}: a handler that refuses needs a note that names the errno")
        if support == "PARTIAL" and not note:
            error(n, f"{name} is PARTIAL: the note must say what is missing")
    have = [r[1] for r in rows]
    for nr in expected:
        if nr not in have:
            error(0, f"number {nr} has no row")
    for nr in have:
        if nr not in expected:
            error(0, f"number {nr} does not exist in Linux")


def document(rows):
    out = ["# System calls", "",
           "Written by `syscall-tables/check.py` from `syscall-tables/x86_64.def`; do not edit.",
           "NONE answers ENOSYS unless the note says otherwise; REMOVED means that Linux answers ENOSYS too.",
           "", "| nr | name | support | note |", "|---|---|---|---|"]
    for _, nr, name, _, support, _, note in rows:
        out.append(f"| {nr} | {name} | {support.lower()} | {note} |".replace("|  |", "| |"))
    return "\n".join(out) + "\n"


def main():
    rows = read_rows()
    check_rows(rows)
    for e in errors:
        print(e)
    if errors:
        return 1
    text = document(rows)
    if "--check" in sys.argv[1:]:
        if not os.path.exists(doc) or open(doc, encoding="utf-8").read() != text:
            print("docs/syscalls.md is out of date: run syscall-tables/check.py")
            return 1
        return 0
    os.makedirs(os.path.dirname(doc), exist_ok=True)
    with open(doc, "w", encoding="utf-8") as f:
        f.write(text)
    counts = {}
    for r in rows:
        counts[r[4]] = counts.get(r[4], 0) + 1
    print(", ".join(f"{v} {k.lower()}" for k, v in sorted(counts.items())))
    return 0


sys.exit(main())
