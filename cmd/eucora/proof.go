package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
)

type auditProofCmd struct {
	clientFlags
	Seq   int64  `arg:"" help:"The event's place in the ledger."`
	Out   string `help:"Write the proof to this file (otherwise: to standard output)." short:"o" placeholder:"FILE"`
	Event string `help:"Write the event, as it was hashed, to this file." placeholder:"FILE"`
}

// Run fetches a proof.
func (c *auditProofCmd) Run(a *app) error {
	return c.ask(a, func(ctx context.Context, client *api.Client) error {
		text, err := client.Proof(ctx, c.Seq)
		if err != nil {
			return err
		}
		if _, err := ledger.ParseProof(text); err != nil {
			return unknown("%v", err)
		}
		if c.Event != "" {
			leaf, err := client.Event(ctx, c.Seq)
			if err != nil {
				return err
			}
			if err := save(c.Event, leaf); err != nil {
				return err
			}
		}
		if c.Out == "" {
			_, err = a.out.Write(text)
			return err
		}
		return save(c.Out, text)
	})
}

type auditVerifyProofCmd struct {
	outputFlags
	trustFlags
	Proof string `arg:"" help:"File with the proof: c2sp.org/tlog-proof@v1." type:"existingfile"`
	Event string `arg:"" help:"File with the event." type:"existingfile"`
}

// proven is what a proof proves, as --json prints it.
type proven struct {
	Event     int64    `json:"event"`
	Type      string   `json:"type"`
	Log       string   `json:"log"`
	Events    int64    `json:"events"`
	Witnesses []string `json:"witnessed_by"`
}

// Run checks an event and its proof, with no server.
func (c *auditVerifyProofCmd) Run(a *app) error {
	trust, err := c.trust()
	if err != nil {
		return err
	}
	if trust == nil {
		return usage("give the log's key with --key, or a policy with --trust: a proof does not say whose log it is of")
	}
	text, err := os.ReadFile(c.Proof)
	if err != nil {
		return unknown("%v", err)
	}
	event, err := os.ReadFile(c.Event)
	if err != nil {
		return unknown("%v", err)
	}
	result, err := checkProof(text, event, trust)
	if err != nil {
		return err
	}
	return c.print(a, result, func() {
		a.printf("%s event %d, %s, is in the log %s of %d events\n", a.paint(green, "✓"), result.Event, clean(result.Type), result.Log, result.Events)
		for _, witness := range result.Witnesses {
			a.printf("%s witnessed by %s\n", a.paint(green, "✓"), clean(witness))
		}
	})
}

func checkProof(text, event []byte, trust *ledger.Trust) (proven, error) {
	proof, err := ledger.ParseProof(text)
	if err != nil {
		return proven{}, no("%v", err)
	}
	leaf, err := evidence.Canonical(event)
	var said api.Event
	if err == nil {
		err = json.Unmarshal(leaf, &said)
	}
	if err != nil {
		return proven{}, no("the event is none: %v", err)
	}
	if said.Seq != proof.Seq {
		return proven{}, no("the proof is of event %d, and this is event %d", proof.Seq, said.Seq)
	}
	checkpoint, err := proof.Check(leaf, trust.Log)
	if err != nil {
		return proven{}, no("%v", err)
	}
	cosigned, err := trust.Open(proof.Checkpoint)
	if err != nil {
		return proven{}, no("%v", err)
	}
	if !trust.Enough(cosigned) {
		return proven{}, no("it is in the log, and no quorum of the policy has witnessed that: %d of %d witnesses have", len(cosigned.By), len(trust.Witnesses))
	}
	result := proven{proof.Seq, said.Type, checkpoint.Origin, checkpoint.Size, []string{}}
	for _, by := range cosigned.By {
		result.Witnesses = append(result.Witnesses, by.Witness+" on "+shortTime(by.At))
	}
	return result, nil
}
