package cab

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an [Error] is. The HTTP interface maps each
// kind to one status, in one place.
type Kind uint8

// The kinds. Internal is the zero value: an error that nobody classified is
// ours, shows a reference number and nothing else.
const (
	Internal    Kind = iota
	Invalid          // the caller sent something wrong; mend it and send again
	Forbidden        // this actor may not do this
	NotFound         // no such thing
	Conflict         // the thing is not in a state that allows this
	Unavailable      // the store cannot be reached just now; nothing was done
)

// FieldError names one member of the caller's input and what is wrong with it.
type FieldError struct {
	Field   string
	Message string
}

// Error is a refusal with a stable code. Message is written for the person who
// made the call: what is wrong and what to do.
type Error struct {
	Kind    Kind
	Code    string // stable, upper case: RISK_SCORE_MISMATCH
	Message string
	Fields  []FieldError // for Invalid: the members at fault
	Missing []string     // for EVIDENCE_INCOMPLETE: the paths that lack
	Closed  *Opening     // for GATE_CLOSED and SCOPE_CHANGE_REQUIRED: why
	Err     error        // the cause, for the log only; never shown
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf reports the kind of err: Internal unless an *Error is in its chain.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// CodeOf reports the stable code of err, or "" when it has none.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

func conflict(code, format string, args ...any) *Error {
	return &Error{Kind: Conflict, Code: code, Message: fmt.Sprintf(format, args...)}
}

func forbidden(code, format string, args ...any) *Error {
	return &Error{Kind: Forbidden, Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{
		Kind: Invalid, Code: "INVALID_INPUT", Message: field + ": " + message,
		Fields: []FieldError{{Field: field, Message: message}},
	}
}
