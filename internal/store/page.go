package store

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/google/uuid"
)

// countLimit is how far matches are counted: counting a million rows costs more
// than the page.
const countLimit = 10_000

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// Paging asks for one page, newest first.
type Paging struct {
	Limit  int    // 0: DefaultLimit
	Cursor string // Page.Next of the page before
}

func (p Paging) limit() int {
	if p.Limit <= 0 {
		return DefaultLimit
	}
	return p.Limit
}

// Page is one page of a list. Count is the number of all matches, exact up to
// 10,000; Capped says that there are more.
type Page[T any] struct {
	Rows   []T
	Count  int
	Capped bool
	Next   string // "" on the last page
}

// cursor is the place of a row in a list that is ordered by time and id.
type cursor struct {
	time int64
	id   string
}

func (c cursor) text() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", c.time, c.id))
}

func parseCursor(text string) (cursor, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		if _, err = fmt.Sscanf(string(raw), "%d %s", &c.time, &c.id); err == nil && c.text() == text && uuid.Validate(c.id) == nil {
			return c, nil
		}
	}
	return cursor{}, badCursor()
}

func badCursor() error {
	const message = "is not a cursor of this list; use the next of an earlier page, or leave it out"
	return &cab.Error{
		Kind: cab.Invalid, Code: "INVALID_INPUT", Message: "cursor: " + message,
		Fields: []cab.FieldError{{Field: "cursor", Message: message}},
	}
}

// where collects conditions and their arguments.
type where struct {
	terms []string
	args  []any
}

// add adds a condition; each ? in it stands for the next argument.
func (w *where) add(term string, args ...any) {
	for _, arg := range args {
		w.args = append(w.args, arg)
		term = strings.Replace(term, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.terms = append(w.terms, term)
}

// equal adds column = value unless value is empty.
func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

func (w where) clone() where {
	return where{append([]string(nil), w.terms...), append([]any(nil), w.args...)}
}

func (w where) sql() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// listing is a list of one noun: what to select, in which order.
type listing[T any] struct {
	columns, from string
	time, id      string // the columns that order the list
	where         where
	scan          func(row, *T) error
	key           func(*T) cursor
}

// page reads one page and counts the matches, in one round trip. It reads one
// row more than asked for, to know whether there is a next page.
func page[T any](r *Reader, p Paging, l listing[T]) (Page[T], error) {
	limited := l.where.clone()
	if p.Cursor != "" {
		at, err := parseCursor(p.Cursor)
		if err != nil {
			return Page[T]{}, err
		}
		limited.add("("+l.time+", "+l.id+") < (?, ?)", at.time, at.id)
	}
	limited.args = append(limited.args, p.limit()+1)
	var result Page[T]
	err := r.c.run(
		into(&result.Rows, l.scan, fmt.Sprintf(`SELECT %s FROM %s%s ORDER BY %s DESC, %s DESC LIMIT $%d`,
			l.columns, l.from, limited.sql(), l.time, l.id, len(limited.args)), limited.args...),
		counting(&result.Count, l.from+l.where.sql(), l.where.args))
	if err != nil {
		return Page[T]{}, err
	}
	finish(&result, p.limit(), l.key)
	return result, nil
}

// counting counts the rows of a FROM clause, as far as countLimit and one more.
func counting(n *int, from string, args []any) statement {
	text := fmt.Sprintf(`SELECT COUNT(*) FROM (SELECT 1 AS one FROM %s LIMIT %d) AS matches`, from, countLimit+1)
	return statement{text, args, func(r row) error { return r.Scan(n) }}
}

// finish caps the count and cuts off the row that was read to see whether there
// is a next page.
func finish[T any](p *Page[T], limit int, key func(*T) cursor) {
	if p.Count > countLimit {
		p.Count, p.Capped = countLimit, true
	}
	if len(p.Rows) > limit {
		p.Rows = p.Rows[:limit]
		p.Next = key(&p.Rows[limit-1]).text()
	}
}
