// Package eucora_test holds the walls of the house: which package may import
// which. ARCHITECTURE.md draws them.
package eucora_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/eucora/eucora/"

// wall is what one package may and may not import.
type wall struct {
	may    []string // of ours, besides itself
	mayNot []string // of the standard library and others
	why    string
}

var pure = []string{"os", "net", "net/http", "context", "database/sql", "math/rand", "math/rand/v2", "crypto/rand"}

// walls is the import table. A package that is not here fails the test: decide
// where it stands in the house, and say so here and in ARCHITECTURE.md.
var walls = map[string]wall{
	"internal/evidence":    {nil, pure, "what was shown is a pure noun: it is hashed and scored again by strangers"},
	"internal/ledger":      {nil, pure, "proofs must be checkable without this program"},
	"internal/risk":        {[]string{"internal/evidence"}, pure, "a score depends on evidence and model and on nothing else"},
	"internal/cab":         {[]string{"internal/evidence", "internal/risk"}, pure, "rules are pure: who, what and when are handed in"},
	"internal/cab/cabtest": {[]string{"internal/cab", "internal/evidence", "internal/risk"}, pure, "ledgers for tests, by the rules"},
	"internal/export":      {[]string{"internal/cab"}, pure, "the same events give the same bytes"},
	"internal/report": {
		[]string{"internal/cab", "internal/evidence", "internal/risk"}, pure,
		"a report depends on the events and on nothing else: an auditor makes it again",
	},
	"internal/artifact": {nil, []string{"os", "net", "net/http", "context", "database/sql"}, "what an installer is, and who signed it, depends on its bytes and the given roots alone"},
	"internal/collect": {
		[]string{"internal/evidence", "internal/artifact"},
		[]string{"net", "net/http", "database/sql"}, "readers of files fetch nothing",
	},
	"internal/attachment": {nil, []string{"net", "net/http", "database/sql"}, "files are kept by their digest, whoever they belong to"},
	"internal/attest": {
		[]string{"internal/evidence"}, pure,
		"what is signed depends on the document and the key and on nothing else",
	},
	"internal/capsule": {
		[]string{"internal/evidence", "internal/risk", "internal/cab", "internal/ledger"}, pure,
		"a capsule is checked from its bytes and the auditor's key, and from nothing else",
	},
	"internal/capsule/capsuletest": {
		[]string{"internal/capsule", "internal/evidence", "internal/risk", "internal/cab", "internal/ledger"},
		[]string{"net", "net/http", "database/sql"}, "capsules for tests, good ones and damaged ones",
	},
	"internal/store": {
		[]string{"internal/cab", "internal/evidence", "internal/risk", "internal/ledger"},
		[]string{"net/http"}, "the store keeps; it does not decide and does not serve",
	},
	"internal/store/storetest": {[]string{"internal/store", "internal/ledger"}, []string{"net/http"}, "engines for tests"},
	"internal/workflow": {
		[]string{
			"internal/cab", "internal/evidence", "internal/risk", "internal/ledger", "internal/artifact", "internal/collect", "internal/attest",
			"internal/attachment", "internal/capsule", "internal/store", "internal/report",
		},
		[]string{"database/sql", "net/http"}, "a verb knows neither SQL nor HTTP",
	},
	"internal/witness": {
		[]string{"internal/ledger", "internal/store"}, []string{"database/sql"},
		"others are shown signed checkpoints and nothing else",
	},
	"internal/witness/witnesstest": {[]string{"internal/ledger"}, nil, "a witness for tests, as a stranger would run it"},
	"internal/notify":              {[]string{"internal/cab", "internal/store"}, []string{"database/sql"}, "who is told learns what happened, and changes nothing"},
	"internal/identity":            {[]string{"internal/cab", "internal/store"}, nil, "who you are is settled before what you want"},
	"internal/httpapi": {
		[]string{"api", "internal/workflow", "internal/identity", "internal/cab", "internal/evidence", "internal/risk", "internal/ledger", "internal/attest", "internal/capsule", "internal/export", "internal/report"},
		[]string{"database/sql"}, "the outside is thin: it only calls verbs",
	},
	"internal/monitor": {
		[]string{"api", "internal/cab", "internal/evidence", "internal/ledger"},
		[]string{"database/sql", "math/rand"}, "an auditor sees what the API shows, and nothing else",
	},
	"internal/console": {
		[]string{"internal/workflow", "internal/identity", "internal/cab", "internal/evidence", "internal/export"},
		[]string{"database/sql"}, "pages are thin: they only call verbs",
	},
	"api": {nil, nil, "the contract is public and imports nothing of ours"},
}

// free are the packages that put the house together or measure it.
var free = []string{"", "cmd/eucora", "bench"}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestWalls(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, strings.TrimSuffix(module, "/")), "/")
		if slices.Contains(free, name) {
			continue
		}
		rule, known := walls[name]
		if !known {
			t.Errorf("package %s has no place in the import table: add it to imports_test.go and ARCHITECTURE.md", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, module)
			if isOurs && !slices.Contains(rule.may, ours) {
				t.Errorf("%s imports %s: %s", name, ours, rule.why)
			}
			if slices.Contains(rule.mayNot, imported) {
				t.Errorf("%s imports %s: %s", name, imported, rule.why)
			}
		}
	}
}

// TestPureRoomsHaveNoClock: time is handed in.
func TestPureRoomsHaveNoClock(t *testing.T) {
	clock := regexp.MustCompile(`\btime\.(Now|Since|Until|After|Tick|NewTimer|NewTicker|Sleep)\(`)
	for _, room := range []string{"evidence", "ledger", "risk", "cab", "artifact", "collect", "attest", "capsule", "export", "report"} {
		files, err := filepath.Glob(filepath.Join("internal", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files (%v)", room, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found := clock.Find(text); found != nil && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s asks the clock (%s…): who, what and when are handed in", file, found)
			}
		}
	}
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
