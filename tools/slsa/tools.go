//go:build tools

// Package slsa holds the version of slsa-verifier that tests run: apart from the
// other tools, for what it needs is much.
package slsa

import _ "github.com/slsa-framework/slsa-verifier/v2/cli/slsa-verifier"
