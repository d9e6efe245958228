package history

import "slices"

// bounds is I5: memory, descriptors and goroutines stay inside their limits, and
// come back to where they were.
func (c *checker) bounds() {
	limits := c.h.World.Limits
	var first, last *Sample
	for i, s := range c.h.Samples {
		if limits.RSSBytes > 0 && s.RSSBytes > limits.RSSBytes {
			c.add("I5", "", "%d bytes of memory, at most %d", s.RSSBytes, limits.RSSBytes)
		}
		if limits.Descriptors > 0 && s.Descriptors > limits.Descriptors {
			c.add("I5", "", "%d descriptors, at most %d", s.Descriptors, limits.Descriptors)
		}
		if limits.Goroutines > 0 && s.Goroutines > limits.Goroutines {
			c.add("I5", "", "%d goroutines, at most %d", s.Goroutines, limits.Goroutines)
		}
		if !s.AtRest {
			continue
		}
		if first == nil {
			first = &c.h.Samples[i]
		}
		last = &c.h.Samples[i]
	}
	if first == last {
		return
	}
	if limits.DescriptorSlack > 0 && last.Descriptors > first.Descriptors+limits.DescriptorSlack {
		c.add("I5", "", "%d descriptors at rest, %d before", last.Descriptors, first.Descriptors)
	}
	if limits.GoroutineSlack > 0 && last.Goroutines > first.Goroutines+limits.GoroutineSlack {
		c.add("I5", "", "%d goroutines at rest, %d before", last.Goroutines, first.Goroutines)
	}
}

// question is what is asked again until it is normal.
type question struct{ method, repository, reference string }

// recovery is I6: whatever was asked after the fault was answered as always
// within [Normality], without a restart.
func (c *checker) recovery() {
	for _, f := range c.h.Faults {
		if f.Ended.IsZero() {
			continue
		}
		answers := map[question][]Exchange{}
		var asked []question
		for _, x := range c.h.Exchanges {
			if x.Cell != f.Cell || x.Phase != After {
				continue
			}
			q := question{x.Method, x.Repository, x.Reference}
			if answers[q] == nil {
				asked = append(asked, q)
			}
			answers[q] = append(answers[q], x)
		}
		if len(asked) == 0 {
			c.add("I6", f.Cell, "nobody asked after the fault")
		}
		for _, q := range asked {
			if !slices.ContainsFunc(answers[q], func(x Exchange) bool {
				return x.normal() && !x.Done.After(f.Ended.Add(Normality))
			}) {
				last := answers[q][len(answers[q])-1]
				c.on(last, "I6", "%s after the fault it is not %d: %.200s", last.Done.Sub(f.Ended).Round(1e6), last.Normal, last.Text)
			}
		}
	}
}

// faulty reports whether a contact falls into the fault of its cell.
func (c *checker) faulty(y Contact) bool {
	return slices.ContainsFunc(c.h.Faults, func(f Fault) bool {
		return f.Cell == y.Cell && !y.At.Before(f.Began) && (f.Ended.IsZero() || y.At.Before(f.Ended))
	})
}

// once says that what should have been shared was fetched by one GET while the
// fault lasted.
func (c *checker) once() {
	fetched := map[string]int{}
	for _, y := range c.h.Contacts {
		if place := y.Host + y.Path; y.Method == "GET" && c.h.World.Once[place] && y.Status != 401 && c.faulty(y) {
			fetched[place]++
			if fetched[place] == 2 {
				c.add("once", y.Cell, "%s was fetched more than once", place)
			}
		}
	}
}
