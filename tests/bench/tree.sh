#!/bin/sh
# tree.sh TIMED [ROW...]: rows of real programs, inside a Debian root file system (natively: in a chroot).  Writes in
# /var/tmp/bench, which belongs to the root file system, and in /tmp.
timed=$1; shift; wanted=" $* "
row() {         # repeats row command...
	case $wanted in "  " | *" $2 "*) "$timed" "$@" ;; esac
}
d=/var/tmp/bench
mkdir -p $d/out
printf '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n' >/tmp/hello.c
row 5 find find / -xdev
row 3 tar tar cf /tmp/lib.tar -C /usr/lib/python3.11 .
[ -s /tmp/lib.tar ] || tar cf /tmp/lib.tar -C /usr/lib/python3.11 .
row 3 untar sh -c "rm -rf $d/out; mkdir $d/out; tar xf /tmp/lib.tar -C $d/out"
row 5 gcc gcc -O1 -o $d/hello /tmp/hello.c
row 7 python3 python3 -c pass
rm -rf $d
