package artifact

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// spcCorpus is what real tools signed, and what it comes to.
var spcCorpus = map[string]struct {
	status Status
	reason string
}{
	"inst-pe/gen__contoso-sha256.exe":                 {Valid, ""},
	"inst-pe/gen__contoso-timestamped.exe":            {Valid, ""},
	"inst-pe/gen__expired-cert.exe":                   {Expired, "2021-01-01"},
	"inst-pe/gen__tampered-content.exe":               {Invalid, "changed after"},
	"inst-pe/gen__trailing-bytes-after-signature.exe": {Invalid, "38 bytes follow the certificate table"},
	"inst-pe/gen__wrong-eku-tls-cert.exe":             {Untrusted, "not for signing code"},
	"inst-msi/gen__contoso-signed.msi":                {Valid, ""},
	"inst-msi/gen__tampered-content.msi":              {Invalid, "changed after"},
	"inst-msix/gen__publisher-mismatch.msix":          {Untrusted, "the signature is sound"},
}

func TestAuthenticodeCorpus(t *testing.T) {
	dir, err := filepath.Abs("../../../shared/corpus")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Skip("no corpus of real files at ../shared/corpus: left out")
	}
	root, err := os.ReadFile(filepath.Join(dir, "inst-pe/gen__corpus-test-root-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := ParseTrust(map[string][]byte{"root": root})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for line := range strings.SplitSeq(string(manifest), "\n") {
		fields := strings.Split(line, "\t")
		want, known := spcCorpus[fields[0]]
		if !known {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, fields[0]))
		if err != nil {
			t.Fatal(err)
		}
		info, err := Look(Source{fields[0], int64(len(data)), bytes.NewReader(data)}, trust, now)
		if got := info.Signature; err != nil || got.Status != want.status || !strings.Contains(got.Reason, want.reason) {
			t.Errorf("%s: %s: %s, %v; want %s: …%s…", fields[0], got.Status, got.Reason, err, want.status, want.reason)
		}
		truth := func(name string) string {
			found := regexp.MustCompile(`(?:^|; )` + name + `=([^;]*)`).FindStringSubmatch(fields[8])
			if found == nil {
				return ""
			}
			return strings.TrimSpace(found[1])
		}
		for what, pair := range map[string][2]string{
			"name":         {info.Name, truth("ProductName") + truth("Identity_Name")},
			"version":      {info.Version, truth("ProductVersion") + truth("Identity_Version")},
			"publisher":    {info.Publisher, truth("Manufacturer") + truth("Identity_Publisher")},
			"architecture": {info.Architecture, map[string]string{"AMD AMD64": "x64", "Intel 386 or later, and compatibles": "x86"}[truth("MachineType")] + map[string]string{"Intel": "x86"}[truth("sum_Template")] + truth("Identity_ProcessorArchitecture")},
			"ID":           {info.ID, truth("ProductCode") + truth("Identity_Name")},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s is %q; want %q", fields[0], what, pair[0], pair[1])
			}
		}
		if stamp := truth("timestamp"); stamp != "" && stamp != "none" && info.Signature.Timestamp.Format("Jan 2 15:04:05 2006 GMT") != stamp {
			t.Errorf("%s: timestamp %v; want %s", fields[0], info.Signature.Timestamp, stamp)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "inst-pe/gen__truncated.exe"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := lookAt("truncated.exe", data, trust, now); err == nil || !strings.Contains(err.Error(), "truncated.exe: section 10") {
		t.Errorf("truncated: %v, %v", info.Signature, err)
	}
}
