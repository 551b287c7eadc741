// Package cab holds the rules of change approval: who may do what next, and
// what follows from it. It is pure: no input, no output, no clock and no
// randomness. Every verb takes what it needs to know (the actor, the moment,
// the rows it concerns) and returns a [Change]: the rows to save together with
// the events that say so. Package workflow runs a verb inside one transaction;
// package store saves the Change as it is. A rule lives here or nowhere.
//
// The words are those of ITIL 4 change enablement as the product's
// specification narrows them: see docs/glossary.md.
package cab
