# The package where systemd is the first process. It is a service there, see
# service.sh, and what machine.sh has is before it. /verify has OLD.deb and NEW.deb.
suite=service
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
config=/etc/ftp-nat/config.toml
unit=ftp-nat.service

# until NAME COMMAND...: the command succeeds within twenty seconds.
until_true() {
    local n
    for n in $(seq 200); do
        "$@" && return 0
        sleep 0.1
    done
    systemctl --no-pager --full status "$unit"
    return 1
}
shown() { systemctl show --property "$1" --value "$unit"; }
is() { [ "$(shown "$1")" = "$2" ] || { echo "$1 is $(shown "$1")"; return 1; }; }
pid() { shown MainPID; }
dpkg_does() { dpkg --force-confold "$@" 2>&1; }
# journal PRIORITY TEXT: it is in the journal with that priority.
journal() {
    journalctl --unit "$unit" --priority "$1..$1" --output cat --no-pager | grep -q -- "$2" ||
        { journalctl --unit "$unit" --no-pager --output json --output-fields PRIORITY,MESSAGE; return 1; }
}
# The programs on the hooks, one for each hook.
programs() {
    local link
    for link in /sys/fs/bpf/ftp-nat/links/*; do
        bpftool --json link show pinned "$link" | grep -o '"prog_id":[0-9]*'
    done
}

# --- Installed where it is configured: it is enabled and started.
mkdir -p /etc/ftp-nat && printf 'wan = ["wan"]\nlan = ["lan"]\n' > "$config"
check installing dpkg_does -i /verify/old.deb
check it_is_enabled systemctl --quiet is-enabled "$unit"
check it_is_started is ActiveState active
# Its start is over when it has said so, and not before.
check it_says_when_it_is_ready journal 6 '^ready: wan wan lan lan'
check it_is_found_on_the_hooks test "$(programs | wc -l)" = 4
check its_own_commands_find_it ftp-nat explain --json
check doctor_finds_nothing_wrong_with_it sh -c 'ftp-nat doctor > /tmp/doctor; [ $? != 2 ] || { cat /tmp/doctor; exit 1; }'

# --- What it may do.
status() { grep -q "^$1:[[:space:]]*$2\$" "/proc/$(pid)/status" || { cat "/proc/$(pid)/status"; return 1; }; }
# Bits 12 (net_admin), 38 (perfmon) and 39 (bpf) of capability.h.
check it_has_exactly_its_capabilities status CapEff 000000c000001000
check it_can_get_no_others status CapBnd 000000c000001000
check it_gets_no_new_privileges status NoNewPrivs 1
check system_calls_are_filtered status Seccomp 2
read_only() { ! nsenter --target "$(pid)" --mount sh -c ": > $1" 2>/dev/null; }
check it_can_not_write_settings_of_the_kernel read_only /proc/sys/net/ipv4/ip_forward
check it_can_not_write_to_etc read_only "$config"
exposure() {
    systemd-analyze security --no-pager --threshold=25 "$unit" > /tmp/security || { tail -n 1 /tmp/security; return 1; }
}
check its_exposure_is_small exposure
check the_unit_is_good systemd-analyze verify "/usr/lib/systemd/system/$unit"

# --- Reloading it.
before=$(pid)
echo 'expect-timeout = 30' >> "$config"
check reloading systemctl reload "$unit"
check it_says_what_changed journal 6 'changed: expect-timeout: 60 -> 30'
echo 'wna = "x"' >> "$config"
bad_reload() { ! systemctl reload "$unit" 2>/dev/null; }
check a_mistake_fails_the_reload bad_reload
check a_mistake_is_an_error_in_the_journal journal 3 'nothing was changed: .*did you mean wan?'
check and_it_goes_on is MainPID "$before"

# --- A start that fails, and is tried again.
bad_restart() { ! systemctl restart "$unit" 2>/dev/null; }
check a_mistake_fails_the_start bad_restart
check why_is_an_error_in_the_journal journal 3 'ftp-nat: .*did you mean wan?'
sed -i /wna/d "$config"
check it_is_started_again_by_itself until_true is ActiveState active

# --- Restarting it: what it loaded goes on, and is taken over.
loaded=$(programs)
before=$(pid)
check restarting systemctl restart "$unit"
check another_process_took_over test "$(pid)" != "$before"
check it_adopted_what_is_there journal 6 'adopted with 0 sessions'
kill -KILL "$(pid)"
check the_hooks_are_served_meanwhile test "$(programs | wc -l)" = 4
check one_that_dies_is_started_again until_true is ActiveState active

# --- The watchdog, with less patience than the unit has.
mkdir -p "/run/systemd/system/$unit.d"
printf '[Service]\nWatchdogSec=2\n' > "/run/systemd/system/$unit.d/hasty.conf"
systemctl daemon-reload && systemctl restart "$unit"
before=$(pid)
alive=$(shown WatchdogTimestampMonotonic)
told() { [ "$(shown WatchdogTimestampMonotonic)" != "$alive" ]; }
check it_tells_that_it_is_alive until_true told
check and_is_left_alone is MainPID "$before"
kill -STOP "$before"
replaced() { [ "$(pid)" != "$before" ] && is ActiveState active > /dev/null; }
check one_that_hangs_is_replaced until_true replaced
rm -r "/run/systemd/system/$unit.d" && systemctl daemon-reload && systemctl restart "$unit"

# --- Upgrading it.
runs_what_is_installed() { cmp "/proc/$(pid)/exe" /usr/sbin/ftp-nat; }
old_file=$(sha256sum < /usr/sbin/ftp-nat)
loaded=$(programs)
before=$(pid)
check upgrading dpkg_does -i /verify/new.deb
check the_program_is_another_one test "$old_file" != "$(sha256sum < /usr/sbin/ftp-nat)"
check it_is_running until_true is ActiveState active
check by_another_process test "$(pid)" != "$before"
check it_runs_what_is_installed runs_what_is_installed
check the_programs_on_the_hooks_are_new test "$loaded" != "$(programs)"
check and_no_more_than_before test "$(programs | wc -l)" = 4

# --- Stopping it, and removing it.
check stopping systemctl stop "$unit"
check it_is_stopped is ActiveState inactive
check what_it_loaded_stays test -e /sys/fs/bpf/ftp-nat
systemctl start "$unit"
check removing dpkg_does -r ftp-nat
check nothing_stays_pinned test ! -e /sys/fs/bpf/ftp-nat
check purging dpkg_does -P ftp-nat
check no_unit_failed sh -c '! systemctl --failed --no-legend --plain | grep .'
the_end
