package httpapi

import (
	_ "embed"
	"html/template"
	"net/http"
	"reflect"
	"strings"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS []byte

var docsPage = template.Must(template.New("docs").Parse(docsHTML))

// docsRoute is a call as the readable page shows it.
type docsRoute struct {
	ID, Method, Path, Summary, Action string
	Body, Answer                      string
	Query                             []docsParam
}

type docsParam struct{ Name, Doc string }

// serveDocs is the readable page of the API: ours, without scripts, and without
// asking anybody else for anything.
func (s *Server) serveDocs(w http.ResponseWriter, r *http.Request) {
	var routes []docsRoute
	for i := range s.routes {
		rt := &s.routes[i]
		shown := docsRoute{
			ID: operationID(rt), Method: rt.method, Path: base + rt.path + "/", Summary: rt.summary, Action: string(rt.action),
			Answer: typeName(rt.answer), Body: typeName(rt.body),
		}
		for _, p := range rt.query {
			shown.Query = append(shown.Query, docsParam{p.name, p.doc})
		}
		routes = append(routes, shown)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := docsPage.Execute(w, map[string]any{"Routes": routes, "Version": s.Version}); err != nil {
		s.Log.Warn("the API page was not sent whole", "error", err)
	}
}

func (s *Server) serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(docsCSS)
}

// typeName is a contract type's name, as the OpenAPI document has it.
func typeName(value any) string {
	if value == nil {
		return ""
	}
	if in, ok := value.(inMedia); ok {
		return strings.Join(append(in.media[:len(in.media):len(in.media)], typeName(in.json)), " ")
	}
	name := reflect.TypeOf(value).String()
	name = strings.ReplaceAll(name, "github.com/eucora/eucora/", "")
	return strings.ReplaceAll(name, "api.", "")
}
