#!/bin/bash
# The first process inside user-mode-linux (see run.sh): makes the guest usable, runs the command, switches the guest off.
# The kernel hands over `desk=` from its command line as a variable: the host folder to exchange files through.

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
ln -s /proc/self/fd /dev/fd
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mkdir /run/desk /run/lib /run/upper /run/work
mount -t hostfs -o "$desk" none /run/desk

# The kernel asks for modules by this file; Debian keeps them where modprobe alone would not look.
ln -s /usr/lib/uml/modules /run/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run "$@"\n' >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe

# The caller's files may live below /tmp, so it is laid over instead of hidden.
mount -t overlay -o lowerdir=/tmp,upperdir=/run/upper,workdir=/run/work overlay /tmp
ip link set lo up

HOME=/tmp bash /run/desk/command </dev/null >/run/desk/stdout 2>/run/desk/stderr
echo $? >/run/desk/exit
busybox poweroff -f
