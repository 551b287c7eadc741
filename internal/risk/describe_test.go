package risk

import "testing"

// TestDescribe: the worst lines of a model add up to the most that it reaches, and
// what is not known counts as one of them.
func TestDescribe(t *testing.T) {
	for _, m := range Embedded() {
		d := m.Describe()
		if d.Version != m.Version() || d.Digest != m.Digest() || len(d.Factors) == 0 {
			t.Fatalf("%+v", d)
		}
		for _, f := range d.Factors {
			worst := 0
			for _, line := range f.Lines {
				if line.Worst {
					worst++
					if line.Points != f.Most {
						t.Errorf("%s %s: %q counts for what is not known, with %d points of %d", d.Version, f.Name, line.Label, line.Points, f.Most)
					}
				}
				if line.Label == "" || line.Adds == "" {
					t.Errorf("%s %s: %+v", d.Version, f.Name, line)
				}
			}
			if worst != 1 {
				t.Errorf("%s %s: %d lines are the worst", d.Version, f.Name, worst)
			}
		}
	}
	coverage := Embedded()[0].Describe().Factors[0]
	if got := coverage.Lines[2]; got.Label != "< 80" || got.Points != 30 || got.Adds != "23.53" { // 0.20 of 0.85
		t.Errorf("%+v", got)
	}
}
