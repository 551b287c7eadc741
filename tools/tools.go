//go:build tools

// Package tools pins the programs that the Makefile builds, apart from the
// product's own dependencies.
package tools

import (
	_ "filippo.io/torchwood/cmd/litewitness" // cosigns what a server signs, in a test
	_ "honnef.co/go/tools/cmd/staticcheck"
)
