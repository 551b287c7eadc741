// Tlogread reads a log from end to end with torchwood's client, which knows C2SP
// tlog-tiles and nothing of Eucora, and checks a proof with torchwood's verifier.
//
//	TOKEN=… tlogread PREFIX POLICY-FILE [PROOF-FILE EVENT-FILE]
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 3 && len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: tlogread PREFIX POLICY-FILE [PROOF-FILE EVENT-FILE]")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := read(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tlogread:", err)
		os.Exit(1)
	}
}

// bearer lets the client in.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func read(ctx context.Context, args []string) error {
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	if len(args) == 4 {
		return verify(policy, args[2], args[3])
	}
	fetcher, err := torchwood.NewTileFetcher(args[0], torchwood.WithHTTPClient(&http.Client{Transport: bearer(os.Getenv("TOKEN"))}))
	if err != nil {
		return err
	}
	signed, err := fetcher.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	n, bytes := int64(0), 0
	for i, entry := range client.AllEntries(ctx, checkpoint.Tree, 0) {
		if i != n {
			return fmt.Errorf("entry %d comes after %d", i, n-1)
		}
		n, bytes = n+1, bytes+len(entry)
	}
	if err := client.Err(); err != nil {
		return err
	}
	fmt.Printf("%d of %d entries, %d bytes\n", n, checkpoint.N, bytes)
	return nil
}

func verify(policy torchwood.Policy, proofFile, eventFile string) error {
	proof, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	event, err := os.ReadFile(eventFile)
	if err != nil {
		return err
	}
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(event), proof); err != nil {
		return err
	}
	fmt.Println("the proof holds")
	return nil
}
