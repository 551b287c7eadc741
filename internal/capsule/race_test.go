//go:build race

package capsule_test

const race = true
