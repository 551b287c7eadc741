package notify

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

// Outbox makes the jobs of a notice, one for each channel and address. It is
// called in the transaction of the event: it is quick, and knows nothing but the
// notice and the configuration.
func (s *Site) Outbox(n cab.Notice) ([]store.Job, error) {
	var jobs []store.Job
	for _, c := range s.channels {
		if !c.wants(n) {
			continue
		}
		addresses := []string{""}
		if c.addresses != nil {
			addresses = c.addresses(n)
		}
		for _, address := range addresses {
			body, err := json.Marshal(cab.Posted{Notice: n, To: address})
			if err != nil {
				return nil, fmt.Errorf("write notice: %w", err)
			}
			jobs = append(jobs, store.NewJob(c.name, n.ID+" "+address, body, n.Time))
		}
	}
	return jobs, nil
}

// wants reports whether a channel tells a notice. A channel with addresses always
// tells the person whom it concerns, whoever else it is for.
func (c channel) wants(n cab.Notice) bool {
	return c.to == nil || c.addresses != nil || slices.ContainsFunc(n.To, func(a cab.Audience) bool { return slices.Contains(c.to, a) })
}

// pages are where things are seen, and names that they have: a name of another
// form is not ours, and gets no link.
var pages = []struct {
	path string
	name *regexp.Regexp
}{
	{"requests", regexp.MustCompile(`^CAB-[0-9A-F]{12}$`)},
	{"exceptions", regexp.MustCompile(`^EXC-[0-9A-F]{12}$`)},
}

// linkTo is the page of a thing; "" if there is none. It opens the page, where its
// reader signs in, and does nothing else.
func (s *Site) linkTo(name string) string {
	if s.link == nil {
		return ""
	}
	for _, page := range pages {
		if page.name.MatchString(name) {
			return s.link.JoinPath(page.path, url.PathEscape(name)).String()
		}
	}
	return s.link.String()
}
