package cab

import "time"

// How wrong passwords are counted. docs/console.md has the table.
//
// A count forgives one at a time. What others do, to the same name from elsewhere or
// from the same network to other names, never refuses a first try, and lets a further
// one wait for a minute at most: whoever knows a name, or sits behind the same
// address, must not be able to keep its owner out.
const (
	firstWait   = 30 * time.Second // of one name from one network, and twice as long each time
	longestWait = 15 * time.Minute
	othersWait  = time.Minute // where only the other two counts are full
	// ForgetTries is when a count is forgotten whatever it was: after the last one.
	ForgetTries = 24 * time.Hour
)

// count is how many are free, and how long it takes until one is forgiven.
type count struct {
	free     int
	forgives time.Duration
}

var (
	ofPair    = count{5, 15 * time.Minute}
	ofName    = count{50, 5 * time.Minute}
	ofNetwork = count{30, 2 * time.Minute}
)

// Tries are the wrong passwords of one name from one network, of one name from
// anywhere (Network is ""), or from one network under any name (Name is ""). A name
// that nobody has is counted like any other.
type Tries struct {
	Name, Network string
	Wrong         int
	Since         time.Time // from then on the next one to be forgiven is reckoned
	LastAt        time.Time // of the last one
}

func (t Tries) count() count {
	switch {
	case t.Name == "":
		return ofNetwork
	case t.Network == "":
		return ofName
	}
	return ofPair
}

// at is what is left of a count at a moment.
func (t Tries) at(now time.Time) Tries {
	each := t.count().forgives
	if forgiven := int64(now.Sub(t.Since) / each); forgiven > 0 {
		t.Wrong = max(0, t.Wrong-int(min(forgiven, int64(t.Wrong))))
		t.Since = t.Since.Add(time.Duration(forgiven) * each)
	}
	if t.Wrong == 0 || now.Sub(t.LastAt) > ForgetTries {
		t.Wrong, t.Since = 0, now
	}
	return t
}

// full reports whether no further one is free.
func (t Tries) full() bool { return t.Wrong >= t.count().free }

// Try is what one try is counted under.
type Try struct{ Pair, Name, Network Tries }

// Wait is how long a try has to wait, 0 if its password may be looked at. It is
// reckoned from the last try of the same name from the same network: nobody else's
// can take its turn away.
func (t Try) Wait(now time.Time) time.Duration {
	pair := t.Pair.at(now)
	if pair.Wrong == 0 {
		return 0
	}
	var wait time.Duration
	if t.Name.at(now).full() || t.Network.at(now).full() {
		wait = othersWait
	}
	if over := pair.Wrong - ofPair.free; over >= 0 {
		wait = max(wait, min(firstWait<<min(over, 10), longestWait))
	}
	return max(0, min(wait, t.Pair.LastAt.Add(wait).Sub(now)))
}

// Counted is the counts with a try among the wrong ones. It is counted before its
// password is looked at: of many tries at the same time none is free.
func (t Try) Counted(now time.Time) Try {
	for _, c := range []*Tries{&t.Pair, &t.Name, &t.Network} {
		*c = c.at(now)
		c.Wrong++
		c.LastAt = now
	}
	return t
}

// TakenBack is the counts as they are now without a try that was counted at a moment
// and was not wrong: its password was right, or nobody got to look at it. before is
// what was there before it.
func (t Try) TakenBack(at time.Time, before Try) Try {
	for _, c := range []struct{ now, was *Tries }{{&t.Pair, &before.Pair}, {&t.Name, &before.Name}, {&t.Network, &before.Network}} {
		c.now.Wrong = max(0, c.now.Wrong-1)
		if c.now.LastAt.Equal(at) {
			c.now.LastAt = c.was.LastAt
		}
	}
	return t
}
