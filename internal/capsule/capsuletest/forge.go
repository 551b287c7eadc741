package capsuletest

import (
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// Members that whoever has the log's key can put something else in the place of,
// with the digests of it in the log.
const (
	DocumentMember = "document.json"
	ModelMember    = "model.json"
	PolicyMember   = "policy.json"
)

// Forged is the capsule of the site's story with other bytes in a member's place:
// they are what the events speak of, and everything is signed anew.
func (w *World) Forged(member string, body []byte) []byte {
	digest := evidence.Digest(body)
	w.Rewrite(func(e *cab.Event) {
		d := e.Data
		switch {
		case member == DocumentMember && d.Package != nil:
			d.Package.ContentHash = digest
		case member == ModelMember && d.Model != nil:
			d.Model.Digest = digest
		case member == PolicyMember && d.Policy != nil:
			d.Policy.Digest = digest
		case member == ModelMember && d.Risk != nil:
			d.Risk.ModelDigest = digest
		}
		if member == DocumentMember && d.Request != nil {
			d.Request.ContentHash = digest
		}
		if member == DocumentMember && d.Decision != nil {
			d.Decision.ContentHash = digest
		}
	})
	return w.members(false).With(member, body).Sealed(w.r.Name, w.Signer)
}

// Leaves are the events of the site's story as they are hashed.
func (w *World) Leaves() [][]byte {
	var leaves [][]byte
	for i, leaf := range w.log().leaves {
		if w.belongs(w.Events[i]) {
			leaves = append(leaves, leaf)
		}
	}
	return leaves
}

// Body is what is in a member of a capsule.
func (all Members) Body(name string) []byte { return all[all.at(name)].Body }

// WithCheckpoint has other bytes for the checkpoint, in every proof too.
func (all Members) WithCheckpoint(checkpoint []byte) Members {
	return all.With("checkpoint", checkpoint).reproved(checkpoint)
}
