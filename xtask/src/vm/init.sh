#!/bin/busybox sh
# The first program of the virtual machine. Its root becomes the host's files,
# read-only through 9p, with a layer in memory over them for what is written.
# Then it becomes /job, which runs the tests.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in /modules/*; do
    $b insmod "$module" || echo "init: can't load $module"
done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 host /host
$b mount -t tmpfs memory /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root
for place in proc sys dev; do
    $b mount --move /$place /root/$place
done
$b mount -t bpf bpf /root/sys/fs/bpf
$b mount -t tmpfs run /root/run
$b mkdir -p /root/dev/pts
$b mount -t devpts devpts /root/dev/pts
# Labs of the host that run just now are none of ours.
$b rm -rf /root/tmp/ftpnat-*
$b cp /job /root/run/job
exec $b switch_root /root /bin/sh /run/job
