package cab

import (
	"testing"
	"time"
)

// TestRecordKey: a key goes from active to retired and never back, and its file
// never says anything else than the ledger.
func TestRecordKey(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	active := Key{ID: "k", Algorithm: "ed25519", State: KeyActive, CreatedAt: now, PublicKey: "p"}
	with := func(change func(*Key)) Key { k := active; change(&k); return k }
	retired := with(func(k *Key) { k.State = KeyRetired })
	for _, c := range []struct {
		name  string
		known *Key
		now   Key
		want  string // reason of the event, or code of the refusal, or nothing
	}{
		{"made", nil, active, "created"},
		{"made and retired before anybody looked", nil, retired, "created"},
		{"known", &active, active, ""},
		{"retired", &active, retired, "retired"},
		{"known as retired", &retired, retired, ""},
		{"brought back", &retired, active, "KEY_RETIRED"},
		{"another time in its file", &active, with(func(k *Key) { k.CreatedAt = now.Add(time.Hour) }), "KEY_MISMATCH"},
		{"another key in the event", &active, with(func(k *Key) { k.PublicKey = "q" }), "KEY_MISMATCH"},
	} {
		change, err := RecordKey(Call{Actor: Setup, Now: now}, c.known, c.now)
		got := CodeOf(err)
		if len(change.Events) == 1 {
			e := change.Events[0]
			got = e.Data.Reason
			if e.Type != KeyChanged || e.Subject != (Subject{KindKey, "k"}) || *e.Data.Key != c.now || e.Actor != Setup || e.CorrelationID != "k" {
				t.Errorf("%s: event %+v", c.name, e)
			}
		}
		if got != c.want || len(change.Events) > 1 {
			t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
		}
	}
	for _, role := range Roles() {
		_, err := RecordKey(Call{Actor: Actor{ID: "x", Role: role}, Now: now}, nil, active)
		if (err == nil) != (role == Admin) {
			t.Errorf("%s: %v", role, err)
		}
	}
}
