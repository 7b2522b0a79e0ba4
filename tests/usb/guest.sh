#!/bin/busybox sh
# The rig's first process: a shop's small box with a USB printer, seen by an account that may do
# no more than the service's. Each line "ok" or "not ok" is one check.
/bin/busybox --install -s /bin
export PATH=/bin LANG=C.UTF-8 HOME=/tmp RUST_BACKTRACE=0
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
mkdir -p /dev/pts; mount -t devpts p /dev/pts; mount -t tmpfs t /tmp; mount -t tmpfs r /run
ip link set lo up
chmod 1777 /tmp
printf 'root:x:0:0::/:/bin/sh\nfournil:x:900:900::/tmp:/bin/sh\nstranger:x:901:901::/tmp:/bin/sh\n' >/etc/passwd
printf 'root:x:0:\nfournil:x:900:\nstranger:x:901:\nlp:x:7:fournil\ntty:x:5:\ndialout:x:20:\ndisk:x:6:\nkmem:x:15:\nvideo:x:44:\ninput:x:104:\nrender:x:106:\nsgx:x:107:\nkvm:x:108:\naudio:x:29:\ncdrom:x:24:\ntape:x:26:\n' >/etc/group
echo "kernel $(uname -r) after $(cut -d' ' -f1 /proc/uptime) s"

check() {
    what=$1; shift
    if "$@" >/tmp/said 2>&1; then echo "ok $what"; else echo "not ok $what"; sed 's/^/    /' /tmp/said; fi
}
# Waits for something to become true: until "what" seconds command...
until_true() {
    left=$(($1 * 10)); shift
    while ! "$@" >/dev/null 2>&1; do
        left=$((left - 1)); [ "$left" -gt 0 ] || return 1
        usleep 100000
    done
}
switch() { wget -q -O /dev/null --post-data= "http://127.0.0.1:8081/switch/$1"; }
gateway() { su fournil -c "timeout 60 fournil-gateway $*"; }
says() { pattern=$1; shift; "$@" >/tmp/out 2>&1; cat /tmp/out; grep -q "$pattern" /tmp/out; }
fails() { pattern=$1; shift; if "$@" >/tmp/out 2>&1; then cat /tmp/out; return 1; fi; cat /tmp/out; grep -q "$pattern" /tmp/out; }
receipts() { ls /tmp/receipts/*.txt 2>/dev/null | wc -l; }
printed() { [ "$(receipts)" -ge "$1" ]; }

for module in usbcore usblp vhci-hcd; do modprobe $module || echo "not ok module $module"; done
ln -s /bin/udevadm /bin/systemd-udevd; systemd-udevd --daemon; udevadm trigger -c add; udevadm settle
mkdir /tmp/receipts
fournil-sim printer --usb --http 127.0.0.1:8081 --out /tmp/receipts --speed-mm-s 0 >/tmp/sim.log 2>&1 &

check "the kernel's own driver takes the printer" until_true 20 test -e /dev/usb/lp0
udevadm settle
check "the printer is found, with its serial number" says "usb:1209:0002:SIM0001@.*FOURNIL SIM80" gateway printer find
check "its state is read, past the kernel's driver" says "ok" gateway printer status --to usb:1209:0002
check "the kernel's driver comes back afterwards" until_true 5 test -e /dev/usb/lp0
check "a page is printed and confirmed" gateway printer test --to usb:1209:0002:SIM0001
check "the page is on paper" until_true 5 printed 1
check "with its accents" says "éèàç" cat /tmp/receipts/*.txt
check "another serial number is another printer" fails "usb:1209:0002:OTHER" gateway printer status --to usb:1209:0002:OTHER
check "an account without the right is told which group it lacks" \
    fails "lp" su stranger -c "fournil-gateway printer status --to usb:1209:0002"

switch paper
check "paper out is said" says "paper-out" gateway printer status --to usb:1209:0002
switch paper
check "paper in is said" says ": ok" gateway printer status --to usb:1209:0002

switch stalled
check "a printer that takes nothing is told, not waited for" fails "." gateway printer status --to usb:1209:0002
switch stalled
check "and works when it takes bytes again" says ": ok" gateway printer status --to usb:1209:0002

switch paper; switch stalled
check "paper out is said past a pipe that takes nothing" says "paper-out" gateway printer status --to usb:1209:0002
switch paper; switch stalled

dd if=/dev/zero of=/tmp/long bs=1000 count=40 2>/dev/null
switch usb-stall
check "a pipe that refuses is told" fails "STALL" gateway printer send --to usb:1209:0002 /tmp/long
check "and is open for the next" gateway printer test --to usb:1209:0002
check "whose page is on paper" until_true 5 printed 2

switch drop-after-9000
check "a cable pulled in mid page is told" fails "USB" gateway printer send --to usb:1209:0002 /tmp/long
check "the device is gone" until_true 10 test ! -e /dev/usb/lp0
check "a printer that is not there is told" fails "usb:1209:0002" gateway printer status --to usb:1209:0002
switch usb-cable
check "it is there when plugged in again" until_true 20 test -e /dev/usb/lp0
udevadm settle
check "and prints" gateway printer test --to usb:1209:0002
check "a whole page" until_true 5 printed 3

switch stalled
su fournil -c "fournil-gateway printer send --to usb:1209:0002 /tmp/long" >/tmp/killed 2>&1 &
until_true 5 pidof fournil-gateway
usleep 1000000
check "it is killed" killall -9 fournil-gateway
switch stalled
check "one killed in mid page leaves a printer that prints" gateway printer test --to usb:1209:0002
all_understood() { ! grep -h '"errors":\["' /tmp/receipts/*.json; }
check "nothing was misunderstood" all_understood
grep -iE "error|panick" /tmp/sim.log
echo "all checked after $(cut -d' ' -f1 /proc/uptime) s"
poweroff -f
