package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"vouchsafe/internal/layout"
	"vouchsafe/oci"
)

const (
	// maxNames is how many images one command is asked about.
	maxNames = 100_000
	// maxNameLine is the longest line on stdin.
	maxNameLine = 4096
)

// stdinName stands for the names on stdin.
const stdinName = "-"

// name is an image name with the place where it was written, for mistakes.
type name struct{ text, place string }

// mistake is the caller's, at the place of the name.
func (n name) mistake(err error) error {
	if n.place != "" {
		err = fmt.Errorf("%s: %w", n.place, err)
	}
	return usage(err)
}

// names returns the names on a command line; "-" stands for those on stdin.
func (a *app) names(args []string) ([]name, error) {
	var all []name
	for _, arg := range args {
		if arg != stdinName {
			all = append(all, name{text: arg})
			continue
		}
		some, err := lines(a.stdin)
		if err != nil {
			return nil, usage(err)
		}
		all = append(all, some...)
	}
	if len(all) > maxNames {
		return nil, usage(fmt.Errorf("more than %d images", maxNames))
	}
	return all, nil
}

// lines reads one name a line. Empty lines and those that begin with "#" are left
// out; a line may end as on Windows.
func lines(r io.Reader) ([]name, error) {
	var all []name
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxNameLine)
	n := 1
	for ; scanner.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(scanner.Text(), "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		if len(all) == maxNames {
			return nil, fmt.Errorf("stdin, line %d: more than %d images", n, maxNames)
		}
		all = append(all, name{text: line, place: fmt.Sprintf("stdin, line %d", n)})
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("stdin, line %d: longer than %d bytes", n, maxNameLine)
	case err != nil:
		return nil, fmt.Errorf("read names of images: %w", err)
	}
	return all, nil
}

var errNoImage = errors.New("no image was named")

// images reads the names of images at registries.
func (a *app) images(args []string) ([]member, error) {
	names, err := a.names(args)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, usage(errNoImage)
	}
	all := make([]member, len(names))
	for i, n := range names {
		ref, err := oci.ParseReference(n.text)
		if err != nil {
			return nil, n.mistake(err)
		}
		all[i] = member{ref: ref, at: ref}
	}
	return all, nil
}

// layoutRepository is where images of a layout are that nobody gave a name.
var layoutRepository = oci.Repository{Registry: "localhost", Path: "layout"}

// imagesIn reads the names of images in a layout: an entry's name as it stands
// there, a digest, or an image name. Without any name they are all that it lists.
func (a *app) imagesIn(l *layout.Layout, args []string) ([]member, error) {
	names, err := a.names(args)
	if err != nil {
		return nil, err
	}
	entries := l.Entries()
	var all []member
	if len(args) == 0 {
		for _, e := range entries {
			m := entryMember(e)
			m.listed = true
			all = append(all, m)
		}
		return all, nil
	}
	if len(names) == 0 {
		return nil, usage(errNoImage)
	}
	byName := map[string]layout.Entry{}
	for _, e := range entries {
		if _, taken := byName[e.Name]; !taken {
			byName[e.Name] = e
		}
	}
	for _, n := range names {
		if e, ok := byName[n.text]; ok {
			all = append(all, entryMember(e))
		} else if digest, err := oci.ParseDigest(n.text); err == nil {
			all = append(all, entryMember(layout.Entry{Digest: digest}))
		} else if m, err := found(l, n); err != nil {
			return nil, err
		} else {
			all = append(all, m)
		}
	}
	return all, nil
}

// found is the member that an image name names in a layout.
func found(l *layout.Layout, n name) (member, error) {
	ref, err := oci.ParseReference(n.text)
	if err != nil {
		return member{}, n.mistake(err)
	}
	digest, err := l.Find(ref)
	return member{ref: ref, at: oci.Reference{Repository: ref.Repository, Digest: digest}, err: err}, nil
}

// entryMember is an entry under its own name where that is a tag or a whole image
// name, else under its digest.
func entryMember(e layout.Entry) member {
	ref := oci.Reference{Repository: layoutRepository, Digest: e.Digest}
	if whole, err := oci.ParseReference(e.Name); err == nil && strings.ContainsAny(e.Name, "/:") {
		ref = whole
	} else if oci.CheckTag(e.Name) == nil {
		ref.Tag, ref.Digest = e.Name, oci.Digest{}
	}
	return member{ref: ref, at: oci.Reference{Repository: ref.Repository, Digest: e.Digest}}
}
