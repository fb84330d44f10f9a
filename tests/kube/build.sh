#!/usr/bin/env bash
# Builds the Kubernetes of the tests, one program, unless it is there, and prints where it is. KUBE_BIN: a ready one, which is taken as it is.
#   build.sh where     only prints where it is, or would be
#
# The first build fetches about 92 MB of Go modules and takes eight minutes on two cores; the result (133 MB) is kept outside the
# repository under a name that says what it was made of, so that a changed source is built anew, in seconds while Go's own cache is there.
# Needs: Go 1.24, flock.
set -euo pipefail
cd "$(dirname "$0")"
version=v1.34.4 # Kubernetes, as in go.mod: else it would call itself v0.0.0

[ -z "${KUBE_BIN:-}" ] || { echo "$KUBE_BIN"; exit; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/chaoscope-tests
binary=$cache/kube-$version-$(cat main.go go.mod go.sum | sha256sum | cut -c1-12)
[ "${1:-}" != where ] || { echo "$binary"; exit; }
mkdir -p "$cache"
(
	flock 9
	[ ! -x "$binary" ] || exit 0
	v=k8s.io/component-base/version
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$binary.new" \
		-ldflags "-s -w -X $v.gitVersion=$version -X $v.gitMajor=1 -X $v.gitMinor=34 \
			-X k8s.io/client-go/pkg/version.gitVersion=$version" . >&2
	mv "$binary.new" "$binary"
) 9>"$cache/lock"
echo "$binary"
