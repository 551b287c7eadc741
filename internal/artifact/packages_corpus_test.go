package artifact

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// packageCorpus calls try for each file of the folder that a manifest tells of.
func packageCorpus(t *testing.T, folder string, try func(t *testing.T, s Source, facts string)) {
	t.Helper()
	dir, err := filepath.Abs("../../../shared/corpus")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Skip("no corpus of real files at ../shared/corpus: left out")
	}
	defer manifest.Close()
	seen := 0
	for lines := bufio.NewScanner(manifest); lines.Scan(); {
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) < 9 || columns[1] != folder {
			continue
		}
		t.Run(columns[0], func(t *testing.T) {
			file, err := os.Open(filepath.Join(dir, columns[0]))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			stat, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			seen++
			try(t, Source{Name: filepath.Base(columns[0]), Size: stat.Size(), ReaderAt: file}, columns[8])
		})
	}
	if seen == 0 {
		t.Errorf("no file of %s was tried", folder)
	}
}

// told reads name=value out of a manifest's facts.
func told(facts, name string) string {
	found := regexp.MustCompile(`(?:^|; )` + regexp.QuoteMeta(name) + `=([^;]*)`).FindStringSubmatch(facts)
	if found == nil {
		return ""
	}
	return strings.TrimSpace(found[1])
}

var corpusDay = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

func TestDebCorpus(t *testing.T) {
	key, err := os.ReadFile("../../../shared/corpus/inst-deb/gen__contoso-package-signing.asc")
	if err != nil {
		t.Skip("no corpus of real files at ../shared/corpus: left out")
	}
	trust, err := ParseTrust(map[string][]byte{"contoso.asc": key})
	if err != nil {
		t.Fatal(err)
	}
	packageCorpus(t, "inst-deb", func(t *testing.T, s Source, facts string) {
		info, err := Look(s, trust, corpusDay)
		switch {
		case strings.HasSuffix(s.Name, ".asc"):
			if err != nil || info.Signature.Status != UnknownFormat {
				t.Errorf("%v %+v", err, info)
			}
			return
		case told(facts, "data_tar_readable") == "NO":
			if err == nil || !strings.Contains(err.Error(), "gen__truncated.deb: data.tar.xz: the file ends in it") {
				t.Errorf("a truncated package: %v", err)
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		if info.Name != told(facts, "Package") || info.Version != told(facts, "Version") ||
			info.Architecture != told(facts, "Architecture") || info.Publisher != told(facts, "Maintainer") {
			t.Errorf("%+v, told: %s", info, facts)
		}
		want, why, unknown := Unsigned, "", Unsigned
		if told(facts, "embedded_gpg_signature") == "yes" { // debsigs signs with SHA-1 unless told otherwise
			want, why, unknown = Untrusted, "SHA-1 is too weak", Untrusted
		}
		if info.Signature.Status != want || !strings.Contains(info.Signature.Reason, why) {
			t.Errorf("%+v, want %s", info.Signature, want)
		}
		if info, err := Look(s, nil, corpusDay); err != nil || info.Signature.Status != unknown {
			t.Errorf("without keys: %v %+v", err, info.Signature)
		}
	})
}

func TestIntuneWinCorpus(t *testing.T) {
	packageCorpus(t, "inst-intunewin", func(t *testing.T, s Source, facts string) {
		info, err := Look(s, nil, corpusDay)
		if err != nil || info.Format != "INTUNEWIN" || info.Name != told(facts, "Name") {
			t.Fatalf("%v %+v", err, info)
		}
		want := Unsigned
		if told(facts, "mac_ok") != "yes" || told(facts, "filedigest_ok") != "yes" {
			want = Invalid
		}
		notes := strings.Join(info.Notes, "; ")
		if info.Signature.Status != want || !strings.Contains(notes, told(facts, "ToolVersion")) {
			t.Errorf("%+v, told: %s", info, facts)
		}
		if want == Unsigned && strings.Contains(notes, "is not inside") != (told(facts, "setup_file_present_inside") == "NO") {
			t.Errorf("%q, told: %s", notes, facts)
		}
	})
}

func TestNuGetCorpus(t *testing.T) {
	packageCorpus(t, "pkg-nuspec", func(t *testing.T, s Source, facts string) {
		if !strings.HasSuffix(s.Name, ".nupkg") {
			return
		}
		info, err := Look(s, nil, corpusDay)
		if err != nil || info.Format != "ZIP" || info.ID != told(facts, "id") || info.Version != told(facts, "version") || info.Publisher != told(facts, "authors") {
			t.Errorf("%v %+v, told: %s", err, info, facts)
		}
		if signed := told(facts, "signature_p7s") == "yes"; signed == (info.Signature.Status == Unsigned) {
			t.Errorf("%+v, told: %s", info.Signature, facts)
		}
	})
}
