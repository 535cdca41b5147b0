#!/bin/bash
# run.sh CSANDBOX: micro.c and whole-process rows, natively, in csandbox (systrap, ptrace) and in the peers that are
# installed (runsc; runc and crun for start-up), side by side in one run; medians, ratios to native.
# CPUS=0 pins everything to one core; ROWS="getpid stat" takes only those.
cd "$(dirname "$0")/../.." || exit 1
bin=$(realpath "$1"); lib=$PWD/tests/lib
[ "$(id -u)" = 0 ] || { echo "bench: needs root"; exit 1; }
w=$(mktemp -d); chmod 755 "$w"; trap 'rm -rf "$w"' EXIT
${CC:-gcc} -O2 -static -pthread -D_GNU_SOURCE -o "$w/micro" tests/bench/micro.c || exit 1
pin() { if [ -n "$CPUS" ]; then taskset -c "$CPUS" "$@"; else "$@"; fi; }
ms() { date +%s%N; }

bundle() {      # name args...: a bundle whose root is busybox and micro
	local b=$w/$1; shift
	[ -d "$b" ] || { mkdir -p "$b"; "$lib/busybox_root.sh" "$b/rootfs"; cp "$w/micro" "$b/rootfs/bin/micro"; }
	"$lib/bundle.py" "$b" "$@"
	echo "$b"
}

runner() {      # runtime id bundle
	case $1 in
	csandbox-*) pin "$bin" --root "$w/state-$1" --platform "${1#csandbox-}" --network=none run --bundle "$3" "$2" ;;
	runsc) pin runsc --root "$w/state-$1" --network=none run --bundle "$3" "$2" ;;
	*) pin "$1" --root "$w/state-$1" run --bundle "$3" "$2" ;;
	esac
}

micro() {       # runtime: rows to $w/rows-<runtime>
	# shellcheck disable=SC2086
	if [ "$1" = native ]; then pin "$w/micro" $ROWS; else runner "$1" "m-$$" "$(bundle "$1" /bin/micro $ROWS)"; fi \
		>"$w/rows-$1" 2>"$w/err-$1" || { echo "# $1 failed: $(tail -1 "$w/err-$1")"; }
}

startup() {     # runtime: median nanoseconds of run /bin/true
	local b t0 i
	b=$(bundle "$1" /bin/true)
	for i in $(seq 9); do
		t0=$(ms); runner "$1" "s-$$-$i" "$b" >/dev/null 2>&1 || return; echo $(($(ms) - t0))
	done | sort -n | sed -n 5p
}

idle() {        # csandbox only: PSS in KiB and context switches a second of an idle sandbox
	local b id=i-$$ pids a z
	b=$(bundle "$1" /bin/sleep 60)
	runner "$1" "$id" "$b" >/dev/null 2>&1 &
	sleep 3
	pids=$(pgrep -f "state-$1" | tr '\n' ' '); pids="$pids $(for p in $pids; do pgrep -P "$p"; done)"
	switches() { for p in $pids; do cat "/proc/$p"/task/*/status 2>/dev/null; done | awk '/ctxt_switches/ { n += $2 } END { print n + 0 }'; }
	a=$(switches); sleep 5; z=$(switches)
	for p in $(echo "$pids" | tr ' ' '\n' | sort -u); do cat "/proc/$p/smaps_rollup" 2>/dev/null; done |
		awk -v s=$(((z - a) / 5)) -v n="$1" '/^Pss:/ { k += $2 } END { print "# idle " n ": " k " KiB PSS, " s " context switches/s" }'
	"$bin" --root "$w/state-$1" kill "$id" KILL >/dev/null 2>&1; wait
}

kinds="native csandbox-systrap csandbox-ptrace"
command -v runsc >/dev/null && kinds="$kinds runsc"
for k in $kinds; do micro "$k"; done
for k in $kinds runc crun; do
	case $k in native) continue ;; runc | crun) command -v $k >/dev/null || continue ;; esac
	n=$(startup "$k"); [ -z "$n" ] || echo "run-true $n" >>"$w/rows-$k"
done
kinds="$kinds $(for k in runc crun; do [ -s "$w/rows-$k" ] && echo $k; done)"
# shellcheck disable=SC2086
python3 - "$w" $kinds <<'PY'
import sys
w, kinds = sys.argv[1], sys.argv[2:]
rows, order = {}, []
for k in kinds:
    try:
        lines = open(f"{w}/rows-{k}").read().split("\n")
    except OSError:
        continue
    for line in lines:
        f = line.split()
        if len(f) == 2:
            if f[0] not in order:
                order.append(f[0])
            rows[f[0], k] = float(f[1])
print(f"{'ns (ratio to native)':22}" + "".join(f"{k:>24}" for k in kinds))
for r in order:
    text = f"{r:22}"
    for k in kinds:
        v, n = rows.get((r, k)), rows.get((r, "native"))
        text += f"{'-' if v is None else f'{v:.0f}' + (f' ({v / n:.1f}x)' if n and k != 'native' else ''):>24}"
    print(text)
PY
idle csandbox-systrap
