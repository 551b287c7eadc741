package witness

import (
	"bytes"
	"context"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	"github.com/eucora/eucora/internal/witness/witnesstest"
	"github.com/google/uuid"
)

// authority is openssl as a time-stamping authority, with a certificate of a CA of
// its own.
type authority struct {
	t       testing.TB
	program string
	dir     string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("EUCORA_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	a := &authority{t, program, t.TempDir()}
	a.file("tsa.cnf", `[tsa]
default_tsa = t
[t]
dir = .
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[stamping]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[other]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,codeSigning
[req]
distinguished_name = dn
[dn]
`)
	a.file("serial", "01\n")
	a.run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2", "-config", "tsa.cnf", "-extensions", "ca")
	a.certify("stamping")
	return a
}

// certify gives the authority a certificate for some use.
func (a *authority) certify(use string) {
	a.t.Helper()
	a.run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test TSA", "-config", "tsa.cnf")
	a.run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "tsa.cnf", "-extensions", use, "-out", "tsa.pem")
}

func (a *authority) file(name, text string) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func (a *authority) openssl(args ...string) (string, error) {
	command := exec.Command(a.program, args...)
	command.Dir = a.dir
	out, err := command.CombinedOutput()
	return string(out), err
}

func (a *authority) run(args ...string) {
	a.t.Helper()
	if out, err := a.openssl(args...); err != nil {
		a.t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// stamp answers a request.
func (a *authority) stamp(request []byte) []byte {
	a.t.Helper()
	a.file("request.tsq", string(request))
	a.run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out", "reply.tsr")
	reply, err := os.ReadFile(filepath.Join(a.dir, "reply.tsr"))
	if err != nil {
		a.t.Fatal(err)
	}
	return reply
}

// ServeHTTP is the authority over HTTP.
func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request bytes.Buffer
	if _, err := request.ReadFrom(r.Body); err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "no query", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(a.stamp(request.Bytes()))
}

// accepts reports whether openssl accepts a time-stamp of a text.
func (a *authority) accepts(text, reply []byte) bool {
	a.t.Helper()
	a.file("text", string(text))
	a.file("kept.tsr", string(reply))
	out, err := a.openssl("ts", "-verify", "-data", "text", "-in", "kept.tsr", "-CAfile", "ca.pem")
	if ok := strings.Contains(out, "Verification: OK"); ok != (err == nil) {
		a.t.Fatalf("%v: %s", err, out)
	}
	return err == nil
}

// TestStampIsChecked: what openssl answers holds, for this request and this text
// only, and no byte of what it says can be another.
func TestStampIsChecked(t *testing.T) {
	a := newAuthority(t)
	text := []byte("eucora.test/ledger\n5\nhash\n\n— sig\n")
	nonce, request, err := newStampRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	reply := a.stamp(request)
	at, err := checkStamp(reply, text, nonce)
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Fatalf("%v %v", at, err)
	}
	if !a.accepts(text, reply) || a.accepts(append([]byte("x"), text...), reply) {
		t.Error("openssl thinks otherwise")
	}
	if _, err := checkStamp(reply, append([]byte("x"), text...), nonce); err == nil {
		t.Error("accepted for another text")
	}
	if _, err := checkStamp(reply, text, new(big.Int).Add(nonce, big.NewInt(1))); err == nil {
		t.Error("accepted for another request")
	}
	for i := range reply {
		bad := bytes.Clone(reply)
		bad[i] ^= 1
		if was, err := checkStamp(bad, text, nonce); err == nil && !was.Equal(at) {
			t.Errorf("byte %d altered: says %s", i, was)
		}
	}
	for n := range reply {
		if _, err := checkStamp(reply[:n], text, nonce); err == nil {
			t.Errorf("accepted when cut after %d bytes", n)
		}
	}
	for name, other := range map[string][]byte{
		"without the nonce":          a.queryOf(text, "-no_nonce", "-cert"),
		"without the certificate":    a.queryOf(text),
		"a digest that is not taken": a.queryOf(text, "-sha512", "-cert"),
	} {
		if _, err := checkStamp(a.stamp(other), text, nonce); err == nil {
			t.Errorf("accepted: %s", name)
		}
	}
	a.certify("other")
	a.file("request.tsq", string(request))
	if out, err := a.openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out", "reply.tsr"); err == nil {
		refused, err := os.ReadFile(filepath.Join(a.dir, "reply.tsr"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := checkStamp(refused, text, nonce); err == nil {
			t.Errorf("accepted of a certificate for code: %s", out)
		}
	}
}

// queryOf is a request as openssl writes it.
func (a *authority) queryOf(text []byte, args ...string) []byte {
	a.t.Helper()
	a.file("text", string(text))
	if len(args) == 0 || args[0] != "-sha512" {
		args = append(args, "-sha256")
	}
	a.run(append([]string{"ts", "-query", "-data", "text", "-out", "query.tsq"}, args...)...)
	query, err := os.ReadFile(filepath.Join(a.dir, "query.tsq"))
	if err != nil {
		a.t.Fatal(err)
	}
	return query
}

// TestCheckpointsAreStamped: the newest one, again when the ledger has grown, by an
// authority that may be gone for a while; and openssl accepts what is kept.
func TestCheckpointsAreStamped(t *testing.T) {
	a := newAuthority(t)
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		st := storetest.Open(t, store.Options{URL: e.URL(t)})
		up := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-up:
				a.ServeHTTP(w, r)
			default:
				http.Error(w, "down", http.StatusServiceUnavailable)
			}
		}))
		defer server.Close()
		failed := make(chan struct{}, 100)
		stamping := &Stamping{
			Store: st, Authority: server.URL, Every: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
			Failed: func() { failed <- struct{}{} },
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		grow(t, st)
		running.Go(func() { stamping.Run(ctx) })
		<-failed
		close(up)
		first := stampedBeyond(t, st, 0)
		grow(t, st)
		second := stampedBeyond(t, st, first.Size)
		cancel()
		running.Wait()
		for _, c := range []store.Checkpointed{first, second} {
			if c.Authority != server.URL || time.Since(c.StampedAt) > time.Minute || !a.accepts(c.Note, c.Timestamp) {
				t.Errorf("%+v", c)
			}
		}
		if a.accepts(first.Note, second.Timestamp) {
			t.Error("openssl accepts it for another checkpoint")
		}
	})
}

// grow writes an event and signs a checkpoint.
func grow(t *testing.T, st *store.Store) {
	t.Helper()
	call := cab.Call{Actor: cab.Actor{ID: "e", Name: "e", Role: cab.PackagingEngineer}, Now: time.Now().UTC().Truncate(time.Microsecond)}
	change, err := cab.NewDeployment(call, uuid.NewString(), uuid.NewString(), "app", "1", cab.Lab)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Update(t.Context(), func(tx *store.Tx) error { return tx.Save(change) }); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// stampedBeyond waits for a time-stamp of a checkpoint of more than size events.
func stampedBeyond(t *testing.T, st *store.Store, size int64) (c store.Checkpointed) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for late := time.After(30 * time.Second); c.Size <= size; {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatal("no time-stamp within 30 seconds")
		}
		err := st.View(t.Context(), func(r *store.Reader) (err error) {
			c, err = r.LastStamped()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestWhichIsStamped: where a quorum must witness, what it has witnessed; but the
// newest, rather than nothing, while it does not.
func TestWhichIsStamped(t *testing.T) {
	st := storetest.Open(t, store.Options{URL: storetest.Engines(t)[0].URL(t)})
	w := witnesstest.New(t, "witness.example/a", st.LedgerKey())
	trust, err := ledger.ParseTrust([]byte("log " + st.LedgerKey() + "\n" + w.Line("a") + "quorum a\n"))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, st)
	err = st.KeepCosignatures(t.Context(), 1, nil, func([]byte, []string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	grow(t, st)
	for _, c := range []struct {
		trust         *ledger.Trust
		stamped, want int64
	}{{nil, 0, 2}, {nil, 1, 2}, {trust, 0, 1}, {trust, 1, 2}} {
		s := &Stamping{Store: st, Trust: c.trust}
		err := st.View(t.Context(), func(r *store.Reader) error {
			got, err := s.candidate(r, c.stamped)
			if got.Size != c.want {
				t.Errorf("%+v: the checkpoint of %d", c, got.Size)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzStamp: whatever an authority answers ends in a time or an error.
func FuzzStamp(f *testing.F) {
	text, nonce := []byte("text"), big.NewInt(1)
	f.Add([]byte{0x30, 5, 0x30, 3, 2, 1, 2})
	if _, err := exec.LookPath("openssl"); err == nil {
		a := newAuthority(f)
		var request []byte
		if nonce, request, err = newStampRequest(text); err != nil {
			f.Fatal(err)
		}
		f.Add(a.stamp(request))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		if len(reply) > maxAnswer {
			return
		}
		if at, err := checkStamp(reply, text, nonce); err == nil && at.IsZero() {
			t.Error("a time-stamp without a time")
		}
	})
}
