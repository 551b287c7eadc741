package main

import (
	"errors"
	"fmt"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
)

// Exit statuses. Only 0 ever means yes.
const (
	exitYes     = 0 // done; approved; verified
	exitNo      = 1 // rejected, denied, refused; does not verify
	exitUsage   = 2 // the command line is wrong
	exitUnknown = 3 // could not tell: not decided yet, unreachable, nonsense
)

// exitError ends a command with a status. Its message, if any, is printed.
type exitError struct {
	code    int
	message string
}

func (e *exitError) Error() string { return e.message }

func no(format string, args ...any) error { return &exitError{exitNo, fmt.Sprintf(format, args...)} }

func unknown(format string, args ...any) error {
	return &exitError{exitUnknown, fmt.Sprintf(format, args...)}
}

// usage is a mistake in the command line or in a file that it names.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Sprintf(format, args...)}
}

// status prints an error and says which exit status it is. Whatever is not
// known to be a no is "could not tell".
func (a *app) status(err error) int {
	if err == nil {
		return exitYes
	}
	a.complain(err)
	return statusOf(err)
}

func (a *app) complain(err error) {
	if text := err.Error(); text != "" {
		fmt.Fprintln(a.errOut, "eucora:", text)
	}
}

func statusOf(err error) int {
	if own, ok := errors.AsType[*exitError](err); ok {
		return own.code
	}
	if problem, ok := errors.AsType[*api.Problem](err); ok {
		if problem.Status >= 400 && problem.Status < 500 && problem.Status != 429 && problem.Status != 408 {
			return exitNo
		}
		return exitUnknown
	}
	switch cab.KindOf(err) {
	case cab.Invalid, cab.Forbidden, cab.NotFound, cab.Conflict:
		return exitNo
	}
	return exitUnknown
}
