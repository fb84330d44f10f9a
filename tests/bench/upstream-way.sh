#!/usr/bin/env bash
# The yardstick: each namespace read by three tools, one after the other, as chaos-daemon's collector does for each container. Their
# output is thrown away and not parsed, which flatters that way: a real chaos-daemon takes 1.3 to 1.5 times as long.
# Prints the milliseconds it took.
#
#   upstream-way.sh KIND JOBS <PIDS      KIND: legacy | nft | idle; JOBS: namespaces at a time; PIDS: what populate.sh printed
set -euo pipefail
kind=${1:?KIND: legacy, nft or idle} jobs=${2:?JOBS}
save=iptables-legacy-save
[ "$kind" != nft ] || save=iptables-nft-save
mapfile -t pids

share() { # FIRST: every JOBS-th namespace from there
  local at
  for ((at = $1; at < ${#pids[@]}; at += jobs)); do
    for tool in "$save -c" 'ipset save -o xml' 'tc qdisc'; do
      nsenter --net="/proc/${pids[at]}/ns/net" $tool >/dev/null
    done
  done
}

start=${EPOCHREALTIME/./}
for ((job = 0; job < jobs; job++)); do share "$job" & done
for job in $(jobs -p); do wait "$job"; done
end=${EPOCHREALTIME/./}
echo "$(((end - start) / 1000)).$(printf %03d $(((end - start) % 1000)))"
