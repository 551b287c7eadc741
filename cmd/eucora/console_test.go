package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// browsers are those of scripts, by their working directory.
var browsers sync.Map

// browseScript: browse PATH [FIELD=VALUE...] gets a page of the running server as a
// browser does, or sends a form to it, follows where it leads, and prints the page.
func browseScript(ts *testscript.TestScript, neg bool, args []string) {
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	kept, _ := browsers.LoadOrStore(ts.MkAbs("."), &http.Client{Jar: jar, Timeout: time.Minute})
	server := ts.Getenv("EUCORA_SERVER")
	method, form := http.MethodGet, url.Values{}
	for _, field := range args[1:] {
		name, value, _ := strings.Cut(field, "=")
		method = http.MethodPost
		form.Set(name, value)
	}
	r, err := http.NewRequest(method, server+args[0], strings.NewReader(form.Encode()))
	ts.Check(err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", server)
	}
	response, err := kept.(*http.Client).Do(r)
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s %s\n%s", response.Status, response.Request.URL.Path, body)
	if ok := response.StatusCode < 400; ok == neg {
		ts.Fatalf("%s %s: %s\n%s", method, args[0], response.Status, body)
	}
}
