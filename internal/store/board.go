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

// openStatus is the SQL of "still waits for something". The condition of the index
// request_due is the same, word for word: SQLite wants it so.
const openStatus = `status IN ('submitted', 'under_review', 'exception_required')`

// from is where the rows that the filter asks about are. Deployments are looked at
// only if it asks about them.
func (f BoardFilter) from() string {
	if f.Ring == "" && f.Text == "" {
		return "cab_request q"
	}
	return "cab_request q JOIN deployment d ON d.id = q.deployment_id"
}

// heads are the statements, one a status, that find a page's ids. Each status is
// looked up by itself, as in [Reader.Requests]: the open ones by an index in any
// order, the others in the order newest.
func (f BoardFilter) heads(limited where, column, direction string) []string {
	limit := len(limited.args)
	statuses := f.Statuses
	if statuses == nil {
		statuses = cab.Statuses()
	}
	var heads []string
	for i, status := range statuses {
		head := limited.clone()
		head.add("q.status = " + literal(status))
		if status.Open() {
			head.add("q." + openStatus)
		}
		heads = append(heads, fmt.Sprintf(`SELECT * FROM (SELECT q.id, q.%[1]s FROM %[2]s%[3]s ORDER BY q.%[1]s %[4]s, q.id %[4]s LIMIT $%[5]d) AS head%[6]d`,
			column, f.from(), head.sql(), direction, limit, i))
	}
	return heads
}

// Board lists requests with what they are about, in one round trip.
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
	if f.Statuses != nil {
		base.add("q.status IN (" + literals(f.Statuses) + ")")
	}
	var result Page[BoardRow]
	err := r.c.run(
		into(&result.Rows, scanBoardRow, fmt.Sprintf(`SELECT d.app_name, d.version, d.target_ring, %[1]s, %[2]s
			FROM (SELECT * FROM (%[3]s) AS heads ORDER BY %[5]s %[6]s, id %[6]s LIMIT $%[7]d) AS page
			JOIN cab_request r ON r.id = page.id JOIN deployment d ON d.id = r.deployment_id %[4]s ORDER BY r.%[5]s %[6]s, r.id %[6]s`,
			requestColumns, decisionColumns, strings.Join(f.heads(limited, order.column, order.direction), " UNION ALL "), joinDecision,
			order.column, order.direction, len(limited.args)), limited.args...),
		counting(&result.Count, f.from()+base.sql(), base.args))
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
	RequestStatus       cab.Status
	Score               evidence.Score
	Gate                cab.Gate
}

const (
	exceptionAbout = `d.app_name, d.version, d.target_ring, r.name, r.status, r.risk_score, r.gate`
	fromExceptions = `cab_exception e JOIN deployment d ON d.id = e.deployment_id JOIN cab_request r ON r.id = e.request_id`
)

func scanExceptionRow(r row, x *ExceptionRow) error {
	about := []any{&x.AppName, &x.AppVersion, &x.Ring, &x.RequestName, &x.RequestStatus, &x.Score, fromJSON{&x.Gate}}
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
