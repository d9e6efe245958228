package verify

import (
	"context"
	"slices"
	"strings"
	"sync"

	"vouchsafe/oci"
)

// list asks the three places at the same time and returns when all have
// answered or ctx has ended.
func (r *round) list(ctx context.Context) {
	var wait sync.WaitGroup
	for i, ask := range [len(r.places)]func(context.Context) place{r.askTag, r.askReferrers, r.askReferrersTag} {
		wait.Go(func() { r.places[i] = r.careful(ctx, ask) })
	}
	wait.Wait()
}

// careful turns a panic of a source into trouble at one place.
func (r *round) careful(ctx context.Context, ask func(context.Context) place) (answer place) {
	defer func() {
		if v := recover(); v != nil {
			answer = place{problems: []Problem{internalProblem(r.collector.Log, v)}}
		}
	}()
	return ask(ctx)
}

// askTag lists the layers of the image that cosign keeps beside the signed one.
func (r *round) askTag(ctx context.Context) place {
	tag, ok := sigTag(r.digest)
	if !ok {
		return place{}
	}
	source := oci.Reference{Repository: r.repository, Tag: tag}
	manifest, answer, ok := r.read(ctx, source, "tag "+source.Tag)
	if !ok {
		return answer
	}
	if manifest.Kind != oci.KindImage {
		answer.problems = append(answer.problems, Problem{Reason: Malformed, Message: "tag " + source.Tag + " is no image"})
		return answer
	}
	for _, layer := range manifest.Layers {
		if layer.MediaType != oci.MediaTypeSimpleSigning {
			continue
		}
		if len(answer.candidates) == MaxSignatures {
			answer.overLimit = true
			break
		}
		one := &candidate{descriptor: layer, format: FormatSimpleSigning, source: source}
		one.items = []*pending{{size: layer.Size, Item: Item{
			Format: FormatSimpleSigning, Source: source, Digest: layer.Digest,
			Annotations: signatureAnnotations(layer.Annotations),
		}}}
		answer.candidates = append(answer.candidates, one)
	}
	return answer
}

// askReferrers asks the referrers API.
func (r *round) askReferrers(ctx context.Context) place {
	referrers, err := r.collector.Source.Referrers(ctx, r.repository, r.digest)
	if err != nil {
		return r.trouble(ctx, "referrers API", err)
	}
	answer := r.pick(referrers.Manifests)
	answer.overLimit = answer.overLimit || referrers.Truncated
	return answer
}

// askReferrersTag reads the index that clients keep where a registry has no
// referrers API (OCI distribution specification 1.1, "Referrers Tag Schema").
func (r *round) askReferrersTag(ctx context.Context) place {
	source := oci.Reference{Repository: r.repository, Tag: r.digest.ReferrersTag()}
	manifest, answer, ok := r.read(ctx, source, "referrers tag")
	if !ok {
		return answer
	}
	if manifest.Kind != oci.KindIndex {
		answer.problems = append(answer.problems, Problem{Reason: Malformed, Message: "the referrers tag is no index"})
		return answer
	}
	return r.pick(manifest.Manifests)
}

// read fetches and parses the manifest behind a tag; ok is false when there is
// nothing to go on with.
func (r *round) read(ctx context.Context, source oci.Reference, what string) (oci.Manifest, place, bool) {
	manifest, err := r.manifest(ctx, source)
	if err != nil {
		return oci.Manifest{}, r.trouble(ctx, what, err), false
	}
	return manifest, place{}, true
}

func (r *round) trouble(ctx context.Context, what string, err error) place {
	if absent(err) {
		return place{}
	}
	problem := problemOf(what, err)
	r.collector.note(ctx, r.repository, r.digest, problem, err)
	return place{problems: []Problem{problem}, overLimit: problem.Reason == OverLimit}
}

// pick chooses which of the listed referrers may be bundles: first those that
// are called so, then those of which the list does not say what they are. The
// list is a hint only. Some registries report the type of the config in place
// of the artifact type, and tags are written by whoever pushes.
func (r *round) pick(listed []oci.Descriptor) place {
	var answer place
	for _, want := range []bool{true, false} {
		for _, descriptor := range listed {
			surely := strings.HasPrefix(descriptor.ArtifactType, oci.BundleMediaTypePrefix)
			if surely != want || !surely && !vague(descriptor.ArtifactType) || !imageManifest(descriptor.MediaType) {
				continue
			}
			if len(answer.candidates) >= MaxSignatures {
				answer.overLimit = true
				// Strangers may list more than is read before what verified last.
				if !slices.Contains(r.first, descriptor.Digest) {
					continue
				}
			}
			answer.candidates = append(answer.candidates, &candidate{
				descriptor: descriptor, format: FormatBundle, surely: surely,
				source: oci.Reference{Repository: r.repository, Digest: descriptor.Digest},
			})
		}
	}
	return answer
}

// vague reports whether an artifact type says nothing about the content.
func vague(artifactType string) bool {
	switch artifactType {
	case "", "application/vnd.oci.empty.v1+json", "application/vnd.oci.image.config.v1+json",
		"application/vnd.docker.container.image.v1+json", "application/octet-stream", "application/json":
		return true
	}
	return false
}

func imageManifest(mediaType string) bool {
	return mediaType == "" || mediaType == oci.MediaTypeImageManifest || mediaType == oci.MediaTypeDockerManifest
}
