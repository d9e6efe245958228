package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// tree answers what lists what, by digest.
type tree map[oci.Digest][]oci.Digest

func (x tree) image(digest oci.Digest) oci.Image {
	image := oci.Image{Reference: oci.Reference{Repository: oci.Repository{Registry: "a.test", Path: "b"}, Digest: digest}}
	for _, d := range x[digest] {
		image.Manifest.Manifests = append(image.Manifest.Manifests, oci.Descriptor{Digest: d, Platform: &oci.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}})
	}
	return image
}

func numbered(prefix string, n int) []oci.Digest {
	all := make([]oci.Digest, n)
	for i := range all {
		all[i] = oci.SHA256(fmt.Append(nil, prefix, i))
	}
	return all
}

func TestFamilyIsBounded(t *testing.T) {
	root := oci.SHA256([]byte("root"))
	some := numbered("c", 3)
	chain := numbered("level", policy.MaxAncestry+2)
	deep := tree{root: {chain[0]}}
	for i := range len(chain) - 1 {
		deep[chain[i]] = []oci.Digest{chain[i+1]}
	}
	for name, c := range map[string]struct {
		tree        tree
		whole       bool
		rows, asked int
		code        int
	}{
		"one image":                        {tree{}, true, 1, 1, exitOK},
		"an index, not asked for whole":    {tree{root: some}, false, 1, 1, exitOK},
		"an index":                         {tree{root: some}, true, 4, 4, exitOK},
		"a child that is listed twice":     {tree{root: {some[0], some[0], some[1]}}, true, 3, 3, exitOK},
		"an index that lists itself":       {tree{root: {root, some[0]}, some[0]: {root}}, true, 2, 2, exitOK},
		"as many as allowed":               {tree{root: numbered("c", maxMembers)}, true, maxMembers + 1, maxMembers + 1, exitOK},
		"more than allowed, over indexes":  {tree{root: some, some[0]: numbered("x", maxMembers)}, true, maxMembers + 2, maxMembers + 1, exitUnknown},
		"indexes in indexes, over a limit": {deep, true, policy.MaxAncestry + 2, policy.MaxAncestry + 1, exitUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			ask := func(_ context.Context, m member, above *string) answer[string] {
				if m.err != nil {
					return answer[string]{code: exitUnknown}
				}
				asked.Add(1)
				if above != nil && m.platform != "linux/arm/v7" {
					t.Errorf("got the platform %q", m.platform)
				}
				return answer[string]{value: m.at.Digest.String(), image: c.tree.image(m.at.Digest)}
			}
			top := c.tree.image(root).Reference
			rows, code := each(t.Context(), []member{{ref: top, at: top}}, c.whole, nil, ask)
			if len(rows) != c.rows || int(asked.Load()) != c.asked || code != c.code {
				t.Errorf("got %d rows, %d asked, exit code %d, want %d, %d, %d", len(rows), asked.Load(), code, c.rows, c.asked, c.code)
			}
		})
	}
}

func TestEachKeepsTheOrderAndTheWorstCode(t *testing.T) {
	members := make([]member, 100)
	for i, d := range numbered("n", len(members)) {
		members[i].at.Digest = d
	}
	values, code := each(t.Context(), members, true, nil, func(_ context.Context, m member, _ *oci.Digest) answer[oci.Digest] {
		a := answer[oci.Digest]{value: m.at.Digest}
		switch m.at.Digest {
		case members[10].at.Digest:
			a.code = exitRefused
		case members[90].at.Digest:
			a.code = exitUnknown
		}
		return a
	})
	for i := range members {
		if values[i] != members[i].at.Digest {
			t.Fatalf("image %d is out of order", i)
		}
	}
	if code != exitUnknown {
		t.Errorf("got exit code %d", code)
	}
}

func TestInherited(t *testing.T) {
	index, upper := oci.SHA256([]byte("index")), oci.SHA256([]byte("upper"))
	result := func(status verify.Status) verify.Result { return verify.Result{Integration: "team", Status: status} }
	through := result(verify.Verified)
	through.InheritedFrom = upper
	for name, c := range map[string]struct {
		own, above verify.Result
		status     verify.Status
		from       oci.Digest
	}{
		"the image's own counts first":           {result(verify.Verified), result(verify.Verified), verify.Verified, oci.Digest{}},
		"the index vouches":                      {result(verify.Unsigned), result(verify.Verified), verify.Verified, index},
		"also for what is not trusted":           {result(verify.Untrusted), result(verify.Verified), verify.Verified, index},
		"and for what is unknown":                {result(verify.Unavailable), result(verify.Verified), verify.Verified, index},
		"through an index above it":              {result(verify.Unsigned), through, verify.Verified, upper},
		"an index that is unknown leaves it so":  {result(verify.Unsigned), result(verify.Unavailable), verify.Unavailable, oci.Digest{}},
		"an unsigned index changes nothing":      {result(verify.Untrusted), result(verify.Unsigned), verify.Untrusted, oci.Digest{}},
		"a status that was never set is no yes":  {result(verify.Unsigned), result(0), verify.Unsigned, oci.Digest{}},
		"another integration vouches for nobody": {result(verify.Unsigned), verify.Result{Integration: "other", Status: verify.Verified}, verify.Unsigned, oci.Digest{}},
	} {
		t.Run(name, func(t *testing.T) {
			own := []verify.Result{c.own}
			got := inherited(own, []verify.Result{c.above}, index)
			if len(got) != 1 || got[0].Status != c.status || got[0].InheritedFrom != c.from {
				t.Errorf("got %+v, want %v from %s", got, c.status, c.from)
			}
			if own[0].Status != c.own.Status {
				t.Error("what was shared was changed")
			}
		})
	}
}
