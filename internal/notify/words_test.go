package notify

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/cab/cabtest"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestWhatIsSaid: the golden is everything that a story of some months makes people
// be told, as they read it.
func TestWhatIsSaid(t *testing.T) {
	story, _ := cabtest.Story(t)
	deployments := map[string]*cab.Deployment{}
	var got strings.Builder
	seen := map[string]bool{}
	for _, e := range story.Events {
		if d := e.Data.Deployment; d != nil {
			deployments[d.ID] = d
		}
		n, ok := cab.NoticeOf(e)
		if !ok {
			continue
		}
		seen[n.Type] = true
		m := message{notice: n, deployment: deployments[n.DeploymentID]}
		fmt.Fprintf(&got, "%s   (to %v, %s)\n", m.headline(), n.To, n.Concerns.Username)
		for _, f := range m.facts() {
			fmt.Fprintf(&got, "    %s: %s\n", f.name, f.value)
		}
	}
	digest := message{notice: cab.Digest(story.Now, []cab.Request{{Name: "CAB-0123456789AB", Status: cab.Submitted}}, nil, 3)}
	fmt.Fprintf(&got, "%s\n", digest.headline())
	for _, f := range digest.facts() {
		fmt.Fprintf(&got, "    %s: %s\n", f.name, f.value)
	}
	for kind := range happened {
		if !seen[kind] {
			t.Errorf("the story tells of no %s: it would go unread", kind)
		}
	}
	const path = "testdata/said.golden"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("what is said has changed (-want +got):\n%s", diff)
	}
}
