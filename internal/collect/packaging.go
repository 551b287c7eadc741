package collect

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of packaging metadata.
const (
	maxPackages   = 1 << 16  // of one file: a catalog, or an export of apps
	maxInstallers = 1 << 12  // of one package
	maxSteps      = 1 << 12  // of one recipe
	maxField      = 64 << 10 // one name, address or command, in bytes
)

// Package is what packaging metadata says of one package. Nothing of it is
// checked against an installer; "" is what the file does not say.
type Package struct {
	ID, Name, Version, Publisher string

	Part         string // of a winget manifest: version, installer, defaultLocale, locale, singleton
	Installers   []Installer
	Install      string // command that installs
	Uninstall    string // command that removes, or munki's method
	Rules        int    // how many rules tell whether it is there (Intune, which lists requirements with them; munki's installs and receipts)
	Dependencies int    // on other packages, as a nuspec lists them

	Parent    string   // the recipe that an AutoPkg recipe builds on
	Steps     []string // a recipe's processors, in their order
	TrustInfo bool     // a recipe states what its parents were when somebody looked at them
}

// Installer is a file that installs a package.
type Installer struct {
	URL          string // or a path in a repository, or a file's name, where that is all that is said
	SHA256       string // lower-case hex; "" where none is stated
	Architecture string
	Type         string
	Silent       string // the switches that keep it silent, or the setting that says it is
}

// pack notes a package, within the limits of what is kept.
func (r *Report) pack(p Package) error {
	before := r.kept
	for _, text := range []string{p.ID, p.Name, p.Version, p.Publisher, p.Install, p.Uninstall, p.Parent} {
		r.kept += len(text)
	}
	for _, i := range p.Installers {
		r.kept += len(i.URL) + len(i.Silent) + len(i.Type) + len(i.Architecture)
	}
	for _, step := range p.Steps {
		r.kept += len(step)
	}
	switch {
	case r.kept > maxKept:
		return fmt.Errorf("holds more than %d bytes of names and commands", maxKept)
	case len(r.Packaging) == maxPackages:
		return fmt.Errorf("holds more than %d packages", maxPackages)
	}
	if err := r.hold(r.kept - before); err != nil {
		return err
	}
	r.Packaging = append(r.Packaging, p)
	return nil
}

// checkInstallers refuses digests that are none, and one address with two.
func checkInstallers(installers []Installer) error {
	if len(installers) > maxInstallers {
		return fmt.Errorf("lists more than %d installers", maxInstallers)
	}
	of := map[string]string{}
	for n := range installers {
		i := &installers[n]
		i.SHA256 = strings.ToLower(i.SHA256)
		if sum, err := hex.DecodeString(i.SHA256); err != nil || (len(sum) != 32 && len(sum) != 0) {
			return installerFault(n, "%q is not a SHA-256", clip(i.SHA256, 70))
		}
		if known, ok := of[i.URL]; ok && i.URL != "" && known != i.SHA256 {
			return installerFault(n, "%s has two different digests", clip(i.URL, 100))
		}
		of[i.URL] = i.SHA256
	}
	return nil
}

func installerFault(n int, format string, args ...any) error {
	return &ReadError{Place: fmt.Sprintf("installer %d", n+1), Reason: fmt.Sprintf(format, args...)}
}

// field reads a text, or a number as it is written, into a field of a package.
func field(to *string) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error {
		if d.PeekKind() != '0' {
			if err := value(to)(d); err != nil {
				return err
			}
			return fieldLength(*to)
		}
		number, err := d.ReadToken()
		*to = number.String()
		return err
	}
}

func fieldLength(text string) error {
	if len(text) > maxField {
		return fmt.Errorf("a field is longer than %d bytes", maxField)
	}
	return nil
}

// MergePackages unites what several files say of packages: parts of the same
// manifest (identifier and version) become one package. What a part leaves out,
// another fills in; a translation (locale) never wins over the manifest's own
// language.
func MergePackages(reports ...Report) ([]Package, error) {
	type key struct{ id, version string }
	var merged []Package
	at := map[key]int{}
	add := func(p Package) error {
		i, known := at[key{p.ID, p.Version}]
		if p.Part == "" || !known || merged[i].Part == "" {
			at[key{p.ID, p.Version}] = len(merged)
			merged = append(merged, p)
			return nil
		}
		return merged[i].fill(p)
	}
	for _, translated := range []bool{false, true} {
		for _, r := range reports {
			for _, p := range r.Packaging {
				if (p.Part == "locale") != translated {
					continue
				}
				if err := add(p); err != nil {
					return nil, &ReadError{File: r.File, Reason: err.Error()}
				}
			}
		}
	}
	return merged, nil
}

// fill takes from another part of the manifest what this one does not say.
func (p *Package) fill(other Package) error {
	if len(p.Installers) > 0 && len(other.Installers) > 0 {
		return fmt.Errorf("%s %s has installers in two manifests", p.ID, p.Version)
	}
	p.Name, p.Publisher = cmp.Or(p.Name, other.Name), cmp.Or(p.Publisher, other.Publisher)
	if len(other.Installers) > 0 {
		p.Installers = other.Installers
	}
	return nil
}
