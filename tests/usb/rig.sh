#!/usr/bin/env bash
# USB printers without one: boots the distribution's kernel in QEMU (no KVM, no root), plugs the
# simulated printer into it as a USB device and runs guest.sh there with the real gateway.
#   rig.sh BIN_DIR        exit 0 when every check passed, 77 when its packages cannot be had
# What it downloads is kept under the user's cache folder.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bins=${1:?"rig.sh BIN_DIR"}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fournil/usb-rig
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skip() { echo "USB rig: skipped: $*" >&2; exit 77; }

for tool in qemu-system-x86_64 cpio depmod dpkg; do
    command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || skip "$tool is not installed"
done
export PATH=$PATH:/usr/sbin:/sbin
busybox=$(command -v busybox || true)
[ -n "$busybox" ] && ! ldd "$busybox" >/dev/null 2>&1 || skip "busybox-static is not installed"

if [ ! -e "$cache/ready" ]; then
    rm -rf "$cache" && mkdir -p "$cache/packages" "$cache/kernel" "$cache/tools"
    kernel=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends/{print $2; exit}')
    [ -n "$kernel" ] || kernel=$(apt-cache depends linux-image-generic 2>/dev/null | awk '/Depends: linux-image-/{print $2; exit}')
    [ -n "$kernel" ] || skip "no kernel package is known to apt"
    (cd "$cache/packages" && apt-get download -qq "$kernel" udev >/dev/null 2>&1) || skip "the kernel's package cannot be downloaded"
    dpkg -x "$cache/packages/$kernel"_*.deb "$cache/kernel"
    dpkg -x "$cache/packages"/udev_*.deb "$cache/tools"
    touch "$cache/ready"
fi

version=$(ls "$cache/kernel/lib/modules")
modules=$cache/kernel/lib/modules/$version
[ -n "$(find "$modules" -name 'vhci-hcd.ko*')" ] || skip "kernel $version has no vhci-hcd"

root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,etc/udev/rules.d,lib64,"lib/modules/$version","lib/udev/rules.d"}
cp "$busybox" "$root/bin/busybox"
for module in usb-common usbcore usblp usbip-core vhci-hcd; do
    file=$(find "$modules" -name "$module.ko*" | head -n 1)
    # What is built in needs no file.
    [ -n "$file" ] || continue
    mkdir -p "$root/lib/modules/$version/$(dirname "${file#"$modules"/}")"
    cp "$file" "$root/lib/modules/$version/${file#"$modules"/}"
done
cp "$modules"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/" 2>/dev/null || true
depmod -b "$root" "$version"
udevadm=$(find "$cache/tools" -path "*bin/udevadm" -type f | head -n 1)
for binary in "$bins/fournil-gateway" "$bins/fournil-sim" "$udevadm"; do
    strip -o "$root/bin/$(basename "$binary")" "$binary"
    ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -Ln "$library" "$root$library"
    done
done
cp "$(find "$cache/tools" -name 50-udev-default.rules | head -n 1)" "$root/lib/udev/rules.d/"
cp "$here/guest.sh" "$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"

timeout "${USB_RIG_SECONDS:-300}" qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 -m 768 \
    -nodefaults -no-reboot -nographic -serial stdio \
    -kernel "$cache"/kernel/boot/vmlinuz-* -initrd "$work/initrd.gz" \
    -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off tsc=unstable" </dev/null | stdbuf -oL tr -d '\r' | tee "$work/console"
if grep -q '^not ok' "$work/console" || ! grep -q '^all checked' "$work/console"; then
    echo "USB rig: red, see above" >&2
    exit 1
fi
