// What Go's own text/template makes of templates.txt, one JSON line each: the reference that tests/corpus.rs compares with.
// Run as: go run main.go < templates.txt > results.jsonl
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type result struct {
	Template string `json:"template"`
	Output   string `json:"output"`
	Error    string `json:"error"`
}

func pad(s string, before, after int) string {
	if s == "" {
		return s
	}
	return strings.Repeat(" ", before) + s + strings.Repeat(" ", after)
}

func truncate(s string, n int) string {
	if len(s) < n {
		return s
	}
	return s[:n]
}

func toJSON(v interface{}) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func join(list []interface{}, sep string) string {
	var words []string
	for _, word := range list {
		words = append(words, word.(string))
	}
	return strings.Join(words, sep)
}

// whole makes integers of the numbers that are.
func whole(v interface{}) interface{} {
	switch v := v.(type) {
	case float64:
		if v == float64(int(v)) {
			return int(v)
		}
	case []interface{}:
		for i := range v {
			v[i] = whole(v[i])
		}
	case map[string]interface{}:
		for k := range v {
			v[k] = whole(v[k])
		}
	}
	return v
}

func main() {
	text, err := os.ReadFile("data.json")
	if err != nil {
		panic(err)
	}
	var data interface{}
	if err := json.Unmarshal(text, &data); err != nil {
		panic(err)
	}
	data = whole(data)
	functions := template.FuncMap{
		"json": toJSON, "split": strings.Split, "join": join, "title": strings.Title, "lower": strings.ToLower,
		"upper": strings.ToUpper, "pad": pad, "truncate": truncate,
	}
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		line := strings.ReplaceAll(lines.Text(), "⏎", "\n")
		r := result{Template: line}
		t, err := template.New("").Funcs(functions).Option("missingkey=error").Parse(line)
		if err == nil {
			var b bytes.Buffer
			if err = t.Execute(&b, data); err == nil {
				r.Output = b.String()
			}
		}
		if err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			panic(err)
		}
	}
}
