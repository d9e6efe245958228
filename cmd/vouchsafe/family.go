package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"vouchsafe/oci"
	"vouchsafe/policy"
)

const (
	// namesAtOnce is how many named images are asked about at the same time.
	namesAtOnce = 8
	// membersAtOnce is how many images of one index are.
	membersAtOnce = 4
	// maxMembers is how many images below one name are asked about.
	maxMembers = 1000
)

// member is one image to ask about.
type member struct {
	// ref is the name that is printed, at the one that is resolved.
	ref, at oci.Reference
	// err says that there is nothing to resolve; may be nil.
	err error
	// listed is true when nobody named it: it is in a folder.
	listed bool
	// platform and index are where an index lists it, else empty.
	platform string
	index    oci.Digest
}

// answer is what was found out about one member.
type answer[T any] struct {
	value T
	code  int
	// image is zero when it could not be read.
	image oci.Image
	// skip leaves it out.
	skip bool
}

// asker asks about one member; above is what was found out about the index that
// lists it, nil for one that was named.
type asker[T any] func(ctx context.Context, m member, above *T) answer[T]

// each asks about all, a few at the same time, each with all below it when whole
// is set, and returns what was found out in their order. The exit code is the
// first that occurs of 2, 3, 1, 0.
func each[T any](ctx context.Context, all []member, whole bool, p *progress, ask asker[T]) (values []T, code int) {
	p.begin(len(all))
	defer p.end()
	found := make([][]T, len(all))
	codes := make([]int, len(all))
	var group errgroup.Group
	group.SetLimit(namesAtOnce)
	for i, m := range all {
		group.Go(func() error {
			found[i], codes[i] = family(ctx, m, whole, p, ask)
			return nil
		})
	}
	_ = group.Wait()
	for i := range all {
		values = append(values, found[i]...)
		code = worse(code, codes[i])
	}
	return values, code
}

// family asks about one image and, when whole is set, about all that it lists,
// level by level: what inherits comes after what it inherits from. What is beyond
// a limit could not be found out.
func family[T any](ctx context.Context, top member, whole bool, p *progress, ask asker[T]) (values []T, code int) {
	level, above := []member{top}, []*T{nil}
	seen, members := map[oci.Digest]bool{}, 0
	for depth := 0; len(level) > 0; depth++ {
		answers := together(ctx, level, above, p, ask)
		var next []member
		var nextAbove []*T
		cut := ""
		for i, a := range answers {
			if !a.skip {
				values, code = append(values, a.value), worse(code, a.code)
			}
			if !whole || level[i].err != nil {
				continue
			}
			seen[a.image.Reference.Digest] = true
			for _, d := range a.image.Manifest.Manifests {
				switch {
				case seen[d.Digest]:
				case depth == policy.MaxAncestry:
					cut = fmt.Sprintf("indexes within indexes, more than %d deep", policy.MaxAncestry)
				case members == maxMembers:
					cut = fmt.Sprintf("more than %d images", maxMembers)
				default:
					seen[d.Digest] = true
					members++
					next, nextAbove = append(next, below(a.image, d)), append(nextAbove, &answers[i].value)
				}
			}
		}
		if cut != "" {
			err := &oci.Error{Code: oci.CodeUpstream, Reason: "too_many", Message: "it lists " + cut + ": not all were asked about"}
			next, nextAbove = append(next, member{ref: top.ref, err: err}), append(nextAbove, nil)
		}
		p.begin(len(next))
		level, above = next, nextAbove
	}
	return values, code
}

// below is the member that an index lists as d.
func below(index oci.Image, d oci.Descriptor) member {
	ref := oci.Reference{Repository: index.Reference.Repository, Digest: d.Digest}
	m := member{ref: ref, at: ref, index: index.Reference.Digest}
	if d.Platform != nil {
		m.platform = d.Platform.OS + "/" + d.Platform.Architecture
		if d.Platform.Variant != "" {
			m.platform += "/" + d.Platform.Variant
		}
	}
	return m
}

// together asks about the members of one level.
func together[T any](ctx context.Context, level []member, above []*T, p *progress, ask asker[T]) []answer[T] {
	answers := make([]answer[T], len(level))
	var group errgroup.Group
	group.SetLimit(membersAtOnce)
	for i, m := range level {
		group.Go(func() error {
			p.now(m.ref.String())
			answers[i] = ask(ctx, m, above[i])
			p.done()
			return nil
		})
	}
	_ = group.Wait()
	return answers
}
