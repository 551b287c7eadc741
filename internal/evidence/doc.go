// Package evidence holds the evidence package: its sections, what makes them
// complete, the facts that scoring reads from them, and the canonical document
// that is stored, hashed and served. It is pure: no input, no output, no clock.
//
// The words and limits are those of the specification, section 3. JSON is
// I-JSON (RFC 7493) as narrowed there; the canonical form is RFC 8785.
package evidence
