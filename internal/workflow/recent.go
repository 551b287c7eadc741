package workflow

import (
	"context"
	"sync"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
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
	artifacts    []string // their digests
}

// scored is the reading of a record that was just made.
func scored(r evidence.Record) reading {
	return reading{
		r.ID, r.DeploymentIntentID, r.Assessment.Score, r.Assessment.ModelVersion, r.Completeness,
		evidence.ReadFacts(r.Sections, r.Origins...), r.Attachments, r.Sections.ArtifactDigests(),
	}
}

// maxRecent bounds how many of a kind are remembered.
const maxRecent = 1024

// recent remembers what was made or read lately and cannot change: readings of
// evidence documents by their content hash, which determines the bytes and the
// bytes the reading (the caller has hashed the stored bytes and holds them against
// that hash), and deployments by their ids. Evidence mostly follows its deployment,
// and its submission the evidence.
type recent[T any] struct {
	mu    sync.Mutex
	byKey map[string]T
	order []string // the oldest first
}

func newRecent[T any]() *recent[T] { return &recent[T]{byKey: make(map[string]T, maxRecent)} }

func (r *recent[T]) keep(key string, value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.byKey[key]; known {
		return
	}
	if len(r.order) >= maxRecent {
		delete(r.byKey, r.order[0])
		r.order = r.order[1:]
	}
	r.byKey[key] = value
	r.order = append(r.order, key)
}

func (r *recent[T]) get(key string) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok := r.byKey[key]
	return value, ok
}

// reading returns the reading of a document whose bytes have the given hash.
func (s *Service) reading(hash string, document []byte) (reading, error) {
	if known, ok := s.scored.get(hash); ok {
		return known, nil
	}
	filed, err := evidence.ReadScored(document)
	if err != nil {
		return reading{}, err
	}
	made := reading{
		filed.ID, filed.DeploymentIntentID, filed.Score, filed.ModelVersion, filed.Sections.Completeness(),
		evidence.ReadFacts(filed.Sections, filed.Origins...), filed.Attachments, filed.Sections.ArtifactDigests(),
	}
	s.scored.keep(hash, made)
	return made, nil
}

// inForce is a policy, and when a transaction saw that it was in force.
type inForce struct {
	policy cab.Published
	at     time.Time
}

// lately is how old what is known of the policy in force may be for scoring: the
// transaction that files the package looks again.
const lately = 2 * time.Second

// evidenceInput is what filing evidence for a deployment depends on. What a
// deployment is about, and whose it is, never changes.
func (s *Service) evidenceInput(ctx context.Context, call Call, deploymentID string) (store.EvidenceInput, error) {
	known, ok := s.intents.get(deploymentID)
	if seen := s.inForce.Load(); ok && seen != nil {
		if age := s.now().Sub(seen.at); 0 <= age && age < lately {
			return store.EvidenceInput{Deployment: known, Policy: seen.policy}, permit(call.Actor, cab.CreateEvidence)
		}
	}
	in, err := see(ctx, s, call, cab.CreateEvidence, func(r *store.Reader) (store.EvidenceInput, error) {
		return r.EvidenceInput(deploymentID)
	})
	if err == nil {
		s.intents.keep(deploymentID, in.Deployment)
		s.inForce.Store(&inForce{in.Policy, s.now()})
	}
	return in, err
}
