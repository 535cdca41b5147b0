#!/bin/bash
# netfilter.sh CSANDBOX [FRONT...]: nfcases.py with iptables-legacy and iptables-nft, on Linux in a network namespace of
# its own and in a sandbox; the outputs must be the same: what rules look like when read back, exit codes, and
# which traffic passes, is refused or goes elsewhere.  Root, unshare and the host's iptables needed.
here=$(dirname "$(realpath "$0")")
bin=$(realpath "$1"); shift
fronts=${*:-legacy nft}
passed=0 failed=0 skipped=0
finish() { echo "netfilter: $passed passed, $failed failed, $skipped skipped"; [ "$failed" = 0 ]; exit; }
skip() { echo "skip netfilter${1:+ $1}: $2"; skipped=$((skipped + 1)); }
[ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null || { skip "" "needs root and unshare -n"; finish; }
py=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))') && command -v ip >/dev/null && command -v busybox >/dev/null || { skip "" "needs python3, ip, busybox"; finish; }
PATH=$PATH:/usr/sbin
dir=$(mktemp -d -t csandbox-nf.XXXXXX)
trap 'rm -rf "$dir"' EXIT
root=$dir/b/rootfs

# prog FILE...: programs of the host with their libraries
prog() {
	local f
	{ printf '%s\n' "$@"; for f; do ldd "$f" 2>/dev/null | grep -o '/[^ ]*'; done; } | sort -u | while read -r f; do
		mkdir -p "$root${f%/*}" && cp -L "$f" "$root$f"
	done
}
mkdir -p "$root"/{proc,dev,sys,tmp,etc,run,root,bin,usr/lib}
tools=
for f in $fronts; do
	for t in iptables ip6tables; do
		p=$(command -v $t-$f) && ip -V >/dev/null && tools+=" $p $p-save $p-restore"
	done
done
prog "$py" "$(command -v ip)" /bin/sh $tools
cp -L "$(command -v busybox)" "$root/bin/busybox"
[ -e "$root/bin/sh" ] || cp -L /bin/sh "$root/bin/sh"
for d in /usr/lib/*/xtables /usr/lib/xtables /usr/lib64/xtables; do
	[ -d "$d" ] && mkdir -p "$root${d%/*}" && cp -a "$d" "$root$d"
done
std=$(python3 -c 'import os; print(os.path.dirname(os.__file__))')
mkdir -p "$root$std" && (cd "$std" && tar --exclude=test --exclude=__pycache__ --exclude='config-*' --exclude=idlelib \
	--exclude=tkinter --exclude=lib2to3 --exclude=site-packages --exclude=dist-packages -cf - .) | tar -C "$root$std" -xf -
cp /etc/protocols "$root/etc/" 2>/dev/null
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
cp "$here/nfcases.py" "$root/root/"

for f in $fronts; do
	command -v iptables-$f >/dev/null || { skip "$f" "no iptables-$f"; continue; }
	timeout -k 1 120 unshare -n "$py" "$here/nfcases.py" "$f" >"$dir/linux.$f" 2>"$dir/err" || {
		skip "$f" "Linux here cannot: $(tail -1 "$dir/err")"; continue; }
	python3 "$here/../lib/bundle.py" "$dir/b" "$py" /root/nfcases.py "$f" || exit 1
	timeout -k 1 180 "$bin" --root "$dir/state" --network=none --overlay=memory run --bundle "$dir/b" nf$$ >"$dir/box.$f" 2>&1
	n=$(grep -c '^== ' "$dir/linux.$f")
	if diff "$dir/linux.$f" "$dir/box.$f" >"$dir/diff"; then
		echo "ok $f: $n cases, $(wc -l <"$dir/linux.$f") lines alike"; passed=$((passed + 1))
	else
		echo "not ok $f"; head -40 "$dir/diff" | sed 's/^/	/'; failed=$((failed + 1))
	fi
done
finish
