package collect

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"
)

// Small files of each format, written by hand after what the tools write.
const (
	sumA    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB    = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	winget1 = "# comment\nPackageIdentifier: A.B\nPackageVersion: 1.10\nPackageName: App\nPublisher: Me\nInstallerType: exe\n" +
		"InstallerSwitches:\n  Silent: /S\nInstallers:\n- Architecture: x64\n  InstallerUrl: https://a\n  InstallerSha256: " + sumB +
		"\n- Architecture: x86\n  InstallerType: msi\n  InstallerUrl: https://b\n  InstallerSha256: " + sumA + "\n  InstallerSwitches:\n    Silent: /quiet\n" +
		"ManifestType: singleton\nManifestVersion: 1.6.0\n"
	winget0        = "Id: A.B\nVersion: 2\nName: App\nPublisher: Me\nInstallers:\n  - Arch: x64\n    Url: https://a\n    Sha256: " + sumA + "\n    InstallerType: msi\n"
	wingetVersion  = "PackageIdentifier: A.B\nPackageVersion: 1\nDefaultLocale: en-US\nManifestType: version\nManifestVersion: 1.6.0\n"
	wingetSetup    = "PackageIdentifier: A.B\nPackageVersion: 1\nInstallers:\n- InstallerUrl: https://a\n  InstallerSha256: " + sumA + "\nManifestType: installer\nManifestVersion: 1.6.0\n"
	wingetEnglish  = "PackageIdentifier: A.B\nPackageVersion: 1\nPackageName: App\nPublisher: Me\nManifestType: defaultLocale\nManifestVersion: 1.6.0\n"
	wingetGerman   = "PackageIdentifier: A.B\nPackageVersion: 1\nPackageName: Anwendung\nPublisher: Ich\nManifestType: locale\nManifestVersion: 1.6.0\n"
	nuspec         = `<?xml version="1.0"?><package xmlns="http://schemas.microsoft.com/packaging/2015/06/nuspec.xsd"><metadata><id> app </id><version>1.0</version><title>The <!-- x -->App</title><authors>Me</authors><dependencies><group><dependency id="x"/></group><dependency id="y"/></dependencies></metadata><files/></package>`
	intuneApp1     = `{"@odata.type":"#microsoft.graph.win32LobApp","id":"1","displayName":"App","publisher":"Me","displayVersion":null,"msiInformation":{"productVersion":"3.1"},"setupFilePath":"a.msi","installCommandLine":"i","uninstallCommandLine":"u","applicableArchitectures":"x64","rules":[{},{}],"detectionRules":[{}]}`
	intuneOther    = `{"@odata.type":"#microsoft.graph.iosVppApp","displayName":"Other"}`
	intuneFactory  = `{"Application":{"Name":"App"},"PackageInformation":{"SetupType":"EXE","SetupFile":"a.exe","Version":2},"Information":{"DisplayName":"The App","Publisher":"Me"},"Program":{"InstallCommand":"i","UninstallCommand":"u"},"RequirementRule":{"Architecture":"x64"},"DetectionRule":{}}`
	plistHead      = `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist version="1.0">`
	munkiItemXML   = `<dict><key>catalogs</key><array><string>test</string></array><key>name</key><string>app</string><key>display_name</key><string>The App</string><key>version</key><string>1.10</string><key>developer</key><string>Me</string><key>installer_item_location</key><string>apps/a.pkg</string><key>installer_item_hash</key><string>` + sumB + `</string><key>supported_architectures</key><array><string>arm64</string><string>x86_64</string></array><key>unattended_install</key><true/><key>uninstall_method</key><string>removepackages</string><key>receipts</key><array><dict><key>name</key><string>inner</string></dict></array></dict>`
	munki          = plistHead + munkiItemXML + "</plist>"
	munkiCatalog   = plistHead + "<array>" + munkiItemXML + munkiItemXML + "</array></plist>"
	recipe         = plistHead + `<dict><key>Identifier</key><string>com.x</string><key>ParentRecipe</key><string>com.y</string><key>MinimumVersion</key><string>2.3</string><key>Input</key><dict><key>NAME</key><string>App</string><key>pkginfo</key><dict><key>developer</key><string>Me</string></dict></dict><key>Process</key><array><dict><key>Processor</key><string>One</string><key>Arguments</key><dict><key>Processor</key><string>no</string></dict></dict><dict><key>Processor</key><string>Two</string></dict></array><key>ParentRecipeTrustInfo</key><dict><key>x</key><string>y</string></dict></dict></plist>`
	recipeYAML     = "Identifier: com.x\nParentRecipe: com.y\nMinimumVersion: \"2.3\"\nInput:\n  NAME: App\n  pkginfo:\n    developer: Me\nProcess:\n- Processor: One\n  Arguments:\n    Processor: no\n- Processor: Two\nParentRecipeTrustInfo:\n  x: y\n"
	packageColumns = "%s|%s|%s|%s|%s|%v|%s|%s|%d|%d|%s|%v|%v"
)

func (p Package) line() string {
	return fmt.Sprintf(packageColumns, p.ID, p.Name, p.Version, p.Publisher, p.Part, p.Installers, p.Install, p.Uninstall, p.Rules, p.Dependencies, p.Parent, p.Steps, p.TrustInfo)
}

func packagingSamples() map[string]string {
	sumB := strings.ToLower(sumB)
	munkiLine := "app|The App|1.10|Me||[{apps/a.pkg " + sumB + " arm64,x86_64  unattended_install}]||removepackages|1|0||[]|false"
	recipeLine := "com.x|App||Me||[]|||0|0|com.y|[One Two]|true"
	intuneLine := "1|App|3.1|Me||[{a.msi  x64  }]|i|u|2|0||[]|false"
	return map[string]string{
		winget1:    "A.B|App|1.10|Me|singleton|[{https://a " + sumB + " x64 exe /S} {https://b " + sumA + " x86 msi /quiet}]|||0|0||[]|false",
		winget0:    "A.B|App|2|Me||[{https://a " + sumA + " x64 msi }]|||0|0||[]|false",
		nuspec:     "app|The App|1.0|Me||[]|||0|2||[]|false",
		intuneApp1: intuneLine, "[" + intuneApp1 + "]": intuneLine,
		`{"@odata.context":"https://graph/$metadata#deviceAppManagement/mobileApps","value":[` + intuneOther + "," + intuneApp1 + "]}": intuneLine,
		intuneFactory: "App|The App|2|Me||[{a.exe  x64 EXE }]|i|u|1|0||[]|false",
		munki:         munkiLine, munkiCatalog: munkiLine + "\n" + munkiLine, recipe: recipeLine, recipeYAML: recipeLine,
	}
}

func TestPackagingFormats(t *testing.T) {
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()
	for text, want := range packagingSamples() {
		wide, err := utf16.String(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range []string{text, "\xef\xbb\xbf" + text, strings.ReplaceAll(text, "\n", "\r\n"), wide} {
			var lines []string
			for _, p := range read(t, Packaging, variant).Packaging {
				lines = append(lines, p.line())
			}
			if got := strings.Join(lines, "\n"); got != want {
				t.Errorf("%.40q:\n%s\nwant\n%s", variant, got, want)
			}
		}
	}
	for _, space := range []string{"", ` xmlns="http://schemas.microsoft.com/packaging/2010/07/nuspec.xsd"`, ` xmlns="http://schemas.microsoft.com/packaging/2011/08/nuspec.xsd"`} {
		text := strings.Replace(nuspec, ` xmlns="http://schemas.microsoft.com/packaging/2015/06/nuspec.xsd"`, space, 1)
		if r := read(t, Packaging, text); r.Packaging[0].ID != "app" || !strings.Contains(space, r.Version) {
			t.Errorf("%q: %+v", space, r)
		}
	}
}

func TestMergePackages(t *testing.T) {
	parts := []Report{read(t, Packaging, wingetGerman), read(t, Packaging, wingetVersion), read(t, Packaging, wingetSetup), read(t, Packaging, wingetEnglish), read(t, Packaging, munkiCatalog)}
	merged, err := MergePackages(parts...)
	if err != nil || len(merged) != 3 {
		t.Fatalf("%v: %+v", err, merged)
	}
	if p := merged[0]; p.ID != "A.B" || p.Name != "App" || p.Publisher != "Me" || len(p.Installers) != 1 {
		t.Errorf("%+v", p)
	}
	if _, err := MergePackages(parts[2], parts[2]); err == nil {
		t.Error("installers twice")
	}
}

func TestPackagingHostile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"duplicate key":         {winget0 + "Name: Other\n", `duplicate key "Name"`},
		"duplicate inside":      {strings.Replace(winget0, "    Url:", "    Arch: x86\n    Url:", 1), "duplicate key"},
		"two digests":           {strings.Replace(winget1, "https://b", "https://a", 1), "two different digests"},
		"short digest":          {strings.Replace(winget1, sumA, "aa", 1), "not a SHA-256"},
		"no digest":             {strings.Replace(winget1, "InstallerSha256: "+sumA, "X: y", 1), "has no InstallerUrl"},
		"no installers":         {strings.Replace(winget1, "Installers:", "X:", 1), "no installers"},
		"installers null":       {"PackageIdentifier: a\nPackageVersion: 1\nInstallers:\nManifestType: installer\nManifestVersion: 1.0.0\n", "no installers"},
		"installers text":       {"PackageIdentifier: a\nPackageVersion: 1\nInstallers: none\nManifestType: installer\nManifestVersion: 1.0.0\n", "line 3: Installers must be a list"},
		"no version":            {strings.Replace(winget1, "PackageVersion", "X", 1), "no PackageVersion"},
		"version is a list":     {strings.Replace(winget1, "1.10", "[1]", 1), "line 3: PackageVersion must be a text"},
		"new manifest":          {strings.Replace(winget1, "1.6.0", "1000.1.0", 1), "not read"},
		"no manifest version":   {strings.Replace(winget1, "ManifestVersion", "X", 1), "not read"},
		"other part":            {strings.Replace(winget1, "singleton", "other", 1), "ManifestType"},
		"alias":                 {winget0 + "A: &a [x]\nB: [*a, *a]\n", "alias"},
		"merge key":             {winget0 + "A: &a {x: y}\nB: {<<: *a}\n", ""},
		"cycle":                 {winget0 + "A: &a [*a]\n", ""},
		"two documents":         {winget0 + "---\n" + winget0, "more than one document"},
		"deep":                  {winget0 + "A: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n", "deeper"},
		"deeper":                {winget0 + "A: " + strings.Repeat("[", 200_000), ""},
		"large YAML":            {winget0 + "# " + strings.Repeat("x", maxYAML), "too much for YAML"},
		"broken YAML":           {winget0 + "A: [\n", "line"},
		"many installers":       {wingetSetup[:len("PackageIdentifier: A.B\nPackageVersion: 1\nInstallers:\n")] + strings.Repeat("- {InstallerUrl: a, InstallerSha256: "+sumA+"}\n", maxInstallers+1) + "ManifestType: installer\nManifestVersion: 1.6.0\n", "more than"},
		"template":              {strings.Replace(nuspec, "<version>1.0<", "<version>$version$<", 1), "template"},
		"no id":                 {strings.Replace(nuspec, "<id> app </id>", "", 1), "no id"},
		"two ids":               {strings.Replace(nuspec, "<version>", "<id>b</id><version>", 1), "two elements id"},
		"other namespace":       {strings.Replace(nuspec, "http://schemas.microsoft.com/packaging/2015/06/nuspec.xsd", "http://www.idpf.org/2007/opf", 1), "is not a packaging metadata"},
		"nuspec entity":         {`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + `<package><metadata><id>&x;</id></metadata></package>`, "entity"},
		"long id":               {strings.Replace(nuspec, " app ", strings.Repeat("a", maxField+1), 1), "longer than"},
		"app without name":      {strings.Replace(intuneApp1, `"App"`, `""`, 1), "displayName"},
		"app does nothing":      {`{"@odata.type":"#microsoft.graph.win32LobApp","displayName":"a"}`, "neither"},
		"only other apps":       {`{"@odata.context":"x/mobileApps","value":[` + intuneOther + "]}", "no Win32 app"},
		"no apps":               {`{"@odata.context":"x/mobileApps","value":null}`, "no Win32 app"},
		"app twice":             {strings.Replace(intuneApp1, `"id"`, `"displayName":"b","id"`, 1), "duplicate"},
		"name is a list":        {strings.Replace(intuneApp1, `"displayName":"App"`, `"displayName":[]`, 1), "must not be a JSON"},
		"app cut":               {intuneApp1[:len(intuneApp1)-1], "ends too early"},
		"plist duplicate":       {strings.Replace(munki, "<key>developer</key>", "<key>name</key>", 1), "duplicate key"},
		"plist cut":             {munki[:len(munki)-20], ""},
		"plist without version": {strings.Replace(munki, "1.10", "", 1), "no version"},
		"plist bad hash":        {strings.Replace(munki, sumB, "B", 1), "not a SHA-256"},
		"plist two keys":        {strings.Replace(munki, "<true/>", "<key>a</key>", 1), "where a value belongs"},
		"plist no key":          {strings.Replace(munki, "<true/>", "<true/><true/>", 1), "no key"},
		"plist key at the end":  {strings.Replace(munki, "</dict></plist>", "<key>a</key></dict></plist>", 1), "no value"},
		"plist empty key":       {strings.Replace(munki, "<key>developer</key>", "<key></key>", 1), "empty"},
		"plist other element":   {strings.Replace(munki, "<true/>", "<maybe/>", 1), "not an element"},
		"plist nested value":    {strings.Replace(munki, "<true/>", "<string><true/></string>", 1), "inside a value"},
		"plist stray text":      {strings.Replace(munki, "<true/>", "x<true/>", 1), "outside of a value"},
		"plist second value":    {strings.Replace(munki, "</plist>", "<dict/></plist>", 1), "one value"},
		"plist entity":          {`<!DOCTYPE plist [<!ENTITY a "b">]>` + munki[strings.Index(munki, "<plist"):], "entity"},
		"recipe does nothing":   {"Identifier: a\nInput: {}\n", "does nothing"},
		"recipe without name":   {"Identifier:\nProcess:\n- Processor: a\n", "no Identifier"},
		"step without name":     {"Identifier: a\nProcess:\n- Arguments: {}\n", "no Processor"},
		"plist step":            {strings.Replace(recipe, "<key>Processor</key><string>Two</string>", "<key>Comment</key><string>x</string>", 1), "no Processor"},
		"10 MB of plist":        {plistHead + strings.Repeat("<dict><key>name</key>", 1<<19), "deep"},
		"keys":                  {manyKeys(), "too many keys"},
	} {
		_, err := Read(Packaging, source("evil.bin", c.text))
		if failed, ok := errors.AsType[*ReadError](err); !ok || failed.File != "evil.bin" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func manyKeys() string {
	var text strings.Builder
	text.WriteString(strings.TrimSuffix(munki, "</dict></plist>"))
	for n := range maxKeys {
		fmt.Fprintf(&text, "<key>k%d</key><true/>", n)
	}
	return text.String() + "</dict></plist>"
}

// refusedPackaging must be refused, with the reason.
var refusedPackaging = map[string]string{
	"winget-cli__ContainsTooManyNestedLayers.yaml":     "is not a packaging metadata", // lists in lists, and nothing in them
	"winget-cli__Manifest-Bad-DuplicateKey.yaml":       "duplicate key",
	"winget-cli__Manifest-Bad-InconsistentSha256.yaml": "two different digests",
	"winget-cli__Manifest-Bad-UnsupportedVersion.yaml": "not read",
	"packagefactory__template-App.json":                "line 32",
}

// notPackaging are files of the folders that are something else.
var notPackaging = map[string]string{
	"jamf-upload__Policy-install-latest.xml": "a policy that a Jamf recipe fills in",
	"munki_repo__wintern":                    "a manifest of a computer: names of packages only",
	"jsign__minimal.1.0.0.nupkg":             "an archive, which is an artifact; the nuspec is in it",
}

func TestCorpusPackaging(t *testing.T) {
	dir := corpusDir(t)
	folders := []string{"pkg-winget", "pkg-nuspec", "pkg-intune-json", "pkg-munki", "pkg-autopkg-jamf"}
	corpusFiles(t, dir, folders, func(t *testing.T, path, facts string) {
		r, err := readCorpus(t, Packaging, filepath.Join(dir, path))
		want, refused := refusedPackaging[filepath.Base(path)]
		if _, other := notPackaging[filepath.Base(path)]; other || refused {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("must be refused (%s): %v", want, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(facts, "catalog array") {
			checkCatalog(t, r, facts)
			return
		}
		if len(r.Packaging) != 1 {
			t.Fatalf("%d packages", len(r.Packaging))
		}
		checkPackage(t, r, facts)
	})
}

func checkCatalog(t *testing.T, r Report, facts string) {
	t.Helper()
	var names []string
	for _, p := range r.Packaging {
		names = append(names, p.ID+" "+p.Version)
	}
	if got := strings.Join(names, ","); got != fact(facts, "names") || len(names) != number(facts, "items") {
		t.Errorf("%s: %s", got, facts)
	}
}

// checkPackage compares every fact that a package has a field for.
func checkPackage(t *testing.T, r Report, facts string) {
	t.Helper()
	p := r.Packaging[0]
	installer := Installer{}
	if len(p.Installers) > 0 {
		installer = p.Installers[0]
	}
	rules := number(facts, "rules") + number(facts, "DetectionRule") + number(facts, "installs") + number(facts, "receipts")
	got := map[string]string{
		"Id": p.ID, "PackageIdentifier": p.ID, "Version": p.Version, "PackageVersion": p.Version, "PackageName": p.Name, "Publisher": p.Publisher,
		"ManifestType": p.Part, "ManifestVersion": r.Version, "InstallerUrl_count": fmt.Sprint(len(p.Installers)),
		"id": p.ID, "title": p.Name, "authors": p.Publisher, "dependencies": fmt.Sprint(p.Dependencies),
		"displayName": p.Name, "DisplayName": p.Name, "publisher": p.Publisher, "displayVersion": p.Version, "PackageInformation.Version": p.Version, "SetupFile": installer.URL,
		"installCommandLine": p.Install, "InstallCommand": p.Install, "uninstallCommandLine": p.Uninstall, "UninstallCommand": p.Uninstall,
		"name": p.ID, "display_name": p.Name, "installer_item_location": installer.URL, "installer_item_hash": installer.SHA256,
		"installer_type": installer.Type, "uninstall_method": p.Uninstall, "version": p.Version,
		"Identifier": p.ID, "ParentRecipe": p.Parent, "MinimumVersion": r.Version, "Process_steps": fmt.Sprint(len(p.Steps)), "input_NAME": p.Name,
	}
	for name, value := range got {
		if want := strings.Trim(fact(facts, name), `"`); want != "" && want != strings.Trim(value, `"`) {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if ns := fact(facts, "namespace"); ns != "" && !strings.Contains(ns, "/"+r.Version+"/") {
		t.Errorf("namespace %s, got %q", ns, r.Version)
	}
	if steps := fact(facts, "processors"); !strings.HasPrefix(strings.Join(p.Steps, ","), steps) {
		t.Errorf("steps %v, want %s", p.Steps, steps)
	}
	if p.Rules != rules && (r.Format == "munki pkginfo" || rules > 0) || p.TrustInfo != (fact(facts, "has_trust_info") == "yes") {
		t.Errorf("%d rules, want %d; trust info %v", p.Rules, rules, p.TrustInfo)
	}
	for _, i := range p.Installers {
		if arch := fact(facts, "architectures"); arch != "" && !strings.Contains(arch, i.Architecture) || r.Format == "winget manifest" && len(i.SHA256) != 64 {
			t.Errorf("installer %+v: %s", i, arch)
		}
	}
	if fact(facts, "unattended_install") == "True" && installer.Silent == "" {
		t.Error("does not say that it installs unattended")
	}
}

func FuzzPackaging(f *testing.F) {
	for text := range packagingSamples() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(Packaging, source("f", string(data)))
		if err != nil {
			if _, ok := errors.AsType[*ReadError](err); !ok {
				t.Fatalf("an error of type %T", err)
			}
			return
		}
		if len(r.Packaging) == 0 {
			t.Fatal("no package and no error")
		}
		for _, p := range r.Packaging {
			if p.ID == "" && p.Name == "" {
				t.Fatalf("a package without a name: %+v", p)
			}
			for _, i := range p.Installers {
				if len(i.SHA256) != 0 && len(i.SHA256) != 64 {
					t.Fatalf("%+v", i)
				}
			}
		}
		if _, err := MergePackages(r); err != nil && r.Format != "winget manifest" {
			t.Fatal(err)
		}
	})
}
