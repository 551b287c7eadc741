package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/workflow"
	"github.com/go-json-experiment/json"
)

// request is one call that has been admitted.
type request struct {
	*http.Request
	server *Server
	route  *route
	call   workflow.Call
	body   []byte // in canonical form; nil for GET
	query  url.Values
	faults []cab.FieldError
	parts  *multipart.Reader // the files that follow the body; nil if there are none
	ending *ending           // what parts reads
}

// read takes in body, query and Idempotency-Key, and refuses what does not fit
// the route.
func (q *request) read(w http.ResponseWriter) error {
	var err error
	if q.query, err = url.ParseQuery(q.URL.RawQuery); err != nil {
		return invalidField("query", "is not a well-formed query")
	}
	for name, values := range q.query {
		i := slices.IndexFunc(q.route.query, func(p param) bool { return p.name == name })
		switch {
		case i < 0:
			q.fault(name, "is not a parameter of this call")
		case len(values) > 1 && !q.route.query[i].many:
			q.fault(name, "stands more than once")
		}
	}
	if q.route.method == http.MethodPost {
		if err := q.readBody(w); err != nil {
			return err
		}
	}
	return q.faulty()
}

func (q *request) readBody(w http.ResponseWriter) error {
	media, params, mediaErr := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if q.route.files() && media == "multipart/form-data" {
		return q.readParts(w, params["boundary"])
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, q.Body, evidence.MaxBytes))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &httpError{http.StatusRequestEntityTooLarge, "BODY_TOO_LARGE", fmt.Sprintf("the body is larger than %d bytes", evidence.MaxBytes)}
	}
	if err != nil {
		return invalidField("body", "ended before it was complete")
	}
	if len(raw) == 0 && q.route.body == nil {
		raw = []byte("{}") // a call without content
	} else if mediaErr != nil || media != "application/json" {
		want := "send Content-Type: application/json"
		if q.route.files() {
			want += ", or multipart/form-data with files"
		}
		return &httpError{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", want}
	}
	if q.body, err = evidence.Canonical(raw); err != nil {
		return err
	}
	return q.once(raw)
}

var keyForm = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)

// once notes the Idempotency-Key. How the answer is rendered, the handler says.
func (q *request) once(raw []byte) error {
	keys := q.Header.Values("Idempotency-Key")
	if len(keys) == 0 || !q.route.changes() {
		return nil
	}
	if len(keys) > 1 || !keyForm.MatchString(keys[0]) {
		return invalidField("Idempotency-Key", "want one key of 1 to 128 printable ASCII characters")
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n", q.Method, q.URL.Path)
	sum.Write(raw)
	q.call.Once = &workflow.Once{Key: keys[0], Fingerprint: hex.EncodeToString(sum.Sum(nil))}
	return nil
}

// change runs a changing verb and makes its answer. Under an Idempotency-Key
// the answer is rendered once, inside the transaction, and those bytes are sent.
func change[T, W any](q *request, wire func(T) W, verb func(call workflow.Call) (T, error)) (any, error) {
	call := q.call
	var kept rendered
	if call.Once != nil {
		once := *call.Once
		once.Render = func(result any) (int, []byte, error) {
			typed, ok := result.(T)
			if !ok {
				return 0, nil, fmt.Errorf("render: unexpected %T", result)
			}
			body, err := encode(wire(typed))
			kept = rendered{q.route.status, body}
			return kept.status, kept.body, err
		}
		call.Once = &once
	}
	result, err := verb(call)
	if err != nil {
		return nil, err
	}
	if kept.body != nil {
		return kept, nil
	}
	return wire(result), nil
}

// decode reads the body into a type of the contract. What the contract says of
// its members (lengths, choices, required, unknown) is checked first, so that
// every fault is named.
func decode[T any](q *request) (T, error) {
	var in T
	if faults := q.server.spec.validate(q.route, q.body); len(faults) > 0 {
		q.faults = append(q.faults, faults...)
		return in, q.faulty()
	}
	if err := json.Unmarshal(q.body, &in, json.RejectUnknownMembers(true)); err != nil {
		field := "body"
		if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
			field = dotted(string(semantic.JSONPointer))
		}
		return in, invalidField(field, "does not have the form that this call wants")
	}
	return in, nil
}

func encode(answer any) ([]byte, error) {
	body, err := json.Marshal(answer, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return append(body, '\n'), nil
}

// dotted writes a JSON pointer as people write it: a.b[0].
func dotted(pointer string) string {
	var text strings.Builder
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if _, err := strconv.Atoi(step); err == nil {
			text.WriteString("[" + step + "]")
			continue
		}
		if text.Len() > 0 {
			text.WriteByte('.')
		}
		text.WriteString(step)
	}
	if text.Len() == 0 {
		return "body"
	}
	return text.String()
}

func invalidField(field, message string) error {
	return &cab.Error{
		Kind: cab.Invalid, Code: "INVALID_INPUT", Message: field + ": " + message,
		Fields: []cab.FieldError{{Field: field, Message: message}},
	}
}

func (q *request) fault(field, format string, args ...any) {
	q.faults = append(q.faults, cab.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// faulty turns the faults found so far into one refusal.
func (q *request) faulty() error {
	if len(q.faults) == 0 {
		return nil
	}
	var all []string
	for _, f := range q.faults {
		all = append(all, f.Field+": "+f.Message)
	}
	slices.Sort(all)
	return &cab.Error{Kind: cab.Invalid, Code: "INVALID_INPUT", Message: strings.Join(all, "; "), Fields: q.faults}
}

var (
	uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	nameForm = regexp.MustCompile(`^(CAB|EXC)-[0-9A-F]{12}$`)
)

// id is the {id} of the path: a UUID, or where named says so the CAB- or EXC-
// name that people use.
func (q *request) id(named string) (string, error) {
	id := q.PathValue("id")
	if uuidForm.MatchString(id) {
		return strings.ToLower(id), nil
	}
	if named != "" && strings.HasPrefix(id, named) && nameForm.MatchString(id) {
		return id, nil
	}
	if named != "" {
		return "", invalidField("id", "want a UUID or a name such as "+named+"0A1B2C3D4E5F")
	}
	return "", invalidField("id", "want a UUID")
}

var versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$`)

// version is the {version} of the path.
func (q *request) version() (string, error) {
	version := q.PathValue("version")
	if !versionForm.MatchString(version) {
		return "", invalidField("version", "want 1 to 32 letters, digits, dots and dashes")
	}
	return version, nil
}

// one is a parameter that stands at most once.
func (q *request) one(name string) string { return q.query.Get(name) }

func (q *request) uuid(name string) string {
	value := q.one(name)
	if q.query.Has(name) && !uuidForm.MatchString(value) {
		q.fault(name, "want a UUID")
	}
	return strings.ToLower(value)
}

func (q *request) integer(name string, least, most, absent int) int {
	if !q.query.Has(name) {
		return absent
	}
	n, err := strconv.Atoi(q.one(name))
	if err != nil || n < least || n > most {
		q.fault(name, "want a whole number from %d to %d", least, most)
	}
	return n
}

func (q *request) score(name string) *evidence.Score {
	if !q.query.Has(name) {
		return nil
	}
	score, err := evidence.ParseScore(q.one(name))
	if err != nil {
		q.fault(name, "want a number from 0 to 100 with at most two decimals")
	}
	return &score
}

func (q *request) boolean(name string) *bool {
	switch value := q.one(name); {
	case !q.query.Has(name):
		return nil
	case value == "true" || value == "false":
		is := value == "true"
		return &is
	}
	q.fault(name, "want true or false")
	return nil
}

func (q *request) moment(name string) time.Time {
	if !q.query.Has(name) {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, q.one(name))
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		q.fault(name, "want a time such as 2026-11-24T12:00:00Z")
		return time.Time{}
	}
	return at.UTC()
}

// oneOf is a choice; choices are written by their names.
func oneOf[T ~string](q *request, name string, choices []T) T {
	value := T(q.one(name))
	if q.query.Has(name) && !slices.Contains(choices, value) {
		q.fault(name, "%q: want %s", clip(string(value), 60), list(choices))
	}
	return value
}

// manyOf is one or more choices, repeated or separated by commas.
func manyOf[T ~string](q *request, name string, choices []T) []T {
	var chosen []T
	for _, value := range q.query[name] {
		for part := range strings.SplitSeq(value, ",") {
			switch {
			case !slices.Contains(choices, T(part)):
				q.fault(name, "%q: want %s", clip(part, 60), list(choices))
			case !slices.Contains(chosen, T(part)):
				chosen = append(chosen, T(part))
			}
		}
	}
	return chosen
}

func list[T ~string](choices []T) string {
	var names []string
	for _, choice := range choices {
		names = append(names, string(choice))
	}
	return strings.Join(names, ", ")
}

// claimed is the score that a caller expects. One with more than two decimals
// matches no score: it is turned into one that cannot be.
func claimed(sent *float64) *evidence.Score {
	if sent == nil {
		return nil
	}
	score := evidence.Score(math.Round(*sent * 100))
	if score.Float() != *sent {
		score = -1
	}
	return &score
}
