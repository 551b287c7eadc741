package httpapi

import (
	"testing"
	"time"
)

// TestADripIsCutOff: a body that keeps coming may take as long as it needs; one
// that drips gets the time that its bytes have earned and no more.
func TestADripIsCutOff(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		after    time.Duration
		received int64
		left     time.Duration // that the next piece has
	}{
		"at the beginning":                 {0, 0, patience},
		"a byte in the last second":        {patience - time.Second, 1, time.Second},
		"a byte a second for half an hour": {30 * time.Minute, 1800, patience - 30*time.Minute},
		"2 GiB in an hour":                 {time.Hour, 2 << 30, patience},
		"64 KiB a second for a day":        {24 * time.Hour, 24 * 3600 * (64 << 10), patience},
		"a fast start, then nothing":       {time.Hour, 64 << 20, patience + 2048*time.Second - time.Hour},
	} {
		p := patient{begun: begin, received: c.received}
		now := begin.Add(c.after)
		if left := p.due(now).Sub(now); left != c.left {
			t.Errorf("%s: %s left, want %s", name, left, c.left)
		}
	}
}
