package collect

import (
	"cmp"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const graphWin32 = "#microsoft.graph.win32"

// isIntune knows an app as Microsoft Graph has it, exports of that, lists of
// apps, and the definitions that deployment scripts turn into apps.
func isIntune(s shape) bool {
	app := s.members["installCommandLine"] && s.members["uninstallCommandLine"]
	definition := s.members["PackageInformation"] && s.members["Program"]
	list := s.members["value"] && strings.Contains(s.texts["@odata.context"], "/mobileApps")
	return s.json != 0 && (app || definition || list || strings.HasPrefix(s.texts["@odata.type"], graphWin32))
}

// intuneApp is what any of the shapes says.
type intuneApp struct {
	Package
	kind, shortName, version, msiVersion       string
	setupFile, fileName, installFile, platform string
	installer                                  Installer
	rules, oldRules                            int
}

func (a *intuneApp) members() members {
	p, i := &a.Package, &a.installer
	return members{
		"@odata.type": field(&a.kind), "id": field(&p.ID), "displayName": field(&p.Name), "publisher": field(&p.Publisher),
		"displayVersion": field(&p.Version), "Version": field(&a.version), "msiInformation": members{"productVersion": field(&a.msiVersion)}.read,
		"setupFilePath": field(&a.setupFile), "fileName": field(&a.fileName), "InstallFile": field(&a.installFile),
		"installCommandLine": field(&p.Install), "uninstallCommandLine": field(&p.Uninstall), "applicableArchitectures": field(&i.Architecture),
		"rules": some(&a.rules), "detectionRules": some(&a.oldRules),

		"Application":        members{"Name": field(&a.shortName), "Architecture": field(&a.platform)}.read,
		"PackageInformation": members{"SetupType": field(&i.Type), "SetupFile": field(&a.setupFile), "Version": field(&a.version)}.read,
		"Information":        members{"DisplayName": field(&p.Name), "Publisher": field(&p.Publisher)}.read,
		"Program":            members{"InstallCommand": field(&p.Install), "UninstallCommand": field(&p.Uninstall)}.read,
		"RequirementRule":    members{"Architecture": field(&i.Architecture)}.read,
		"DetectionRule":      some(&a.rules),
	}
}

// some counts an array; one object stands for an array of one, as PowerShell
// writes it.
func some(to *int) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error {
		if d.PeekKind() != '{' {
			return counted(d, to)
		}
		*to++
		return d.SkipValue()
	}
}

// readIntune reads one app, an array of apps, or a list as Graph answers. Apps
// of other kinds in a list are passed over.
func readIntune(f *file, into *Report) error {
	apps := func(d *jsontext.Decoder) error {
		return elements(d, func(d *jsontext.Decoder) error {
			var a intuneApp
			if err := a.members().read(d); err != nil {
				return err
			}
			return into.addIntune(&a)
		})
	}
	var a intuneApp
	list := false
	one := a.members()
	one["value"] = func(d *jsontext.Decoder) error {
		list = true
		return apps(d)
	}
	err := f.one(func(d *jsontext.Decoder) error {
		if list = d.PeekKind() == '['; list {
			return apps(d)
		}
		return one.read(d)
	})
	if err == nil && !list {
		err = into.addIntune(&a)
	}
	if err == nil && len(into.Packaging) == 0 {
		err = errors.New("lists no Win32 app")
	}
	return err
}

func (r *Report) addIntune(a *intuneApp) error {
	if a.kind != "" && !strings.HasPrefix(a.kind, graphWin32) {
		return nil
	}
	p := a.Package
	p.ID, p.Version = cmp.Or(p.ID, a.shortName), cmp.Or(p.Version, a.version, a.msiVersion)
	if p.Rules = a.rules; p.Rules == 0 {
		p.Rules = a.oldRules
	}
	switch {
	case p.Name == "":
		return errors.New("an app has no displayName")
	case p.Install == "" && a.setupFile == "":
		return errors.New("an app has neither installCommandLine nor a setup file")
	}
	a.installer.URL = cmp.Or(a.setupFile, a.fileName, a.installFile)
	a.installer.Architecture = cmp.Or(a.installer.Architecture, a.platform)
	if a.installer.URL != "" {
		p.Installers = []Installer{a.installer}
	}
	return r.pack(p)
}
