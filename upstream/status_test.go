package upstream_test

import (
	"context"
	"fmt"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

// TestStatusesAreToldTruly is the whole table from what an upstream answers to
// what the client is told: 404 only for a 404 of that thing, refusals as such,
// and every trouble as the upstream's.
func TestStatusesAreToldTruly(t *testing.T) {
	usual := map[int]oci.Code{
		201: oci.CodeUpstream, 202: oci.CodeUpstream, 204: oci.CodeUpstream, 206: oci.CodeUpstream,
		300: oci.CodeUpstream, 304: oci.CodeUpstream, 305: oci.CodeUpstream,
		400: oci.CodeUpstream, 401: oci.CodeUnauthorized, 402: oci.CodeUpstream, 403: oci.CodeUnauthorized,
		405: oci.CodeUpstream, 406: oci.CodeUpstream, 407: oci.CodeUpstream, 408: oci.CodeUpstream, 409: oci.CodeUpstream,
		410: oci.CodeUpstream, 416: oci.CodeUpstream, 418: oci.CodeUpstream, 422: oci.CodeUpstream, 429: oci.CodeBusy,
		451: oci.CodeUpstream, 500: oci.CodeUpstream, 501: oci.CodeUpstream, 502: oci.CodeUpstream, 503: oci.CodeUpstream,
		504: oci.CodeUpstream, 505: oci.CodeUpstream, 507: oci.CodeUpstream, 520: oci.CodeUpstream, 599: oci.CodeUpstream, 999: oci.CodeUpstream,
	}
	none := oci.Code(255)
	operations := []struct {
		name string
		ask  func(ctx context.Context, c *upstream.Client, s *server) error
		gone oci.Code
		// but differs from usual, none for no error.
		but map[int]oci.Code
	}{
		{"manifest", asks["manifest"], oci.CodeManifestUnknown, nil},
		{"manifest by HEAD", asks["manifest by HEAD"], oci.CodeManifestUnknown, map[int]oci.Code{405: none, 501: none}},
		{"blob", asks["blob"], oci.CodeBlobUnknown, nil},
		{"blob by HEAD", asks["blob by HEAD"], oci.CodeBlobUnknown, nil},
		{"small blob", asks["small blob"], oci.CodeBlobUnknown, nil},
		{"tags", asks["tags"], oci.CodeNameUnknown, nil},
		{"referrers", asks["referrers"], none, map[int]oci.Code{400: none, 405: none, 501: none}},
	}
	for _, operation := range operations {
		t.Run(operation.name, func(t *testing.T) {
			want := map[int]oci.Code{404: operation.gone}
			for code, class := range usual {
				want[code] = class
			}
			for code, class := range operation.but {
				want[code] = class
			}
			for code, class := range want {
				s := serve(t, status(code, ""))
				err := operation.ask(t.Context(), open(t, s.host(), s.spec(), nil), s)
				if err == nil && class == none {
					continue
				}
				if got := oci.CodeOf(err); err == nil || got != class {
					t.Errorf("%d: got %v, %v; want %v", code, got, err, class)
				}
				if got := oci.CodeOf(err).Status(); got == 404 && code != 404 || got < 400 {
					t.Errorf("%d: the client is told %d", code, got)
				}
			}
		})
	}
	for class, want := range map[oci.Code]int{
		oci.CodeUpstream: 502, oci.CodeTimeout: 504, oci.CodeBusy: 429, oci.CodeUnauthorized: 403, oci.CodeManifestUnknown: 404,
	} {
		if got := class.Status(); got != want {
			t.Error(fmt.Sprint(class), got, want)
		}
	}
}
