package cab

import (
	"time"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/risk"
)

// Published is a risk model or a policy as it was published: immutable, known
// by version and digest.
type Published struct {
	Version     string    `json:"version"`
	Digest      string    `json:"digest"` // SHA-256 of Document, lower-case hex
	PublishedBy Person    `json:"published_by"`
	PublishedAt time.Time `json:"published_at"`
	Document    []byte    `json:"-"` // RFC 8785 form
}

// PublishModel makes a risk model available to policies. known is the model
// already published under that version, or nil; thresholds are those of the
// policy in force: a version that could never be used is not used up.
func PublishModel(call Call, model *risk.Model, thresholds risk.Thresholds, known *Published) (Change, error) {
	if err := model.Check(thresholds).Err(); err != nil {
		return Change{}, &Error{Kind: Invalid, Code: "GATE_UNREACHABLE", Err: err, Message: "risk model " + model.Version() + ": " + err.Error()}
	}
	p, err := publish(call, "risk model", model.Version(), model.Document(), known)
	if err != nil {
		return Change{}, err
	}
	event := call.event(ModelChanged, "", "", Subject{KindModel, p.Version}, EventData{Model: p})
	return Change{Model: p, Events: []Event{event}}, nil
}

// PublishPolicy puts a policy in force, together with the risk model that it
// names: the newest policy is the one in force. An unreachable gate is an
// error unless the model's author allows it.
func PublishPolicy(call Call, policy Policy, model *risk.Model, known *Published) (Change, error) {
	document, err := policy.Document()
	if err != nil {
		return Change{}, err
	}
	if err := model.Check(policy.RiskThresholds()).Err(); err != nil {
		return Change{}, &Error{
			Kind: Invalid, Code: "GATE_UNREACHABLE", Err: err,
			Message: "policy " + policy.Version + " with risk model " + model.Version() + ": " + err.Error(),
		}
	}
	p, err := publish(call, "policy", policy.Version, document, known)
	if err != nil {
		return Change{}, err
	}
	event := call.event(PolicyChanged, "", "", Subject{KindPolicy, p.Version}, EventData{Policy: p})
	return Change{Policy: p, Events: []Event{event}}, nil
}

func publish(call Call, noun, version string, document []byte, known *Published) (*Published, error) {
	if err := permitAdministration(call.Actor); err != nil {
		return nil, err
	}
	digest := evidence.Digest(document)
	if known != nil {
		if known.Digest == digest {
			return nil, conflict("NOTHING_TO_CHANGE", "%s %s is published already", noun, version)
		}
		return nil, conflict("VERSION_IMMUTABLE", "%s %s is published with other contents; give the change a new version", noun, version)
	}
	return &Published{
		Version: version, Digest: digest, PublishedBy: call.Actor.Person(), PublishedAt: call.Now, Document: document,
	}, nil
}
