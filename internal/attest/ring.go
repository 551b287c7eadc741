package attest

import (
	"cmp"
	"slices"
)

// Ring is all the keys of a server. At most one of them signs; those that did
// before are known by their public halves.
type Ring struct{ keys []Key } // the newest first

// NewRing makes a ring of keys as they were found. Of several private halves
// the newest signs, and the others are not kept: so it is after a rotation that
// a crash cut short. A key that is there as public too is retired.
func NewRing(found []Key) *Ring {
	retired := map[string]bool{}
	for _, k := range found {
		retired[k.ID] = retired[k.ID] || !k.Signs()
	}
	sorted := slices.SortedFunc(slices.Values(found), func(a, b Key) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	r := &Ring{}
	seen, signing := map[string]bool{}, false
	for _, k := range sorted {
		if seen[k.ID] {
			continue
		}
		seen[k.ID] = true
		if signing || retired[k.ID] {
			k.private = nil
		}
		signing = signing || k.Signs()
		r.keys = append(r.keys, k)
	}
	return r
}

// Keys lists every key, the newest first.
func (r *Ring) Keys() []Key { return slices.Clone(r.keys) }

// Signing is the key that signs, if there is one.
func (r *Ring) Signing() (Key, bool) {
	i := slices.IndexFunc(r.keys, Key.Signs)
	if i < 0 {
		return Key{}, false
	}
	return r.keys[i], true
}
