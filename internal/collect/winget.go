package collect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// isWinget knows manifests since 1.0 by a key that only they have, and the
// ones before by several.
func isWinget(s shape) bool {
	keys := s.yamlKeys()
	return keys["PackageIdentifier"] || keys["InstallerSha256"] || keys["Id"] && keys["Version"] && (keys["Publisher"] || keys["Installers"] || keys["ManifestVersion"])
}

// wingetKeys are the names of one generation of manifests.
type wingetKeys struct {
	id, version, name, switches string
	arch, url, sha256           string // of an installer
	major                       string // of ManifestVersion
	parts, withInstallers       []string
}

var (
	wingetNow = wingetKeys{
		id: "PackageIdentifier", version: "PackageVersion", name: "PackageName", switches: "InstallerSwitches",
		arch: "Architecture", url: "InstallerUrl", sha256: "InstallerSha256", major: "1",
		parts:          []string{"version", "installer", "defaultLocale", "locale", "singleton", "merged"},
		withInstallers: []string{"installer", "singleton", "merged"},
	}
	wingetBefore = wingetKeys{
		id: "Id", version: "Version", name: "Name", switches: "Switches", arch: "Arch", url: "Url", sha256: "Sha256", major: "0",
		parts: []string{""}, withInstallers: []string{""},
	}
)

// readWinget reads one manifest; three files make one package, which is for
// [MergePackages].
func readWinget(f *file, into *Report) error {
	root, err := f.yaml()
	if err != nil {
		return err
	}
	var wrong error
	m, keys := yamlMap{root, &wrong}, &wingetNow
	if m.of(wingetNow.id) == nil && m.of(wingetBefore.id) != nil {
		keys = &wingetBefore
	}
	into.Version = m.text("ManifestVersion")
	if into.Version == "" && keys == &wingetBefore {
		into.Version = "0.1.0"
	}
	p := Package{
		ID: m.text(keys.id), Name: m.text(keys.name), Version: m.text(keys.version), Publisher: m.text("Publisher"), Part: m.text("ManifestType"),
	}
	for _, from := range m.list("Installers") {
		p.Installers = append(p.Installers, keys.installer(m, from))
	}
	if wrong == nil {
		wrong = keys.check(p, into.Version)
	}
	if wrong != nil {
		return wrong
	}
	return into.pack(p)
}

// installer reads one installer; what it leaves out the manifest says for all.
func (k *wingetKeys) installer(all, from yamlMap) Installer {
	return Installer{
		URL: from.text(k.url), SHA256: from.text(k.sha256), Architecture: from.text(k.arch),
		Type:   cmp.Or(from.text("InstallerType"), all.text("InstallerType")),
		Silent: cmp.Or(from.mapping(k.switches).text("Silent"), all.mapping(k.switches).text("Silent")),
	}
}

func (k *wingetKeys) check(p Package, version string) error {
	major, _, _ := strings.Cut(version, ".")
	switch {
	case major != k.major:
		return &ReadError{Place: "ManifestVersion", Reason: fmt.Sprintf("%q is not read; 0 and 1 are", clip(version, 40))}
	case !slices.Contains(k.parts, p.Part):
		return &ReadError{Place: "ManifestType", Reason: fmt.Sprintf("%q is not known", clip(p.Part, 40))}
	case p.ID == "" || p.Version == "":
		return fmt.Errorf("has no %s or no %s", k.id, k.version)
	case len(p.Installers) == 0 && slices.Contains(k.withInstallers, p.Part):
		return errors.New("lists no installers")
	}
	for n, i := range p.Installers {
		if !strings.EqualFold(i.Type, "msstore") && (i.URL == "" || i.SHA256 == "") {
			return installerFault(n, "has no %s or no %s", k.url, k.sha256)
		}
	}
	return checkInstallers(p.Installers)
}
