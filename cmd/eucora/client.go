package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/eucora/eucora/api"
)

// clientFlags say which server to ask, and as whom.
type clientFlags struct {
	Server    string        `help:"Server address." default:"http://127.0.0.1:8080" env:"EUCORA_SERVER" placeholder:"URL"`
	Token     string        `help:"Bearer token; better given as a variable or a file than on the command line." env:"EUCORA_TOKEN"`
	TokenFile string        `help:"File with the token." env:"EUCORA_TOKEN_FILE" placeholder:"FILE"`
	Timeout   time.Duration `help:"How long one call may take." default:"30s" env:"EUCORA_TIMEOUT"`
}

// client makes the client. Every command that talks to a server does so through
// it and nothing else.
func (f clientFlags) client() (*api.Client, error) {
	token := f.Token
	if f.TokenFile != "" { // said more closely than the variable
		if token != "" && token != os.Getenv("EUCORA_TOKEN") {
			return nil, usage("give --token or --token-file, not both")
		}
		text, err := os.ReadFile(f.TokenFile)
		if err != nil {
			return nil, usage("token file: %v", err)
		}
		token = strings.TrimSpace(string(text))
	}
	if token == "" {
		return nil, usage("no token: set EUCORA_TOKEN, or give --token-file or --token")
	}
	return &api.Client{
		Server: f.Server, Token: token, UserAgent: "eucora/" + version, HTTP: &http.Client{Timeout: f.Timeout},
	}, nil
}

// ask runs a call.
func (f clientFlags) ask(a *app, do func(ctx context.Context, c *api.Client) error) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	return do(a.ctx, c)
}

// isRefusal reports whether the server itself said no.
func isRefusal(err error) bool {
	_, ok := errors.AsType[*api.Problem](err)
	return ok && statusOf(err) == exitNo
}
