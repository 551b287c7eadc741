package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// TestHalfAnExportIsNone: an export that is cut off, stops coming, or is
// something else leaves the file as it was, and nothing beside it.
func TestHalfAnExportIsNone(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		switch r.URL.Query().Get("actor") {
		case "cut":
			_, _ = w.Write(make([]byte, 100_000))
			panic(http.ErrAbortHandler)
		case "stalled":
			_, _ = w.Write([]byte("{}\n"))
			_ = http.NewResponseController(w).Flush()
			<-stop
		case "page":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<h1>Sign in</h1>"))
		case "whole":
			_, _ = w.Write([]byte("{}\n"))
		}
	}))
	defer server.Close()
	defer close(stop)
	dir := t.TempDir()
	file := filepath.Join(dir, "events.ndjson")
	for _, c := range []struct {
		actor, want string
		code        int
	}{{"cut", "before", exitUnknown}, {"stalled", "before", exitUnknown}, {"page", "before", exitUnknown}, {"whole", "{}\n", exitYes}} {
		if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"audit", "events", "--server", server.URL, "--token", "x", "--timeout", "200ms", "--actor", c.actor, "-o", file}
		if code := run(context.Background(), args); code != c.code {
			t.Errorf("%s: exit status %d, want %d", c.actor, code, c.code)
		}
		text, err := os.ReadFile(file)
		if err != nil || string(text) != c.want {
			t.Errorf("%s: %v, the file holds %.40q", c.actor, err, text)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("%s: left behind: %v", c.actor, left)
		}
	}
}
