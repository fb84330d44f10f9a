package main

import (
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// alerting tells what Grafana's alert engine makes of an answer, by the rules of its expressions and by the shape Grafana's own data package
// finds in each frame: "numbers" with the rows, "series", "no data", "typed" (a frame that says its type and version, and is read by that),
// or why it is an error.
func alerting(frames data.Frames) map[string]any {
	schemas := []string{}
	for _, frame := range frames {
		schemas = append(schemas, frame.TimeSeriesSchema().Type.String())
	}
	takes := func(what string) map[string]any { return map[string]any{"takes": what, "schemas": schemas} }
	if len(frames) == 0 || len(frames) == 1 && len(frames[0].Fields) == 0 {
		return takes("no data")
	}
	if meta := frames[0].Meta; meta != nil && meta.Type != data.FrameTypeUnknown && !meta.TypeVersion.IsZero() {
		return takes("typed")
	}
	if len(frames) == 1 && frames[0].TimeSeriesSchema().Type == data.TimeSeriesTypeNot {
		if rows, is := numbers(frames[0]); is {
			answer := takes("numbers")
			answer["rows"] = rows
			return answer
		}
	}
	for _, frame := range frames {
		if frame.TimeSeriesSchema().Type != data.TimeSeriesTypeWide {
			return takes("error: input data must be a wide series")
		}
		if !rising(frame) {
			return takes("error: times must ascend")
		}
	}
	return takes("series")
}

// numbers reads a table of texts and exactly one number: each row a value with the texts as its labels.
func numbers(frame *data.Frame) ([]map[string]any, bool) {
	number, texts := -1, []int{}
	for at, field := range frame.Fields {
		switch kind := field.Type(); {
		case kind.Numeric() && number < 0:
			number = at
		case kind == data.FieldTypeString || kind == data.FieldTypeNullableString:
			texts = append(texts, at)
		default:
			return nil, false
		}
	}
	if number < 0 {
		return nil, false
	}
	rows := []map[string]any{}
	for row := range frame.Rows() {
		labels := map[string]string{}
		for _, at := range texts {
			if value, known := frame.ConcreteAt(at, row); known {
				labels[frame.Fields[at].Name], _ = value.(string)
			}
		}
		value, err := frame.FloatAt(number, row)
		if err != nil {
			return nil, false
		}
		rows = append(rows, map[string]any{"labels": labels, "value": value})
	}
	return rows, true
}

// rising tells whether the times of a series ascend.
func rising(frame *data.Frame) bool {
	times := frame.Fields[frame.TimeSeriesSchema().TimeIndex]
	last := time.Time{}
	for row := range times.Len() {
		value, known := times.ConcreteAt(row)
		at, is := value.(time.Time)
		if !known || !is || row > 0 && !at.After(last) {
			return false
		}
		last = at
	}
	return true
}
