package collect

import (
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
