package clients_test

import (
	"fmt"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/origin"
	"vouchsafe/e2e/internal/tool"
)

// client is a program that pulls.
type client interface {
	// Version is what the program says of itself, on one line.
	Version(t *testing.T) string
	// Pull pulls a reference. The command is what a person would type.
	Pull(t *testing.T, reference string) (command string, out tool.Output)
	// Folders are where it keeps things, which the golden files do not name.
	Folders() []string
	// Check demands of what the program stored in its last pull that it is what
	// it is called; of an image that arrived, that all of it is there; of one
	// that did not, that it is not there.
	Check(t *testing.T, reference string, image origin.Image, arrived bool)
}

func TestWhatAPersonSeesOfEachPull(t *testing.T) {
	w := newWorld(t)
	all := programs(t, w)
	cells := map[string][]cell{}
	for _, program := range all {
		_, mirror := program.client.(*kubelet)
		cells[program.name] = w.cells(t, program.name, mirror)
	}
	w.at.Reset()
	t.Run("clients", func(t *testing.T) {
		for _, program := range all {
			t.Run(program.name, func(t *testing.T) {
				// Their waiting between attempts overlaps.
				t.Parallel()
				want := openGolden(t, program.name)
				want.check(t, "version", program.Version(t))
				for _, cell := range cells[program.name] {
					w.checkCell(t, program, cell, want)
				}
			})
		}
	})
	for _, request := range w.at.Requests("/v2/") {
		if !strings.HasPrefix(request.UserAgent, "vouchsafe") {
			t.Errorf("the registry was asked by another than the gateway: %s", request)
		}
	}
}

// checkCell pulls, and demands that the person sees what is written down, that
// the program holds what it should, and that the registry and the records agree.
func (w *world) checkCell(t *testing.T, program program, cell cell, want *golden) {
	t.Helper()
	reference := cell.fate.registry + "/" + cell.image.Repository + ":" + cell.image.Tag
	if !cell.fate.mirror {
		reference = w.g.Host + "/" + reference
	}
	command, out := program.Pull(t, reference)
	names := []string{w.g.Host, "GATEWAY"}
	for _, folder := range program.Folders() {
		names = append(names, folder, "FOLDER")
	}
	want.check(t, cell.title, steady(fmt.Sprintf("$ %s\n%sexit %d", command, lines(out.All()), out.Code), names...))
	if arrived := out.Code == 0; arrived != cell.fate.arrives {
		t.Errorf("%s: exit %d", cell.title, out.Code)
		return
	}
	program.Check(t, reference, cell.image, cell.fate.arrives)
	switch {
	case cell.fate.cut == always:
		if len(w.at.Requests(layer(cell.image))) == 0 {
			t.Errorf("%s: the layer was never asked for", cell.title)
		}
	case cell.fate.cut == once:
		ranges := fmt.Sprintf("bytes=%d-", cutAfter)
		if got := w.door.resumed(layer(cell.image)); len(got) != 1 || !strings.HasPrefix(got[0], ranges) {
			t.Errorf("%s: the layer was asked for again with the ranges %q, want one that begins %q", cell.title, got, ranges)
		}
	case !cell.fate.signed && cell.fate.registry != goneRegistry:
		w.checkRefused(t, cell)
	}
}

// lines ends a text that is not empty with a line break.
func lines(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return text + "\n"
}

// checkRefused demands that no content of a refused image was fetched, and that
// the records have the reason.
func (w *world) checkRefused(t *testing.T, cell cell) {
	t.Helper()
	for _, blob := range cell.image.Blobs {
		for _, request := range w.at.Requests(blob) {
			t.Errorf("%s: content of a refused image was fetched: %s", cell.title, request)
		}
	}
	pulls := w.g.Pulls(t, cell.image.Repository, cell.image.Digest)
	if len(pulls) == 0 {
		t.Errorf("%s: no audit record", cell.title)
	}
	for _, pull := range pulls {
		if pull.Decision.Verdict != "Deny" || !strings.Contains(pull.Message, "refused by policy "+policyName+": no signature found") {
			t.Errorf("%s: the audit record says %s: %s", cell.title, pull.Decision.Verdict, pull.Message)
		}
	}
}
