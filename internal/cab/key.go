package cab

import "time"

// KeyState is whether an attestation key signs.
type KeyState string

// The states. A key goes from active to retired, and never back.
const (
	KeyActive  KeyState = "active"
	KeyRetired KeyState = "retired"
)

// Key is an attestation key as the ledger knows it. The keys are files beside
// the database and no rows in it: the events are all that is stored of them.
type Key struct {
	ID        string    `json:"key_id"` // SHA-256 of the SubjectPublicKeyInfo, lower-case hex
	Algorithm string    `json:"algorithm"`
	State     KeyState  `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	PublicKey string    `json:"public_key"` // PEM
}

// RecordKey brings the ledger to what a key is now. known is what the ledger
// says of it, or nil. A change without events means that the ledger knows.
func RecordKey(call Call, known *Key, now Key) (Change, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return Change{}, err
	}
	reason := "created"
	if known != nil {
		reason = "retired"
		switch {
		case known.Algorithm != now.Algorithm || known.PublicKey != now.PublicKey || !known.CreatedAt.Equal(now.CreatedAt):
			return Change{}, conflict("KEY_MISMATCH", "attestation key %s is not what the ledger says of it: its file was changed", now.ID)
		case known.State == now.State:
			return Change{}, nil
		case now.State == KeyActive:
			return Change{}, conflict("KEY_RETIRED", "attestation key %s was retired and its private half is back; nothing is signed with it: eucora key rotate makes another", now.ID)
		}
	}
	event := call.event(KeyChanged, now.ID, "", Subject{KindKey, now.ID}, EventData{Key: &now, Reason: reason})
	return Change{Events: []Event{event}}, nil
}

// ErrKeysUnusable is the refusal when there is no attestation key to sign with,
// or the keys cannot be read. Why is for the log: it names files.
func ErrKeysUnusable(err error) error {
	return &Error{
		Kind: Unavailable, Code: "ATTESTATION_KEYS_UNUSABLE", Err: err,
		Message: "the attestation keys cannot be used just now; the server's log says why",
	}
}
