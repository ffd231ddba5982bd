# Run by mod.rs: bash -c SCRIPT verify OLD.deb NEW.deb ARCHIVE, in a mount, a
# network and a PID namespace of its own, which take everything with them. What
# machine.sh has is before it.
old=$1 new=$2 archive=$3

place=$(mktemp -d) || exit 1
trap 'umount -R "$place" 2>/dev/null; rmdir "$place" 2>/dev/null' EXIT
machine "$place"
root=$place/root
mount -t proc proc "$root/proc" &&
    mount -t sysfs sys "$root/sys" &&
    mount -t bpf bpf "$root/sys/fs/bpf" &&
    mount --rbind /dev "$root/dev" &&
    mount -t tmpfs run "$root/run" || exit 1
cp "$old" "$root/tmp/old.deb"
cp "$new" "$root/tmp/new.deb"
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
in_root() { chroot "$root" /usr/bin/env "PATH=$path" "$@"; }

# systemd doesn't run here: what it is asked to do is written down.
mkdir -p "$root/run/systemd/system"
for program in systemctl deb-systemd-helper; do
    printf '#!/bin/sh\necho "$@" >> /run/asked\n' > "$root/usr/local/bin/$program"
    chmod 755 "$root/usr/local/bin/$program"
done
asked() { grep -q -- "$1" "$root/run/asked"; }
not_asked() { ! asked "$1"; }

gateway

dpkg_does() {
    in_root DEBIAN_FRONTEND=noninteractive dpkg --force-confold "$@" > "$place/dpkg.log" 2>&1 || {
        cat "$place/dpkg.log"
        return 1
    }
}
said() { grep -q -- "$1" "$place/$2.log" || { cat "$place/$2.log"; return 1; }; }

check the_checksums_are_right sh -c "cd '$(dirname "$old")' && sha256sum --check SHA256SUMS"
check the_archive_can_be_unpacked sh -c "mkdir '$place/unpacked' && tar -xzf '$archive' -C '$place/unpacked' && '$place'/unpacked/*/usr/sbin/ftp-nat --version"

# --- Installing
check installing dpkg_does -i /tmp/old.deb
check it_says_what_to_do_first said 'set wan and lan in /etc/ftp-nat/config.toml' dpkg
check nothing_is_started not_asked 'enable'
check nothing_is_loaded test ! -e "$root/sys/fs/bpf/ftp-nat"
check the_program_runs in_root ftp-nat --version
check the_sample_is_good in_root ftp-nat config check
check man_pages_are_there sh -c "zcat '$root'/usr/share/man/man8/ftp-nat-run.8.gz | man -l - | grep -q -- --deny-ports"
check man_pages_can_be_shown sh -c "zcat '$root'/usr/share/man/man8/ftp-nat.8.gz | man -l - | grep -q ftp-nat"
completes() {
    bash -c '
        . "$1"
        read -r -a words <<< "$(complete -p ftp-nat)"
        COMP_WORDS=(ftp-nat run --den) COMP_CWORD=2
        "${words[-2]}" ftp-nat --den run
        [[ ${COMPREPLY[*]} == *--deny-ports* ]] || { echo "${COMPREPLY[*]}"; exit 1; }
    ' completes "$root/usr/share/bash-completion/completions/ftp-nat"
}
check bash_completes completes
check zsh_and_fish_get_theirs sh -c "grep -q deny-ports '$root'/usr/share/zsh/vendor-completions/_ftp-nat && grep -q deny-ports '$root'/usr/share/fish/vendor_completions.d/ftp-nat.fish"
check the_unit_is_good in_root systemd-analyze verify /usr/lib/systemd/system/ftp-nat.service

# --- Configuring it, wrongly at first
echo 'wna = "wan"' >> "$root/etc/ftp-nat/config.toml"
refused() {
    local said
    said=$(in_root ftp-nat "$@" 2>&1) && return 1
    case $said in *'did you mean wan?'*) ;; *) echo "$said"; return 1 ;; esac
}
check a_mistake_is_found refused config check
check a_mistake_keeps_it_from_starting refused run
doctor() {
    in_root ftp-nat doctor --json > "$place/doctor.json"
    [ $? = "$1" ] && grep -q "$2" "$place/doctor.json" || { cat "$place/doctor.json"; return 1; }
}
check doctor_finds_it_too doctor 2 'did you mean wan?'
sed -i 's/^wna.*/wan = ["wan"]\nlan = ["lan"]/' "$root/etc/ftp-nat/config.toml"
check it_is_mended in_root ftp-nat config check

# --- Running it
start() {
    # Not by in_root, whose shell would be between.
    chroot "$root" /usr/bin/env "PATH=$path" ftp-nat run > "$place/run.log" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        grep -q '^ready:' "$place/run.log" && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$place/run.log"
    return 1
}
end() { kill "$pid" && wait "$pid"; }
ended() { ! kill -0 "$pid" 2>/dev/null || grep -q 'State:.Z' "/proc/$pid/status"; }
# Not in a subshell as `check` is, which would keep the process number.
start && running=true || running=false
check it_runs "$running"
check it_says_what_it_serves said 'ready: wan wan lan lan port 21' run
check sessions_can_be_asked_for in_root ftp-nat sessions --json

# --- Upgrading it
not_ended() { ! ended; }
check upgrading dpkg_does -i /tmp/new.deb
check a_running_service_is_started_again asked 'try-restart ftp-nat.service'
check the_configuration_is_kept grep -q '^wan = ' "$root/etc/ftp-nat/config.toml"
check the_old_instance_goes_on not_ended
check what_was_loaded_stays test -e "$root/sys/fs/bpf/ftp-nat"
end
start && running=true || running=false
check the_new_version_runs "$running"
check it_takes_over said 'adopted' run

# --- Removing it
check removing dpkg_does -r ftp-nat
check the_instance_is_ended ended
check nothing_stays_loaded test ! -e "$root/sys/fs/bpf/ftp-nat"
check the_configuration_survives_removal test -e "$root/etc/ftp-nat/config.toml"
check purging dpkg_does -P ftp-nat
gone() {
    local left
    left=$(find "$root"/etc "$root"/usr "$root"/run -name '*ftp-nat*' -not -path "*/rustlib/*" -newer "$place" 2>/dev/null)
    [ -z "$left" ] || { echo "$left"; return 1; }
}
check nothing_is_left gone

# --- Installing it where it was configured before
mkdir -p "$root/etc/ftp-nat" && echo 'wan = ["wan"]' > "$root/etc/ftp-nat/config.toml"
check installing_it_again dpkg_does -i /tmp/old.deb
check a_configured_one_is_started asked 'enable --now ftp-nat.service'

the_end
