// Package workflow holds the verbs: one exported method is one thing that a
// person or a machine can ask for, and one transaction. A verb reads what a
// rule needs, asks package cab (which decides, purely), and saves the rows and
// events that come back. It knows neither SQL nor HTTP.
package workflow

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eucora/eucora/internal/artifact"
	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

// Service carries out verbs on one store. It is safe for concurrent use.
type Service struct {
	store    *store.Store
	clock    func() time.Time
	models   sync.Map                // version → *risk.Model
	policies sync.Map                // digest → cab.Policy
	ranges   sync.Map                // reached → Range
	scored   *recent[reading]        // by content hash
	intents  *recent[cab.Deployment] // by id
	inForce  atomic.Pointer[inForce] // the policy, as it was seen last

	tamperings sync.Map // tampering → true: those written to the ledger already

	files *attachment.Store
	trust *artifact.Trust
	room  *semaphore.Weighted // for files that are read, in units of readingUnit

	witnesses *ledger.Trust       // who counts to whoever checks; nil: the log alone
	reports   *semaphore.Weighted // a report reads the whole ledger: one is made at a time
	capsules  *semaphore.Weighted // a capsule holds a whole trail, and reads files: likewise

	overview atomic.Pointer[Overview] // the last that was made; nobody changes it

	keys atomic.Pointer[[]cab.Key] // attestation keys that the ledger knows as they are
}

// Options are what verbs stand on besides the store.
type Options struct {
	Clock func() time.Time  // nil: the machine's
	Files *attachment.Store // of evidence packages; nil: none are taken, and none are found
	Trust *artifact.Trust   // whose signatures count; nil: nobody's

	Witnesses *ledger.Trust // who witnesses checkpoints; nil: nobody
}

// New makes a service.
func New(st *store.Store, o Options) *Service {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Service{
		store: st, clock: o.Clock, scored: newRecent[reading](), intents: newRecent[cab.Deployment](),
		files: o.Files, trust: o.Trust, witnesses: o.Witnesses,
		room: semaphore.NewWeighted(readingMost), reports: semaphore.NewWeighted(1), capsules: semaphore.NewWeighted(1),
	}
}

// patience is how long anything waits for its turn.
const patience = 20 * time.Second

// turn waits until there is room to make something large, and takes it until done.
func turn(ctx context.Context, room *semaphore.Weighted, weight int64) (done func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := room.Acquire(waiting, weight); err != nil {
		return nil, &cab.Error{Kind: cab.Unavailable, Code: "BUSY", Message: "too much is being read just now; try again", Err: err}
	}
	return func() { room.Release(weight) }, nil
}

// Call is who asks, from where, and whether at most once.
type Call struct {
	Actor   cab.Actor
	TokenID string // of the token that it came with; "" if it came without one
	Source  cab.Source
	Once    *Once // nil: no idempotency key was sent
	Looked  *bool // set once the caller's access is looked at again; nil: nobody asks

	SessionID string // of the session that it came with; "" if it came without one
	Seen      int64  // revision of what the caller decides on, as they saw it; 0: they do not say
}

func (c Call) looked() {
	if c.Looked != nil {
		*c.Looked = true
	}
}

// credential is what is read again in the transaction; nothing for the house's
// own acts.
func (c Call) credential() store.Credential {
	if c.Actor.Role == cab.System {
		return store.Credential{}
	}
	return store.Credential{PrincipalID: c.Actor.ID, TokenID: c.TokenID, SessionID: c.SessionID}
}

// stillThere refuses a call whose caller's access has ended since it was let in.
func (c Call) stillThere(tx *store.Tx, now time.Time) error {
	if c.Actor.Role == cab.System {
		return nil
	}
	c.looked()
	caller, err := tx.Caller(c.credential())
	if err != nil {
		return err
	}
	return c.stillIs(caller, now)
}

func (c Call) stillIs(caller *cab.Caller, now time.Time) error {
	if err := caller.StillIs(c.Actor, c.TokenID != "", now); err != nil || c.SessionID == "" {
		return err
	}
	return caller.StillSignedIn(now)
}

// Once makes a verb happen once for each key of a principal. The answer is
// rendered and stored in the verb's own transaction; a later call with the same
// key and fingerprint gets a [Replayed] with those bytes, and with another
// fingerprint a conflict. A refusal changes nothing and is not stored.
type Once struct {
	Key         string
	Fingerprint string // digest of method, path and body
	Render      func(result any) (status int, body []byte, err error)
}

// Replayed is the answer that was given before under the same key. It travels
// as an error because the verb did not run.
type Replayed struct {
	Status int
	Body   []byte
}

func (*Replayed) Error() string { return "answered before under this Idempotency-Key" }

// Unwrap: to the store it is a refusal like any other, which undoes nothing.
func (*Replayed) Unwrap() error {
	return &cab.Error{Kind: cab.Conflict, Code: "REPLAYED", Message: "answered before"}
}

// tampered carries the event of a tampering found inside a transaction, or of a
// permit found void, so that the refusal and the event are both had: the event is
// committed, the verb is not.
type tampered struct {
	change  cab.Change
	refusal error
}

func (t *tampered) Error() string { return t.refusal.Error() }

// now is the moment of a call: UTC, whole microseconds, as stored.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

func (s *Service) cabCall(call Call) cab.Call {
	return cab.Call{Actor: call.Actor, Source: call.Source, Now: s.now()}
}

// newID is a time-ordered UUID (version 7).
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// do runs one changing verb in one transaction. Whether the role may ever do
// this is settled before anything is looked up; that the caller still has the
// role is settled again in the transaction. The closure may run twice: each
// run starts from nothing.
func do[T any](ctx context.Context, s *Service, call Call, action cab.Action, verb func(tx *store.Tx, c cab.Call) (T, error)) (T, error) {
	return doWith(s, call, action, func(update func(*store.Tx, struct{}) error) error {
		return s.store.UpdateAs(ctx, call.credential(), func(tx *store.Tx) error { return update(tx, struct{}{}) })
	}, func(tx *store.Tx, c cab.Call, _ struct{}) (T, error) { return verb(tx, c) })
}

// doWith is do for a verb that begins with a composite read, which run does.
func doWith[In, T any](s *Service, call Call, action cab.Action, run func(update func(*store.Tx, In) error) error, verb func(tx *store.Tx, c cab.Call, in In) (T, error)) (T, error) {
	var result, none T
	var refusal error
	if err := permit(call.Actor, action); err != nil {
		return none, err
	}
	err := run(func(tx *store.Tx, in In) error {
		result, refusal = none, nil
		if err := call.stillThere(tx, s.now()); err != nil {
			return err
		}
		if err := replay(tx, call); err != nil {
			return err
		}
		var err error
		result, err = verb(tx, s.cabCall(call), in)
		if found, ok := errors.AsType[*tampered](err); ok {
			refusal = found.refusal
			return tx.Save(found.change)
		}
		if err != nil {
			return err
		}
		return keepAnswer(tx, call, result, s.now())
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return none, err
	}
	return result, nil
}

// permit lets the operator at the machine's own command line administer.
func permit(actor cab.Actor, action cab.Action) error {
	if actor == cab.Setup && action == cab.Administer {
		return nil
	}
	return cab.Permit(actor, action)
}

func replay(tx *store.Tx, call Call) error {
	if call.Once == nil {
		return nil
	}
	before, found, err := tx.Replay(call.Actor.ID, call.Once.Key)
	switch {
	case err != nil:
		return err
	case !found:
		return nil
	case before.Fingerprint != call.Once.Fingerprint:
		return &cab.Error{
			Kind: cab.Conflict, Code: "IDEMPOTENCY_KEY_REUSED",
			Message: "this Idempotency-Key was used for another request; use a new key for each new request",
		}
	}
	return &Replayed{Status: before.Status, Body: before.Body}
}

func keepAnswer(tx *store.Tx, call Call, result any, now time.Time) error {
	if call.Once == nil {
		return nil
	}
	status, body, err := call.Once.Render(result)
	if err != nil {
		return err
	}
	return tx.SaveReplay(store.Replay{
		PrincipalID: call.Actor.ID, Key: call.Once.Key, Fingerprint: call.Once.Fingerprint,
		Status: status, Body: body, CreatedAt: now,
	})
}

// see runs one reading verb on a snapshot, in which it is settled again that the
// caller still has the role.
func see[T any](ctx context.Context, s *Service, call Call, action cab.Action, verb func(r *store.Reader) (T, error)) (T, error) {
	var result, none T
	if err := permit(call.Actor, action); err != nil {
		return none, err
	}
	read := func(r *store.Reader) error {
		var err error
		result, err = verb(r)
		return err
	}
	var err error
	if call.Actor.Role == cab.System {
		err = s.store.View(ctx, read)
	} else {
		call.looked()
		err = s.store.ViewAs(ctx, call.credential(), func(c *cab.Caller) error { return call.stillIs(c, s.now()) }, read)
	}
	if err != nil {
		return none, err
	}
	return result, nil
}
