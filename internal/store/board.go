package store

import (
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// BoardRow is a request with what it is about.
type BoardRow struct {
	RequestRow
	AppName, AppVersion string
	Ring                cab.Ring
}

// BoardOrder is how a board is sorted.
type BoardOrder string

// The orders.
const (
	NewestFirst BoardOrder = "newest"
	DueFirst    BoardOrder = "due"
	RiskFirst   BoardOrder = "risk"
)

// BoardFilter chooses the requests on a board.
type BoardFilter struct {
	Paging
	Order            BoardOrder
	Statuses         []cab.Status // none: all
	RiskMin, RiskMax *evidence.Score
	Ring             cab.Ring
	Text             string // in the application, the version, the submitter or the name
	SubmittedBy      string
	ApprovedOnly     bool
}

// boardOrders are the orders in SQL: the column, its direction, and which rows come
// after one.
var boardOrders = map[BoardOrder]struct{ column, direction, after string }{
	NewestFirst: {"submitted_at", "DESC", "<"},
	DueFirst:    {"due_at", "ASC", ">"},
	RiskFirst:   {"risk_score", "DESC", "<"},
}

func (f BoardFilter) where() where {
	var w where
	w.equal("q.submitted_by_id", f.SubmittedBy)
	w.equal("d.target_ring", string(f.Ring))
	if f.RiskMin != nil {
		w.add("q.risk_score >= ?", int64(*f.RiskMin))
	}
	if f.RiskMax != nil {
		w.add("q.risk_score <= ?", int64(*f.RiskMax))
	}
	if f.ApprovedOnly {
		w.add("q." + approvedStatus)
	}
	if f.Text != "" {
		like := "%" + likeText(f.Text) + "%"
		w.add(`(lower(d.app_name) LIKE ? ESCAPE '\' OR lower(d.version) LIKE ? ESCAPE '\' OR lower(q.submitted_by_name) LIKE ? ESCAPE '\' OR lower(q.name) LIKE ? ESCAPE '\')`,
			like, like, like, like)
	}
	return w
}

// likeText is a text as LIKE wants it, in small letters as far as both engines know
// them: ASCII.
func likeText(text string) string {
	small := strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, text)
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(small)
}

// Board lists requests with what they are about, in one round trip. As in
// [Reader.Requests] each status is looked up by itself; one that has many rows is
// cheap to page through in the order newest, and is gone through in the others.
func (r *Reader) Board(f BoardFilter) (Page[BoardRow], error) {
	order, ok := boardOrders[f.Order]
	if !ok {
		order = boardOrders[NewestFirst]
	}
	base := f.where()
	limited := base.clone()
	if f.Cursor != "" {
		at, err := parseCursor(f.Cursor)
		if err != nil {
			return Page[BoardRow]{}, err
		}
		limited.add(fmt.Sprintf("(q.%s, q.id) %s (?, ?)", order.column, order.after), at.time, at.id)
	}
	limited.args = append(limited.args, f.limit()+1)
	limit := len(limited.args)
	const from = "cab_request q JOIN deployment d ON d.id = q.deployment_id"
	statuses := f.Statuses
	if statuses == nil {
		statuses = cab.Statuses()
	}
	var heads []string
	for i, status := range statuses {
		head := limited.clone()
		head.add("q.status = " + literal(status))
		heads = append(heads, fmt.Sprintf(`SELECT * FROM (SELECT q.*, d.app_name AS of_app, d.version AS of_version, d.target_ring AS of_ring FROM %s%s ORDER BY q.%s %s, q.id %s LIMIT $%d) AS head%d`,
			from, head.sql(), order.column, order.direction, order.direction, limit, i))
	}
	base.add("q.status IN (" + literals(statuses) + ")")
	var result Page[BoardRow]
	err := r.c.run(
		into(&result.Rows, scanBoardRow, fmt.Sprintf(`SELECT r.of_app, r.of_version, r.of_ring, %s, %s FROM (%s) AS r %s ORDER BY r.%s %s, r.id %s LIMIT $%d`,
			requestColumns, decisionColumns, strings.Join(heads, " UNION ALL "), joinDecision, order.column, order.direction, order.direction, limit), limited.args...),
		counting(&result.Count, from+base.sql(), base.args))
	if err != nil {
		return Page[BoardRow]{}, err
	}
	finish(&result, f.limit(), func(row *BoardRow) cursor {
		key := map[BoardOrder]int64{DueFirst: micros(row.DueAt), RiskFirst: int64(row.Score)}
		if at, ok := key[f.Order]; ok {
			return cursor{at, row.ID}
		}
		return cursor{micros(row.SubmittedAt), row.ID}
	})
	return result, nil
}

func scanBoardRow(r row, b *BoardRow) error {
	var d cab.Decision
	fields := append([]any{&b.AppName, &b.AppVersion, &b.Ring}, requestFields(&b.Request)...)
	if err := r.Scan(append(fields, decisionFields(&d)...)...); err != nil {
		return err
	}
	if d.RequestID != "" {
		b.Decision = &d
	}
	return nil
}

// ExceptionRow is an exception with what it is about.
type ExceptionRow struct {
	cab.Exception
	AppName, AppVersion string
	Ring                cab.Ring
	RequestName         string
	Score               evidence.Score
	Gate                cab.Gate
}

const (
	exceptionAbout = `d.app_name, d.version, d.target_ring, r.name, r.risk_score, r.gate`
	fromExceptions = `cab_exception e JOIN deployment d ON d.id = e.deployment_id JOIN cab_request r ON r.id = e.request_id`
)

func scanExceptionRow(r row, x *ExceptionRow) error {
	about := []any{&x.AppName, &x.AppVersion, &x.Ring, &x.RequestName, &x.Score, fromJSON{&x.Gate}}
	return scanException(scanning{r, about}, &x.Exception)
}

// scanning is a row of which some more columns are scanned after those asked for.
type scanning struct {
	row
	more []any
}

func (s scanning) Scan(dest ...any) error { return s.row.Scan(append(dest, s.more...)...) }

// ExceptionBoard lists exceptions with what they are about, newest first.
func (r *Reader) ExceptionBoard(f ExceptionFilter) (Page[ExceptionRow], error) {
	return page(r, f.Paging, listing[ExceptionRow]{
		columns: exceptionColumns + ", " + exceptionAbout, from: fromExceptions,
		time: "e.requested_at", id: "e.id", where: f.where(), scan: scanExceptionRow,
		key: func(x *ExceptionRow) cursor { return cursor{micros(x.RequestedAt), x.ID} },
	})
}

// ExceptionsOf lists the newest exceptions of an application, for whatever version.
func (r *Reader) ExceptionsOf(app string, limit int) ([]ExceptionRow, error) {
	return all(r, scanExceptionRow, `SELECT `+exceptionColumns+`, `+exceptionAbout+` FROM `+fromExceptions+`
		WHERE d.app_name = $1 ORDER BY e.requested_at DESC, e.id DESC LIMIT $2`, app, limit)
}
