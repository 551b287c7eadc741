package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/go-json-experiment/json"
)

// webhookConfig is a channel to a program: CloudEvents 1.0 in JSON, signed as
// Standard Webhooks says.
type webhookConfig struct {
	URL        string `yaml:"url"`
	SecretFile string `yaml:"secret_file"` // whsec_ and base64, of 24 to 64 bytes
}

type webhook struct {
	poster *poster
	key    []byte
}

func (c *webhookConfig) make(o Options, roots *x509.CertPool) (sender, error) {
	secret, err := o.secret("secret_file", c.SecretFile)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("secret_file: want whsec_ and 24 to 64 bytes in base64")
	}
	p, err := newPoster(c.URL, roots)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	return (&webhook{p, key}).send, nil
}

// cloudEvent is the CloudEvents 1.0 envelope.
type cloudEvent struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject,omitzero"`
	Time        time.Time `json:"time"`
	MediaType   string    `json:"datacontenttype"`
	Data        told      `json:"data"`
}

// told is what a program is told: what people are told, as members.
type told struct {
	Headline   string       `json:"headline"`
	Link       string       `json:"link,omitzero"`
	AppName    string       `json:"app_name,omitzero"`
	AppVersion string       `json:"app_version,omitzero"`
	TargetRing cab.Ring     `json:"target_ring,omitzero"`
	Notice     publicNotice `json:"notice"`
}

// publicNotice is a notice on the wire: its members are a contract, and without
// those that say where our own people are told.
type publicNotice struct {
	Type          string      `json:"type"`
	Actor         cab.Actor   `json:"actor"`
	CorrelationID string      `json:"correlation_id,omitzero"`
	DeploymentID  string      `json:"deployment_intent_id,omitzero"`
	RequestID     string      `json:"cab_request_id,omitzero"`
	Subject       cab.Subject `json:"subject"`
	RiskScore     *float64    `json:"risk_score,omitzero"`
	Gate          string      `json:"gate,omitzero"`
	Status        string      `json:"status,omitzero"`
	StatusNow     string      `json:"status_now,omitzero"` // of the request, if it is another by now
	Reason        string      `json:"reason,omitzero"`
	Ask           string      `json:"ask,omitzero"`
	Until         time.Time   `json:"until,omitzero"`
	Concerns      cab.Person  `json:"concerns,omitzero"`
	Waiting       []string    `json:"waiting,omitzero"`
}

func (w *webhook) send(ctx context.Context, m message) error {
	n := m.notice
	public := publicNotice{
		Type: n.Type, Actor: n.Actor, CorrelationID: n.CorrelationID, DeploymentID: n.DeploymentID, RequestID: n.RequestID, Subject: n.Subject,
		Gate: string(n.Gate), Status: n.Status, StatusNow: string(m.now), Reason: n.Said, Ask: n.Ask, Until: n.Until, Concerns: n.Concerns,
	}
	if n.Gate != "" {
		score := n.Score.Float()
		public.RiskScore = &score
	}
	for _, waits := range n.Waiting {
		public.Waiting = append(public.Waiting, waits.Name)
	}
	data := told{Headline: m.headline(), Link: m.link, Notice: public}
	if d := m.deployment; d != nil {
		data.AppName, data.AppVersion, data.TargetRing = d.AppName, d.AppVersion, d.TargetRing
	}
	body, err := json.Marshal(cloudEvent{
		SpecVersion: "1.0", ID: n.ID, Source: m.source, Type: "eucora.notice." + strings.ToLower(n.Type), Subject: n.Name,
		Time: n.Time, MediaType: "application/json", Data: data,
	})
	if err != nil {
		return permanent{err}
	}
	header := http.Header{}
	at := m.sentAt.Unix()
	header.Set("webhook-id", n.ID)
	header.Set("webhook-timestamp", fmt.Sprint(at))
	header.Set("webhook-signature", "v1,"+w.sign(n.ID, at, body))
	return w.poster.post(ctx, "application/cloudevents+json", body, header)
}

// sign is the signature of Standard Webhooks, symmetric: of the id, the time in
// seconds and the body.
func (w *webhook) sign(id string, at int64, body []byte) string {
	mac := hmac.New(sha256.New, w.key)
	fmt.Fprintf(mac, "%s.%d.%s", id, at, body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
