#!/usr/bin/env bash
# Builds kubectl (with kustomize in it) and helm for the tests unless they are there, and prints the folder they are in.
# DEPLOY_BIN: a folder with ready ones, which are taken as they are.
#   build.sh where     only prints the folder they are in, or would be
#
# From their own Go modules, since Debian has no helm and an old kubectl. The first build fetches modules and takes minutes on two cores; the
# result is kept outside the repository under a name that says what it was made of, as with tests/kube/build.sh.
# Needs: Go 1.24, flock.
set -euo pipefail
cd "$(dirname "$0")"
kubernetes=v1.34.4 helm=v3.19.5 # as in go.mod: else they would not know their own versions

[ -z "${DEPLOY_BIN:-}" ] || { echo "$DEPLOY_BIN"; exit; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/chaoscope-tests
folder=$cache/deploy-$kubernetes-$helm-$(cat kubectl/main.go go.mod go.sum | sha256sum | cut -c1-12)
[ "${1:-}" != where ] || { echo "$folder"; exit; }
mkdir -p "$cache"
(
	flock 9
	[ ! -x "$folder/helm" ] || exit 0
	new=$folder.new
	rm -rf "$new" && mkdir -p "$new"
	build() { CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w $1" -o "$new/$2" "$3" >&2; }
	version=k8s.io/component-base/version
	build "-X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=34" kubectl ./kubectl
	# Helm takes the newest Kubernetes it knows from its client's version.
	build "-X helm.sh/helm/v3/internal/version.version=$helm \
		-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=34 \
		-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34" \
		helm helm.sh/helm/v3/cmd/helm
	mv "$new" "$folder"
) 9>"$cache/lock-deploy"
echo "$folder"
