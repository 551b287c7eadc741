package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
)

// Passwords are hashed with Argon2id, by the numbers of RFC 9106's second
// recommendation but for the lanes, which are as many as a small machine has cores.
const (
	hashMemory = 64 << 10 // KiB
	hashPasses = 3
	hashLanes  = 2
	hashBytes  = 32
	saltBytes  = 16
)

// At most hashesAtOnce are worked out together, and one for a network: a hundred
// sign-ins at the same moment take turns, and no more than 128 MiB, and one network
// does not keep the others waiting. Who has not had their turn within hashWait is sent
// away.
const (
	hashesAtOnce = 2
	hashWait     = 8 * time.Second
)

// hasher hashes passwords, a few at a time.
type hasher struct {
	turns *semaphore.Weighted
	dummy string // the hash of no password, for names that nobody has

	mu    sync.Mutex
	lines map[string]*line // by network, while somebody stands in it
}

// line is where those of one network take turns.
type line struct {
	turn *semaphore.Weighted
	in   int // how many stand in it
}

func newHasher() *hasher {
	h := &hasher{turns: semaphore.NewWeighted(hashesAtOnce), lines: map[string]*line{}}
	// The form of a hash that no password has: comparing with it takes as long.
	h.dummy = written(make([]byte, saltBytes), make([]byte, hashBytes))
	return h
}

// turn runs work when it is its turn.
func (h *hasher) turn(ctx context.Context, network string, work func()) error {
	limited, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	l := h.join(network)
	defer h.leave(network, l)
	for _, turns := range []*semaphore.Weighted{l.turn, h.turns} {
		if err := turns.Acquire(limited, 1); err != nil {
			return &cab.Error{Kind: cab.Unavailable, Code: "BUSY", Message: "too many people are signing in at this moment; try again in a minute", Err: err}
		}
		defer turns.Release(1)
	}
	work()
	return nil
}

func (h *hasher) join(network string) *line {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lines[network]
	if l == nil {
		l = &line{turn: semaphore.NewWeighted(1)}
		h.lines[network] = l
	}
	l.in++
	return l
}

func (h *hasher) leave(network string, l *line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.in--; l.in == 0 {
		delete(h.lines, network)
	}
}

// hash makes the hash of a password, with the numbers that it was made by.
func (h *hasher) hash(ctx context.Context, network, password string) (text string, err error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails: the program stops first
	err = h.turn(ctx, network, func() {
		text = written(salt, argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashBytes))
	})
	return text, err
}

// matches compares a password with a hash, of nobody's password if hash is "". It
// takes as long whatever the outcome.
func (h *hasher) matches(ctx context.Context, network, password, hash string) (bool, error) {
	nobody := hash == ""
	if nobody {
		hash = h.dummy
	}
	salt, want, err := read(hash)
	if err != nil {
		return false, err
	}
	same := false
	err = h.turn(ctx, network, func() {
		got := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashBytes)
		same = subtle.ConstantTimeCompare(got, want) == 1
	})
	return same && !nobody, err
}

// written is the PHC form of a hash.
func written(salt, sum []byte) string {
	return numbers + "$" + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(sum)
}

// numbers are what every stored hash was made by. Others would be read here, beside
// these, once these change.
var numbers = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d", argon2.Version, hashMemory, hashPasses, hashLanes)

func read(hash string) (salt, sum []byte, err error) {
	rest, ok := strings.CutPrefix(hash, numbers+"$")
	left, right, cut := strings.Cut(rest, "$")
	if !ok || !cut {
		return nil, nil, errors.New("a stored password hash has a form that this program does not know")
	}
	salt, err = base64.RawStdEncoding.DecodeString(left)
	sum, err2 := base64.RawStdEncoding.DecodeString(right)
	if err := errors.Join(err, err2); err != nil || len(salt) != saltBytes || len(sum) != hashBytes {
		return nil, nil, errors.New("a stored password hash cannot be read")
	}
	return salt, sum, nil
}
