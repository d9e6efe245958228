package verify

import (
	"context"
	"errors"
	"sync"

	"vouchsafe/oci"
)

// subject is what evidence is about: an image, and the repository that is asked
// for its signatures. Integrations that look elsewhere have other evidence.
type subject struct {
	repository oci.Repository
	digest     oci.Digest
	signatures oci.Repository
}

// about is the subject of in for the image of q.
func (q Query) about(in *Integration) subject {
	return subject{q.Repository, q.Digest, in.signaturesOf(q.Repository)}
}

// portion is what a query asks of one subject.
type portion struct {
	about subject
	// some are integrations of the query; at says where each stands in its list.
	some []*Integration
	at   []int
}

// portions splits those of all that pick chooses by their subjects, in the order of
// the first of each.
func (q Query) portions(all []*Integration, pick func(i int) bool) []portion {
	var portions []portion
	for i, in := range all {
		if !pick(i) {
			continue
		}
		about, to := q.about(in), 0
		for to < len(portions) && portions[to].about != about {
			to++
		}
		if to == len(portions) {
			portions = append(portions, portion{about: about})
		}
		portions[to].some, portions[to].at = append(portions[to].some, in), append(portions[to].at, i)
	}
	return portions
}

// everyone picks all.
func everyone(int) bool { return true }

// fill judges for each of q.Needed that has no result yet, all repositories of
// signatures asked at the same time: trouble at one is none of the others'.
func (v *Verifier) fill(ctx context.Context, q Query, results []Result) error {
	portions := q.portions(q.Needed, func(i int) bool { return results[i].Status == 0 })
	errs := make([]error, len(portions))
	flown := make([]bool, len(portions))
	if len(portions) == 1 {
		flown[0], errs[0] = v.fillPortion(ctx, q, portions[0], results)
	} else {
		var all sync.WaitGroup
		for i, one := range portions {
			all.Go(func() { flown[i], errs[i] = v.fillCarefully(ctx, q, one, results) })
		}
		all.Wait()
	}
	asked := false
	for _, flew := range flown {
		asked = asked || flew
	}
others:
	for _, rest := range q.portions(q.Others, everyone) {
		work := lateWork{about: rest.about, others: rest.some, collect: asked}
		for i, one := range portions {
			if one.about != rest.about {
				continue
			}
			if errs[i] != nil {
				continue others
			}
			work.collect = false
		}
		v.judgeLater(ctx, work)
	}
	return errors.Join(errs...)
}

// fillCarefully is fillPortion beside others, where a panic is nobody's to catch: it
// is trouble for this portion alone. Portions write to different results.
func (v *Verifier) fillCarefully(ctx context.Context, q Query, one portion, results []Result) (flew bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			problem := internalProblem(v.cfg.Log, r)
			for i, in := range one.some {
				now := v.cfg.Now()
				results[one.at[i]] = Result{
					Integration: in.Name(), Revision: in.Revision(), Status: Unavailable, Reason: problem.Reason, Message: problem.Message,
					JudgedAt: now, CollectedAt: now,
				}
			}
			flew, err = false, nil
		}
	}()
	return v.fillPortion(ctx, q, one, results)
}

// fillPortion judges for each of one that has no result yet, from kept evidence where
// that will do, else from fresh: flew says that it was collected. The error is
// ctx's own.
func (v *Verifier) fillPortion(ctx context.Context, q Query, one portion, results []Result) (flew bool, err error) {
	kept, found := v.evidence.get(one.about)
	if found && v.young(kept.CollectedAt, q.MaxAge) {
		from := landed(one.about, kept.Evidence)
		for i, in := range one.some {
			result, counts, err := v.judgeKept(ctx, from, in)
			if err != nil {
				return false, err
			}
			if counts {
				results[one.at[i]] = result
			}
		}
	}
	if one.complete(results) {
		return false, nil
	}
	from, err := v.fly(ctx, one.about, kept.number, v.preferred(ctx, one))
	if err != nil {
		return false, err
	}
	defer v.leave(from)
	for i, in := range one.some {
		if results[one.at[i]].Status != 0 {
			continue
		}
		if results[one.at[i]], err = v.judge(ctx, from, in); err != nil {
			return true, err
		}
	}
	return true, nil
}

// complete reports whether each of p has its result.
func (p portion) complete(results []Result) bool {
	for _, i := range p.at {
		if results[i].Status == 0 {
			return false
		}
	}
	return true
}

// preferred returns the digests of what verified last, to be asked for first.
func (v *Verifier) preferred(ctx context.Context, one portion) []oci.Digest {
	var digests []oci.Digest
	for _, in := range one.some {
		result, _, found := v.cache.Get(ctx, CacheKey{one.about.repository, one.about.digest, in.Name(), in.Revision()})
		if !found {
			continue
		}
		for _, s := range result.Signatures {
			if s.Status != Verified {
				continue
			}
			digests = append(digests, s.Digest)
			if !s.Source.Digest.IsZero() {
				digests = append(digests, s.Source.Digest)
			}
		}
	}
	return digests
}
