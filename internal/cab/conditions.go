package cab

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ConditionState is how a condition stands at a moment. What is not met, and what
// nobody can tell, closes the deployment gate.
type ConditionState string

// The states.
const (
	ConditionMet     ConditionState = "met"
	ConditionUnmet   ConditionState = "unmet"
	ConditionUnknown ConditionState = "unknown"
)

// Condition is one condition of an approval as it stands at a moment.
type Condition struct {
	Name  string
	Value jsontext.Value // as the board wrote it
	State ConditionState
	Says  string // what is so, for people to read
}

// test is a condition that has been read: it judges a rollout at a moment.
type test func(Grounds, Rollout) (ConditionState, string)

// ConditionKind is a condition that the gate knows, and what its value is.
type ConditionKind struct {
	Name, Value string // what it is called, and what it wants, in words
	read        func(jsontext.Value) (test, error)
}

// conditionKinds is every condition that a board can set. What the gate cannot
// check by itself is a note, or none. docs/gate.md explains each.
var conditionKinds = []ConditionKind{
	{"max_ring", "a ring", readMaxRing},
	{"max_devices", "a whole number from 1", readMaxDevices},
	{"max_rollout_percent", "a whole number, 1 to 100", readMaxPercent},
	{"not_before", "a time such as 2026-12-01T20:00:00Z", readNotBefore},
	{"not_after", "a time such as 2026-12-01T20:00:00Z", readNotAfter},
	{"window", `an object such as {"days":["SAT","SUN"],"from":"20:00","to":"04:00","time_zone":"Europe/Berlin"}`, readWindow},
	{"requires_check", "a name such as smoke_test, or a list of them", readRequiresCheck},
	{"monitor_hours", "a whole number, 1 to 720", readMonitorHours},
	{"note", "a text of 1 to 2000 characters", readNote},
}

// ConditionKinds lists the conditions that a board can set.
func ConditionKinds() []ConditionKind { return slices.Clone(conditionKinds) }

// ConditionNames lists the conditions that a board can set.
func ConditionNames() []string {
	names := make([]string, len(conditionKinds))
	for i, kind := range conditionKinds {
		names[i] = kind.Name
	}
	return names
}

// readCondition reads one condition. The error is about its value, or says that
// there is no such condition.
func readCondition(name string, value jsontext.Value) (test, error) {
	i := slices.IndexFunc(conditionKinds, func(k ConditionKind) bool { return k.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("is no condition that the gate can check; the conditions are %s", strings.Join(ConditionNames(), ", "))
	}
	judge, err := conditionKinds[i].read(value)
	if err != nil {
		return nil, fmt.Errorf("%w; want %s", err, conditionKinds[i].Value)
	}
	return judge, nil
}

// members are the conditions of an object, one by one.
func members(conditions jsontext.Value) (map[string]jsontext.Value, error) {
	var all map[string]jsontext.Value
	if err := json.Unmarshal(conditions, &all); err != nil || all == nil {
		return nil, invalid("conditions", "must be an object")
	}
	return all, nil
}

// CheckConditions refuses a vote with a condition that nothing would check: it
// would be stored and never read.
func CheckConditions(conditions jsontext.Value) error {
	if len(conditions) == 0 {
		return nil
	}
	all, err := members(conditions)
	if err != nil {
		return err
	}
	refused := &Error{Kind: Invalid, Code: "INVALID_INPUT"}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, err := readCondition(name, all[name]); err != nil {
			refused.Fields = append(refused.Fields, FieldError{"conditions." + name, err.Error()})
			texts = append(texts, "conditions."+name+" "+err.Error())
		}
	}
	if len(refused.Fields) == 0 {
		return nil
	}
	refused.Message = strings.Join(texts, "; ")
	return refused
}

// judgeConditions is how each condition of a decision stands, in the order of
// their names. What is stored and not understood, such as what was written
// before conditions were checked, is unknown.
func judgeConditions(conditions jsontext.Value, g Grounds, r Rollout) ([]Condition, error) {
	if len(conditions) == 0 {
		return nil, nil
	}
	all, err := members(conditions)
	if err != nil {
		return nil, err
	}
	var judged []Condition
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := Condition{Name: name, Value: all[name], State: ConditionUnknown}
		if judge, err := readCondition(name, all[name]); err != nil {
			c.Says = err.Error()
		} else {
			c.State, c.Says = judge(g, r)
		}
		judged = append(judged, c)
	}
	return judged, nil
}

// mergeConditions is the conditions of every approving vote together. Two votes
// that name the same condition differently would leave open which one holds, so
// the second is refused: its voter agrees, or rejects. Auditors merge again, also
// what was stored before conditions had kinds.
func mergeConditions(votes []Vote) (jsontext.Value, error) {
	merged := map[string]jsontext.Value{}
	for _, vote := range votes {
		if len(vote.Conditions) == 0 {
			continue
		}
		var conditions map[string]jsontext.Value
		if err := json.Unmarshal(vote.Conditions, &conditions); err != nil {
			return nil, invalid("conditions", "must be an object")
		}
		for name, value := range conditions {
			if other, taken := merged[name]; taken && !bytes.Equal(other, value) {
				return nil, conflict("CONDITIONS_CONFLICT", "another approver set condition %q to %s; agree on one value, or reject", name, other)
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
