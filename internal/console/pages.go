package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/eucora/eucora/internal/cab"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// pages are the templates, each with the layout round it, and what they load.
type pages struct {
	templates map[string]*template.Template
	assets    map[string]asset
	version   string // of the assets together: part of their addresses
}

// asset is a file that pages load.
type asset struct {
	mediaType string
	text      []byte
}

var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// parsePages reads what is embedded.
func parsePages() (pages, error) {
	p := pages{templates: map[string]*template.Template{}, assets: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := assetFiles.ReadFile(name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		p.assets[path.Base(name)] = asset{mediaTypes[path.Ext(name)], text}
		return err
	})
	if err != nil {
		return pages{}, err
	}
	p.version = hex.EncodeToString(sum.Sum(nil))[:12]
	layout, err := template.New("").Funcs(p.functions()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return pages{}, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return pages{}, err
	}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		page, err := template.Must(layout.Clone()).ParseFS(templateFiles, file)
		if err != nil {
			return pages{}, err
		}
		p.templates[name] = page
	}
	return p, nil
}

func (p pages) functions() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) string { return "/static/" + p.version + "/" + name },
		"when":  when, "iso": iso, "role": roleText, "short": short,
	}
}

// draw draws a page.
func (p pages) draw(w io.Writer, name string, f frame) error {
	page, ok := p.templates[name]
	if !ok {
		return fmt.Errorf("there is no template %s", name)
	}
	return page.ExecuteTemplate(w, "layout", f)
}

// frame is what the layout shows, and a page in it.
type frame struct {
	Title string
	Visit *visit
	Data  any
}

// Name is who is signed in; "" if nobody is.
func (f frame) Name() string { return f.Visit.who.Actor.Name }

// Role is theirs.
func (f frame) Role() cab.Role { return f.Visit.who.Actor.Role }

// entry is an entry of the navigation.
type entry struct {
	Path, Text string
	Here       bool
}

// Tabs is the navigation.
func (f frame) Tabs() []entry {
	tabs := []entry{{"/requests", "Requests", false}, {"/exceptions", "Exceptions", false}}
	tabs = append(tabs, entry{"/models", "Rules", false})
	tabs = append(tabs, entry{"/audit", "Audit", false})
	if cab.AccessOf(f.Role(), cab.ReadReports) != cab.None {
		tabs = append(tabs, entry{"/overview", "Overview", false})
	}
	if cab.AccessOf(f.Role(), cab.Administer) != cab.None {
		tabs = append(tabs, entry{"/users", "Users", false})
	}
	for i := range tabs {
		tabs[i].Here = f.Visit.URL.Path == tabs[i].Path
	}
	return tabs
}

// asset serves what pages load. An address has the version in it, and never
// anything else.
func (v *visit) asset() error {
	a, ok := v.server.pages.assets[v.PathValue("name")]
	if !ok || v.PathValue("version") != v.server.pages.version {
		return &cab.Error{Kind: cab.NotFound, Code: "NO_SUCH_PAGE", Message: "there is no such file"}
	}
	v.out.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	v.send(http.StatusOK, a.mediaType, a.text)
	return nil
}
