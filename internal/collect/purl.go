package collect

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// purl is a package URL without its qualifiers. Parts are decoded.
type purl struct {
	kind, namespace, name, version, subpath string
}

var errPURL = errors.New("is not a package URL")

// caseless are the types whose namespace and name are lower-case by their
// definition: a tool that writes them otherwise means the same package.
var caseless = []string{"apk", "bitbucket", "composer", "deb", "github", "golang", "hex", "pypi"}

// parsePURL reads a package URL, strictly: what is not one is no package.
func parsePURL(text string) (purl, error) {
	rest, ok := strings.CutPrefix(text, "pkg:")
	if !ok {
		return purl{}, errPURL
	}
	rest, subpath, _ := strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	kind, rest, ok := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	if !ok || !isPURLType(kind) {
		return purl{}, errPURL
	}
	rest = strings.Trim(rest, "/")
	slash := strings.LastIndexByte(rest, '/')
	name, version := rest[slash+1:], ""
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		name, version = name[:at], name[at+1:]
	} else if at := strings.LastIndexByte(rest, '@'); at > 0 && at < slash && rest[at-1] != '/' {
		// a version with slashes that were not encoded
		slash = strings.LastIndexByte(rest[:at], '/')
		name, version = rest[slash+1:at], rest[at+1:]
	}
	p := purl{kind: strings.ToLower(kind)}
	for _, part := range []struct {
		to   *string
		text string
	}{
		{&p.namespace, strings.Trim(rest[:max(slash, 0)], "/")}, {&p.name, name}, {&p.version, version},
		{&p.subpath, strings.Trim(subpath, "/")},
	} {
		decoded, err := url.PathUnescape(part.text)
		if err != nil {
			return purl{}, errPURL
		}
		*part.to = decoded
	}
	if p.name == "" {
		return purl{}, errPURL
	}
	return p.normal(), nil
}

func isPURLType(kind string) bool {
	for i, c := range kind {
		letter := (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
		if !letter && (i == 0 || !(c >= '0' && c <= '9') && !strings.ContainsRune("+-.", c)) {
			return false
		}
	}
	return kind != ""
}

// normal is the purl as its type writes it.
func (p purl) normal() purl {
	if slices.Contains(caseless, p.kind) {
		p.namespace, p.name = strings.ToLower(p.namespace), strings.ToLower(p.name)
	}
	if p.kind == "pypi" {
		p.name = strings.ReplaceAll(p.name, "_", "-")
	}
	return p
}
