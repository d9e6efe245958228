package verify

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"

	"vouchsafe/oci"
)

// open fetches the manifests of the candidates that are referrers and notes the
// bundles in them.
func (r *round) open(ctx context.Context, candidates []*candidate) {
	var todo []*candidate
	for _, one := range candidates {
		if one.format == FormatBundle {
			todo = append(todo, one)
		}
	}
	parallel(manifestsAtOnce, todo, func(one *candidate) {
		defer r.rescue(func(p Problem) { one.items = []*pending{one.broken(p)} })
		r.openOne(ctx, one)
	})
}

func (r *round) openOne(ctx context.Context, one *candidate) {
	const what = "bundle manifest"
	if one.descriptor.Size > oci.MaxManifestBytes {
		r.refuse(one, *overLimit("%s %s is larger than %d bytes", what, one.descriptor.Digest.Short(), oci.MaxManifestBytes))
		return
	}
	manifest, err := r.manifest(ctx, one.source)
	if err == nil {
		r.bundlesIn(one, manifest)
		return
	}
	// A list may go on naming what was deleted: of a manifest that may have
	// been anything this says nothing.
	if absent(err) && !one.surely {
		return
	}
	problem := problemOf(what+" "+one.descriptor.Digest.Short(), err)
	r.collector.note(ctx, r.repository, r.digest, problem, err)
	r.refuse(one, problem)
}

// bundlesIn notes each bundle layer; a manifest without one is no signature.
func (r *round) bundlesIn(one *candidate, manifest oci.Manifest) {
	for _, layer := range manifest.Layers {
		if !strings.HasPrefix(layer.MediaType, oci.BundleMediaTypePrefix) {
			continue
		}
		if len(one.items) > MaxSignatures {
			return
		}
		one.items = append(one.items, &pending{size: layer.Size, Item: Item{
			Format: FormatBundle, Source: one.source, Digest: layer.Digest,
		}})
	}
}

func (r *round) refuse(one *candidate, problem Problem) {
	one.items = []*pending{one.broken(problem)}
}

func (c *candidate) broken(problem Problem) *pending {
	return &pending{Item: Item{Format: c.format, Source: c.source, Digest: c.descriptor.Digest, Problem: &problem}}
}

// fetch reads the payloads, each layer once however many signatures name it.
func (r *round) fetch(ctx context.Context, items []*pending) {
	byDigest := map[oci.Digest][]*pending{}
	var order []oci.Digest
	for _, item := range items {
		if item.Problem != nil {
			continue
		}
		if byDigest[item.Digest] == nil {
			order = append(order, item.Digest)
		}
		byDigest[item.Digest] = append(byDigest[item.Digest], item)
	}
	if err := r.reserve(ctx, byDigest); err != nil {
		for digest, items := range byDigest {
			problem := problemOf("signature "+digest.Short(), err)
			for _, item := range items {
				item.Problem = &problem
			}
		}
		return
	}
	parallel(blobsAtOnce, order, func(digest oci.Digest) {
		fail := func(p Problem) {
			for _, item := range byDigest[digest] {
				item.Problem = &p
			}
		}
		defer r.rescue(fail)
		payload, err := r.collector.Source.SmallBlob(ctx, r.repository, digest, declared(byDigest[digest]))
		if err != nil {
			problem := problemOf("signature "+digest.Short(), err)
			if problem.Reason == OverLimit {
				// admit counted the declared size, so no more than that is read.
				problem = Problem{Reason: Malformed, Message: "signature " + digest.Short() + ": longer than its descriptor says"}
			}
			r.collector.note(ctx, r.repository, r.digest, problem, err)
			fail(problem)
			return
		}
		for _, item := range byDigest[digest] {
			item.Payload = payload
		}
	})
}

// rescue turns a panic of a source into trouble with one item.
func (r *round) rescue(fail func(Problem)) {
	if v := recover(); v != nil {
		fail(internalProblem(r.collector.Log, v))
	}
}

func internalProblem(log *slog.Logger, panicked any) Problem {
	if log != nil {
		log.Error("panic while evidence was collected", "panic", panicked, "stack", string(debug.Stack()))
	}
	return Problem{Reason: FetchFailed, Message: "internal error", Unavailable: true}
}

// parallel calls do for each of todo, at most n at once, and returns when all
// are done. do must not panic.
func parallel[T any](n int, todo []T, do func(T)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, n)
	for _, one := range todo {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			do(one)
		})
	}
	wait.Wait()
}
