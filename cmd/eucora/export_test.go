package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHalfAnExportIsNone: an export that is cut off, stops coming, or is
// something else leaves the file as it was, and nothing beside it; of events, and
// of a capsule.
func TestHalfAnExportIsNone(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		how, media := r.URL.Query().Get("actor"), "application/x-ndjson"
		if capsule, ok := strings.CutPrefix(r.URL.Path, "/api/v1/capsules/"); ok {
			how, media = strings.Trim(capsule, "/"), "application/zip"
		}
		w.Header().Set("Content-Type", media)
		switch how {
		case "cut":
			_, _ = w.Write(make([]byte, 100_000))
			panic(http.ErrAbortHandler)
		case "stalled":
			_, _ = w.Write([]byte("{}\n"))
			_ = http.NewResponseController(w).Flush()
			<-stop
		case "silent":
			<-stop
		case "endless":
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n{}\n", media)
			_ = connection.Close()
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
	events, capsule := []string{"events", "--actor"}, []string{"export", "--request"}
	for _, c := range []struct {
		ask       []string
		how, want string
		code      int
	}{
		{events, "cut", "before", exitUnknown}, {events, "stalled", "before", exitUnknown}, {events, "silent", "before", exitUnknown},
		{events, "endless", "before", exitUnknown}, {events, "page", "before", exitUnknown}, {events, "whole", "{}\n", exitYes},
		{capsule, "cut", "before", exitUnknown}, {capsule, "stalled", "before", exitUnknown}, {capsule, "silent", "before", exitUnknown},
		{capsule, "endless", "before", exitUnknown}, {capsule, "page", "before", exitUnknown},
	} {
		if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append(append([]string{"audit"}, c.ask...), c.how, "--server", server.URL, "--token", "x", "--timeout", "200ms", "-o", file)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		code := run(ctx, args)
		if code != c.code || ctx.Err() != nil {
			t.Errorf("%s %s: exit status %d, want %d; it hung: %v", c.ask[0], c.how, code, c.code, ctx.Err())
		}
		cancel()
		text, err := os.ReadFile(file)
		if err != nil || string(text) != c.want {
			t.Errorf("%s %s: %v, the file holds %.40q", c.ask[0], c.how, err, text)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("%s %s: left behind: %v", c.ask[0], c.how, left)
		}
	}
}
