// A plugin host for the tests: starts a backend plugin the way Grafana does, with the same client library, and asks it what it is told to.
//
//	host BINARY [KEY=VALUE…]
//
// Each line on standard input is a command in JSON, {"id": 1, "do": "query", …}; each gets one line back, {"id": 1, …}, as soon as it is
// done: commands run side by side. The plugin sees no environment but the given one and what the client library adds. What a command takes
// and answers stands at its function in commands.go (streams that stay open: watch.go); frames are answered as Grafana's own decoder understood them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Command is one line of input.
type Command struct {
	ID json.RawMessage `json:"id"`
	Do string          `json:"do"`
}

var commands = map[string]func(*Plugin, []byte) (any, error){
	"start":     start,
	"ping":      ping,
	"health":    health,
	"metrics":   metrics,
	"query":     query,
	"resource":  resource,
	"subscribe": subscribe,
	"publish":   publish,
	"run":       run,
	"watch":     watch,
	"packets":   packets,
	"leave":     leave,
	"stop":      stop,
	"output":    output,
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "host BINARY [KEY=VALUE…]")
		os.Exit(2)
	}
	plugin := &Plugin{binary: os.Args[1], env: os.Args[2:]}
	var printing sync.Mutex
	answer := func(value map[string]any) {
		printing.Lock()
		defer printing.Unlock()
		line, err := json.Marshal(value)
		if err != nil {
			line, _ = json.Marshal(map[string]any{"id": value["id"], "error": err.Error()})
		}
		fmt.Println(string(line))
	}
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			break
		}
		var command Command
		if err := json.Unmarshal(line, &command); err != nil {
			answer(map[string]any{"error": err.Error()})
			continue
		}
		go func() {
			do, known := commands[command.Do]
			if !known {
				answer(map[string]any{"id": command.ID, "error": "no such command"})
				return
			}
			value, err := do(plugin, line)
			if err != nil {
				answer(map[string]any{"id": command.ID, "error": err.Error()})
				return
			}
			answer(map[string]any{"id": command.ID, "ok": value})
		}()
	}
	// Who asked has gone: so does the plugin.
	_, _ = stop(plugin, nil)
}
