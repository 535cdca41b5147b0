#!/bin/sh
# packetdrill's scripts and our own (scripts/) on the netstack, IPv4 and IPv6.  usage: run.sh PACKETDRILL ADAPTER.so SCRIPTS
# Skipped, with the reason, when packetdrill is not there: it is fetched and built by whoever wants to run it.
here=$(dirname "$0")
[ -n "$1" ] && [ -x "$1" ] || { echo "SKIP packetdrill: PACKETDRILL= names no program"; exit 0; }
[ -n "$3" ] && [ -d "$3" ] || { echo "SKIP packetdrill: SCRIPTS= names no directory"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "SKIP packetdrill: needs root for network namespaces"; exit 0; }
rc=0
"$here/run.py" --expect "$here/pass4.txt" "$1" "$2" "$3" || rc=1
"$here/run.py" -6 --expect "$here/pass6.txt" "$1" "$2" "$3" || rc=1
for six in "" -6; do
	"$here/run.py" --all $six "$1" "$2" "$here/scripts" || rc=1
done
exit $rc
