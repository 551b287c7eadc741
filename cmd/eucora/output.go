package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

func newApp(ctx context.Context) *app {
	return &app{
		ctx: ctx, stdin: os.Stdin, out: os.Stdout, errOut: os.Stderr,
		colour:   term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "",
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
		done:     make(chan struct{}),
	}
}

// The colours: few, and only on a terminal. No meaning is in the colour alone.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (a *app) paint(colour, text string) string {
	if !a.colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }

// clean makes text from outside fit for a terminal: no control characters.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) {
			return '·'
		}
		return r
	}, text)
}

// table prints rows with aligned columns under a header.
func (a *app) table(header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i := range row {
			row[i] = clean(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	line := func(row []string, colour string) {
		var text strings.Builder
		for i, cell := range row {
			text.WriteString(cell)
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		a.printf("%s\n", a.paint(colour, strings.TrimRight(text.String(), " ")))
	}
	line(header, dim)
	for _, row := range rows {
		line(row, "")
	}
}

// fields prints names and values, aligned; empty values are left out.
func (a *app) fields(pairs ...string) {
	width := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			width = max(width, utf8.RuneCountInString(pairs[i]))
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			a.printf("%s  %s\n", a.paint(dim, pairs[i]+strings.Repeat(" ", width-utf8.RuneCountInString(pairs[i]))), clean(pairs[i+1]))
		}
	}
}

// outputFlags choose between text for people and JSON for programs.
type outputFlags struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// print prints a value as JSON if that was asked for, and otherwise as people
// want to read it.
func (o outputFlags) print(a *app, value any, people func()) error {
	if !o.JSON {
		people()
		return nil
	}
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func shortTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func timePointer(t *time.Time) string {
	if t == nil {
		return ""
	}
	return shortTime(*t)
}

// age is how long ago something was, in the largest unit that says enough.
func age(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// progress shows one line on a terminal while something takes long, and nothing
// elsewhere.
type progress struct {
	to   io.Writer // nil: nobody looks
	last time.Time
}

func (a *app) progress() *progress {
	if !a.terminal {
		return &progress{}
	}
	return &progress{to: a.errOut}
}

func (p *progress) show(format string, args ...any) {
	if p.to == nil || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.to, "\r\x1b[K"+format, args...)
}

func (p *progress) done() {
	if p.to != nil && !p.last.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
