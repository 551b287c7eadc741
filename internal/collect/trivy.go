package collect

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// isTrivy knows Trivy's four shapes: the report (version 2), the array of
// results (version 1), the Kubernetes report, and the operator's resource.
func isTrivy(s shape) bool {
	if s.json == '[' {
		return s.members["Target"]
	}
	return s.json == '{' && (s.members["Results"] || (s.members["SchemaVersion"] && s.members["ArtifactName"]) ||
		s.members["ClusterName"] || (s.texts["kind"] == "VulnerabilityReport" && s.members["report"]))
}

type trivyResult struct {
	Target          string `json:"Target"`
	Vulnerabilities []struct {
		ID        string `json:"VulnerabilityID"`
		Package   string `json:"PkgName"`
		Installed string `json:"InstalledVersion"`
		Severity  string `json:"Severity"`
		PkgID     struct {
			PURL string `json:"PURL"`
		} `json:"PkgIdentifier"`
	} `json:"Vulnerabilities"`
	Misconfigurations []struct {
		ID       string `json:"ID"`
		Severity string `json:"Severity"`
		Status   string `json:"Status"`
	} `json:"Misconfigurations"`
	Secrets []struct {
		Rule     string `json:"RuleID"`
		Severity string `json:"Severity"`
		Line     int    `json:"StartLine"`
	} `json:"Secrets"`
}

type trivyResource struct {
	Namespace string        `json:"Namespace"`
	Kind      string        `json:"Kind"`
	Name      string        `json:"Name"`
	Results   []trivyResult `json:"Results"`
}

// trivyOperated is what the operator keeps in a resource of the cluster.
type trivyOperated struct {
	Vulnerabilities []struct {
		ID        string `json:"vulnerabilityID"`
		Package   string `json:"resource"`
		Installed string `json:"installedVersion"`
		Severity  string `json:"severity"`
	} `json:"vulnerabilities"`
}

// readTrivy takes vulnerabilities, failed misconfigurations and secrets: a
// critical secret counts like a critical vulnerability.
func readTrivy(f *file, into *Report) error {
	results := func(d *jsontext.Decoder) error {
		return each(d, func(r trivyResult) error { return into.addTrivy("", r) })
	}
	resources := func(d *jsontext.Decoder) error {
		return each(d, func(r trivyResource) error {
			for _, result := range r.Results {
				if err := into.addTrivy(r.Namespace+"/"+r.Kind+"/"+r.Name, result); err != nil {
					return err
				}
			}
			return nil
		})
	}
	into.Tool = "trivy"
	var trivy struct {
		Version string `json:"Version"`
	}
	var operated *trivyOperated
	err := f.objectOr(results, members{
		"Results": results, "Resources": resources, "Vulnerabilities": resources, "Misconfigurations": resources,
		"Trivy": value(&trivy), "report": value(&operated),
	})
	if err != nil {
		return err
	}
	if trivy.Version != "" {
		into.Tool += " " + trivy.Version
	}
	if operated != nil {
		into.Targets++
		for _, v := range operated.Vulnerabilities {
			if err := into.add(v.ID, v.Package+"@"+v.Installed, severityOf(v.Severity)); err != nil {
				return err
			}
		}
	}
	if into.Targets == 0 {
		return errors.New("the scan looked at nothing (no Results): that is not a clean scan")
	}
	return nil
}

func (r *Report) addTrivy(where string, result trivyResult) error {
	r.Targets++
	for _, v := range result.Vulnerabilities {
		if err := r.find(FindingKey{v.ID, v.Package + "@" + v.Installed}, Finding{Severity: severityOf(v.Severity), PURL: v.PkgID.PURL}); err != nil {
			return err
		}
	}
	for _, m := range result.Misconfigurations {
		if m.Status == "PASS" || m.Status == "EXCEPTION" {
			continue
		}
		if err := r.add(m.ID, "misconfiguration:"+where+":"+result.Target, severityOf(m.Severity)); err != nil {
			return err
		}
	}
	for _, s := range result.Secrets {
		if err := r.add(s.Rule, "secret:"+where+":"+result.Target+":"+strconv.Itoa(s.Line), severityOf(s.Severity)); err != nil {
			return err
		}
	}
	return nil
}
