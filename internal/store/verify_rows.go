package store

import (
	"database/sql"
	"errors"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// compareRows holds every row against the fold of the events.
func (v *verification) compareRows() error {
	for _, compare := range []func() error{
		func() error {
			return compareTable(v, cab.KindPrincipal, `SELECT `+principalColumns+` FROM principal p`, scanPrincipal, func(p *cab.Principal) string { return p.ID })
		},
		func() error {
			return compareTable(v, cab.KindToken, `SELECT `+tokenColumns+` FROM token t`, scanToken, func(t *cab.Token) string { return t.ID })
		},
		func() error {
			return compareTable(v, cab.KindModel, `SELECT `+publishedColumns+`, position FROM risk_model`, v.scanDocument(cab.KindModel), func(p *cab.Published) string { return p.Version })
		},
		func() error {
			return compareTable(v, cab.KindPolicy, `SELECT `+publishedColumns+`, position FROM policy`, v.scanDocument(cab.KindPolicy), func(p *cab.Published) string { return p.Version })
		},
		func() error {
			return compareTable(v, cab.KindDeployment, `SELECT `+deploymentColumns+` FROM deployment d`, scanDeployment, func(d *cab.Deployment) string { return d.ID })
		},
		func() error {
			return compareTable(v, cab.KindPackage, `SELECT `+packageColumns+`, p.document, p.position FROM evidence_package p`, v.scanHashed, func(p *cab.Package) string { return p.ID })
		},
		func() error {
			return compareTable(v, cab.KindRequest, `SELECT `+requestColumns+` FROM cab_request r`, scanRequest, func(q *cab.Request) string { return q.ID })
		},
		func() error {
			return compareTable(v, cab.KindVote, `SELECT `+voteColumns+` FROM vote o`, scanVote, func(o *cab.Vote) string { return o.RequestID + "/" + o.Voter.ID })
		},
		func() error {
			return compareTable(v, cab.KindDecision, `SELECT `+decisionColumns+` FROM decision v`, scanDecision, func(d *cab.Decision) string { return d.RequestID })
		},
		func() error {
			return compareTable(v, cab.KindException, `SELECT `+exceptionColumns+` FROM cab_exception e`, scanException, func(e *cab.Exception) string { return e.ID })
		},
		func() error {
			return compareTable(v, cab.KindPermit, `SELECT `+permitColumns+` FROM start_permit m`, scanPermit, func(p *cab.StartPermit) string { return p.ID })
		},
	} {
		if err := compare(); err != nil {
			return err
		}
	}
	return v.scratch.unseen(func(subject cab.Subject, seq int64) {
		v.find(seq, "%s %s is gone: event %d wrote it", subject.Kind, subject.ID, seq)
	})
}

// compareTable compares one table's rows, and takes them off what the events
// say; what remains in the end has been deleted.
func compareTable[T any](v *verification, kind cab.SubjectKind, text string, scan func(row, *T) error, id func(*T) string) error {
	return v.r.c.run(statement{text, nil, func(r row) error {
		var value T
		v.report.Rows++
		lenient := &lenientRow{row: r}
		if err := errors.Join(scan(lenient, &value), lenient.err); err != nil {
			v.find(-1, "%s %s cannot be read: %v", kind, id(&value), err)
			return v.scratch.seen(cab.Subject{Kind: kind, ID: id(&value)})
		}
		subject := cab.Subject{Kind: kind, ID: id(&value)}
		state, _, known, err := v.scratch.state(subject)
		if err := errors.Join(err, v.scratch.seen(subject), v.broken); err != nil {
			return err
		}
		digest, err := cab.RowDigest(&value)
		switch {
		case err != nil:
			v.find(state.Seq, "%s %s cannot be compared: %v", kind, subject.ID, err)
		case !known:
			v.find(-1, "%s %s was never written by an event", kind, subject.ID)
		case digest != state.Digest:
			v.find(state.Seq, "%s %s is not what event %d wrote", kind, subject.ID, state.Seq)
		}
		return nil
	}})
}

// lenientRow scans what it can, and keeps what it cannot: a column that was
// altered must not hide the others. (A driver may give up all rows after a
// failed scan, so a failing scanner is not shown to it.)
type lenientRow struct {
	row
	err error
}

func (l *lenientRow) Scan(dest ...any) error {
	for i := range dest {
		if scanner, ok := dest[i].(sql.Scanner); ok {
			dest[i] = lenientScanner{scanner, l}
		}
	}
	return l.row.Scan(dest...)
}

type lenientScanner struct {
	sql.Scanner
	of *lenientRow
}

func (s lenientScanner) Scan(value any) error {
	s.of.err = errors.Join(s.of.err, s.Scanner.Scan(value))
	return nil
}

// scanHashed reads a package and hashes its document.
func (v *verification) scanHashed(r row, p *cab.Package) error {
	var position int64
	if err := r.Scan(append(packageFields(p), &p.Document, &position)...); err != nil {
		return err
	}
	subject := cab.Subject{Kind: cab.KindPackage, ID: p.ID}
	if evidence.Digest(p.Document) != p.ContentHash {
		v.find(v.stateOf(subject).Seq, "the document of evidence %s no longer has its hash", p.ID)
	}
	v.inPlace(subject, position)
	v.refers(p)
	return nil
}

// scanDocument reads a model or policy and hashes its document.
func (v *verification) scanDocument(kind cab.SubjectKind) func(row, *cab.Published) error {
	return func(r row, p *cab.Published) error {
		var position int64
		if err := r.Scan(append(publishedFields(p), &position)...); err != nil {
			return err
		}
		if evidence.Digest(p.Document) != p.Digest {
			v.find(-1, "the document of version %s no longer has its published digest", p.Version)
		}
		v.inPlace(cab.Subject{Kind: kind, ID: p.Version}, position)
		return nil
	}
}

// inPlace checks a row's place among its like.
func (v *verification) inPlace(subject cab.Subject, position int64) {
	state, want, known, err := v.scratch.state(subject)
	v.note(err)
	if known && want != position {
		v.find(state.Seq, "%s %s stands at place %d; event %d made it number %d", subject.Kind, subject.ID, position, state.Seq, want)
	}
}

// stateOf is what the events say of a row.
func (v *verification) stateOf(subject cab.Subject) cab.RowState {
	state, _, _, err := v.scratch.state(subject)
	v.note(err)
	return state
}
