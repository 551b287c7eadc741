package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// TestWebhooksVerify: a receiver that knows the secret can check what it gets with
// the reference library, and reads a CloudEvent.
func TestWebhooksVerify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		r := newReceiver(t)
		w := newTelling(t, e, parse(t, webhooks(r.URL), files{"secret": testSecret + "\n"}))
		about := w.happens()
		w.rounds()
		if n, _ := r.got(); n != 1 {
			t.Fatalf("got %d messages", n)
		}
		reference, err := standardwebhooks.NewWebhook(testSecret)
		if err != nil {
			t.Fatal(err)
		}
		if err := reference.Verify(r.bodies[0], r.headers[0]); err != nil {
			t.Error(err)
		}
		if err := reference.Verify(append(r.bodies[0], ' '), r.headers[0]); err == nil {
			t.Error("a changed body passes")
		}
		var event map[string]any
		if err := json.Unmarshal(r.bodies[0], &event); err != nil {
			t.Fatal(err)
		}
		data, _ := event["data"].(map[string]any)
		for name, want := range map[string]any{
			"specversion": "1.0", "type": "eucora.notice.cab_submitted", "source": "https://eucora.example.org/", "subject": about.Name,
			"id": r.headers[0].Get("webhook-id"), "datacontenttype": "application/json", "link": "https://eucora.example.org/requests/" + about.Name,
		} {
			got, ok := event[name]
			if !ok {
				got = data[name]
			}
			if got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		if got := r.headers[0].Get("Content-Type"); got != "application/cloudevents+json" {
			t.Errorf("media type %s", got)
		}
		if left := w.jobs(false); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
	})
}

// TestADeadChannel slows nobody: neither who decides nor another channel. What it
// was to send is tried for a day, then kept; and goes out when it is revived.
func TestADeadChannel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		dead, good := newReceiver(t), newReceiver(t)
		dead.answers(http.StatusServiceUnavailable)
		w := newTelling(t, e, parse(t, webhooks(dead.URL, good.URL), files{"secret": testSecret}))
		for range 3 {
			w.happens()
		}
		began := w.clock()
		w.rounds()
		if n, _ := good.got(); n != 3 {
			t.Fatalf("the good channel got %d of 3", n)
		}
		attempts := 1
		for ; len(w.jobs(true)) < 3 && attempts < 100; attempts++ {
			w.advance(pauseAfter(attempts))
			w.rounds()
		}
		if n, _ := dead.got(); n != 3*MaxAttempts || attempts != MaxAttempts {
			t.Errorf("%d attempts in %d rounds, want %d for each of 3", n, attempts, MaxAttempts)
		}
		if took := w.clock().Sub(began); took < 20*time.Hour || took > 40*time.Hour {
			t.Errorf("given up after %s, want about a day", took)
		}
		for _, j := range w.jobs(true) {
			if j.Error != "the receiver answered 503" || j.Queue != "hook0" {
				t.Errorf("dead letter: %+v", j)
			}
		}
		w.advance(100 * time.Hour)
		w.rounds()
		dead.answers(http.StatusOK)
		if n, _ := good.got(); n != 3 {
			t.Errorf("the good channel got %d of 3", n)
		}
		before, _ := dead.got()
		w.revive(w.jobs(true)...)
		w.rounds()
		if after, _ := dead.got(); after != before+3 || len(w.jobs(false)) != 0 {
			t.Errorf("%d of 3 after they were revived, %d left", after-before, len(w.jobs(false)))
		}
	})
}

// pauseAfter is the longest pause after an attempt.
func pauseAfter(attempt int) time.Duration {
	return (&Delivery{Jitter: func(most time.Duration) time.Duration { return most }}).pause(attempt)
}

func (w *telling) revive(jobs ...store.Job) {
	w.t.Helper()
	for _, j := range jobs {
		err := w.Store.Update(context.Background(), func(tx *store.Tx) error { _, err := tx.ReviveJob(j.ID, w.clock()); return err })
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestWorkersDie: workers that share the work die at any step: with messages that
// they have claimed and not sent, and with such as they have sent and not written
// down. Each message arrives; a receiver that goes by the id has each exactly once.
func TestWorkersDie(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		r := newReceiver(t)
		w := newTelling(t, e, parse(t, webhooks(r.URL), files{"secret": testSecret}))
		const n = 60
		for range n {
			w.happens()
		}
		var mu sync.Mutex
		sentAndDied := 0
		seeded := rand.New(rand.NewPCG(1, 2))
		for round := 0; len(w.jobs(false)) > 0; round++ {
			if round > 200 {
				t.Fatal("it never ends")
			}
			var all sync.WaitGroup
			for worker := range 4 {
				dies := seeded.IntN(3) // 0: before it sends, 1: after it has sent, 2: not
				all.Go(func() {
					one := *w.Delivery
					one.Owner = fmt.Sprint(round, worker)
					c := one.Site.channels[0]
					jobs, err := one.Store.ClaimJobs(context.Background(), c.name, one.Owner, one.Clock(), leaseFor, 4)
					if err != nil {
						t.Error(err)
					}
					for _, j := range jobs {
						switch dies {
						case 0:
							return
						case 1:
							if err := one.send(context.Background(), c, j); err != nil {
								t.Error(err)
							}
							mu.Lock()
							sentAndDied++
							mu.Unlock()
							return
						}
						if err := one.try(context.Background(), c, j); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			w.advance(leaseFor)
		}
		total, ids := r.got()
		if len(ids) != n {
			t.Errorf("%d of %d messages arrived", len(ids), n)
		}
		if total > n+sentAndDied {
			t.Errorf("%d messages more than there are, and only %d workers died after sending", total-n, sentAndDied)
		}
		if sentAndDied == 0 {
			t.Error("no worker died after sending: the test shows nothing")
		}
	})
}

// TestRunSends: the loop sends by itself, and ends when it is told.
func TestRunSends(t *testing.T) {
	r := newReceiver(t)
	arrived := make(chan struct{}, 9)
	r.Server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} })
	w := newTelling(t, storetest.Engines(t)[0], parse(t, webhooks(r.URL), files{"secret": testSecret}))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	w.happens()
	select {
	case <-arrived:
	case <-time.After(20 * time.Second):
		t.Error("nothing arrived")
	}
	stop()
	<-ended
}

// TestSecretsAreNotTold: neither errors nor dead letters have an address that is a
// secret, whatever goes wrong.
func TestSecretsAreNotTold(t *testing.T) {
	r := newReceiver(t)
	address := r.URL + "/services/T0/B0/verysecret"
	r.Close() // refuses connections
	site := parse(t, "channels: [{name: chat, slack: {url_file: url}}]", files{"url": address})
	w := newTelling(t, storetest.Engines(t)[0], site)
	w.happens()
	w.rounds()
	jobs := w.jobs(false)
	if len(jobs) != 1 || jobs[0].Error == "" {
		t.Fatalf("jobs: %+v", jobs)
	}
	if strings.Contains(jobs[0].Error+string(jobs[0].Body)+fmt.Sprintf("%+v", *site), "verysecret") {
		t.Errorf("the secret is in %s %s", jobs[0].Error, jobs[0].Body)
	}
	for text, read := range map[string]string{
		"channels: [{name: a, slack: {url_file: url}}]":                                        "ftp://host/verysecret",
		"channels: [{name: a, slack: {url_file: url }}]":                                       "https://user:verysecret@host/",
		"channels: [{name: a, webhook: {url: 'https://h/', secret_file: url}}]":                "verysecret",
		"channels: [{name: a, slack: {url_file: url},  teams: {url_file: url}}]":               "https://h/verysecret",
		"channels: [{name: a, webhook: {url: 'https://h/', secret_file: url},nonsense: true}]": "verysecret",
	} {
		_, err := Parse([]byte(text), Options{ReadFile: files{"url": read}.read})
		if err == nil || strings.Contains(err.Error(), "verysecret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestAnUnreadableJob is kept and does not stop the others.
func TestAnUnreadableJob(t *testing.T) {
	r := newReceiver(t)
	w := newTelling(t, storetest.Engines(t)[0], parse(t, webhooks(r.URL), files{"secret": testSecret}))
	err := w.Store.Update(context.Background(), func(tx *store.Tx) error {
		tx.Enqueue(store.NewJob("hook0", "bad", []byte("[[[["), w.clock().Add(-time.Hour)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.happens()
	w.rounds()
	if n, _ := r.got(); n != 1 || len(w.jobs(true)) != 1 {
		t.Errorf("%d sent, %d dead", n, len(w.jobs(true)))
	}
}

// TestWhoIsTold: channels get what goes to their audiences, a mailbox once each, and
// the person whom it concerns always.
func TestWhoIsTold(t *testing.T) {
	site := parse(t, `
channels:
  - name: mail
    mail:
      server: 127.0.0.1:25
      security: none
      from: eucora@example.org
      domain: example.org
      addresses: {eve: e.v@example.net}
      lists: {board: [cab@example.org, erin@example.org], admins: [root@example.org]}
  - {name: chat, to: [board], slack: {url_file: url}}
  - {name: all, teams: {url_file: url}}
`, files{"url": "https://example.org/x"})
	for _, c := range []struct {
		to       []cab.Audience
		concerns string
		want     string
	}{
		{[]cab.Audience{cab.ToBoard}, "erin", "mail cab@example.org, mail erin@example.org, chat , all "},
		{nil, "eve", "mail e.v@example.net, all "},
		{[]cab.Audience{cab.ToSecond}, "eve", "mail e.v@example.net, mail root@example.org, all "},
		{[]cab.Audience{cab.ToSecurity}, "", "mail root@example.org, all "},
		{nil, "no address\r\nBcc: x", "mail root@example.org, all "},
	} {
		jobs, err := site.Outbox(cab.Notice{ID: "1", To: c.to, Concerns: cab.Person{Username: c.concerns}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, j := range jobs {
			_, to, _ := strings.Cut(j.Name, " ")
			got = append(got, j.Queue+" "+to)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%v %q: got %q, want %q", c.to, c.concerns, text, c.want)
		}
	}
}

// TestWhatHasBecomeOfIt: a message that was held up says what has become of its
// request since; and one about an exception how risky the request is, and what for.
func TestWhatHasBecomeOfIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		r := newReceiver(t)
		w := newTelling(t, e, parse(t, webhooks(r.URL), files{"secret": testSecret}))
		asked := request()
		asked.PackageID, asked.DeploymentID, asked.Revision = asked.ID, asked.ID, 1
		decided := asked
		decided.Status, decided.Revision = cab.ApprovedByCAB, 2
		exception := cab.Exception{ID: asked.ID, Name: cab.ExceptionName(asked.ID), RequestID: asked.ID, Status: cab.ExceptionPending, Reason: "needed", Revision: 1}
		deployment := &cab.Deployment{ID: asked.ID, CorrelationID: asked.ID, AppName: "7-Zip", AppVersion: "24.09", TargetRing: cab.Pilot, Revision: 1}
		first, second := submitted(asked, w.clock()), submitted(asked, w.clock().Add(time.Second))
		first.DeploymentID, second.DeploymentID = asked.ID, asked.ID
		second.Type, second.Subject, second.Data = cab.ExceptionRequested, cab.Subject{Kind: cab.KindException, ID: asked.ID}, cab.EventData{Exception: &exception}
		err := w.Store.Update(context.Background(), func(tx *store.Tx) error {
			if err := tx.Save(cab.Change{Deployment: deployment, Request: &asked, Events: []cab.Event{first}}); err != nil {
				return err
			}
			return tx.Save(cab.Change{Request: &decided, Exceptions: []*cab.Exception{&exception}, Events: []cab.Event{second}})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.advance(time.Minute)
		w.rounds()
		var got []string
		for _, body := range r.bodies {
			var event struct {
				Data struct {
					Headline string `json:"headline"`
					Notice   struct {
						Risk float64 `json:"risk_score"`
						Now  string  `json:"status_now"`
					} `json:"notice"`
				} `json:"data"`
			}
			if err := json.Unmarshal(body, &event); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(event.Data.Headline, " ", event.Data.Notice.Risk, " ", event.Data.Notice.Now))
		}
		want := []string{
			asked.Name + " waits for a decision: 7-Zip 24.09 to PILOT 62.75 approved",
			exception.Name + " is asked for: 7-Zip 24.09 to PILOT 62.75 ",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
