#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# enter.sh ROOT UID COMMAND [ro|rw:SOURCE:TARGET]...
# In mount and process namespaces of its own: the root, what is named bound into it, the
# usual devices, and then the command as the user.  The root is read-only to an ordinary
# user; what root itself (UID 0) changes is gone afterwards.
set -euo pipefail
root=$1 uid=$2 command=$3
shift 3
mount --make-rprivate /
if [ "$uid" = 0 ]; then
	mount -t tmpfs tmpfs "$root/mnt"
	mkdir "$root/mnt/upper" "$root/mnt/work"
	mount -t overlay -o "lowerdir=$root,upperdir=$root/mnt/upper,workdir=$root/mnt/work" overlay "$root"
else
	mount --bind "$root" "$root"
fi
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
[ "$uid" = 0 ] || mount -o remount,bind,ro "$root"
exec /usr/sbin/chroot --userspec="$uid:$uid" --groups= "$root" /bin/bash -c "cd && $command"
