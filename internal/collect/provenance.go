package collect

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of attestations.
const (
	maxAttestations = 1 << 14  // of one file
	maxSubjects     = 1 << 17  // of one file
	maxSignatures   = 100      // of one envelope
	maxKept         = 64 << 20 // payloads, signatures, certificates and names of one file, in bytes
	maxDigests      = 16       // of one subject
)

// Attestation is what somebody says about files, and who signed that. Nothing
// in it is verified before [Attestation.VerifiedBy] says so.
type Attestation struct {
	PredicateType string // "" for a signature over a file, and for a payload that is not an in-toto statement
	BuilderID     string // who built the subjects; "" where the predicate does not say
	BuildType     string
	Dependencies  int // materials, or resolved dependencies, of the build
	Subjects      []Subject

	PayloadType string // of the envelope; "" without one
	Envelope    []byte // what the signatures are over (DSSE's encoding of payload type and payload); nil without an envelope
	Signatures  int    // how many there are, good or bad

	Certificate []byte // the leaf that came with the signature, DER; stated, not verified, like the next two
	Identity    string // whom the certificate names
	Issuer      string // who told the certificate's authority so
	KeyHint     string // which key signed, where no certificate did
	LogEntries  int    // of a transparency log; they are not checked
	Timestamps  int    // RFC 3161; they are not checked

	signatures [][]byte
}

// Subject is a file that an attestation is about. Without a digest no file
// can be matched with it.
type Subject struct {
	Name    string            // or, without one, its URI
	Digests map[string]string // by algorithm (sha256), in lower-case hex
}

// Provenance tells whether the attestation says how its subjects were built:
// only SLSA provenance of a version that is read does.
func (a Attestation) Provenance() bool { return slsaVersion(a.PredicateType) != 0 }

// Names tells whether the attestation is about the file with this SHA-256.
func (a Attestation) Names(sha256 string) bool {
	return sha256 != "" && slices.ContainsFunc(a.Subjects, func(s Subject) bool {
		return s.Digests["sha256"] == strings.ToLower(sha256)
	})
}

// attestations reads the values of one file.
type attestations struct {
	into     *Report
	kept     int // bytes
	subjects int
}

// readAttestations reads one JSON value, an array of them, or one after the
// other (JSON lines); each tells itself what it is.
func readAttestations(f *file, into *Report) error {
	r, d := attestations{into: into}, f.decoder()
	for {
		switch d.PeekKind() {
		case 0:
			if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
				return err
			}
			return r.anything()
		case '[':
			if err := elements(d, r.value); err != nil {
				return err
			}
		default:
			if err := r.value(d); err != nil {
				return err
			}
		}
	}
}

// anything refuses a file that says nothing about any file.
func (r *attestations) anything() error {
	if len(r.into.Attestations) == 0 {
		return errors.New("holds no attestation")
	}
	for _, a := range r.into.Attestations {
		if len(a.Subjects) > 0 {
			return nil
		}
	}
	return fmt.Errorf("payloadType %q is not %s: what is signed is not read", clip(r.into.Attestations[0].PayloadType, 60), inTotoPayload)
}

// value reads an object of any of the five shapes: its members tell which.
func (r *attestations) value(d *jsontext.Decoder) error {
	var s statement
	var e envelope
	var b bundle
	seen := map[string]bool{}
	all := members{}
	for shape, m := range map[string]members{
		"an in-toto statement": s.members(r), "a DSSE envelope": e.members(r), "a Sigstore bundle": b.members(r),
		"a list of attestations": {"attestations": r.responses, "attestation": r.response}, "a Cloud Build description": r.cloudBuild(),
	} {
		for name, read := range m {
			all[name] = func(d *jsontext.Decoder) error {
				seen[shape] = true
				return read(d)
			}
		}
	}
	if err := all.read(d); err != nil {
		return err
	}
	if len(seen) != 1 {
		shapes := slices.Sorted(maps.Keys(seen))
		return r.fault("is no attestation, or several at once (%s)", strings.Join(shapes, ", "))
	}
	switch {
	case seen["an in-toto statement"]:
		return r.addStatement(&s)
	case seen["a DSSE envelope"]:
		return r.addEnvelope(&e, Attestation{})
	case seen["a Sigstore bundle"]:
		return r.addBundle(&b, "")
	}
	return nil
}

func (r *attestations) addStatement(s *statement) error {
	var a Attestation
	if err := s.into(&a); err != nil {
		return r.fault("%v", err)
	}
	if len(r.into.Attestations) == 0 {
		r.into.Version = strings.TrimPrefix(s.kind, statementPrefix)
	}
	return r.add(a)
}

// add notes an attestation that was read whole.
func (r *attestations) add(a Attestation) error {
	if len(r.into.Attestations) == maxAttestations {
		return fmt.Errorf("holds more than %d attestations", maxAttestations)
	}
	r.into.Attestations = append(r.into.Attestations, a)
	return nil
}

// keep reads a text that is kept, within the limit of the whole file.
func (r *attestations) keep(to *string) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error {
		if err := value(to)(d); err != nil {
			return err
		}
		if len(*to) > maxValue {
			return errValueTooLarge
		}
		if r.kept += len(*to); r.kept > maxKept {
			return fmt.Errorf("holds more than %d bytes of payloads, signatures and names", maxKept)
		}
		return r.into.hold(len(*to))
	}
}

// fault is an error in the attestation that is being read.
func (r *attestations) fault(format string, args ...any) error {
	return &ReadError{Place: fmt.Sprintf("attestation %d", len(r.into.Attestations)+1), Reason: fmt.Sprintf(format, args...)}
}
