package main

import (
	"net/http"
	"slices"
	"strings"
)

// front hands each call to the interface for programs or to the pages for people.
type front struct{ api, pages http.Handler }

// forPrograms are the first parts of the paths that are not pages.
var forPrograms = []string{"api", "log", ".well-known", "healthz", "readyz", "metrics"}

func (f front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if slices.Contains(forPrograms, first) {
		f.api.ServeHTTP(w, r)
		return
	}
	f.pages.ServeHTTP(w, r)
}
