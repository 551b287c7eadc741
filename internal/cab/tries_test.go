package cab

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// doorman keeps counts as the database does.
type doorman map[[2]string]Tries

func (d doorman) of(name, network string) Try {
	get := func(name, network string) Tries {
		t := d[[2]string{name, network}]
		t.Name, t.Network = name, network
		return t
	}
	return Try{get(name, network), get(name, ""), get("", network)}
}

func (d doorman) keep(t Try) {
	for _, c := range []Tries{t.Pair, t.Name, t.Network} {
		d[[2]string{c.Name, c.Network}] = c
	}
}

// try is one try at a moment; how it ends is "wrong", "right" or "unjudged".
func (d doorman) try(name, network, ends string, now time.Time) time.Duration {
	before := d.of(name, network)
	if wait := before.Wait(now); wait > 0 {
		return wait
	}
	d.keep(before.Counted(now))
	if ends != "wrong" {
		d.keep(d.of(name, network).TakenBack(now, before))
	}
	if ends == "right" {
		delete(d, [2]string{name, network})
	}
	return 0
}

var morning = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// TestTriesByTheTable: docs/console.md, line by line.
func TestTriesByTheTable(t *testing.T) {
	d, now := doorman{}, morning
	waits := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute}
	for range 5 {
		if wait := d.try("carol", "home", "wrong", now); wait != 0 {
			t.Fatalf("one of five waits %s", wait)
		}
	}
	for i, want := range waits[:4] {
		if wait := d.try("carol", "home", "right", now); wait != want {
			t.Errorf("after %d wrong ones: %s, want %s", 5+i, wait, want)
		}
		now = now.Add(want)
		d.try("carol", "home", "wrong", now)
	}
	if wait := d.try("carol", "office", "right", now); wait != 0 {
		t.Errorf("from another network carol waits %s", wait)
	}
	if wait := d.try("chris", "home", "right", now); wait != 0 {
		t.Errorf("from the same network chris waits %s", wait)
	}
	now = now.Add(24 * 15 * time.Minute)
	if got := d.of("carol", "home").Pair.at(now).Wrong; got != 0 {
		t.Errorf("six hours later %d are left", got)
	}
}

// TestOrdinaryUseLocksNobodyOut: a wrong password now and then, for weeks, from an
// office behind one address.
func TestOrdinaryUseLocksNobodyOut(t *testing.T) {
	d, now := doorman{}, morning
	for i := range 300 {
		now = now.Add(20 * time.Minute)
		d.try([]string{"carol", "chris", "sam"}[i%3], "office", "wrong", now)
		if wait := d.try("erin", "office", "right", now.Add(time.Second)); wait != 0 {
			t.Fatalf("after %d of others erin waits %s", i+1, wait)
		}
		if wait := d.try([]string{"carol", "chris", "sam"}[i%3], "office", "right", now.Add(time.Second)); wait != 0 {
			t.Fatalf("after %d the right password waits %s", i+1, wait)
		}
	}
	if got := d.of("erin", "office").Network.at(now.Add(time.Hour)).Wrong; got != 0 {
		t.Errorf("an hour later %d are left of the network's", got)
	}
}

// TestTriesHold: whatever is tried, from wherever, and however it ends.
func TestTriesHold(t *testing.T) {
	names, networks := []string{"carol", "chris", "nobody"}, []string{"office", "home", "far"}
	rapid.Check(t, func(t *rapid.T) {
		d, now := doorman{}, morning
		own := map[[2]string]int{}        // wrong ones of a name from a network, since its last right one
		last := map[[2]string]time.Time{} // of them
		for range rapid.IntRange(1, 300).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "later")))
			name, network := rapid.SampledFrom(names).Draw(t, "name"), rapid.SampledFrom(networks).Draw(t, "network")
			ends := rapid.SampledFrom([]string{"wrong", "wrong", "wrong", "right", "unjudged"}).Draw(t, "ends")
			key := [2]string{name, network}
			before := d.of(name, network)
			wait := d.try(name, network, ends, now)
			switch {
			case own[key] == 0 && wait != 0:
				t.Fatalf("%v has none of its own, and waits %s", key, wait)
			case own[key] < ofPair.free && wait > othersWait:
				t.Fatalf("%v has %d of its own, and waits %s", key, own[key], wait)
			case wait > 0 && now.Add(wait).Sub(last[key]) > longestWait:
				t.Fatalf("%v waits until %s after its last", key, now.Add(wait).Sub(last[key]))
			case wait > 0 && d.of(name, network).Wait(now.Add(wait)) != 0:
				t.Fatalf("%v has waited %s, and waits again", key, wait)
			case wait > 0:
				continue
			}
			if ends == "wrong" {
				own[key]++
				last[key] = now
				continue
			}
			after := d.of(name, network)
			for _, c := range [][2]Tries{{before.Name, after.Name}, {before.Network, after.Network}} {
				if was, is := c[0].at(now), c[1].at(now); was.Wrong != is.Wrong || was.Wrong > 0 && (was.Since != is.Since || was.LastAt != is.LastAt) {
					t.Fatalf("%s changed a count: %+v, %+v", ends, was, is)
				}
			}
			if was, is := before.Pair.at(now), after.Pair.at(now); ends == "unjudged" && (was.Wrong != is.Wrong || was.Wrong > 0 && was.LastAt != is.LastAt) {
				t.Fatalf("what nobody looked at was counted: %+v, %+v", was, is)
			}
			if ends == "right" {
				own[key] = 0
			}
		}
	})
}

// TestGuessesInADay: whoever tries as soon as they may has about a hundred guesses a
// day at a name from a network.
func TestGuessesInADay(t *testing.T) {
	d, now, guesses := doorman{}, morning, 0
	for now.Before(morning.Add(24 * time.Hour)) {
		wait := d.try("carol", "far", "wrong", now)
		if wait == 0 {
			guesses++
		}
		now = now.Add(max(wait, time.Second))
	}
	if guesses > 110 {
		t.Errorf("%d guesses", guesses)
	}
	t.Logf("%d guesses", guesses)
}

// TestTriesForgive: time only forgives, one after the other, and a clock that was
// set back forgives nothing and lets nobody wait for longer.
func TestTriesForgive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Tries{Name: "carol", Network: rapid.SampledFrom([]string{"", "home"}).Draw(t, "network"), Wrong: rapid.IntRange(0, 100).Draw(t, "wrong"), Since: morning, LastAt: morning}
		step := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(3*time.Hour)).Draw(t, "step"))
		now := morning.Add(step)
		once := c.at(now)
		if once.Wrong > c.Wrong || c.Wrong-once.Wrong > int(max(0, step)/c.count().forgives) {
			t.Fatalf("%d became %d after %s", c.Wrong, once.Wrong, step)
		}
		if half := c.at(morning.Add(step / 2)).at(now); half.Wrong != once.Wrong {
			t.Fatalf("looked at in between %d are left, otherwise %d", half.Wrong, once.Wrong)
		}
		if wait := (Try{Pair: c}).Wait(now); wait > longestWait {
			t.Fatalf("waits %s", wait)
		}
	})
}
