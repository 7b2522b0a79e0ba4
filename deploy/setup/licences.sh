#!/usr/bin/env bash
# Every crate that is built has a licence we accept, and there is one TLS stack. Needs no network.
# Advisories need a database that is fetched: `make audit` does that with cargo-deny.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo metadata --format-version 1 --locked | python3 -c '
import json, re, sys

accepted = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
            "BSL-1.0", "0BSD", "ISC", "Zlib", "Unicode-3.0", "Unlicense", "CC0-1.0",
            "CDLA-Permissive-2.0", "MPL-2.0"}
banned = {"openssl-sys": "rustls is the one TLS stack", "native-tls": "rustls is the one TLS stack",
          "aws-lc-sys": "ring is the one provider"}

def is_accepted(expression):
    # Any alternative of an OR will do; of an AND, all parts.
    flat = expression.replace("(", " ").replace(")", " ").replace("/", " OR ")
    return any(all(part.strip() in accepted for part in re.split(r"\sAND\s", way))
               for way in re.split(r"\sOR\s", flat))

metadata = json.load(sys.stdin)
used = {node["id"] for node in metadata["resolve"]["nodes"]}
faults = []
for package in metadata["packages"]:
    name, licence = package["name"], package.get("license") or ""
    if package["id"] not in used:
        continue
    if name in banned:
        faults.append(f"{name}: {banned[name]}")
    if not is_accepted(licence):
        faults.append(name + ": licence " + (licence or "unknown") + " is not accepted")
if faults:
    sys.exit("fournil: " + "\nfournil: ".join(faults))
'
