#!/bin/bash
# Makes the plugin's archive as Grafana wants it: one folder named as the id, binaries with mode 0755.
#
#   datasource/pack.sh FOLDER OS_ARCH=BINARY…     FOLDER/chaoscope-events-datasource-VERSION.zip, from dist/ (npm run build) and the binaries
#
# A binary has to be of the machine its name says and to need no loader, for images have neither libgcc nor a C library to rely on; with
# PACK_ANY_LOADER=1 (a test's own build) it may need one.
set -euo pipefail
plugin=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$1 && shift
[ $# -gt 0 ] || { echo "pack.sh: no binary is given" >&2; exit 2; }
read -r id version < <(python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(it["id"], it["info"]["version"])' "$plugin/dist/plugin.json")

# ELF, 64 bits: e_machine at 18; program headers of 56 bytes from e_phoff (at 32), e_phnum (at 56) of them; type 3 names a loader.
python3 - "$@" <<'END'
import os, struct, sys
for given in sys.argv[1:]:
    name, _, path = given.partition("=")
    head = open(path, "rb").read(1 << 16)
    if head[:5] != b"\x7fELF\x02":
        sys.exit(f"pack.sh: {path} is no program")
    machine, headers, count = (struct.unpack_from(form, head, at)[0] for form, at in (("<H", 18), ("<Q", 32), ("<H", 56)))
    if {"linux_amd64": 62, "linux_arm64": 183}.get(name) != machine:
        sys.exit(f"pack.sh: {path} is not for {name}")
    kinds = [struct.unpack_from("<I", head, headers + 56 * at)[0] for at in range(count)]
    if 3 in kinds and not os.environ.get("PACK_ANY_LOADER"):
        sys.exit(f"pack.sh: {path} needs a loader: build it with -C target-feature=+crt-static, as make dist does")
END

inside=$(mktemp -d)
trap 'rm -rf "$inside"' EXIT
mkdir -p "$inside/$id" "$folder"
cp -r "$plugin/dist/." "$inside/$id/"
find "$inside" -type d -exec chmod 0755 {} +
find "$inside" -type f -exec chmod 0644 {} +
for binary; do
  install -m 0755 "${binary#*=}" "$inside/$id/gpx_chaoscope_${binary%%=*}"
done
archive=$(cd "$folder" && pwd)/$id-$version.zip
rm -f "$archive"
(cd "$inside" && python3 -m zipfile -c "$archive" "$id")
echo "$archive"
