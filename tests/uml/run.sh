#!/bin/bash
# Runs one command on a real kernel that has netem, prio and sfq: Debian's user-mode-linux, booted on this host's own files.
#
#   tests/uml/run.sh COMMAND [ARGUMENT…]
#
# The command is root there. It sees the host's files read-only under the same paths; /tmp can be written and forgets.
# Working directory, PATH and CHAOSCOPE_*, RUST_* variables are the caller's; standard input is empty. stdout, stderr
# and exit code are the command's own, given back when it has ended. 124: not ended within CHAOSCOPE_UML_SECONDS (120).
# 125: it was not started. Any user may run this, and many at once. A boot and halt costs 1.5 to 2.5 s and 128 MiB.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARGUMENT…]" >&2; exit 125; }
for tool in linux.uml gcc; do
  command -v "$tool" >/dev/null || { echo "$0: $tool is missing; as root, tests/install.sh installs it" >&2; exit 125; }
done

here=$(cd "$(dirname "$0")" && pwd)
desk=$(mktemp -d "${TMPDIR:-/tmp}/chaoscope-uml.XXXXXX") # what this script and the guest exchange
guest=
leave() {
  if [ -n "$guest" ] && kill "$guest" 2>/dev/null; then
    wait "$guest" 2>/dev/null || true
  fi
  rm -rf "$desk"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

{
  export -p | grep -E '^declare -x (PATH|LANG|(CHAOSCOPE|RUST)_[A-Z0-9_]*)=' || true
  printf 'cd %q\nexec' "$PWD"
  printf ' %q' "$@"
} >"$desk/command"

gcc -O1 -shared -fPIC -o "$desk/xstate.so" "$here/xstate.c"

# uml_dir: sockets and pid file, otherwise in ~/.uml. TMPDIR: the file that is the guest's memory; a container's /dev/shm
# is often smaller than that. The console is kept for the case that the kernel does not come up.
ulimit -c 0
TMPDIR=$desk LD_PRELOAD=$desk/xstate.so timeout --kill-after=5 "${CHAOSCOPE_UML_SECONDS:-120}" \
  linux.uml mem=128M quiet panic=-1 rootfstype=hostfs rootflags=/ ro init="$here/init.sh" \
  uml_dir="$desk" con=null con0=null,fd:1 desk="$desk" </dev/null >"$desk/console" 2>&1 &
guest=$!
code=0
wait "$guest" 2>/dev/null || code=$?
guest=

touch "$desk/stdout" "$desk/stderr"
cat "$desk/stdout"
cat "$desk/stderr" >&2
if [ -s "$desk/exit" ]; then
  exit "$(<"$desk/exit")"
fi
cat "$desk/console" >&2
if [ "$code" = 124 ] || [ "$code" = 137 ]; then
  echo "$0: not ended within ${CHAOSCOPE_UML_SECONDS:-120} s: $*" >&2
  exit 124
fi
echo "$0: user-mode-linux ended with $code and the command has not; above is its console" >&2
exit 125
