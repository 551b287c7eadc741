package cab

import (
	"bytes"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// mergeConditions is the conditions of every approving vote together. Two votes
// that name the same condition differently would leave open which one holds, so
// the second is refused: its voter agrees, chooses another name, or rejects.
func mergeConditions(votes []Vote) (jsontext.Value, error) {
	merged := map[string]jsontext.Value{}
	for _, vote := range votes {
		var conditions map[string]jsontext.Value
		if len(vote.Conditions) == 0 {
			continue
		}
		if err := json.Unmarshal(vote.Conditions, &conditions); err != nil {
			return nil, invalid("conditions", "must be an object")
		}
		for name, value := range conditions {
			if other, taken := merged[name]; taken && !bytes.Equal(other, value) {
				return nil, conflict("CONDITIONS_CONFLICT", "another approver set condition %q to %s; agree, use another name, or reject", name, other)
			}
			merged[name] = value
		}
	}
	if len(merged) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	return evidence.Canonical(text)
}
