#!/bin/bash
# run.sh DIR SECONDS: run each fuzzer of DIR for that long on its corpus (tests/fuzz/corpus/<name>, if there).
# A crash leaves its input in build/fuzz/crashes and fails the run.  Output goes through a pipe: one limits its files' size.
set -o pipefail
cd "$(dirname "$0")/../.." || exit 1
dir=$1 secs=$2 bad=0 n=0
mkdir -p build/fuzz/crashes
for f in "$dir"/fuzz_*; do
	case $f in *.d) continue ;; esac
	[ -x "$f" ] || continue
	name=$(basename "$f")
	corpus=build/fuzz/corpus/$name
	mkdir -p "$corpus"
	seed=tests/fuzz/corpus/$name
	if "$f" -max_total_time="$secs" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
		-artifact_prefix="build/fuzz/crashes/$name-" "$corpus" $([ -d "$seed" ] && echo "$seed") \
		2>&1 | cat >"build/fuzz/$name.log"; then
		if grep -q 'DONE .* corp: 1/' "build/fuzz/$name.log"; then
			echo "not ok $name: no input leads anywhere; does its set-up work?"
			bad=1
		else
			echo "ok $name: $(grep -o '^Done [0-9]* runs' "build/fuzz/$name.log")"
		fi
	else
		echo "not ok $name"
		tail -30 "build/fuzz/$name.log"
		bad=1
	fi
	n=$((n + 1))
done
echo "fuzz: $n fuzzers, $secs s each"
exit $bad
