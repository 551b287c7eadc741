package artifact

import (
	"crypto"
	"fmt"
	"hash"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// maxPGPPasses is how often a file is read for the signatures over it.
const maxPGPPasses = 2

// maxSlow is how many bytes of a file are hashed by SHA-3, which is five times as
// slow as the others, and by MD5 beside something strong, which it adds nothing to.
const maxSlow = 512 << 20

func tooSlow(algorithm crypto.Hash, size int64) bool {
	return size > maxSlow && (algorithm == crypto.SHA3_256 || algorithm == crypto.SHA3_512)
}

// pgpContent is what OpenPGP signatures are about.
type pgpContent struct {
	size   int64
	write  func(io.Writer) error
	passes int
	states map[crypto.Hash]hash.Cloner // after the content, for signatures whose digests begin with it
}

// digest begins a signature's digest with the content. The reason says why that
// is not done, if it is not.
func (c *pgpContent) digest(sig *packet.Signature) (h hash.Hash, reason string, err error) {
	salted := sig.Version >= 6
	if state := c.states[sig.Hash]; state != nil && !salted {
		h, err := state.Clone()
		return h, "", err
	}
	if h, err = sig.PrepareVerify(); err != nil {
		return nil, "an OpenPGP signature of a kind that is not checked: " + err.Error(), nil
	}
	if tooSlow(sig.Hash, c.size) {
		return nil, fmt.Sprintf("%v is not computed of more than %d bytes", sig.Hash, maxSlow), nil
	}
	if c.passes == maxPGPPasses {
		return nil, fmt.Sprintf("the signatures ask for more than %d digests of the file; this one's was not computed", maxPGPPasses), nil
	}
	c.passes++
	if err := c.write(h); err != nil {
		return nil, "", err
	}
	if state, ok := h.(hash.Cloner); ok && !salted {
		if c.states == nil {
			c.states = map[crypto.Hash]hash.Cloner{}
		}
		if c.states[sig.Hash], err = state.Clone(); err != nil {
			return nil, "", err
		}
	}
	return h, "", nil
}
