package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// Context is who asks which datasource. All may be missing.
type Context struct {
	Org        int64             `json:"org"`
	UID        string            `json:"uid"`
	Updated    int64             `json:"updated"`
	URL        string            `json:"url"`
	BasicUser  string            `json:"basicUser"`
	JSON       json.RawMessage   `json:"json"`
	Secrets    map[string]string `json:"secrets"`
	NoSettings bool              `json:"noSettings"`
	User       *struct {
		Login string `json:"login"`
		Role  string `json:"role"`
	} `json:"user"`
}

func (c Context) proto() *pluginv2.PluginContext {
	context := &pluginv2.PluginContext{OrgId: c.Org, PluginId: "chaoscope-events-datasource", PluginVersion: "0.0.0"}
	if !c.NoSettings {
		context.DataSourceInstanceSettings = &pluginv2.DataSourceInstanceSettings{
			Id: 1, Name: c.UID, Uid: c.UID, Url: c.URL, JsonData: c.JSON, DecryptedSecureJsonData: c.Secrets,
			LastUpdatedMS: c.Updated, BasicAuthEnabled: c.BasicUser != "", BasicAuthUser: c.BasicUser, ApiVersion: "v1",
		}
	}
	if c.User != nil {
		context.User = &pluginv2.User{Login: c.User.Login, Name: c.User.Login, Role: c.User.Role}
	}
	return context
}

// Asked is what every call may say besides its own.
type Asked struct {
	Context Context           `json:"context"`
	Headers map[string]string `json:"headers"`
	// After so many milliseconds the call is cancelled, as when a viewer leaves. 0: after a minute.
	Cancel int64 `json:"cancel"`
	// Instead: so many milliseconds are its deadline, as an alert rule has one. The plugin is told of it.
	Deadline int64 `json:"deadline"`
}

func (a Asked) limit() (context.Context, context.CancelFunc) {
	if a.Deadline > 0 {
		return context.WithTimeout(context.Background(), time.Duration(a.Deadline)*time.Millisecond)
	}
	limit := time.Minute
	if a.Cancel > 0 {
		limit = time.Duration(a.Cancel) * time.Millisecond
	}
	context, cancel := context.WithCancel(context.Background())
	time.AfterFunc(limit, cancel)
	return context, cancel
}

// read understands a command and tells whether there is a plugin to ask.
func read(p *Plugin, line []byte, into any) error {
	if _, err := p.running(); err != nil {
		return err
	}
	return json.Unmarshal(line, into)
}

// health answers status, message and details of CheckHealth.
func health(p *Plugin, line []byte) (any, error) {
	var asked Asked
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	context, cancel := asked.limit()
	defer cancel()
	answer, err := p.diagnostics.CheckHealth(context, &pluginv2.CheckHealthRequest{PluginContext: asked.Context.proto(), Headers: asked.Headers})
	if err != nil {
		return nil, err
	}
	return map[string]any{"status": answer.Status.String(), "message": answer.Message, "details": text(answer.JsonDetails)}, nil
}

// metrics answers the text of CollectMetrics.
func metrics(p *Plugin, line []byte) (any, error) {
	var asked Asked
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	context, cancel := asked.limit()
	defer cancel()
	answer, err := p.diagnostics.CollectMetrics(context, &pluginv2.CollectMetricsRequest{PluginContext: asked.Context.proto()})
	if err != nil {
		return nil, err
	}
	return string(answer.Metrics.Prometheus), nil
}

// query answers, for each query, status, error, frames as Grafana's decoder understood them, and what the alert engine makes of them.
func query(p *Plugin, line []byte) (any, error) {
	var asked struct {
		Asked
		Queries []struct {
			RefID     string          `json:"refId"`
			Type      string          `json:"queryType"`
			JSON      json.RawMessage `json:"json"`
			Raw       *string         `json:"raw"` // instead of json: these bytes
			From      int64           `json:"from"`
			To        int64           `json:"to"`
			Interval  int64           `json:"interval"`
			MaxPoints int64           `json:"maxPoints"`
		} `json:"queries"`
	}
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	request := &pluginv2.QueryDataRequest{PluginContext: asked.Context.proto(), Headers: asked.Headers}
	for _, it := range asked.Queries {
		bytes := []byte(it.JSON)
		if it.Raw != nil {
			bytes = []byte(*it.Raw)
		}
		request.Queries = append(request.Queries, &pluginv2.DataQuery{
			RefId: it.RefID, QueryType: it.Type, Json: bytes, IntervalMS: it.Interval, MaxDataPoints: it.MaxPoints,
			TimeRange: &pluginv2.TimeRange{FromEpochMS: it.From, ToEpochMS: it.To},
		})
	}
	context, cancel := asked.limit()
	defer cancel()
	answer, err := p.data.QueryData(context, request)
	if err != nil {
		return nil, err
	}
	responses := map[string]any{}
	for ref, response := range answer.Responses {
		frames, alert, err := decode(response.Frames)
		if err != nil {
			return nil, err
		}
		responses[ref] = map[string]any{"status": response.Status, "error": response.Error, "frames": frames, "alert": alert}
	}
	return responses, nil
}

func decode(encoded [][]byte) ([]json.RawMessage, any, error) {
	frames, err := data.UnmarshalArrowFrames(encoded)
	if err != nil {
		return nil, nil, err
	}
	answer := []json.RawMessage{}
	for _, frame := range frames {
		bytes, err := data.FrameToJSON(frame, data.IncludeAll)
		if err != nil {
			return nil, nil, err
		}
		answer = append(answer, bytes)
	}
	return answer, alerting(frames), nil
}

// resource answers status, headers and body of a resource call.
func resource(p *Plugin, line []byte) (any, error) {
	var asked struct {
		Asked
		Method string `json:"method"`
		URL    string `json:"url"`
		Path   string `json:"path"`
		Body   string `json:"body"`
	}
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	headers := map[string]*pluginv2.StringList{}
	for name, value := range asked.Headers {
		headers[name] = &pluginv2.StringList{Values: []string{value}}
	}
	context, cancel := asked.limit()
	defer cancel()
	stream, err := p.resources.CallResource(context, &pluginv2.CallResourceRequest{
		PluginContext: asked.Context.proto(), Path: asked.Path, Method: asked.Method, Url: asked.URL, Headers: headers, Body: []byte(asked.Body),
	})
	if err != nil {
		return nil, err
	}
	code, names, body := int32(0), map[string][]string{}, []byte{}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if part.Code != 0 {
			code = part.Code
		}
		for name, list := range part.Headers {
			names[name] = list.Values
		}
		body = append(body, part.Body...)
	}
	return map[string]any{"status": code, "headers": names, "body": text(body)}, nil
}

// Channel is a stream's path and what its viewer sent along.
type Channel struct {
	Asked
	Path string `json:"path"`
	Data string `json:"data"`
	// How many packets are enough. 0: all until it is cancelled.
	Packets int `json:"packets"`
}

// subscribe answers status and initial data.
func subscribe(p *Plugin, line []byte) (any, error) {
	var asked Channel
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	context, cancel := asked.limit()
	defer cancel()
	answer, err := p.streams.SubscribeStream(context, &pluginv2.SubscribeStreamRequest{
		PluginContext: asked.Context.proto(), Path: asked.Path, Data: []byte(asked.Data),
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"status": answer.Status.String(), "data": text(answer.Data)}, nil
}

// publish answers the status.
func publish(p *Plugin, line []byte) (any, error) {
	var asked Channel
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	context, cancel := asked.limit()
	defer cancel()
	answer, err := p.streams.PublishStream(context, &pluginv2.PublishStreamRequest{
		PluginContext: asked.Context.proto(), Path: asked.Path, Data: []byte(asked.Data),
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"status": answer.Status.String()}, nil
}

// run answers the packets that came, and how the stream ended: "" when the plugin ended it, "enough", or the error.
func run(p *Plugin, line []byte) (any, error) {
	var asked Channel
	if err := read(p, line, &asked); err != nil {
		return nil, err
	}
	context, cancel := asked.limit()
	defer cancel()
	stream, err := p.streams.RunStream(context, &pluginv2.RunStreamRequest{
		PluginContext: asked.Context.proto(), Path: asked.Path, Data: []byte(asked.Data),
	})
	if err != nil {
		return nil, err
	}
	packets := []any{}
	for {
		packet, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return map[string]any{"packets": packets, "end": ""}, nil
		case err != nil:
			return map[string]any{"packets": packets, "end": err.Error()}, nil
		}
		packets = append(packets, text(packet.Data))
		if asked.Packets > 0 && len(packets) >= asked.Packets {
			return map[string]any{"packets": packets, "end": "enough"}, nil
		}
	}
}

// text gives JSON as it is, and anything else as a string.
func text(bytes []byte) any {
	if json.Valid(bytes) {
		return json.RawMessage(bytes)
	}
	return string(bytes)
}
