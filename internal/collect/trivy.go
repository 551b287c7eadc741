package collect

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
)

// isTrivy knows Trivy's four shapes: the report (version 2), the array of
// results (version 1), the Kubernetes report, and the operator's resource.
func isTrivy(s shape) bool {
	if s.json == '[' {
		return s.members["Target"]
	}
	return s.json == '{' && (s.members["Results"] || (s.members["SchemaVersion"] && s.members["ArtifactName"]) ||
		s.members["ClusterName"] || (s.kind == "VulnerabilityReport" && s.members["report"]))
}

type trivyResult struct {
	Target          string `json:"Target"`
	Vulnerabilities []struct {
		ID        string `json:"VulnerabilityID"`
		Package   string `json:"PkgName"`
		Installed string `json:"InstalledVersion"`
		Severity  string `json:"Severity"`
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

type trivyReport struct {
	Results           []trivyResult   `json:"Results"`
	Resources         []trivyResource `json:"Resources"`
	Vulnerabilities   []trivyResource `json:"Vulnerabilities"`
	Misconfigurations []trivyResource `json:"Misconfigurations"`
	Trivy             struct {
		Version string `json:"Version"`
	} `json:"Trivy"`
	Report *struct {
		Scanner struct {
			Version string `json:"version"`
		} `json:"scanner"`
		Vulnerabilities []struct {
			ID        string `json:"vulnerabilityID"`
			Package   string `json:"resource"`
			Installed string `json:"installedVersion"`
			Severity  string `json:"severity"`
		} `json:"vulnerabilities"`
	} `json:"report"`
}

// readTrivy takes vulnerabilities, failed misconfigurations and secrets: a
// critical secret counts like a critical vulnerability.
func readTrivy(data []byte, into *Report) error {
	var report trivyReport
	var err error
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
		err = json.Unmarshal(data, &report.Results)
	} else {
		err = json.Unmarshal(data, &report)
	}
	if err != nil {
		return err
	}
	into.Tool = "trivy"
	if report.Trivy.Version != "" {
		into.Tool += " " + report.Trivy.Version
	}
	for _, result := range report.Results {
		into.addTrivy("", result)
	}
	for _, group := range [][]trivyResource{report.Resources, report.Vulnerabilities, report.Misconfigurations} {
		for _, resource := range group {
			for _, result := range resource.Results {
				into.addTrivy(resource.Namespace+"/"+resource.Kind+"/"+resource.Name, result)
			}
		}
	}
	if operator := report.Report; operator != nil {
		into.Targets++
		for _, v := range operator.Vulnerabilities {
			into.add(v.ID, v.Package+"@"+v.Installed, severityOf(v.Severity))
		}
	}
	if into.Targets == 0 {
		return errors.New("the scan looked at nothing (no Results): that is not a clean scan")
	}
	return nil
}

func (r *Report) addTrivy(where string, result trivyResult) {
	r.Targets++
	for _, v := range result.Vulnerabilities {
		r.add(v.ID, v.Package+"@"+v.Installed, severityOf(v.Severity))
	}
	for _, m := range result.Misconfigurations {
		if m.Status != "PASS" && m.Status != "EXCEPTION" {
			r.add(m.ID, "misconfiguration:"+where+":"+result.Target, severityOf(m.Severity))
		}
	}
	for _, s := range result.Secrets {
		r.add(s.Rule, "secret:"+where+":"+result.Target+":"+strconv.Itoa(s.Line), severityOf(s.Severity))
	}
}
