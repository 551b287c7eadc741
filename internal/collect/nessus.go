package collect

import (
	"encoding/xml"
	"fmt"
)

func isNessus(s shape) bool { return s.root == "NessusClientData_v2" }

// readNessus counts plugins by host and port. What Nessus only informs about
// (severity 0) is Negligible. The CSV export is not read: it does not say which
// hosts were scanned.
func readNessus(f *file, into *Report) error {
	var host string
	var began, ended, items bool // of the host that is read
	enter := func(path []string, e xml.StartElement) error {
		switch e.Name.Local {
		case "ReportHost":
			host, began, ended, items = attribute(e, "name"), false, false, false
			into.Targets++
		case "tag":
			tag := attribute(e, "name")
			ended = ended || tag == "HOST_END"
			began = began || tag == "HOST_START"
		case "ReportItem":
			if len(path) < 2 || path[len(path)-2] != "ReportHost" {
				return &ReadError{Place: "ReportItem", Reason: "stands outside a host"}
			}
			items = true
			in := fmt.Sprintf("%s:%s/%s", host, attribute(e, "port"), attribute(e, "protocol"))
			return into.add(attribute(e, "pluginID"), in, nessusSeverity(attribute(e, "severity")))
		}
		return nil
	}
	leave := func(path []string) error {
		if path[len(path)-1] == "ReportHost" && !ended && (began || !items) {
			return &ReadError{Place: clip(host, 100), Reason: "the scan of this host did not end"}
		}
		return nil
	}
	if err := f.walk(walker{enter: enter, leave: leave}); err != nil {
		return err
	}
	if into.Targets == 0 {
		return errNothingScanned("no host")
	}
	into.Tool = "nessus"
	return nil
}

func nessusSeverity(number string) Severity {
	switch number {
	case "0":
		return Negligible
	case "1":
		return Low
	case "2":
		return Medium
	case "3":
		return High
	case "4":
		return Critical
	}
	return Unknown
}
