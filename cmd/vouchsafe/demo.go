package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"vouchsafe/audit"
	"vouchsafe/internal/report"
	"vouchsafe/policy"
)

func (a *app) demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show signed images pulled through a gateway and others refused, without network or files",
		Long: `Start a registry and a Sigstore, sign images in each way that is supported and in ways that must not
count, put a gateway before them, pull each image through it over HTTP, and print what came of it and
why. Then keep serving until Ctrl-C, so that you can pull yourself.

Settings and documents of the machine are not read. With --script it ends after the table: exit code
0 when every pull ended as it must, else 1.`,
		Args: cobra.NoArgs,
	}
	script := cmd.Flags().Bool("script", false, "end after the pulls")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), *script) }
	return cmd
}

func (a *app) demo(ctx context.Context, script bool) error {
	w, err := newWorld(ctx)
	if err != nil {
		return demoFailed(err)
	}
	defer w.registry.Close()
	g, err := newDemoGateway(ctx, w)
	if err != nil {
		return demoFailed(err)
	}
	defer g.close()
	got, surprises := pullAll(ctx, w.pulls, newPuller(g.gateway), g.records)
	demoHead(a.stdout, g.gateway)
	if err := demoTable(a.stdout, w.pulls, got); err != nil {
		return demoFailed(err)
	}
	demoReasons(a.stdout, got)
	if err := a.demoNearest(ctx, g, w.pulls, got); err != nil {
		return demoFailed(err)
	}
	if n := slices.IndexFunc(got, func(o outcome) bool { return o.verdict == "Deny" }); n >= 0 {
		demoRecord(a.stdout, n+1, g.records.find(got[n].decision))
	}
	if len(surprises) > 0 {
		return &exitError{code: exitRefused, err: errors.Join(surprises...)}
	}
	say(a.stdout, "\n%d pulls, each ended as it must.\n", len(got))
	if script {
		demoMore(a.stdout)
		return nil
	}
	demoTry(a.stdout, g.gateway, g.ops)
	<-ctx.Done()
	return nil
}

// demoFailed is an error of the demo itself, which says nothing about images.
func demoFailed(err error) error {
	return &exitError{code: exitUnknown, err: fmt.Errorf("demo: %w", err)}
}

// demoNearest prints what the verifier says of each signature that did not count.
func (a *app) demoNearest(ctx context.Context, g *demoGateway, pulls []pull, got []outcome) error {
	say(a.stdout, "\nWhat `vouchsafe verify` says of signatures that do not count:\n\n")
	for i, o := range got {
		message, err := g.nearest(ctx, pulls[i], o)
		if err != nil {
			return err
		}
		if message != "" {
			say(a.stdout, "%s\n", wrap(fmt.Sprintf("%2d  ", i+1), "    ", report.Escape(message)))
		}
	}
	return nil
}

// pullAll pulls in order and compares with what must come of each.
func pullAll(ctx context.Context, pulls []pull, client *puller, kept *records) (got []outcome, surprises []error) {
	for i, p := range pulls {
		var o outcome
		var err error
		if p.before != nil {
			err = p.before()
		}
		if err == nil {
			o, err = client.pull(ctx, p)
		}
		if o.verdict == policy.Warn.String() {
			// Who is served is not told why it was doubted; the record says.
			o.reason = kept.reason(o.decision)
		}
		if err == nil {
			err = p.compare(o)
		}
		if err != nil {
			surprises = append(surprises, fmt.Errorf("pull %d, %s: %w", i+1, p.name(), err))
		}
		got = append(got, o)
	}
	return got, surprises
}

// compare says how an outcome differs from what must be.
func (p pull) compare(o outcome) error {
	verdict := ""
	if p.verdict != 0 {
		verdict = p.verdict.String()
	}
	if o.status != p.status || o.verdict != verdict || o.reason != p.reason {
		return fmt.Errorf("ended with %d %s %s, not with %d %s %s", o.status, o.verdict, o.reason, p.status, verdict, p.reason)
	}
	return nil
}

// maxRecords is more than the demo's own pulls make.
const maxRecords = 256

// records is an audit sink in memory that keeps the last maxRecords.
type records struct {
	mu    sync.Mutex
	lines [][]byte // guarded by mu
}

// Write implements [audit.Sink].
func (r *records) Write(_ context.Context, line []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) == maxRecords {
		r.lines = r.lines[1:]
	}
	r.lines = append(r.lines, bytes.Clone(line))
	return nil
}

// find returns the record of a decision, or "".
func (r *records) find(decision string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		if decision != "" && bytes.Contains(line, []byte(`"`+decision+`"`)) {
			return string(line)
		}
	}
	return ""
}

// recorded is the part of a record that the demo reads.
type (
	recorded struct {
		Image    struct{ Digest string }
		Decision struct{ Reasons []string }
		Results  []recordedResult
	}
	recordedResult struct{ Integration, Status string }
)

// read returns the record of a decision; the zero value if there is none.
func (r *records) read(decision string) recorded {
	var one recorded
	if json.Unmarshal([]byte(r.find(decision)), &one) != nil {
		return recorded{}
	}
	return one
}

// reason returns the first reason in the record of a decision, or "".
func (r *records) reason(decision string) string {
	if reasons := r.read(decision).Decision.Reasons; len(reasons) > 0 {
		return reasons[0]
	}
	return ""
}

var _ audit.Sink = (*records)(nil)
