#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# enter.sh ROOT UID COMMAND [ro|rw:SOURCE:TARGET]...
# In mount and process namespaces of its own: the root read-only, what is named bound into
# it, the usual devices, and then the command as an ordinary user.
set -euo pipefail
root=$1 uid=$2 command=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty; do
	touch "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
for word; do
	mode=${word%%:*} pair=${word#*:}
	source=${pair%%:*} target=$root${pair#*:}
	if [ -d "$source" ]; then
		mkdir -p "$target"
	else
		mkdir -p "${target%/*}"
		touch "$target"
	fi
	mount --bind "$source" "$target"
	[ "$mode" = rw ] || mount -o remount,bind,ro "$target"
done
mount -o remount,bind,ro "$root"
exec /usr/sbin/chroot --userspec="$uid:$uid" --groups= "$root" /bin/bash -c "cd && $command"
