package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vouchsafe/config"
	"vouchsafe/internal/datadir"
	"vouchsafe/upstream"
	"vouchsafe/verify"
)

// rootsFolder is where trusted roots of TUF mirrors are, in DATA_DIR.
const rootsFolder = "trusted-roots"

// newMirrors returns what a gateway knows of TUF mirrors. changed is called when a
// mirror gave another trusted root.
func (g *gateway) newMirrors(egress *upstream.Egress, changed func()) *verify.Mirrors {
	return verify.NewMirrors(verify.MirrorsConfig{
		Client:    upstream.NewOperatorClient(verify.MirrorTimeout, egress),
		UserAgent: programAgent(),
		Folder:    func() (string, error) { return g.data.Sub(rootsFolder) },
		Changed:   changed,
		Log:       g.log,
	})
}

// programAgent names this program to others.
func programAgent() string { return "vouchsafe/" + readVersion().Version }

// mirrorsOf are the TUF mirrors that a snapshot's integrations name.
func mirrorsOf(snapshot *config.Snapshot) []verify.MirrorSource {
	all := map[verify.MirrorSource]bool{}
	for _, in := range snapshot.Integrations {
		if source := in.Mirror(); source != (verify.MirrorSource{}) {
			all[source] = true
		}
	}
	return slices.Collect(maps.Keys(all))
}

// followMirrors keeps up the mirrors of the snapshot in force.
func (g *gateway) followMirrors(ctx context.Context, snapshot *config.Snapshot) {
	if err := g.mirrors.Follow(mirrorsOf(snapshot)); err != nil {
		// They were opened when the documents were loaded.
		g.log.ErrorContext(ctx, "TUF mirrors are not followed", "error", err)
	}
}

// refreshed is called after another trusted root of a mirror came into force.
func (g *gateway) refreshed(snapshot *config.Snapshot) {
	ctx := context.Background()
	_ = g.stack.records.Configuration(ctx, snapshot.Revision, "trusted root of a TUF mirror in force")
	g.warn(ctx, snapshot)
}

// mirrorProblem says what is wrong with trusted roots of mirrors.
func (g *gateway) mirrorProblem() error {
	var problems []string
	for _, one := range g.mirrors.Statuses() {
		if problem := mirrorProblem(one, time.Now()); problem != "" {
			problems = append(problems, one.Mirror+": "+problem)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	slices.Sort(problems)
	return errors.New(strings.Join(problems, "; "))
}

func mirrorProblem(one verify.MirrorStatus, now time.Time) string {
	why := ""
	if one.Failure != nil {
		why = ": " + one.Failure.Error()
	}
	switch ended := one.Expires.UTC().Format(time.RFC3339); {
	case one.Expires.IsZero():
		return "no trusted root was obtained yet, what needs it is Unavailable" + why
	case !one.Usable:
		return "its metadata ended at " + ended + " and is past its grace, what needs it is Unavailable" + why
	case !now.Before(one.Expires):
		return "its metadata ended at " + ended + ", the last good trusted root is in use until " +
			one.Expires.Add(verify.MirrorGrace).UTC().Format(time.RFC3339) + why
	case one.Failure != nil:
		return "not refreshed since " + one.CheckedAt.UTC().Format(time.RFC3339) + ", good until " + ended + why
	}
	return ""
}

// keptMirrors returns the trusted roots that are in DATA_DIR, for commands that
// only look. Nobody is asked and nothing is made; the folder may be another
// process's, which replaces whole files.
func keptMirrors(settings config.Settings) *verify.Mirrors {
	return verify.NewMirrors(verify.MirrorsConfig{
		ReadOnly: true, Folder: func() (string, error) { return filepath.Join(settings.DataDir, rootsFolder), nil },
	})
}

// withMirrors returns snapshot with the trusted roots that its TUF mirrors give.
// What is in DATA_DIR and has not ended is used as it is; for the rest the command
// waits, at most verify.MirrorTimeout, and says so. What fails is said, and what
// needs it is Unavailable.
func (a *app) withMirrors(ctx context.Context, settings config.Settings, snapshot *config.Snapshot) (*config.Snapshot, error) {
	wanting := keptMirrors(settings).Wanting(mirrorsOf(snapshot))
	if len(wanting) == 0 {
		return snapshot, nil
	}
	egress, err := upstream.NewEgress(a.environ)
	if err != nil {
		return nil, usage(err)
	}
	data := datadir.New(settings.DataDir)
	defer func() { _ = data.Close() }()
	cfg := verify.MirrorsConfig{
		Client: upstream.NewOperatorClient(verify.MirrorTimeout, egress), UserAgent: programAgent(),
		Folder: func() (string, error) { return filepath.Join(settings.DataDir, rootsFolder), nil },
	}
	if _, err := data.Sub(rootsFolder); err != nil {
		cfg.ReadOnly = true
		a.say("trusted roots are not kept: %v", err)
	}
	for _, one := range wanting {
		a.say("asking the TUF mirror %s for its trusted root", one.Mirror)
	}
	mirrors := verify.NewMirrors(cfg)
	if err := mirrors.Refresh(ctx, wanting); err != nil {
		if ctx.Err() != nil {
			return nil, &exitError{code: exitUnknown, err: ctx.Err()}
		}
		a.say("no trusted root was obtained: %v", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	with, err := a.documentsWith(settings, mirrors)
	if err != nil {
		return nil, err
	}
	for _, remark := range with.Warnings {
		if !slices.Contains(snapshot.Warnings, remark) {
			a.say("%v", remark)
		}
	}
	return with, nil
}

// say prints one line for people.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, "vouchsafe: "+format+"\n", args...)
}
