package upstream

import (
	"time"

	"vouchsafe/oci"
)

// Effective returns s for the registry called name with every default filled
// in, for people who look at it. [NewRegistry] makes the same registry of both,
// apart from an Access that had to be written.
func (s Spec) Effective(name string) Spec {
	if s.Endpoint == "" {
		s.Endpoint = defaultEndpoint(name, s.PlainHTTP)
	}
	if s.Access == "" {
		s.Access = "Shared"
	}
	s.TagTTL = orStandard(s.TagTTL, defaultTagTTL)
	s.StaleTagTTL = orStandard(s.StaleTagTTL, defaultStaleTagTTL)
	var t TimeoutsSpec
	if s.Timeouts != nil {
		t = *s.Timeouts
	}
	s.Timeouts = &TimeoutsSpec{
		Connect: orStandard(t.Connect, defaultConnect),
		Header:  orStandard(t.Header, defaultHeader),
		Idle:    orStandard(t.Idle, defaultIdle),
	}
	return s
}

// defaultEndpoint is where a registry is that does not say: at its own name,
// Docker Hub apart.
func defaultEndpoint(name string, plainHTTP bool) string {
	if name == oci.DockerHub {
		name = hubEndpoint
	}
	if plainHTTP {
		return "http://" + name
	}
	return "https://" + name
}

func orStandard(d *Duration, standard time.Duration) *Duration {
	if d == nil {
		return new(Duration(standard))
	}
	return d
}
