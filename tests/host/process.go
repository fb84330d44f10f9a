package main

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
)

// Version of the protocol Grafana speaks with backend plugins.
const protocol = 2

// Plugin is the one process at a time.
type Plugin struct {
	binary string
	env    []string

	mutex       sync.Mutex
	client      *plugin.Client
	process     *exec.Cmd
	data        grpcplugin.DataClient
	diagnostics grpcplugin.DiagnosticsClient
	resources   grpcplugin.ResourceClient
	streams     grpcplugin.StreamClient
	stderr, log buffer
}

// buffer keeps what is written, for several writers and readers.
type buffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(part []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(part)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}

// start starts the plugin and answers its process id, its address and how many microseconds passed until its handshake was read.
func start(p *Plugin, _ []byte) (any, error) {
	command := exec.Command(p.binary)
	command.Env = p.env
	client := plugin.NewClient(&plugin.ClientConfig{
		Cmd: command,
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  protocol,
			MagicCookieKey:   grpcplugin.MagicCookieKey,
			MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{protocol: {
			"data":        &grpcplugin.DataGRPCPlugin{},
			"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{},
			"resource":    &grpcplugin.ResourceGRPCPlugin{},
			"stream":      &grpcplugin.StreamGRPCPlugin{},
		}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		Stderr:           &p.stderr,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &p.log, JSONFormat: true}),
	})
	begin := time.Now()
	address, err := client.Start()
	if err != nil {
		client.Kill()
		return nil, err
	}
	took := time.Since(begin)
	rpc, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.client, p.process = client, command
	for name, into := range map[string]func(any) bool{
		"data":        func(it any) (ok bool) { p.data, ok = it.(grpcplugin.DataClient); return },
		"diagnostics": func(it any) (ok bool) { p.diagnostics, ok = it.(grpcplugin.DiagnosticsClient); return },
		"resource":    func(it any) (ok bool) { p.resources, ok = it.(grpcplugin.ResourceClient); return },
		"stream":      func(it any) (ok bool) { p.streams, ok = it.(grpcplugin.StreamClient); return },
	} {
		service, err := rpc.Dispense(name)
		if err != nil {
			return nil, err
		}
		if !into(service) {
			return nil, errors.New(name + " is of another type")
		}
	}
	return map[string]any{
		"pid": command.Process.Pid, "address": address.String(), "protocol": client.NegotiatedVersion(), "microseconds": took.Microseconds(),
	}, nil
}

// running answers the plugin, or that there is none.
func (p *Plugin) running() (*plugin.Client, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.client == nil {
		return nil, errors.New("the plugin is not started")
	}
	return p.client, nil
}

// ping asks for the health of the service `plugin`.
func ping(p *Plugin, _ []byte) (any, error) {
	client, err := p.running()
	if err != nil {
		return nil, err
	}
	rpc, err := client.Client()
	if err != nil {
		return nil, err
	}
	return nil, rpc.Ping()
}

// stop ends the plugin as Grafana does: asks it to, and kills it when it is still there after two seconds. Answers whether it went by
// itself, its exit code (-1: by a signal) and how many microseconds that took.
func stop(p *Plugin, _ []byte) (any, error) {
	client, err := p.running()
	if err != nil {
		return nil, err
	}
	before := len(p.log.String())
	begin := time.Now()
	client.Kill()
	took := time.Since(begin)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.client = nil
	code := -1
	if p.process.ProcessState != nil {
		code = p.process.ProcessState.ExitCode()
	}
	graceful := !strings.Contains(p.log.String()[before:], "failed to exit gracefully")
	return map[string]any{"graceful": graceful, "code": code, "microseconds": took.Microseconds()}, nil
}

// output answers what the plugin wrote on standard error, as it is and as the client library understood it, and whether it has ended.
func output(p *Plugin, _ []byte) (any, error) {
	exited := true
	if client, err := p.running(); err == nil {
		exited = client.Exited()
	}
	return map[string]any{"stderr": p.stderr.String(), "log": p.log.String(), "exited": exited}, nil
}
