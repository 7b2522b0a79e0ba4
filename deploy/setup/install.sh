#!/usr/bin/env bash
# Installs what building, the demonstration or the tests need from the distribution
# (Debian 12 or later, Ubuntu 22.04 or later). Says nothing and does nothing when all is there.
#   install.sh demo   what `make demo` needs
#   install.sh test   that, and what `make test` needs (browser, Python)
set -euo pipefail

purpose=${1:-demo}

fail() { echo "fournil: $*" >&2; exit 1; }

command -v cargo >/dev/null || fail "cargo est introuvable : installez Rust avec rustup (https://rustup.rs), puis relancez."
if [ "$purpose" = test ] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
    rustup component add rustfmt clippy >&2 || fail "rustfmt et clippy manquent : rustup component add rustfmt clippy, puis relancez."
fi
command -v apt-get >/dev/null || fail "cette installation automatique demande Debian ou Ubuntu (apt-get) ; voyez README.md pour la liste des paquets."

packages=(build-essential pkg-config libusb-1.0-0-dev postgresql curl ca-certificates fonts-dejavu-core)
if [ "$purpose" = test ]; then
    packages+=(python3 python3-venv fonts-noto-color-emoji iproute2 nftables qemu-system-x86 busybox-static kmod cpio)
    # Ubuntu gives Chromium as a snap behind these names; Debian as ordinary packages.
    if apt-cache show chromium-driver >/dev/null 2>&1; then
        packages+=(chromium chromium-driver)
    else
        packages+=(chromium-browser chromium-chromedriver)
    fi
fi

missing=()
for package in "${packages[@]}"; do
    # A command that is already there (a browser from elsewhere, say) is as good as its package.
    case $package in
        chromium | chromium-browser) command -v chromium >/dev/null || command -v chromium-browser >/dev/null && continue ;;
        chromium-driver | chromium-chromedriver) command -v chromedriver >/dev/null && continue ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && continue ;;
        python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null && continue ;;
        python3) command -v python3 >/dev/null && continue ;;
        iproute2) command -v tc >/dev/null && continue ;;
        nftables) [ -x /usr/sbin/nft ] || command -v nft >/dev/null && continue ;;
        curl) command -v curl >/dev/null && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "fournil: installation de ${missing[*]}" >&2
sudo=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "il manque ${missing[*]} : installez-les en root, ou installez sudo, puis relancez."
    sudo=(sudo)
fi
# The project runs a private cluster: keep the package from making and starting its own.
if [[ " ${missing[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
log=$(mktemp)
if ! { "${sudo[@]}" apt-get update && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "l'installation des paquets a échoué (journal : $log). Corrigez la cause ci-dessus et relancez."
fi
rm -f "$log"
