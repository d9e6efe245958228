package upstream_test

import (
	"testing"

	"vouchsafe/upstream"
)

func TestEffectiveSpecMakesTheSameRegistry(t *testing.T) {
	for name, tc := range map[string]struct {
		registry string
		spec     upstream.Spec
		endpoint string
	}{
		"nothing written":     {"r.example.com", upstream.Spec{}, "https://r.example.com"},
		"Docker Hub":          {"docker.io", upstream.Spec{}, "https://registry-1.docker.io"},
		"without TLS":         {"r.example.com:5000", upstream.Spec{PlainHTTP: true}, "http://r.example.com:5000"},
		"what is written":     {"r.example.com", upstream.Spec{Endpoint: "https://m.example.com/p"}, "https://m.example.com/p"},
		"one of the timeouts": {"r.example.com", upstream.Spec{Timeouts: &upstream.TimeoutsSpec{Idle: new(upstream.Duration(7))}}, "https://r.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			effective := tc.spec.Effective(tc.registry)
			if effective.Endpoint != tc.endpoint || effective.Access != "Shared" {
				t.Errorf("got endpoint %q, access %q", effective.Endpoint, effective.Access)
			}
			got, err := upstream.NewRegistry(tc.registry, effective, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := upstream.NewRegistry(tc.registry, tc.spec, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Revision() != want.Revision() || got.TagTTL() != want.TagTTL() {
				t.Errorf("got %s, want %s", got.Revision(), want.Revision())
			}
		})
	}
}
