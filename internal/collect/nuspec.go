package collect

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

const nuspecSpace, nuspecEnd = "http://schemas.microsoft.com/packaging/", "/nuspec.xsd"

// isNuspec knows the namespaces that NuGet had, and none.
func isNuspec(s shape) bool {
	return s.root == "package" && s.inside["metadata"] && (s.space == "" || isNuspecSpace(s.space))
}

func isNuspecSpace(space string) bool {
	return strings.HasPrefix(space, nuspecSpace) && strings.HasSuffix(space, nuspecEnd)
}

// readNuspec reads what a Chocolatey (NuGet) package says of itself. It names
// no installers: they are in the package, or in its scripts.
func readNuspec(f *file, into *Report) error {
	var p Package
	var title string
	fields := map[string]*string{"id": &p.ID, "version": &p.Version, "title": &title, "authors": &p.Publisher}
	seen := map[string]bool{}
	err := f.walk(walker{
		enter: func(path []string, e xml.StartElement) error {
			switch name := path[len(path)-1]; {
			case fields[name] != nil && under(path, "package", "metadata", name):
				if seen[name] {
					return &ReadError{Place: "metadata", Reason: "has two elements " + name}
				}
				seen[name] = true
			case under(path, "package", "metadata") && isNuspecSpace(e.Name.Space):
				into.Version = strings.TrimSuffix(strings.TrimPrefix(e.Name.Space, nuspecSpace), nuspecEnd)
			case name == "dependency" && len(path) > 3 && under(path[:3], "package", "metadata", "dependencies"):
				p.Dependencies++
			}
			return nil
		},
		text: func(path []string, text string) error {
			name := path[len(path)-1]
			if fields[name] == nil || !under(path, "package", "metadata", name) {
				return nil
			}
			*fields[name] += text
			return fieldLength(*fields[name])
		},
	})
	if err != nil {
		return err
	}
	for _, to := range fields {
		*to = strings.TrimSpace(*to)
	}
	p.Name = cmp.Or(title, p.ID)
	if err := checkNuspec(p); err != nil {
		return err
	}
	return into.pack(p)
}

func checkNuspec(p Package) error {
	if p.ID == "" || p.Version == "" {
		return errors.New("metadata has no id or no version")
	}
	for _, text := range []string{p.ID, p.Version} {
		if strings.HasPrefix(text, "$") && strings.HasSuffix(text, "$") {
			return &ReadError{Place: "metadata", Reason: fmt.Sprintf("%q stands for what is filled in later: this is a template", clip(text, 60))}
		}
	}
	return nil
}
