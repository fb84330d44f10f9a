#!/bin/bash
# Makes the plugin's archive as Grafana wants it: one folder named as the id, binaries with mode 0755.
#
#   datasource/pack.sh FOLDER OS_ARCH=BINARY…     FOLDER/chaoscope-events-datasource-VERSION.zip, from dist/ (npm run build) and the binaries
set -euo pipefail
plugin=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$1 && shift
[ $# -gt 0 ] || { echo "pack.sh: no binary is given" >&2; exit 2; }
read -r id version < <(python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(it["id"], it["info"]["version"])' "$plugin/dist/plugin.json")

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
