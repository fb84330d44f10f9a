#!/bin/sh
# Makes images for real runtimes, without a registry or a builder. The one most tests run is made of Debian's busybox-static.
#   image.sh rootfs                       its files, as a tar (for Docker's import)
#   image.sh oci REF                      an OCI archive that `ctr images import` knows as REF; it sleeps unless told otherwise
#   image.sh oci REF FOLDER ARGUMENT...   the same of these files; the ARGUMENTs are its entrypoint
# Needs: busybox-static, coreutils, tar.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rootfs() {
	mkdir -p "$work/root/bin" "$work/root/tmp"
	cp "$(command -v busybox)" "$work/root/bin/busybox"
	for applet in sh sleep true cat nc; do ln -s busybox "$work/root/bin/$applet"; done
	pack "$work/root" "$1"
}

pack() { tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$2" .; }

# Moves a file to where its digest says, and prints the descriptor of media type $2 up to its closing brace.
store() {
	digest=$(sha256sum "$1" | cut -d' ' -f1)
	size=$(stat -c %s "$1")
	mv "$1" "$work/archive/blobs/sha256/$digest"
	printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s' "$2" "$digest" "$size"
}

# The layer lies at $work/layer; REF and the entrypoint are the arguments.
oci() {
	ref=$1
	shift
	mkdir -p "$work/archive/blobs/sha256"
	files=$(sha256sum "$work/layer" | cut -d' ' -f1)
	layer=$(store "$work/layer" layer.v1.tar)
	case $(uname -m) in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
	entrypoint=$(printf ',"%s"' "$@")
	cat >"$work/config" <<-JSON
		{"architecture": "$machine", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:$files"]},
		 "config": {"Env": ["PATH=/bin"], "Entrypoint": [${entrypoint#,}]}}
	JSON
	config=$(store "$work/config" config.v1+json)
	printf '{"schemaVersion":2,"config":%s},"layers":[%s}]}' "$config" "$layer" >"$work/manifest"
	manifest=$(store "$work/manifest" manifest.v1+json)
	printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"io.containerd.image.name":"%s"}}]}' "$manifest" "$ref" \
		>"$work/archive/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$work/archive/oci-layout"
	tar -C "$work/archive" -cf - .
}

case ${1:-}/$# in
rootfs/1) rootfs "$work/files" && cat "$work/files" ;;
oci/2) rootfs "$work/layer" && oci "$2" /bin/sleep 2147483647 ;;
oci/[4-9]*) pack "$3" "$work/layer" && ref=$2 && shift 3 && oci "$ref" "$@" ;;
*) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
