// Package main holds the parts of a Kubernetes cluster as sub-commands of one program, for tests only.
//
//	kube apiserver FLAGS   kube-apiserver with an etcd in the same process, kept in the folder that KUBE_ETCD_DIR names
//	kube kubectl …         and controller-manager, scheduler, kubelet, proxy: each takes the flags of the original
//
// One process for the first, so that a test can kill -9 all of it; etcd listens on a unix socket, so no second port is taken.
// One program for all, because they share nearly all of their code: a second one would cost minutes of compiling.
// tests/kube/build.sh builds it; tests/kit/kube.rs starts the API server alone, tests/kube/cluster.sh a whole node.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var commands = map[string]func() *cobra.Command{
	"apiserver":          apiserver.NewAPIServerCommand,
	"controller-manager": controllers.NewControllerManagerCommand,
	"kubectl":            kubectl.NewDefaultKubectlCommand,
	"kubelet":            func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"proxy":              proxy.NewProxyCommand,
	"scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: kube apiserver|controller-manager|kubectl|kubelet|proxy|scheduler FLAGS")
		os.Exit(2)
	}
	command := commands[os.Args[1]]
	os.Args = os.Args[1:] // they read it themselves
	if os.Args[0] == "apiserver" {
		serveEtcdForUs()
	}
	os.Exit(cli.Run(command()))
}

// serveEtcdForUs tells the API server where it is.
func serveEtcdForUs() {
	folder := os.Getenv("KUBE_ETCD_DIR")
	if folder == "" {
		fmt.Fprintln(os.Stderr, "KUBE_ETCD_DIR must name a folder")
		os.Exit(2)
	}
	socket := filepath.Join(folder, "socket")
	if err := serveEtcd(folder, socket); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
	os.Args = append(os.Args, "--etcd-servers=unix://"+socket)
}

// serveEtcd returns when it is ready. Nothing is synced to the disk: a kill -9 loses nothing, only a crash of the machine would.
func serveEtcd(folder, socket string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	config := embed.NewConfig() // what it advertises stays host:port, as it insists; with one member nobody asks there
	config.Dir = filepath.Join(folder, "data")
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: socket}}
	config.ListenPeerUrls = []url.URL{{Scheme: "unix"}} // nameless: there are no peers
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	select {
	case <-server.Server.ReadyNotify():
		return nil
	case err := <-server.Err():
		return err
	case <-time.After(time.Minute):
		return errors.New("not ready after a minute")
	}
}
