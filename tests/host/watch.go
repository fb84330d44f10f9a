package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// Watched is a stream that is open, with the packets that came.
type Watched struct {
	leave context.CancelFunc

	mutex   sync.Mutex
	packets []json.RawMessage
	end     *string
	// Closed at the next packet or the end, and made anew.
	news chan struct{}
}

// All streams of this process, by number.
var watched struct {
	sync.Mutex
	all []*Watched
}

// watch opens a stream and answers its number: what comes is asked for by `packets`, and `leave` ends it.
func watch(p *Plugin, line []byte) (any, error) {
	var asked Channel
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	context, leave := context.WithCancel(context.Background())
	stream, err := p.streams.RunStream(context, &pluginv2.RunStreamRequest{
		PluginContext: asked.Context.proto(), Path: asked.Path, Data: []byte(asked.Data),
	})
	if err != nil {
		leave()
		return nil, err
	}
	it := &Watched{leave: leave, news: make(chan struct{})}
	go it.follow(stream)
	watched.Lock()
	defer watched.Unlock()
	watched.all = append(watched.all, it)
	return len(watched.all) - 1, nil
}

// follow keeps each packet as Grafana's own decoder of frames understood it; one that is no frame ends the stream.
func (w *Watched) follow(stream pluginv2.Stream_RunStreamClient) {
	for {
		packet, err := stream.Recv()
		var decoded json.RawMessage
		if err == nil {
			var frame data.Frame
			if err = json.Unmarshal(packet.Data, &frame); err == nil {
				decoded, err = data.FrameToJSON(&frame, data.IncludeAll)
			}
		}
		w.mutex.Lock()
		if err == nil {
			w.packets = append(w.packets, decoded)
		} else {
			end := err.Error()
			if errors.Is(err, io.EOF) {
				end = ""
			}
			w.end = &end
		}
		close(w.news)
		w.news = make(chan struct{})
		w.mutex.Unlock()
		if err != nil {
			w.leave()
			return
		}
	}
}

func find(line []byte) (*Watched, int, time.Duration, error) {
	var asked struct {
		Stream   int   `json:"stream"`
		After    int   `json:"after"`
		Patience int64 `json:"patience"`
	}
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, 0, 0, err
	}
	watched.Lock()
	defer watched.Unlock()
	if asked.Stream < 0 || asked.Stream >= len(watched.all) {
		return nil, 0, 0, errors.New("no such stream")
	}
	return watched.all[asked.Stream], asked.After, time.Duration(asked.Patience) * time.Millisecond, nil
}

// packets answers what came on a stream after the first so many packets, and how the stream ended (null: it goes on). It waits until there
// is something to tell, for so many milliseconds at most.
func packets(_ *Plugin, line []byte) (any, error) {
	it, after, patience, err := find(line)
	if err != nil {
		return nil, err
	}
	late := time.After(patience)
	for {
		it.mutex.Lock()
		packets, end, news := it.packets, it.end, it.news
		it.mutex.Unlock()
		if len(packets) > after || end != nil {
			return map[string]any{"packets": packets[min(after, len(packets)):], "end": end}, nil
		}
		select {
		case <-news:
		case <-late:
			return map[string]any{"packets": []any{}, "end": nil}, nil
		}
	}
}

// leave ends a stream as the last viewer's going does.
func leave(_ *Plugin, line []byte) (any, error) {
	it, _, _, err := find(line)
	if err != nil {
		return nil, err
	}
	it.leave()
	return nil, nil
}
