#!/usr/bin/env python3
"""report.py DIR KIND...: the table of DIR/rows-KIND (lines "row number"; several of a row: the median is shown), with
ratios to native and of csandbox-systrap to runsc."""
import statistics
import sys

OVERLAY = {"untar-overlay": "untar"}            # what the row is compared with natively
where, kinds = sys.argv[1], sys.argv[2:]
rows, order = {}, []
for k in kinds:
    try:
        with open(f"{where}/rows-{k}", encoding="ascii") as f:
            lines = f.read().split("\n")
    except OSError:
        continue
    for name, value in (line.split() for line in lines if len(line.split()) == 2):
        if name not in order:
            order.append(name)
        rows.setdefault((name, k), []).append(float(value))


def median(name, kind):
    v = rows.get((name, kind))
    return statistics.median(v) if v else None


def cell(name, kind):
    v, n = median(name, kind), median(OVERLAY.get(name, name), "native")
    if v is None:
        return "-"
    unit = v if name.startswith("idle") else v / 1000
    return f"{unit:.{0 if unit >= 100 else 1 if unit >= 10 else 2}f}" + (f" ({v / n:.2f}x)" if n and kind != "native" else "")


print(f"{'us (ratio to native)':28}" + "".join(f"{k:>20}" for k in kinds) + f"{'systrap / runsc':>18}")
for r in order:
    a, z = median(r, "csandbox-systrap"), median(r, "runsc")
    last = "-" if a is None or z is None else f"{a / z:.2f}" if z else "equal" if a == z else "more"
    print(f"{r:28}" + "".join(f"{cell(r, k):>20}" for k in kinds) + f"{last:>18}")
