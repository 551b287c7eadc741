// Package ledger is proof that something happened: an RFC 6962 Merkle tree over
// the events' leaves and signed checkpoints (C2SP tlog-checkpoint, Ed25519) of
// it. It is pure: where tiles and checkpoints are kept is package store's
// business. docs/ledger-format.md specifies the bytes.
package ledger
