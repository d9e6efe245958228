package gateway

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Record is what the tests read of an audit record.
type Record struct {
	ID       string
	Kind     string
	Verb     string
	Revision string
	Status   int
	Message  string
	Image    struct {
		Origin, Tag, Digest string
	}
	Client struct {
		UserAgent string
	}
	Decision struct {
		Verdict string
		Reasons []string
	}
	Results []struct {
		Integration, Status, Signer, Reason string
	}
}

// Audit returns the audit records so far. Every line has to be one.
func (g *Gateway) Audit(tb testing.TB) []Record {
	tb.Helper()
	file, err := os.ReadFile(g.audit)
	if err != nil {
		tb.Fatalf("read the audit file: %v", err)
	}
	var records []Record
	for line := range strings.Lines(string(file)) {
		var record Record
		if !strings.HasSuffix(line, "\n") {
			break // a record that is being written
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			tb.Fatalf("an audit line is no record: %v\n%s", err, line)
		}
		records = append(records, record)
	}
	return records
}

// Pulls returns the records about pulls of a digest from a repository of
// docker.io.
func (g *Gateway) Pulls(tb testing.TB, repository, digest string) []Record {
	tb.Helper()
	var pulls []Record
	for _, record := range g.Audit(tb) {
		if record.Kind == "pull" && record.Image.Origin == "docker.io/"+repository && record.Image.Digest == digest {
			pulls = append(pulls, record)
		}
	}
	return pulls
}
