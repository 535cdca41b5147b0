#!/bin/bash
# mkrootfs.sh OUT.tar: a Debian 12 root file system with real programs (root; about 3 minutes, 1 GB).
set -euo pipefail
command -v mmdebstrap >/dev/null || apt-get install -y -qq --no-install-recommends mmdebstrap
pk=ca-certificates,procps,iproute2,iputils-ping,netcat-openbsd,curl,strace,file,tar,xz-utils,python3,perl-base
pk=$pk,redis-server,redis-tools,nginx-light,postgresql-15,memcached,sqlite3,gcc,libc6-dev,make,git,openssh-client,openssh-server
pk=$pk,iperf3,wrk,traceroute,bind9-dnsutils,dnsmasq-base,stress-ng,fio,sysbench,nodejs,default-jre-headless,gdb-minimal,lua5.4,gron,fzf,systemd,dbus,runc,crun
mmdebstrap --variant=minbase --include="$pk" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--essential-hook='mkdir -p "$1/usr/share/man/man1" "$1/usr/share/man/man7"' \
	--customize-hook='cp /bin/busybox "$1/bin/busybox"' \
	bookworm "$1"
