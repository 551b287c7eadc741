package main

import (
	"context"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/attest"
	"github.com/eucora/eucora/internal/collect"
	"github.com/go-json-experiment/json"
)

// artifactFlags say which file is to be installed.
type artifactFlags struct {
	Artifact       string `help:"The file that will be installed." placeholder:"FILE"`
	ArtifactSHA256 string `help:"Its SHA-256 instead." name:"artifact-sha256" placeholder:"HEX"`
}

func (f artifactFlags) digest() (string, error) {
	if (f.Artifact == "") == (f.ArtifactSHA256 == "") {
		return "", usage("give --artifact or --artifact-sha256")
	}
	if f.Artifact == "" {
		return strings.ToLower(f.ArtifactSHA256), nil
	}
	digest, err := digestOfFile(f.Artifact)
	if err != nil {
		return "", usage("%v", err)
	}
	return digest, nil
}

type gateCmd struct {
	clientFlags
	outputFlags
	artifactFlags
	ID        string `arg:"" help:"The deployment." name:"deployment"`
	Ring      string `help:"LAB, CANARY, PILOT, DEPARTMENT or GLOBAL." required:""`
	Devices   int    `help:"How many devices of the ring." required:""`
	NoteRead  bool   `help:"The note of the approval has been read."`
	Minutes   int    `help:"How long the permit is good for, 1 to 15." default:"15"`
	PermitOut string `help:"Write the signed permit to this file." placeholder:"FILE"`
	VSAOut    string `help:"Write the SLSA verification summary of the artifact to this file." name:"vsa-out" placeholder:"FILE"`
	Explain   bool   `help:"Only say how the gate stands. Never exits 0: there is no permit."`
}

// Run asks for a permit to begin a rollout. It ends well only with the permit in
// hand; a server that says anything else than a permit for exactly this is a refusal.
func (c *gateCmd) Run(a *app) error {
	digest, err := c.digest()
	if err != nil {
		return err
	}
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		if c.Explain {
			return c.explain(ctx, a, client, digest)
		}
		p, err := client.AskPermit(ctx, c.ID, api.AskPermit{
			Ring: c.Ring, Artifact: digest, Devices: c.Devices, NoteRead: c.NoteRead, Minutes: &c.Minutes,
		})
		if err != nil {
			return err
		}
		if p.Artifact != digest || p.Ring != c.Ring || p.Devices != c.Devices || p.DeploymentID != strings.ToLower(c.ID) || p.State != "issued" || len(p.Envelope) == 0 || len(p.Summary) == 0 {
			return unknown("the server answered with something else than the permit that was asked for")
		}
		for path, text := range map[string][]byte{c.PermitOut: p.Envelope, c.VSAOut: p.Summary} {
			if path == "" {
				continue
			}
			if err := save(path, append(text, '\n')); err != nil {
				return unknown("the permit cannot be kept: %v", err)
			}
		}
		return c.print(a, p, func() {
			a.printf("%s  %s: %s with %d devices, until %s\n", a.paint(green, "open"), p.ID, p.Ring, p.Devices, p.ExpiresAt.Format(time.RFC3339))
		})
	})
}

func (c *gateCmd) explain(ctx context.Context, a *app, client *api.Client, digest string) error {
	query := url.Values{"ring": {c.Ring}, "artifact_sha256": {digest}, "devices": {strconv.Itoa(c.Devices)}, "note_read": {strconv.FormatBool(c.NoteRead)}}
	gate, err := client.DeploymentGate(ctx, c.ID, query)
	if err != nil {
		return err
	}
	err = c.print(a, gate, func() {
		for _, condition := range gate.Conditions {
			a.printf("%-8s %s: %s\n", condition.State, clean(condition.Name), clean(condition.Message))
		}
		for _, reason := range gate.Reasons {
			a.printf("%s %s: %s\n", a.paint(red, "closed  "), clean(reason.Code), clean(reason.Message))
		}
	})
	switch {
	case err != nil:
		return err
	case !gate.IsOpen:
		return no("the gate is closed")
	}
	return unknown("the gate is open; this gives no permit")
}

type permitCmd struct {
	Redeem permitRedeemCmd `cmd:"" help:"Begin the rollout that a permit is for, once."`
	Verify permitVerifyCmd `cmd:"" help:"Check a signed permit without the server: exits 0 only for this artifact, now."`
}

type permitRedeemCmd struct {
	clientFlags
	outputFlags
	artifactFlags
	Permit  string `arg:"" help:"The signed permit's file, or its id."`
	Devices int    `help:"How many devices, if fewer than those of the permit."`
}

// Run presents what is about to be installed. The rollout has begun only if it ends
// well.
func (c *permitRedeemCmd) Run(a *app) error {
	digest, err := c.digest()
	if err != nil {
		return err
	}
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		p, err := c.permit(ctx, client)
		if err != nil {
			return err
		}
		in := api.RedeemPermit{Ring: p.Ring, Artifact: digest, Devices: p.Devices}
		if c.Devices != 0 {
			in.Devices = c.Devices
		}
		done, err := client.RedeemPermit(ctx, p.ID, in)
		if err != nil {
			return err
		}
		if done.Permit.ID != p.ID || done.Permit.State != "redeemed" || done.Permit.Artifact != digest {
			return unknown("the server answered about something else than the permit that was redeemed")
		}
		return c.print(a, done, func() {
			a.printf("%s %s is %s in %s\n", clean(done.Deployment.AppName), clean(done.Deployment.Version), done.Deployment.State, p.Ring)
		})
	})
}

// permit reads what the permit is for. Nothing rests on that: the server knows.
func (c *permitRedeemCmd) permit(ctx context.Context, client *api.Client) (api.Permit, error) {
	text, err := readPermit(c.Permit)
	if os.IsNotExist(err) {
		return client.Permit(ctx, c.Permit)
	}
	if err != nil {
		return api.Permit{}, err
	}
	predicate, err := attest.PermitOf(text)
	if err != nil {
		return api.Permit{}, usage("%s %v", c.Permit, err)
	}
	return parsePermit(c.Permit, predicate)
}

func readPermit(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, attest.MaxPermit+1))
}

func parsePermit(path string, predicate []byte) (api.Permit, error) {
	var p api.Permit
	if err := json.Unmarshal(predicate, &p, json.RejectUnknownMembers(true)); err != nil || p.ID == "" {
		return p, no("%s holds no permit that can be read", path)
	}
	return p, nil
}

type permitVerifyCmd struct {
	outputFlags
	artifactFlags
	File string   `arg:"" help:"The signed permit."`
	Key  []string `help:"Public key of the server in PEM, or what it has at /.well-known/eucora-keys.json." required:"" placeholder:"FILE" sep:"none"`
	Ring string   `help:"The ring that this is, if it is known."`
}

// skew is how far a clock may be behind the server's when a permit is checked
// without it. A permit that is over is over.
const skew = time.Minute

// Run checks a permit with nothing but the key. Whether it has been redeemed, or
// its approval revoked since, only the server knows: that is what 15 minutes are for.
func (c *permitVerifyCmd) Run(a *app) error {
	digest, err := c.digest()
	if err != nil {
		return err
	}
	keys, err := readPublicKeys(c.Key)
	if err != nil {
		return err
	}
	text, err := readPermit(c.File)
	if err != nil {
		return usage("%v", err)
	}
	predicate, artifact, err := attest.OpenPermit(text, keys...)
	if err != nil {
		return no("%s %v", c.File, err)
	}
	p, err := parsePermit(c.File, predicate)
	if err != nil {
		return err
	}
	if err := c.judge(p, artifact, digest, time.Now()); err != nil {
		return err
	}
	return c.print(a, p, func() {
		a.printf("%s for %s, %d devices, until %s\n", a.paint(green, "good"), p.Ring, p.Devices, p.ExpiresAt.Format(time.RFC3339))
	})
}

func (c *permitVerifyCmd) judge(p api.Permit, artifact, digest string, now time.Time) error {
	switch {
	case p.State != "issued" || p.Artifact != artifact || p.Devices < 1 || p.ExpiresAt.Sub(p.IssuedAt) > 15*time.Minute:
		return no("%s is signed, and contradicts itself", c.File)
	case artifact != digest:
		return no("the permit is for the artifact %s, and this is %s", artifact, digest)
	case c.Ring != "" && p.Ring != c.Ring:
		return no("the permit is for %s, and not for %s", p.Ring, c.Ring)
	case !now.Before(p.ExpiresAt):
		return no("the permit was good until %s", p.ExpiresAt.Format(time.RFC3339))
	case now.Add(skew).Before(p.IssuedAt):
		return no("the permit is from %s, which has not come", p.IssuedAt.Format(time.RFC3339))
	}
	return nil
}

// readPublicKeys reads PEM, and the server's list of keys.
func readPublicKeys(paths []string) (keys [][]byte, err error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, usage("%v", err)
		}
		var listed api.PublicKeys
		if json.Unmarshal(text, &listed) != nil {
			keys = append(keys, text)
			continue
		}
		for _, key := range listed.Keys {
			keys = append(keys, []byte(key.PublicKey))
		}
	}
	return keys, nil
}

// digestOfFile is the SHA-256 of a file, in lower-case hex.
func digestOfFile(path string) (string, error) {
	return readFile(path, func(s collect.Source) (string, error) { return s.SHA256, nil })
}
