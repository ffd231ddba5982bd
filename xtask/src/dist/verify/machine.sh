# What the scripts here share. They speak as Rust's test runner does.
set -u
passed=0 failed=0 suite=dist

# check NAME COMMAND...: a test that is passed if the command succeeds.
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "test $suite::$name ... ok"
        passed=$((passed + 1))
    else
        echo "test $suite::$name ... FAILED"
        echo "$said" | tail -n 20 | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

# machine PLACE: the host's files in PLACE/root, and what is written goes to memory.
machine() {
    mount --make-rprivate / &&
        mount -t tmpfs none "$1" &&
        mkdir "$1"/{upper,work,root} &&
        mount -t overlay overlay \
            -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" || exit 1
    rm -rf "$1"/root/etc/ftp-nat "$1"/root/usr/sbin/ftp-nat "$1"/root/usr/local/sbin/ftp-nat
}

# A gateway, as far as its own interfaces go. /proc/sys/net is of this network.
gateway() {
    local name
    ip link set lo up
    for name in wan lan; do
        ip link add "$name" type veth peer name "far-$name"
        ip link set "$name" up
        ip link set "far-$name" up
    done
    ip address add 192.0.2.1/24 dev wan
    ip address add 10.10.0.254/24 dev lan
    echo 1 > "$root/proc/sys/net/ipv4/ip_forward"
}

the_end() {
    local result=ok
    [ "$failed" = 0 ] || result=FAILED
    echo "test result: $result. $passed passed; $failed failed; 0 ignored; 0 measured; 0 filtered out"
    [ "$failed" = 0 ]
}

