package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// sentence makes a message a sentence: it begins with a capital and ends with a full
// stop. A message that begins with a name keeps it.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		text += "."
	}
	return text
}

// when is a moment for people. It is UTC and says so: approvers sit in several time
// zones, and the ledger in none.
func when(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.UTC().Format("2 Jan 2006, 15:04 UTC")
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span is a length of time for people, in the two largest units that matter.
func span(d time.Duration) string {
	switch d = d.Round(time.Minute); {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 72*time.Hour:
		if minutes := int(d.Minutes()) % 60; d < 10*time.Hour && minutes != 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), minutes)
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// due says how long there still is, or was. late and soon are for the looks; the
// text says the same.
type due struct {
	Text       string
	Late, Soon bool
}

// soon is when a request begins to be urgent: a quarter of its time is left, and no
// more than this.
const soonAtMost = 8 * time.Hour

func dueIn(now, submitted, at time.Time) due {
	left := at.Sub(now)
	switch {
	case left <= 0:
		return due{Text: "overdue by " + span(-left), Late: true}
	case left <= min(at.Sub(submitted)/4, soonAtMost):
		return due{Text: span(left) + " left", Soon: true}
	}
	return due{Text: span(left) + " left"}
}

func roleText(r cab.Role) string {
	return map[cab.Role]string{
		cab.PackagingEngineer: "packaging engineer", cab.CABMember: "CAB member", cab.SecurityReviewer: "security reviewer",
		cab.Publisher: "publisher", cab.Auditor: "auditor", cab.Admin: "administrator", cab.System: "by rule",
	}[r]
}

// short is the beginning of a digest.
func short(digest string) string {
	if len(digest) <= 12 {
		return digest
	}
	return digest[:12] + "…"
}

// band is a score's part of the scale.
type band struct{ Class, Text string }

func bandOf(score evidence.Score, limits cab.PolicyThresholds) band {
	tier, _ := cab.Tier(score, limits)
	return band{strings.ToLower(tier), map[string]string{"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}[tier]}
}

// statusClass is the look of a status.
func statusClass(s cab.Status) string {
	switch {
	case s.Approved():
		return "good"
	case s == cab.RejectedByCAB || s == cab.Revoked:
		return "bad"
	case s == cab.NeedsException:
		return "warn"
	case s.Open():
		return "open"
	}
	return "none"
}

func exceptionClass(s cab.ExceptionStatus) string {
	switch s {
	case cab.ExceptionGranted:
		return "good"
	case cab.ExceptionDenied, cab.ExceptionWithdrawn:
		return "bad"
	case cab.ExceptionPending:
		return "open"
	}
	return "none"
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// cut is a text that is no longer than a page bears, in characters.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// flat is a text without the characters that turn the direction of what follows it,
// for where it stands in the midst of words of ours and no element keeps it apart.
func flat(text string) string {
	return strings.Map(func(c rune) rune {
		if '\u202a' <= c && c <= '\u202e' || '\u2066' <= c && c <= '\u2069' || c == '\u200e' || c == '\u200f' || c == '\u061c' {
			return -1
		}
		return c
	}, text)
}

// plural is a number of things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// words is a name of ours for people.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }
