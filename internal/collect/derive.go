package collect

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
)

// maxListed is how many findings that are set aside are named in a package;
// their number is there however many they are.
const maxListed = 100

// Derive works out what attachments say about the members of the sections, and
// notes for whoever reads the package. Several files of one kind are merged:
// scans by the union of their findings, tests by their sum, coverage by the union
// of their lines, complexity by the highest. keys are those that provenance may
// be signed with. declared is only looked at to find which artifact is which.
func Derive(files []Attached, declared evidence.Sections, keys []crypto.PublicKey) ([]evidence.Derived, []string, error) {
	d := &derivation{files: files, keys: keys}
	artifacts, err := d.artifacts(declared)
	if err != nil {
		return nil, nil, err
	}
	if err := d.sboms(artifacts, declared.ArtifactCount()); err != nil {
		return nil, nil, err
	}
	d.scans()
	d.tests()
	d.coverage()
	d.complexity()
	d.provenance(artifacts)
	d.packaging(artifacts)
	return d.values, d.notes, d.err
}

// derivation is one run of Derive.
type derivation struct {
	files  []Attached
	keys   []crypto.PublicKey
	values []evidence.Derived
	notes  []string
	err    error // the first
}

// set notes a derived value; where several files say something of one member, the
// first one counts.
func (d *derivation) set(from []evidence.OriginSource, path string, value any) {
	if slices.ContainsFunc(d.values, func(v evidence.Derived) bool { return v.Path == path }) {
		return
	}
	text, err := json.Marshal(value)
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: %w", path, err)
	}
	d.values = append(d.values, evidence.Derived{Path: path, Value: text, Sources: from})
}

// setText notes a derived text, if there is one.
func (d *derivation) setText(from []evidence.OriginSource, path, value string) {
	if value != "" {
		d.set(from, path, value)
	}
}

func (d *derivation) note(format string, args ...any) {
	d.notes = append(d.notes, clip(fmt.Sprintf(format, args...), 500))
}

// of returns the attachments of a role, and where values of them come from.
func (d *derivation) of(role evidence.Role) (files []*Attached, from []evidence.OriginSource) {
	for i := range d.files {
		if a := &d.files[i]; a.Role == role {
			files = append(files, a)
			from = append(from, a.source())
		}
	}
	return files, from
}

func reports(files []*Attached) []Report {
	var all []Report
	for _, f := range files {
		all = append(all, f.Report)
	}
	return all
}

// placed is an artifact's file with its place in the section.
type placed struct {
	*Attached
	path string // artifacts[0]
}

// artifacts says of each artifact what its file is, in the place where it was
// declared.
func (d *derivation) artifacts(declared evidence.Sections) ([]placed, error) {
	files, _ := d.of(evidence.ArtifactFile)
	var digests, names []string
	for _, f := range files {
		digests, names = append(digests, f.SHA256), append(names, f.Name)
	}
	named := declared.ArtifactsNamed()
	var all []placed
	for i, at := range declared.ArtifactPlaces(digests, names) {
		if at >= evidence.MaxArtifacts {
			return nil, &ReadError{File: files[i].Name, Reason: fmt.Sprintf("is one artifact too many: a package has at most %d", evidence.MaxArtifacts)}
		}
		p := placed{files[i], fmt.Sprintf("artifacts[%d]", at)}
		d.artifact(p, at < len(named) && named[at])
		all = append(all, p)
	}
	return all, nil
}

func (d *derivation) artifact(p placed, named bool) {
	from, info := []evidence.OriginSource{p.source()}, p.Info
	d.set(from, p.path+".sha256", p.SHA256)
	d.set(from, p.path+".size_bytes", p.Size)
	if !named {
		d.setText(from, p.path+".name", p.Name)
	}
	d.setText(from, p.path+".version", clip(info.Version, 200))
	for member, value := range map[string]string{
		"format": info.Format, "name": info.Name, "publisher": info.Publisher, "architecture": info.Architecture, "id": info.ID,
	} {
		d.setText(from, p.path+".installer."+member, clip(value, 500))
	}
	s := info.Signature
	d.setText(from, p.path+".signature.status", string(s.Status)) // first: it is compared with a text that was declared as the signature
	for member, value := range map[string]string{
		"reason": s.Reason, "signer": s.Signer, "issuer": s.Issuer, "fingerprint": s.Fingerprint,
		"digest": s.Digest, "not_after": moment(s.NotAfter), "timestamp": moment(s.Timestamp),
	} {
		d.setText(from, p.path+".signature."+member, clip(value, 1000))
	}
	for _, note := range info.Notes {
		d.note("%s: %s", p.Name, note)
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// sboms: one for all artifacts, or one for each: of those that were sent in the
// order of their files, then of the others in the order of the section.
func (d *derivation) sboms(artifacts []placed, declared int) error {
	files, _ := d.of(evidence.SBOMFile)
	paths := make([]string, 0, len(artifacts)+declared)
	for _, p := range artifacts {
		paths = append(paths, p.path)
	}
	for i := range max(declared, 1) {
		path := fmt.Sprintf("artifacts[%d]", i)
		if !slices.Contains(paths, path) && (i < declared || len(artifacts) == 0) {
			paths = append(paths, path)
		}
	}
	switch {
	case len(files) == 0:
		return nil
	case len(files) > 1 && len(files) != len(paths):
		return &ReadError{File: files[0].Name, Reason: fmt.Sprintf("%d SBOMs for %d artifacts: send one for all, or one for each in the same order", len(files), len(paths))}
	}
	for i, path := range paths {
		path += ".sbom."
		of := files[min(i, len(files)-1)]
		from := []evidence.OriginSource{of.source()}
		d.set(from, path+"components", of.components)
		d.set(from, path+"format", of.Format)
		d.set(from, path+"sha256", of.SHA256)
		d.setText(from, path+"spec_version", of.Version)
		d.setText(from, path+"subject", clip(of.Report.Subject, 500))
	}
	return nil
}

// setAside is a finding that does not count, and why.
type setAside struct {
	ID      string `json:"id"`
	Package string `json:"package"`
	Reason  string `json:"reason"`
}

// scans counts findings of unknown severity as high ones: unknown never counts
// as none. They are shown beside. A scan that looked at nothing clears nothing: it
// leaves the section without a scanner, so that it is incomplete; and if there is
// no other, nothing is known of the findings, whatever was declared.
func (d *derivation) scans() {
	all, from := d.of(evidence.ScanFile)
	vex, fromVEX := d.of(evidence.VEXFile)
	if len(all) == 0 {
		if len(vex) > 0 {
			d.note("%s: statements apply to the findings of scan reports, and there is none", vex[0].Name)
		}
		return
	}
	var scans []Report
	var tools []string
	for _, scan := range all {
		if scan.Empty != "" {
			d.note("%s: %s", scan.Name, scan.Empty)
			continue
		}
		scans = append(scans, scan.Report)
		if !slices.Contains(tools, scan.Tool) {
			tools = append(tools, scan.Tool)
		}
	}
	nothing := func(members ...string) {
		for _, member := range members {
			d.values = append(d.values, evidence.Derived{Path: "scan_results." + member, Sources: from})
		}
	}
	if len(scans) < len(all) {
		nothing("scanner")
		d.set(from, "scan_results.empty", true)
	}
	if len(scans) == 0 {
		nothing("critical", "high", "low", "medium", "unknown")
		return
	}
	from = append(from, fromVEX...)
	findings := Findings(scans, reports(vex))
	c := countFindings(findings)
	d.setText(from, "scan_results.scanner", clip(strings.Join(tools, ", "), 500))
	d.set(from, "scan_results.critical", c.Critical)
	d.set(from, "scan_results.high", c.High+c.Unknown)
	d.set(from, "scan_results.medium", c.Medium)
	d.set(from, "scan_results.low", c.Low+c.Negligible)
	d.set(from, "scan_results.unknown", c.Unknown)
	d.asides(from, findings)
}

// asides lists the findings that are set aside.
func (d *derivation) asides(from []evidence.OriginSource, findings map[FindingKey]Finding) {
	var aside []setAside
	for key, f := range findings {
		if f.SetAside != "" {
			aside = append(aside, setAside{clip(key.ID, 200), clip(key.Package, 300), clip(f.SetAside, 300)})
		}
	}
	if len(aside) == 0 {
		return
	}
	slices.SortFunc(aside, func(a, b setAside) int {
		return strings.Compare(a.ID+"\x00"+a.Package, b.ID+"\x00"+b.Package)
	})
	d.set(from, "scan_results.set_aside_count", len(aside))
	d.set(from, "scan_results.set_aside", aside[:min(len(aside), maxListed)])
}

func (d *derivation) tests() {
	files, from := d.of(evidence.TestsFile)
	if len(files) == 0 {
		return
	}
	var total, passed, failed, skipped int
	for _, f := range files {
		r := f.Report
		total, passed, failed, skipped = total+r.Total, passed+r.Passed, failed+r.Failed, skipped+r.Skipped
	}
	d.set(from, "test_results.total", total)
	d.set(from, "test_results.passed", passed)
	d.set(from, "test_results.failed", failed)
	d.set(from, "test_results.skipped", skipped)
}

func (d *derivation) coverage() {
	files, from := d.of(evidence.CoverageFile)
	if len(files) == 0 {
		return
	}
	covered, all := CoverageOf(reports(files)...)
	d.set(from, "test_results.coverage_percent", Percent(covered, all))
	d.set(from, "test_results.coverage.covered", covered)
	d.set(from, "test_results.coverage.total", all)
}

func (d *derivation) complexity() {
	files, from := d.of(evidence.ComplexityFile)
	if len(files) == 0 {
		return
	}
	all := reports(files)
	highest := slices.MaxFunc(all, func(a, b Report) int { return a.Highest - b.Highest })
	d.set(from, "deployment_plan.complexity", ComplexityOf(all...))
	d.set(from, "deployment_plan.complexity_highest", highest.Highest)
	d.setText(from, "deployment_plan.complexity_function", highest.HighestAt)
}

// provenance says of each artifact how it was built, as far as an attestation
// about its bytes does; one that a given key has signed goes before others.
func (d *derivation) provenance(artifacts []placed) {
	files, _ := d.of(evidence.ProvenanceFile)
	matched := map[*Attached]bool{}
	for _, p := range artifacts {
		var best *Attestation
		var from *Attached
		verified := false
		for _, f := range files {
			for i := range f.Report.Attestations {
				a := &f.Report.Attestations[i]
				if !a.Provenance() || !a.Names(p.SHA256) {
					continue
				}
				matched[f] = true
				if ok := a.VerifiedBy(d.keys); best == nil || ok && !verified {
					best, from, verified = a, f, ok
				}
			}
		}
		if best != nil {
			d.built(p, best, from, verified)
		}
	}
	for _, f := range files {
		if !matched[f] {
			d.note("%s: says of none of the artifacts how it was built", f.Name)
		}
	}
}

func (d *derivation) built(p placed, a *Attestation, from *Attached, verified bool) {
	source, path := []evidence.OriginSource{from.source()}, p.path+".provenance."
	d.setText(source, path+"predicate_type", clip(a.PredicateType, 200))
	d.setText(source, path+"builder", clip(a.BuilderID, 500))
	d.setText(source, path+"build_type", clip(a.BuildType, 500))
	d.set(source, path+"dependencies", a.Dependencies)
	d.set(source, path+"signatures", a.Signatures)
	d.set(source, path+"verified", verified)
}

// packaging says of each artifact what the metadata beside it says: metadata that
// states a digest is about the artifact with that digest, and other metadata
// about the only artifact there is.
func (d *derivation) packaging(artifacts []placed) {
	files, _ := d.of(evidence.PackagingFile)
	for _, f := range files {
		about := 0
		for _, pkg := range f.Report.Packaging {
			for _, p := range artifacts {
				stated := slices.ContainsFunc(pkg.Installers, func(i Installer) bool { return i.SHA256 != "" })
				if of := slices.ContainsFunc(pkg.Installers, func(i Installer) bool { return i.SHA256 == p.SHA256 }); of || !stated && len(artifacts) == 1 && len(f.Report.Packaging) == 1 {
					about++
					d.packaged(p, pkg, f)
				}
			}
		}
		if about == 0 {
			d.note("%s: is about none of the artifacts, as far as it says", f.Name)
		}
	}
}

func (d *derivation) packaged(p placed, pkg Package, f *Attached) {
	from, path := []evidence.OriginSource{f.source()}, p.path+".packaging."
	for member, value := range map[string]string{
		"format": f.Format, "id": pkg.ID, "name": pkg.Name, "version": pkg.Version, "publisher": pkg.Publisher,
		"install": pkg.Install, "uninstall": pkg.Uninstall,
	} {
		d.setText(from, path+member, clip(value, 1000))
	}
	if pkg.Version != "" && p.Info.Version != "" && !evidence.SameVersion(pkg.Version, p.Info.Version) {
		d.note("%s: says version %s, and %s says version %s", f.Name, pkg.Version, p.Name, p.Info.Version)
	}
}

// Findings is what several scans find together, and what of it vendors say does
// not matter here.
func Findings(scans, vex []Report) map[FindingKey]Finding {
	var statements []VEXStatement
	for _, r := range vex {
		statements = append(statements, r.Statements...)
	}
	return ApplyVEX(union(scans), statements)
}
