package workflow

import (
	"sync"

	"github.com/eucora/eucora/internal/evidence"
)

// reading is what the gate reads of an evidence document.
type reading struct {
	packageID    string
	deploymentID string
	score        evidence.Score
	model        string
	complete     evidence.Completeness
	facts        evidence.Facts
	attachments  []evidence.Attachment
}

// scored is the reading of a record that was just made.
func scored(r evidence.Record) reading {
	return reading{
		r.ID, r.DeploymentIntentID, r.Assessment.Score, r.Assessment.ModelVersion, r.Completeness,
		evidence.ReadFacts(r.Sections, r.Origins...), r.Attachments,
	}
}

// maxRecent bounds how many readings are remembered.
const maxRecent = 1024

// recent remembers the readings of evidence documents by their content hash.
// A hash determines the bytes and the bytes the reading, so one that is
// remembered is never wrong; the caller has hashed the stored bytes and holds
// them against that hash. Evidence is mostly submitted right after it was filed.
type recent struct {
	mu     sync.Mutex
	byHash map[string]reading
	order  []string // the oldest first
}

func newRecent() *recent { return &recent{byHash: make(map[string]reading, maxRecent)} }

func (r *recent) keep(hash string, read reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.byHash[hash]; known {
		return
	}
	if len(r.order) >= maxRecent {
		delete(r.byHash, r.order[0])
		r.order = r.order[1:]
	}
	r.byHash[hash] = read
	r.order = append(r.order, hash)
}

// read returns the reading of a document whose bytes have the given hash.
func (r *recent) read(hash string, document []byte) (reading, error) {
	r.mu.Lock()
	known, ok := r.byHash[hash]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	filed, err := evidence.ReadScored(document)
	if err != nil {
		return reading{}, err
	}
	made := reading{
		filed.ID, filed.DeploymentIntentID, filed.Score, filed.ModelVersion, filed.Sections.Completeness(),
		evidence.ReadFacts(filed.Sections, filed.Origins...), filed.Attachments,
	}
	r.keep(hash, made)
	return made, nil
}
