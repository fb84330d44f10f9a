#!/bin/sh
# Makes the one image our real runtimes run, from Debian's busybox-static, without a registry or a builder.
#   image.sh rootfs       its files, as a tar (for Docker's import)
#   image.sh oci REF      an OCI archive that `ctr images import` knows as REF; it sleeps unless told otherwise
# Needs: busybox-static, coreutils, tar.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rootfs() {
	mkdir -p "$work/root/bin" "$work/root/tmp"
	cp "$(command -v busybox)" "$work/root/bin/busybox"
	for applet in sh sleep true; do ln -s busybox "$work/root/bin/$applet"; done
	tar -C "$work/root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$1" .
}

# Moves a file to where its digest says, and prints the descriptor of media type $2 up to its closing brace.
store() {
	digest=$(sha256sum "$1" | cut -d' ' -f1)
	size=$(stat -c %s "$1")
	mv "$1" "$work/archive/blobs/sha256/$digest"
	printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s' "$2" "$digest" "$size"
}

oci() {
	mkdir -p "$work/archive/blobs/sha256"
	rootfs "$work/layer"
	files=$(sha256sum "$work/layer" | cut -d' ' -f1)
	layer=$(store "$work/layer" layer.v1.tar)
	case $(uname -m) in x86_64) machine=amd64 ;; aarch64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
	cat >"$work/config" <<-JSON
		{"architecture": "$machine", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:$files"]},
		 "config": {"Env": ["PATH=/bin"], "Entrypoint": ["/bin/sleep", "2147483647"]}}
	JSON
	config=$(store "$work/config" config.v1+json)
	printf '{"schemaVersion":2,"config":%s},"layers":[%s}]}' "$config" "$layer" >"$work/manifest"
	manifest=$(store "$work/manifest" manifest.v1+json)
	printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"io.containerd.image.name":"%s"}}]}' "$manifest" "$1" \
		>"$work/archive/index.json"
	printf '{"imageLayoutVersion":"1.0.0"}' >"$work/archive/oci-layout"
	tar -C "$work/archive" -cf - .
}

case ${1:-} in
rootfs) rootfs "$work/files" && cat "$work/files" ;;
oci) oci "${2:?a reference such as localhost/busybox:1}" ;;
*) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
