#!/usr/bin/env bash
# Builds the plugin host of the tests unless it is there, and prints where it is. GRAFANA_HOST_BIN: a ready one, which is taken as it is.
#   build.sh where     only prints where it is, or would be
#
# The first build fetches Go modules (and a newer Go, where go.mod asks for one) and takes minutes on two cores; the result is kept outside
# the repository under a name that says what it was made of, so that a changed source is built anew, in seconds while Go's cache is there.
# Needs: Go 1.24, flock.
set -euo pipefail
cd "$(dirname "$0")"

[ -z "${GRAFANA_HOST_BIN:-}" ] || { echo "$GRAFANA_HOST_BIN"; exit; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/chaoscope-tests
binary=$cache/grafana-host-$(cat -- *.go go.mod go.sum | sha256sum | cut -c1-12)
[ "${1:-}" != where ] || { echo "$binary"; exit; }
mkdir -p "$cache"
(
	flock 9
	[ ! -x "$binary" ] || exit 0
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -o "$binary.new" . >&2
	mv "$binary.new" "$binary"
) 9>"$cache/lock-host"
echo "$binary"
