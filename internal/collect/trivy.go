package collect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/eucora/eucora/internal/evidence"
)

// isTrivy knows Trivy's four shapes: the report (version 2), the array of
// results (version 1), the Kubernetes report, and the operator's resource.
func isTrivy(s shape) bool {
	if s.json == '[' {
		return s.members["Target"]
	}
	return s.json == '{' && (s.members["Results"] || (s.members["SchemaVersion"] && s.members["ArtifactName"]) ||
		s.members["ClusterName"] || (trivyResources[s.texts["kind"]] && s.members["report"]))
}

// trivyResources are the kinds that the operator keeps findings in.
var trivyResources = map[string]bool{
	"VulnerabilityReport": true, "ClusterVulnerabilityReport": true, "ConfigAuditReport": true, "ClusterConfigAuditReport": true,
	"InfraAssessmentReport": true, "ClusterInfraAssessmentReport": true, "RbacAssessmentReport": true,
	"ClusterRbacAssessmentReport": true, "ExposedSecretReport": true,
}

// trivyFinding is a vulnerability, a misconfiguration or a secret: those that
// were set aside stand in one list.
type trivyFinding struct {
	Vulnerability string `json:"VulnerabilityID"`
	Package       string `json:"PkgName"`
	Installed     string `json:"InstalledVersion"`
	PkgID         struct {
		PURL string `json:"PURL"`
	} `json:"PkgIdentifier"`

	ID       string `json:"ID"`
	Status   loose  `json:"Status"` // looked at in misconfigurations only
	Metadata struct {
		Resource string `json:"Resource"`
		Line     int    `json:"StartLine"`
	} `json:"CauseMetadata"`

	Rule string `json:"RuleID"`
	Line int    `json:"StartLine"`

	Severity string `json:"Severity"`
}

type trivyModified struct {
	Type      string       `json:"Type"`
	Status    string       `json:"Status"`
	Statement string       `json:"Statement"`
	Finding   trivyFinding `json:"Finding"`
}

// readTrivy takes vulnerabilities, failed misconfigurations and secrets: a
// critical secret counts like a critical vulnerability. What Trivy set aside
// (ExperimentalModifiedFindings) is listed.
func readTrivy(f *file, into *Report) error {
	results := func(d *jsontext.Decoder) error {
		return elements(d, func(d *jsontext.Decoder) error {
			s := trivyScan{report: into}
			if err := s.result(d); err != nil {
				return err
			}
			return s.flush("")
		})
	}
	resources := func(d *jsontext.Decoder) error { return elements(d, into.trivyResource) }
	into.Tool = "trivy"
	var trivy struct {
		Version string `json:"Version"`
	}
	kind, operated := "", false
	err := f.objectOr(results, members{
		"Results": results, "Trivy": value(&trivy), "kind": value(&kind),
		"report": func(d *jsontext.Decoder) error {
			operated = true
			return into.trivyOperated(d)
		},
		"Resources": resources, "Vulnerabilities": resources, "Misconfigurations": resources, "Findings": resources,
	})
	if err != nil {
		return err
	}
	into.Tool = strings.TrimSpace("trivy " + trivy.Version)
	if operated && !trivyResources[kind] {
		return &ReadError{Place: "kind", Reason: fmt.Sprintf("%q is no report of Trivy's operator", clip(kind, 40))}
	}
	if into.Targets == 0 {
		return errNothingScanned("no Results")
	}
	return nil
}

// trivyScan reads the results of one target, or of one resource of a cluster.
// Findings that are told by their place wait until its names are known.
type trivyScan struct {
	report  *Report
	waiting []trivyPlaced
}

type trivyPlaced struct {
	what, id, target, at string
	Finding
}

func (s *trivyScan) result(d *jsontext.Decoder) error {
	var target, class string
	from := len(s.waiting)
	err := members{
		"Target": value(&target), "Class": value(&class),
		"Vulnerabilities":              func(d *jsontext.Decoder) error { return each(d, s.vulnerability) },
		"Misconfigurations":            func(d *jsontext.Decoder) error { return each(d, s.misconfiguration) },
		"Secrets":                      func(d *jsontext.Decoder) error { return each(d, s.secret) },
		"ExperimentalModifiedFindings": func(d *jsontext.Decoder) error { return each(d, s.modified) },
	}.read(d)
	for i := range s.waiting[from:] {
		s.waiting[from+i].target = target
	}
	if !strings.HasPrefix(class, "license") { // a list of licences is no look for findings
		s.report.Targets++
	}
	return err
}

func (s *trivyScan) vulnerability(v trivyFinding) error { return s.add("vulnerability", v, "") }

func (s *trivyScan) misconfiguration(m trivyFinding) error {
	if m.Status == "PASS" || m.Status == "EXCEPTION" {
		return nil
	}
	return s.add("misconfiguration", m, "")
}

func (s *trivyScan) secret(f trivyFinding) error { return s.add("secret", f, "") }

func (s *trivyScan) modified(m trivyModified) error {
	return s.add(m.Type, m.Finding, because("set aside by trivy", m.Status, m.Statement))
}

func (s *trivyScan) add(what string, f trivyFinding, setAside string) error {
	finding := Finding{Severity: severityOf(f.Severity), PURL: f.PkgID.PURL, SetAside: setAside}
	switch what {
	case "vulnerability":
		return s.report.vulnerability(f.Vulnerability, packageAt(f.Package, f.Installed), finding)
	case "misconfiguration":
		return s.wait(trivyPlaced{what, f.ID, "", trivyAt(f.Metadata.Resource, f.Metadata.Line), finding})
	case "secret":
		return s.wait(trivyPlaced{what, f.Rule, "", trivyAt("", f.Line), finding})
	}
	return nil // licences
}

func trivyAt(resource string, line int) string {
	if resource != "" {
		resource = ":" + resource
	}
	if line == 0 {
		return resource
	}
	return resource + ":" + strconv.Itoa(line)
}

func (s *trivyScan) wait(p trivyPlaced) error {
	if s.waiting = append(s.waiting, p); len(s.waiting) > maxItems {
		return fmt.Errorf("lists more than %d findings", maxItems)
	}
	return nil
}

func (s *trivyScan) flush(where string) error {
	for _, p := range s.waiting {
		if err := s.report.vulnerability(p.id, p.what+":"+where+":"+p.target+p.at, p.Finding); err != nil {
			return err
		}
	}
	return nil
}

// trivyResource reads a resource of a Kubernetes report. One that could not be
// scanned is not clean.
func (r *Report) trivyResource(d *jsontext.Decoder) error {
	var namespace, kind, name, failure string
	s := trivyScan{report: r}
	err := members{
		"Namespace": value(&namespace), "Kind": value(&kind), "Name": value(&name), "Error": value(&failure),
		"Results": func(d *jsontext.Decoder) error { return elements(d, s.result) },
	}.read(d)
	if err != nil {
		return err
	}
	where := namespace + "/" + kind + "/" + name
	if failure != "" {
		return &ReadError{Place: clip(where, 100), Reason: "could not be scanned: " + clip(failure, 200)}
	}
	return s.flush(where)
}

// trivyOperatedFinding is a vulnerability, a check or a secret as the operator
// writes it.
type trivyOperatedFinding struct {
	ID        string `json:"vulnerabilityID"`
	Package   string `json:"resource"`
	Installed string `json:"installedVersion"`
	PURL      string `json:"packagePURL"`

	Check   string `json:"checkID"`
	Success bool   `json:"success"`

	Rule   string `json:"ruleID"`
	Target string `json:"target"`
	Match  string `json:"match"`

	Severity string `json:"severity"`
}

// trivyOperated reads what the operator keeps in a resource of the cluster.
func (r *Report) trivyOperated(d *jsontext.Decoder) error {
	list := func(key func(trivyOperatedFinding) FindingKey) func(*jsontext.Decoder) error {
		return func(d *jsontext.Decoder) error {
			if d.PeekKind() == '[' {
				r.Targets = 1
			}
			return each(d, func(f trivyOperatedFinding) error {
				if f.Success && f.ID == "" && f.Rule == "" { // a check that passed
					return nil
				}
				k := key(f)
				return r.vulnerability(k.ID, k.Package, Finding{Severity: severityOf(f.Severity), PURL: f.PURL})
			})
		}
	}
	return members{
		"vulnerabilities": list(func(f trivyOperatedFinding) FindingKey {
			return FindingKey{f.ID, packageAt(f.Package, f.Installed)}
		}),
		"checks": list(func(f trivyOperatedFinding) FindingKey { return FindingKey{f.Check, "misconfiguration:"} }),
		"secrets": list(func(f trivyOperatedFinding) FindingKey {
			return FindingKey{f.Rule, "secret:" + f.Target + ":" + evidence.Digest([]byte(f.Match))[:12]}
		}),
	}.read(d)
}
