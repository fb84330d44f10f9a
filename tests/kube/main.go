// Package main is a real kube-apiserver with an etcd in the same process, for tests only.
//
//	kube FLAGS   takes kube-apiserver's flags; its etcd is kept in the folder that KUBE_ETCD_DIR names
//
// One process, so that a test can kill -9 all of it; etcd listens on a unix socket, so no second port is taken.
// tests/kube/build.sh builds it, tests/kit/kube.rs starts it.
package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
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
	os.Exit(cli.Run(app.NewAPIServerCommand()))
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
