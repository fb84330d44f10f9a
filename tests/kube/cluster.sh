#!/usr/bin/env bash
# A real one-node Kubernetes in namespaces of its own (network, mount, process, ipc, uts): API server with etcd, controller-manager,
# scheduler, kubelet, kube-proxy, containerd. Everything it writes is in FOLDER.
#   cluster.sh run FOLDER                the node; it lives until its standard input ends, so it does not outlive who started it.
#                                        FOLDER/ready is there once the node is Ready, FOLDER/kubeconfig is an administrator's
#   cluster.sh start FOLDER              the same in the background, until stop; returns once the node is Ready
#   cluster.sh enter FOLDER COMMAND...   runs a command on the node
#   cluster.sh net FOLDER COMMAND...     with this host's files and processes, only the network is the node's
#   cluster.sh image FOLDER TAR          imports an image archive (image.sh writes one); its tag must not be "latest"
#   cluster.sh stop FOLDER               ends every process of it, and with them its mounts and network; removes its cgroups
#
# FOLDER: at most 80 characters (sockets are in it), below neither /run nor /var, which on the node are a fresh tmpfs and FOLDER/var.
# So the usual paths hold there: /run/containerd/containerd.sock, /var/lib/kubelet, /run/netns. The API server is 127.0.0.1:443 on the
# node, 10.96.0.1:443 for pods. There is no DNS and no way out. The one image is localhost/busybox:1, which sandboxes run too.
# KUBE_BIN: the program of build.sh. Needs root and: containerd, runc, containernetworking-plugins, iptables, iproute2, busybox-static,
# openssl, util-linux.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
node=10.244.0.1

# --- from outside ---

start() {
	[ ! -e "$folder/pid" ] || stop
	mkfifo "$folder/life" # opened for reading and writing, it never ends
	rm -f "$folder/ready"
	setsid "$0" run "$folder" <>"$folder/life" >/dev/null 2>&1 &
	until [ -e "$folder/ready" ]; do
		kill -0 $! 2>/dev/null || { echo "the node did not get ready, see the logs in $folder" >&2; exit 1; }
		sleep 0.1
	done
	echo "$folder/kubeconfig"
}

run() {
	[ ${#folder} -le 80 ] || { echo "too long for unix sockets: $folder" >&2; exit 2; }
	case $folder/ in /run/* | /var/*) echo "must not be below /run or /var: $folder" >&2; exit 2 ;; esac
	KUBE_BIN=$("$here/build.sh")
	export KUBE_BIN
	rm -f "$folder/ready"
	echo $$ >"$folder/pid" # which stays its number
	exec unshare --net --mount --pid --ipc --uts --fork --kill-child --mount-proc "$here/cluster.sh" node "$folder" >>"$folder/node.log" 2>&1
}

# A number alone is no proof: they are used again.
alive() { grep -qs -- "$folder" "/proc/$1/cmdline"; }

# The node's process 1, as this host numbers it.
inside() {
	local pid
	pid=$(cat "$folder/pid" 2>/dev/null) && alive "$pid" && cat "/proc/$pid/task/$pid/children" && return
	echo "no node runs in $folder" >&2
	exit 1
}

# With that process its process 1 is killed, and with that one the kernel ends all others. Then only cgroups and files are left.
stop() {
	local pid tree left
	pid=$(cat "$folder/pid" 2>/dev/null || true)
	if [ -n "$pid" ] && alive "$pid"; then
		kill -KILL "$pid" 2>/dev/null || true
		for _ in $(seq 300); do alive "$pid" || break; sleep 0.1; done
	fi
	rm -f "$folder/pid" "$folder/ready" "$folder/life"
	for _ in $(seq 100); do # the kernel empties a cgroup a moment after its last process
		for tree in $(hierarchies); do
			[ ! -d "$tree/$(cgroup)" ] || find "$tree/$(cgroup)" -depth -type d -exec rmdir {} + 2>/dev/null || true
		done
		left=$(for tree in $(hierarchies); do find "$tree" -maxdepth 1 -name "$(cgroup)"; done)
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	echo "cgroups are left: $left" >&2
	return 1
}

cgroup() { echo "chaoscope-kube-$(echo "$folder" | cksum | cut -d' ' -f1)"; }

# Version 2 has one, version 1 one for each controller.
hierarchies() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; return; fi
	local tree
	for tree in /sys/fs/cgroup/*; do
		[ -L "$tree" ] || [ ! -d "$tree" ] || echo "$tree"
	done
}

# --- on the node, as its process 1 ---

node() {
	mount --make-rshared /
	world
	network
	keys
	settings
	part apiserver --bind-address=0.0.0.0 --advertise-address=$node --secure-port=443 \
		--cert-dir="$folder/certificates" --tls-cert-file="$folder/apiserver.crt" --tls-private-key-file="$folder/apiserver.key" \
		--client-ca-file="$folder/ca.crt" --token-auth-file="$folder/tokens.csv" --authorization-mode=Node,RBAC \
		--service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$folder/account.pub" \
		--service-account-signing-key-file="$folder/account.key" --service-cluster-ip-range=10.96.0.0/16 \
		--enable-admission-plugins=NodeRestriction --allow-privileged=true --profiling=false \
		--kubelet-client-certificate="$folder/toward-kubelet.crt" --kubelet-client-key="$folder/toward-kubelet.key" \
		--kubelet-preferred-address-types=InternalIP
	containerd --config "$folder/containerd.toml" >"$folder/containerd.log" 2>&1 &
	export KUBECONFIG=$folder/kubeconfig
	"$here/image.sh" oci localhost/busybox:1 >"$folder/busybox.tar"
	until ctr version >/dev/null 2>&1; do sleep 0.1; done
	ctr -n k8s.io images import "$folder/busybox.tar"
	until "$KUBE_BIN" kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.1; done
	part controller-manager --kubeconfig="$KUBECONFIG" --leader-elect=false --use-service-account-credentials \
		--service-account-private-key-file="$folder/account.key" --root-ca-file="$folder/ca.crt" --bind-address=127.0.0.1
	part scheduler --kubeconfig="$KUBECONFIG" --leader-elect=false --bind-address=127.0.0.1
	part kubelet --config="$folder/kubelet.yaml" --kubeconfig="$folder/kubelet.kubeconfig" --hostname-override=node --node-ip=$node \
		--root-dir=/var/lib/kubelet
	part proxy --kubeconfig="$KUBECONFIG" --hostname-override=node --proxy-mode=iptables --cluster-cidr=10.244.0.0/16 \
		--bind-address=127.0.0.1 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
	until "$KUBE_BIN" kubectl wait --for=condition=Ready node/node --timeout=60s >/dev/null 2>&1 &&
		"$KUBE_BIN" kubectl get serviceaccount default >/dev/null 2>&1; do sleep 0.1; done
	touch "$folder/ready"
	cat >/dev/null # until our input ends
}

part() {
	local name=$1
	KUBE_ETCD_DIR=$folder/etcd "$KUBE_BIN" "$@" >"$folder/$name.log" 2>&1 </dev/null &
}

# A private /run and /var, and plain files in place of the sysctls that kubelet insists on writing and no namespace separates.
world() {
	mkdir -p "$folder"/var/{lib/kubelet,lib/containerd,log/pods,log/containers,tmp} "$folder/sysctl" "$folder/cni"
	ln -sfn /run "$folder/var/run"
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/netns /run/lock
	mount --bind "$folder/var" /var
	local name tree
	for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
		cat "/proc/sys/$name" >"$folder/sysctl/${name//\//.}"
		mount --bind "$folder/sysctl/${name//\//.}" "/proc/sys/$name"
	done
	for tree in $(hierarchies); do mkdir -p "$tree/$(cgroup)"; done
}

network() {
	hostname node
	ip link set lo up
	ip link add cni0 type bridge
	ip address add $node/16 dev cni0
	ip link set cni0 up
	ip route add 10.96.0.0/16 dev cni0 # kube-proxy rewrites addresses of services, but only of packets that have a route
	echo 1 >/proc/sys/net/ipv4/ip_forward
	cat >"$folder/cni/10-bridge.conflist" <<-EOF
		{"cniVersion": "1.0.0", "name": "pods", "plugins": [
		  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
		   "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.244.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
		  {"type": "portmap", "capabilities": {"portMappings": true}}]}
	EOF
}

# Certificates are leaves under an authority of their own: rustls takes no authority for a server's.
keys() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=chaoscope-tests \
		-addext keyUsage=critical,keyCertSign,cRLSign -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
	issue apiserver /CN=kube-apiserver serverAuth \
		"subjectAltName=IP:127.0.0.1,IP:$node,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
	issue toward-kubelet /O=system:masters/CN=toward-kubelet clientAuth
	issue kubelet /O=system:nodes/CN=system:node:node serverAuth,clientAuth "subjectAltName=IP:$node,DNS:node"
	openssl genrsa -out "$folder/account.key" 2048 2>/dev/null
	openssl rsa -in "$folder/account.key" -pubout -out "$folder/account.pub" 2>/dev/null
	printf '%s\n' 'admin-token,admin,admin,"system:masters"' nobody-token,nobody,nobody, >"$folder/tokens.csv"
	kubeconfig 'token: admin-token' >"$folder/kubeconfig"
	kubeconfig "client-certificate: $folder/kubelet.crt, client-key: $folder/kubelet.key" >"$folder/kubelet.kubeconfig"
}

# NAME SUBJECT USAGES [EXTENSION]: FOLDER/NAME.key and NAME.crt.
issue() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$folder/$1.key" -out "$folder/$1.csr" 2>/dev/null
	openssl x509 -req -in "$folder/$1.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -CAcreateserial -days 3650 -out "$folder/$1.crt" \
		-extfile <(printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature "extendedKeyUsage=$3" "${4:-}") 2>/dev/null
	rm "$folder/$1.csr"
}

kubeconfig() {
	cat <<-EOF
		apiVersion: v1
		kind: Config
		clusters: [{name: test, cluster: {server: "https://127.0.0.1:443", certificate-authority: "$folder/ca.crt"}}]
		users: [{name: test, user: {$1}}]
		contexts: [{name: test, context: {cluster: test, user: test}}]
		current-context: test
	EOF
}

settings() {
	cat >"$folder/kubelet.yaml" <<-EOF
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
		cgroupDriver: cgroupfs
		cgroupRoot: /$(cgroup)
		failSwapOn: false
		failCgroupV1: false
		makeIPTablesUtilChains: false
		evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
		imageGCHighThresholdPercent: 100
		resolvConf: ""
		clusterDNS: ["10.96.0.10"]
		address: 0.0.0.0
		authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "$folder/ca.crt"}}
		authorization: {mode: Webhook}
		tlsCertFile: "$folder/kubelet.crt"
		tlsPrivateKeyFile: "$folder/kubelet.key"
		volumePluginDir: /var/lib/kubelet/volumeplugins
		nodeStatusUpdateFrequency: 2s
	EOF
	# Inside of a container, a lower oom_score_adj than one's own is not allowed.
	cat >"$folder/containerd.toml" <<-EOF
		version = 2
		root = "/var/lib/containerd"
		state = "/run/containerd"
		[grpc]
		address = "/run/containerd/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		restrict_oom_score_adj = true
		sandbox_image = "localhost/busybox:1"
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "/usr/lib/cni"
		conf_dir = "$folder/cni"
	EOF
}

[ $# -ge 2 ] || { sed -n "2,16s/^# \{0,1\}//p" "$0"; exit 2; }
command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
shift 2
case $command in
start | run | stop | node) "$command" ;;
enter) KUBECONFIG=$folder/kubeconfig exec nsenter --target $(inside) --net --mount --pid --ipc --uts "$@" ;;
net) KUBECONFIG=$folder/kubeconfig exec nsenter --target $(inside) --net "$@" ;;
image) exec nsenter --target $(inside) --net --mount --pid ctr -n k8s.io images import "$(realpath "$1")" ;;
*) echo "unknown command $command" >&2; exit 2 ;;
esac
