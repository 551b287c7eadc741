package notify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/google/uuid"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// files are the secrets of a test.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	if text, ok := f[path]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func parse(t testing.TB, text string, f files) *Site {
	t.Helper()
	s, err := Parse([]byte(text), Options{ReadFile: f.read, Hostname: "host", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// telling is a store with an outbox, and what sends from it.
type telling struct {
	*Delivery
	t   testing.TB
	mu  sync.Mutex
	now time.Time
}

func newTelling(t testing.TB, e storetest.Engine, site *Site) *telling {
	t.Helper()
	w := &telling{t: t, now: time.Now().UTC().Truncate(time.Second)} // about now: receivers look at the time
	st := storetest.Open(t, store.Options{URL: e.URL(t), Signer: storetest.Key(t), Clock: w.clock, Outbox: site.Outbox})
	w.Delivery = &Delivery{
		Store: st, Site: site, Owner: "one", Log: slog.New(slog.DiscardHandler), Clock: w.clock,
		Tried:  func(channel, outcome string) {},
		Jitter: func(most time.Duration) time.Duration { return most },
	}
	return w
}

func (w *telling) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *telling) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// happens makes an event that people are told of, and returns its request.
func (w *telling) happens() cab.Request {
	w.t.Helper()
	r := request()
	err := w.Store.Update(context.Background(), func(tx *store.Tx) error {
		return tx.Save(cab.Change{Events: []cab.Event{submitted(r, w.clock())}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func request() cab.Request {
	id := uuid.NewString()
	return cab.Request{
		ID: id, Name: cab.RequestName(id), CorrelationID: id, Status: cab.Submitted, Score: 6275, Gate: cab.Gate{Decision: cab.GateReview},
		SubmittedBy: cab.Person{ID: "e", Username: "erin"},
	}
}

func submitted(r cab.Request, at time.Time) cab.Event {
	return cab.Event{
		Type: cab.CABSubmitted, Time: at, CorrelationID: r.CorrelationID, Subject: cab.Subject{Kind: cab.KindRequest, ID: r.ID},
		Actor: cab.Actor{ID: "e", Name: "erin", Role: cab.PackagingEngineer}, Data: cab.EventData{Request: &r},
	}
}

// rounds sends until nothing is due.
func (w *telling) rounds() {
	w.t.Helper()
	for {
		n, err := w.Round(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func (w *telling) jobs(dead bool) []store.Job {
	w.t.Helper()
	var page store.Page[store.Job]
	err := w.Store.View(context.Background(), func(r *store.Reader) (err error) {
		page, err = r.Jobs(store.JobFilter{Dead: dead, Paging: store.Paging{Limit: store.MaxLimit}})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Rows
}

// receiver is an HTTP receiver that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answer  int
	bodies  [][]byte
	headers []http.Header
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{answer: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies, r.headers = append(r.bodies, body), append(r.headers, q.Header)
		w.WriteHeader(r.answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

// got is how many there were, and how many times each webhook-id.
func (r *receiver) got() (total int, ids map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids = map[string]int{}
	for _, h := range r.headers {
		ids[h.Get("webhook-id")]++
	}
	return len(r.bodies), ids
}

// webhooks is a configuration with a webhook for each address.
func webhooks(urls ...string) string {
	text := "link: https://eucora.example.org/\nchannels:\n"
	for i, u := range urls {
		text += fmt.Sprintf("  - name: hook%d\n    webhook: {url: %q, secret_file: secret}\n", i, u)
	}
	return text
}

// certificate is one for 127.0.0.1, and what trusts it.
func certificate(t testing.TB) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
