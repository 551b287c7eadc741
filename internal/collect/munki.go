package collect

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// isMunki knows a pkginfo, and a catalog, which is an array of them.
func isMunki(s shape) bool {
	some := false
	for _, key := range []string{"catalogs", "installer_item_location", "installer_type", "installs", "receipts", "uninstall_method", "autoremove"} {
		some = some || s.keys[key]
	}
	return some && s.keys["name"] && s.keys["version"]
}

// munkiItem is one pkginfo while it is read.
type munkiItem struct {
	Package
	installer                     Installer
	display, unattended, location string
	architectures                 []string
}

// readMunki reads a pkginfo, or every pkginfo of a catalog.
func readMunki(f *file, into *Report) error {
	var item munkiItem
	p := plist{}
	inside := func(path []string) []string { // the path inside the pkginfo
		if len(path) > 0 && path[0] == "" {
			return path[1:]
		}
		return path
	}
	p.value = func(path []string, text string) error { return item.set(inside(path), text) }
	p.end = func(path []string) error {
		switch path := inside(path); {
		case len(path) == 0:
			done := item
			item = munkiItem{}
			return into.addMunki(&done)
		case under(path, "installs", ""), under(path, "receipts", ""):
			item.Rules++
		}
		return nil
	}
	if err := p.read(f); err != nil {
		return err
	}
	if len(into.Packaging) == 0 {
		return errors.New("holds no pkginfo")
	}
	return nil
}

// set takes one value of a pkginfo.
func (m *munkiItem) set(path []string, text string) error {
	if under(path, "supported_architectures", "") && len(m.architectures) < 10 {
		m.architectures = append(m.architectures, clip(text, 20))
	}
	if len(path) != 1 {
		return nil
	}
	to := map[string]*string{
		"name": &m.ID, "display_name": &m.display, "version": &m.Version, "developer": &m.Publisher, "uninstall_method": &m.Uninstall,
		"installer_item_location": &m.location, "installer_item_hash": &m.installer.SHA256, "installer_type": &m.installer.Type,
		"PackageCompleteURL": &m.installer.URL, "unattended_install": &m.unattended,
	}[path[0]]
	if to == nil {
		return nil
	}
	*to = text
	return fieldLength(text)
}

func (r *Report) addMunki(m *munkiItem) error {
	p := m.Package
	p.Name = cmp.Or(m.display, p.ID)
	if p.ID == "" || p.Version == "" {
		return &ReadError{Place: fmt.Sprintf("pkginfo %d", len(r.Packaging)+1), Reason: "has no name or no version"}
	}
	m.installer.URL, m.installer.Architecture = cmp.Or(m.installer.URL, m.location), strings.Join(m.architectures, ",")
	if m.unattended == "true" {
		m.installer.Silent = "unattended_install"
	}
	if m.installer.URL != "" {
		p.Installers = []Installer{m.installer}
	}
	if err := checkInstallers(p.Installers); err != nil {
		return &ReadError{Place: fmt.Sprintf("pkginfo %d", len(r.Packaging)+1), Reason: err.Error()}
	}
	return r.pack(p)
}
