# Run by mod.rs: bash -c SCRIPT service PLACE FOLDER, in namespaces of its own as
# the first process there. Becomes systemd on a machine made of the host's files,
# with FOLDER at /verify. There `inside.sh` is run as a service, and the machine
# ends with it. What machine.sh has is before this.
place=$1 folder=$2
machine "$place"
root=$place/root

mount -t proc proc "$root/proc" &&
    mount -t sysfs sys "$root/sys" &&
    mount -t cgroup2 none "$root/sys/fs/cgroup" &&
    mount -t bpf bpf "$root/sys/fs/bpf" &&
    mount -t tmpfs -o mode=755 dev "$root/dev" &&
    mount -t tmpfs -o mode=755 run "$root/run" || exit 1
for device in null zero full random urandom tty; do
    touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device" || exit 1
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root"/dev/{pts,shm} "$root/verify" &&
    mount -t devpts -o newinstance,ptmxmode=666 pts "$root/dev/pts" &&
    ln -s pts/ptmx "$root/dev/ptmx" &&
    mount -t tmpfs shm "$root/dev/shm" &&
    mount --bind "$folder" "$root/verify" || exit 1
gateway

# Nothing of the host's runs but what ftp-nat needs.
units=$root/etc/systemd/system
rm -rf "$units"/*.wants "$root"/var/log/journal
for unit in "$root"/usr/lib/systemd/system/sysinit.target.wants/*; do
    case $unit in */systemd-journald.service) ;; *) ln -sf /dev/null "$units/${unit##*/}" ;; esac
done
for socket in "$root"/usr/lib/systemd/system/sockets.target.wants/*; do
    case $socket in */systemd-journald*) ;; *) ln -sf /dev/null "$units/${socket##*/}" ;; esac
done
ln -sf /dev/null "$units/e2scrub_reap.service"
cat > "$units/verify.target" <<UNIT
[Unit]
Wants=verify.service systemd-journald.service
UNIT
cat > "$units/verify.service" <<UNIT
[Unit]
After=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/bash /verify/inside.sh
ExecStopPost=/bin/systemctl exit
StandardOutput=append:/verify/said
StandardError=append:/verify/said
UNIT
mkdir "$root/before" && cd "$root" && pivot_root . before && umount -l before || exit 1
exec /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=verify.target --log-target=console --show-status=no
