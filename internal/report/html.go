package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

//go:embed report.html
var pageText string

//go:embed report.css
var style string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"stamp": func(t any) string {
		switch t := t.(type) {
		case time.Time:
			return stamp(t)
		case *time.Time:
			if t != nil {
				return stamp(*t)
			}
		}
		return "–"
	},
	"status": func(s string) string { return cab.Status(s).StatusText() },
	"score":  func(f float64) string { return fmt.Sprintf("%.2f", f) },
	"words":  func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	"style":  func() template.CSS { return template.CSS(style) }, // ours, embedded
}).Parse(pageText))

// StyleHash is the style sheet's source in a Content-Security-Policy: the page
// needs nothing else.
var StyleHash = func() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// HTML is the report as a page that prints: whole in itself, without scripts,
// asking nobody for anything.
func (r *Report) HTML() ([]byte, error) {
	var out bytes.Buffer
	if err := page.Execute(&out, r); err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return out.Bytes(), nil
}
