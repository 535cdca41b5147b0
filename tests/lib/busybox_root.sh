#!/bin/bash
# busybox_root.sh DIR: a small root file system with Debian's static busybox and a link for each applet.
set -e
root=$1
bb=$(command -v busybox) || { echo "busybox is missing: make deps"; exit 1; }
mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,etc,root,home,run,var/tmp,mnt}
chmod 1777 "$root/tmp" "$root/var/tmp"
cp "$bb" "$root/bin/busybox"
"$bb" --list-full | while read -r a; do
	a=${a#/}
	mkdir -p "$root/$(dirname "$a")"
	[ -e "$root/$a" ] || ln -s /bin/busybox "$root/$a"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
echo demo >"$root/etc/hostname"
