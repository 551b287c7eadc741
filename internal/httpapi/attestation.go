package httpapi

import (
	"net/http"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

func (s *Server) attestation(q *request) (any, error) {
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	envelope, err := s.Service.Attestation(q.Context(), q.call, id, s.Keys)
	return document{envelope, evidence.Digest(envelope)}, err
}

// serveKeys is what strangers check attestations and checkpoints with. It is
// read anew each time and not to be kept: keys are rotated.
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	ring, err := s.Keys()
	if err != nil {
		s.fail(w, r, cab.ErrKeysUnusable(err))
		return
	}
	answer := api.PublicKeys{Keys: []api.PublicKey{}, Ledger: s.LedgerKey}
	for _, k := range ring.Keys() {
		state := cab.KeyRetired
		if k.Signs() {
			state = cab.KeyActive
		}
		answer.Keys = append(answer.Keys, api.PublicKey{
			ID: k.ID, Algorithm: string(k.Algorithm), State: string(state), CreatedAt: k.CreatedAt, PublicKey: k.PublicPEM,
		})
	}
	body, err := encode(answer)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
