package console

import (
	"net/url"
	"strconv"
	"strings"
)

// listing is a long list as one page of it: what is sought, and where the others are.
type listing struct {
	Path      string // of the page itself
	Carried   []condition
	Text      string
	KindLabel string
	Kinds     []option
	Filtered  bool
	Count     string
	Place     string // page 2 of 100; "" if there is one only
	Previous  string // addresses; "" if there is none
	Next      string
	All       string // the address of the list without what is sought

	Title string
	One   string // what is counted: component, components
	Many  string
	Head  []string
	Rows  [][]cell
	Empty string
}

// cell is one value of a list.
type cell struct {
	Text  string
	Label string // of its column
	Code  bool
	Class string
}

// perPage is how many rows of a long list are on a page.
const perPage = 100

// sought is what somebody seeks in a list.
type sought struct{ text, kind string }

// has reports whether one of some texts has what is sought, in whatever case.
func (s sought) has(texts ...string) bool {
	if s.text == "" {
		return true
	}
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), s.text) {
			return true
		}
	}
	return false
}

// listOf chooses the rows that are sought, and one page of them. carried are the
// query's members that the list is one of several by. match is asked about each row;
// show draws those on the page.
func listOf[T any](u *url.URL, l listing, carried []string, all []T, match func(T, sought) bool, show func(T) []cell) listing {
	query := u.Query()
	l.Path, l.Text = u.Path, cut(strings.TrimSpace(clip(query.Get("q"), 400)), 100)
	s := sought{text: strings.ToLower(l.Text)}
	if l.Kinds != nil {
		s.kind, l.Kinds = options(query.Get("kind"), l.Kinds...)
	}
	l.Filtered = s != sought{}
	kept := url.Values{}
	for _, name := range carried {
		if value := clip(query.Get(name), 100); value != "" {
			kept.Set(name, value)
			l.Carried = append(l.Carried, condition{name, value})
		}
	}
	l.All = u.Path + "?" + kept.Encode()
	var rows []T
	for _, one := range all {
		if match(one, s) {
			rows = append(rows, one)
		}
	}
	l.Count = plural(len(all), l.One, l.Many)
	if len(rows) != len(all) {
		l.Count = strconv.Itoa(len(rows)) + " of " + l.Count
	}
	if l.Text != "" {
		kept.Set("q", l.Text)
	}
	if s.kind != "" {
		kept.Set("kind", s.kind)
	}
	from := l.turnTo(query.Get("page"), len(rows), kept)
	for _, one := range rows[from:min(from+perPage, len(rows))] {
		cells := show(one)
		for i := range cells {
			cells[i].Label = l.Head[i]
		}
		l.Rows = append(l.Rows, cells)
	}
	return l
}

// turnTo finds the page that is asked for among so many rows, and says where the
// others are. What is no page is the first or the last.
func (l *listing) turnTo(asked string, rows int, query url.Values) (from int) {
	pages := max(1, (rows+perPage-1)/perPage)
	at, err := strconv.Atoi(asked)
	if at = min(max(at, 1), pages); err != nil {
		at = 1
	}
	if pages > 1 {
		l.Place = "Page " + strconv.Itoa(at) + " of " + strconv.Itoa(pages)
	}
	address := func(n int) string {
		if n < 1 || n > pages {
			return ""
		}
		query.Set("page", strconv.Itoa(n))
		return l.Path + "?" + query.Encode()
	}
	l.Previous, l.Next = address(at-1), address(at+1)
	return (at - 1) * perPage
}
