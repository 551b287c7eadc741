package collect

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// corpusDir finds ../shared/corpus, seen from the project's root.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../shared/corpus")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST.tsv")); err != nil {
		t.Skip("no corpus of real files at ../shared/corpus: left out")
	}
	return dir
}

// fact reads name=value out of a manifest's facts.
func fact(facts, name string) string {
	found := regexp.MustCompile(`(?:^|; )` + regexp.QuoteMeta(name) + `=([^;]*)`).FindStringSubmatch(facts)
	if found == nil {
		return ""
	}
	return strings.TrimSpace(found[1])
}

func number(facts, name string) int {
	n := 0
	fmt.Sscan(fact(facts, name), &n)
	return n
}

// refusedFiles must be refused, though a tolerant parser reads something.
var refusedFiles = map[string]string{
	"gen__proton-bridge-duplicate-components-key.cdx.json": "duplicate",
	"specification__invalid-bomformat-1.6.json":            "not CycloneDX",
	"bom-shelter__scanoss-sbom-cdx.json":                   "",
}

func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	file, err := os.Open(filepath.Join(dir, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kinds := map[string]Kind{
		"sbom-cyclonedx-json": SBOM,
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	seen := 0
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		kind, ours := kinds[columns[1]]
		if len(columns) < 9 || !ours {
			continue
		}
		seen++
		t.Run(columns[0], func(t *testing.T) { checkFile(t, dir, columns[0], kind, columns[8]) })
	}
	if err := lines.Err(); err != nil || seen < 40 {
		t.Errorf("%d files of the corpus were tried: %v", seen, err)
	}
}

func checkFile(t *testing.T, dir, path string, kind Kind, facts string) {
	file, err := os.Open(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	report, err := Read(kind, Source{Name: filepath.Base(path), Size: info.Size(), ReaderAt: file})
	if want, refused := refusedFiles[filepath.Base(path)]; refused || strings.HasPrefix(facts, "parse=") {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), filepath.Base(path)) {
			t.Errorf("must be refused (%s): %v", want, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v (facts: %s)", err, facts)
	}
	switch kind {
	case SBOM:
		if len(report.Components) != number(facts, "components_all_nested") || report.Version != fact(facts, "specVersion") {
			t.Errorf("%d components of %s: %s", len(report.Components), report.Version, facts)
		}
	}
}
