package faults_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"vouchsafe/e2e/faults/history"
)

// ops returns the status and the text of a page of the ops side.
func (p *process) page(path string) (int, string) {
	answer, err := http.Get("http://" + p.ops + path)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b)
}

func (p *process) ready() bool {
	status, _ := p.page("/readyz")
	return status == http.StatusOK
}

// metric returns the value of a metric without labels, -1 when there is none.
func (p *process) metric(name string) float64 {
	_, page := p.page("/metrics")
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			if f, err := strconv.ParseFloat(value, 64); err == nil {
				return f
			}
		}
	}
	return -1
}

// auditSize is how much of the audit record there is now.
func (p *process) auditSize() int64 {
	info, err := os.Stat(p.audit)
	if err != nil {
		return 0
	}
	return info.Size()
}

// records reads what the audit record has behind an offset about a registry;
// without a name it is about everything.
func (p *process) records(from int64, registry string) ([]history.Record, error) {
	file, err := os.Open(p.audit)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	var all []history.Record
	end := from
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all, nil // a line without an end is being written
		}
		end += int64(len(line))
		if !bytes.Contains(line, []byte(registry)) && !bytes.Contains(line, []byte(`"configuration"`)) {
			continue
		}
		var r struct {
			ID, Kind, Revision string
			Status             int
			Image              struct{ Origin, Digest string }
			Decision           struct{ Verdict string }
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("an audit line is no record: %w: %.300s", err, line)
		}
		all = append(all, history.Record{
			ID: r.ID, Kind: r.Kind, Origin: r.Image.Origin, Digest: r.Image.Digest,
			Verdict: r.Decision.Verdict, Revision: r.Revision, Status: r.Status, End: end,
		})
	}
}

// sample notes what the process uses.
func (p *process) sample(atRest bool) {
	s := history.Sample{At: time.Now(), AtRest: atRest, Goroutines: int(max(0, p.metric("go_goroutines")))}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			s.RSSBytes = kilobytes << 10
		}
	}
	descriptors, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	s.Descriptors = len(descriptors)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, s)
}

// peak says the most that was seen of everything.
func (p *process) peak() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var most history.Sample
	for _, s := range p.samples {
		most.RSSBytes = max(most.RSSBytes, s.RSSBytes)
		most.Descriptors = max(most.Descriptors, s.Descriptors)
		most.Goroutines = max(most.Goroutines, s.Goroutines)
	}
	return fmt.Sprintf("at most %d MiB resident, %d descriptors, %d goroutines", most.RSSBytes>>20, most.Descriptors, most.Goroutines)
}

// watch samples until the returned function is called.
func (p *process) watch(every time.Duration) (stop func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-done:
				return
			case <-time.After(every):
				p.sample(false)
			}
		}
	}()
	return func() {
		close(done)
		<-over
	}
}

// outputs are what it wrote and shows.
func (p *process) outputs() []history.Output {
	_, metrics := p.page("/metrics")
	_, ready := p.page("/readyz?verbose")
	logged, _ := os.ReadFile(p.log)
	audit, _ := os.ReadFile(p.audit)
	return []history.Output{
		{Name: "the metrics", Text: metrics},
		{Name: "/readyz", Text: ready},
		{Name: "the log", Text: string(logged)},
		{Name: "the audit record", Text: string(audit)},
	}
}
