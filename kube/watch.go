package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Bounds of lists and watches.
const (
	// pageSize is how many pods one answer to a list has at most.
	pageSize = 250
	// maxListed bounds the pods of one list: as many as the largest cluster that
	// Kubernetes supports has.
	maxListed = 150_000
	// maxListBytes bounds one page, maxFrameBytes one event of a watch. Both are
	// read one pod at a time.
	maxListBytes  = 512 << 20
	maxFrameBytes = 8 << 20
	// listTimeout bounds one page.
	listTimeout = time.Minute
	// watchTime is how long one watch goes on before the next, watchSlack how much
	// later it is cut off when the server does not end it.
	watchTime  = 5 * time.Minute
	watchSlack = 30 * time.Second
)

// change is one event of a watch.
type change struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

// listPods calls each with every pod that the selector chooses and returns the
// version from which a watch goes on.
func (c *Client) listPods(ctx context.Context, selector string, each func(*pod)) (version string, err error) {
	next, n := "", 0
	for {
		var more string
		version, more, err = c.listPage(ctx, selector, next, func(p *pod) error {
			if n++; n > maxListed {
				return fmt.Errorf("list pods: %w: more than %d", ErrTooLarge, maxListed)
			}
			each(p)
			return nil
		})
		if err != nil || more == "" {
			return version, err
		}
		next = more
	}
}

func (c *Client) listPage(ctx context.Context, selector, from string, each func(*pod) error) (version, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	query := url.Values{"limit": {strconv.Itoa(pageSize)}, "fieldSelector": {selector}}
	if from != "" {
		query.Set("continue", from)
	}
	body, err := c.open(ctx, call{method: http.MethodGet, path: podsPath, query: query})
	if err != nil {
		return "", "", err
	}
	defer body.Close() //nolint:errcheck // it was only read
	version, next, err = readList(&budget{from: body, left: maxListBytes}, each)
	if err != nil {
		return "", "", fmt.Errorf("list pods: %w", err)
	}
	if version == "" {
		return "", "", errors.New("list pods: the list has no version")
	}
	return version, next, nil
}

const podsPath = "/api/v1/pods"

// readList reads a PodList one pod at a time.
func readList(r io.Reader, each func(*pod) error) (version, next string, err error) {
	decoder := json.NewDecoder(r)
	if err := expect(decoder, json.Delim('{')); err != nil {
		return "", "", err
	}
	for decoder.More() {
		field, err := decoder.Token()
		if err != nil {
			return "", "", err
		}
		switch field {
		case "metadata":
			var metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			}
			err = decoder.Decode(&metadata)
			version, next = metadata.ResourceVersion, metadata.Continue
		case "items":
			err = readItems(decoder, each)
		default:
			err = decoder.Decode(new(json.RawMessage))
		}
		if err != nil {
			return "", "", err
		}
	}
	return version, next, expect(decoder, json.Delim('}'))
}

func readItems(decoder *json.Decoder, each func(*pod) error) error {
	begin, err := decoder.Token()
	if err != nil || begin == nil {
		return err
	}
	if begin != json.Delim('[') {
		return fmt.Errorf("%v where a list of pods was to be", begin)
	}
	for decoder.More() {
		var p pod
		if err := decoder.Decode(&p); err != nil {
			return err
		}
		if err := each(&p); err != nil {
			return err
		}
	}
	return expect(decoder, json.Delim(']'))
}

func expect(decoder *json.Decoder, wanted json.Delim) error {
	got, err := decoder.Token()
	if err != nil {
		return err
	}
	if got != wanted {
		return fmt.Errorf("%v where %v was to be", got, wanted)
	}
	return nil
}

// watchPods calls each with every change of the pods that the selector chooses,
// after version, until the server ends the watch: then it returns the version
// from which the next one goes on. The error is an [ErrExpired] when that is no
// longer possible.
func (c *Client) watchPods(ctx context.Context, selector, version string, each func(deleted bool, p *pod)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchTime+watchSlack)
	defer cancel()
	body, err := c.open(ctx, call{method: http.MethodGet, path: podsPath, query: url.Values{
		"watch": {"true"}, "allowWatchBookmarks": {"true"}, "fieldSelector": {selector}, "resourceVersion": {version},
		"timeoutSeconds": {strconv.Itoa(int(watchTime.Seconds()))},
	}})
	if err != nil {
		return version, err
	}
	defer body.Close() //nolint:errcheck // it was only read
	frame := &budget{from: body}
	for decoder := json.NewDecoder(frame); ; {
		frame.left = maxFrameBytes
		var one change
		if err := decoder.Decode(&one); err != nil {
			if errors.Is(err, io.EOF) {
				return version, nil
			}
			return version, fmt.Errorf("watch pods: %w", err)
		}
		if err := one.hand(&version, each); err != nil {
			return version, fmt.Errorf("watch pods: %w", err)
		}
	}
}

// hand gives a change to each.
func (c *change) hand(version *string, each func(deleted bool, p *pod)) error {
	if c.Type == "ERROR" {
		var s status
		if err := json.Unmarshal(c.Object, &s); err != nil {
			return err
		}
		return &StatusError{Method: http.MethodGet, Path: podsPath, Code: s.Code, Message: cut(s.Message, maxStatusText)}
	}
	var p pod
	if err := json.Unmarshal(c.Object, &p); err != nil {
		return err
	}
	if c.Type == "ADDED" || c.Type == "MODIFIED" || c.Type == "DELETED" {
		each(c.Type == "DELETED", &p)
	}
	if p.Metadata.ResourceVersion != "" {
		*version = p.Metadata.ResourceVersion
	}
	return nil
}

// budget is a reader that ends with an [ErrTooLarge] when more was read than is
// left.
type budget struct {
	from io.Reader
	left int64
}

// Read implements [io.Reader].
func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooLarge
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
