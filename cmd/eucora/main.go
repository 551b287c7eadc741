// Eucora is a change-approval gate for endpoint application deployments. This
// is its one program: server, administration, and client.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// version is set when a release is built.
var version = "dev"

// commands is every verb, one file each.
type commands struct {
	Serve      serveCmd      `cmd:"" help:"Run the server."`
	Demo       demoCmd       `cmd:"" help:"Take real deployments through a server of its own, and show what happens."`
	User       userCmd       `cmd:"" help:"Accounts, on the database directly."`
	Token      tokenCmd      `cmd:"" help:"Bearer tokens, on the database directly."`
	Session    sessionCmd    `cmd:"" help:"Who is signed in to the console, on the database directly."`
	Key        keyCmd        `cmd:"" help:"Keys that sign attestations, on the data directory directly."`
	Deployment deploymentCmd `cmd:"" help:"Deployment intents."`
	Evidence   evidenceCmd   `cmd:"" help:"Evidence packages."`
	Submit     submitCmd     `cmd:"" help:"Submit evidence for approval. Exits 0 only if it is approved."`
	Queue      queueCmd      `cmd:"" help:"What waits for a decision."`
	Show       showCmd       `cmd:"" help:"Show a request (CAB-…), an exception (EXC-…), or a deployment's standing."`
	Gate       gateCmd       `cmd:"" help:"Ask for a permit to begin a rollout. Exits 0 only with a permit in hand."`
	Permit     permitCmd     `cmd:"" help:"Permits: redeem, verify."`
	Review     reviewCmd     `cmd:"" help:"Say that you are on a request."`
	Approve    approveCmd    `cmd:"" help:"Approve a request, with or without conditions."`
	Reject     rejectCmd     `cmd:"" help:"Reject a request."`
	Withdraw   withdrawCmd   `cmd:"" help:"Take your request back."`
	Revoke     revokeCmd     `cmd:"" help:"End an approval."`
	Exception  exceptionCmd  `cmd:"" help:"Exceptions for high risks."`
	Notice     noticeCmd     `cmd:"" help:"What people are still to be told."`
	Risk       riskCmd       `cmd:"" help:"Risk models: score, check, show, publish."`
	Policy     policyCmd     `cmd:"" help:"Policies: show, publish."`
	Audit      auditCmd      `cmd:"" help:"The ledger: trails and verification."`
	Version    versionCmd    `cmd:"" help:"Print the version."`

	Config kong.ConfigFlag `help:"YAML file with flags by the names of their variables, e.g. 'listen: 0.0.0.0:8080'. Flags come before EUCORA_* variables, and these before the file." env:"EUCORA_CONFIG" placeholder:"FILE"`
}

// app is what commands run in.
type app struct {
	ctx         context.Context
	stdin       io.Reader
	out, errOut io.Writer
	colour      bool          // on out
	terminal    bool          // errOut is one: progress is shown
	done        chan struct{} // closed when a server has stopped
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run runs one command line and returns its exit status.
func run(ctx context.Context, args []string) int {
	a := newApp(ctx)
	var cli commands
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("eucora"), kong.Description("Change-approval gate for endpoint application deployments."),
		kong.UsageOnError(), kong.DefaultEnvars("EUCORA"), kong.Writers(a.out, a.errOut), kong.Exit(func(code int) { exited = code }),
		kong.Configuration(configFile), kong.Bind(a), kong.Vars{"roles": rolesHelp}, kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if err != nil {
		fmt.Fprintln(a.errOut, "eucora:", err)
		return exitUsage
	}
	if len(args) == 0 { // an empty command is a mistake in a pipeline, and no yes
		_, _ = parser.Parse([]string{"--help"})
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintln(a.errOut, "eucora:", err)
		if failed, ok := errors.AsType[*kong.ParseError](err); ok && failed.Context != nil {
			_ = failed.Context.PrintUsage(true)
		}
		return exitUsage
	}
	return a.status(parsed.Run(a))
}

// configFile makes a resolver of a YAML file of flags by name. What the
// environment says comes before it.
func configFile(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("config file: %w", err)
	}
	return &configValues{values}, nil
}

type configValues struct{ values map[string]any }

// Validate refuses names that are no flags: a misspelt one would be ignored.
func (c *configValues) Validate(app *kong.Application) error {
	var known []string
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known = append(known, fileName(flag))
		}
		return next(nil)
	})
	for name := range c.values {
		if !slices.Contains(known, name) {
			return fmt.Errorf("config file: %q is not a flag", name)
		}
	}
	return nil
}

// fileName is a flag's name in the file: its variable's, for flags of the same name
// can be different things (--trust of the server, and of audit verbs).
func fileName(flag *kong.Flag) string {
	if len(flag.Tag.Envs) == 0 {
		return flag.Name
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(flag.Tag.Envs[0], "EUCORA_")), "_", "-")
}

func (c *configValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Tag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	switch value := c.values[fileName(flag)].(type) {
	case nil:
		return nil, nil // not there, or left empty
	case map[string]any:
		return nil, fmt.Errorf("config file: %s wants a value, not a table", flag.Name)
	case []any:
		if !flag.IsSlice() {
			return nil, fmt.Errorf("config file: %s wants one value, not a list", flag.Name)
		}
		return value, nil
	default:
		return strings.TrimSpace(fmt.Sprint(value)), nil
	}
}

// given are the names of the flags on the command line, and not those that a variable
// or the configuration file gave.
func given(line *kong.Context) []string {
	var names []string
	for _, part := range line.Path {
		if part.Flag != nil && !part.Resolved {
			names = append(names, part.Flag.Name)
		}
	}
	return names
}

type versionCmd struct{ outputFlags }

// Run prints the version.
func (c *versionCmd) Run(a *app) error {
	return c.print(a, map[string]string{"version": version}, func() { a.printf("eucora %s\n", version) })
}
