package server

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"
)

// Check is one line of /readyz?verbose: something that operators want to see and
// that does not take the gateway out of service.
type Check struct {
	// Name is one word.
	Name string
	// Probe returns nil or what is wrong, quickly and without a secret.
	Probe func() error
}

// OpsConfig configures Ops. The zero value is always started and always ready.
type OpsConfig struct {
	// Started reports whether the start is over; nil means it is.
	Started func() bool
	// Ready reports whether clients should come here; nil means they should.
	Ready func() bool
	// Checks are shown by /readyz?verbose and change no status.
	Checks []Check
	// Metrics answers /metrics; nil means there is none.
	Metrics http.Handler
	// Pprof mounts the runtime's profiles under /debug/pprof/. They show memory,
	// secrets included, to whoever reaches the endpoint.
	Pprof bool
}

// Ops answers /livez, /readyz, /startupz and /metrics, to GET and HEAD alone. It
// is safe for concurrent use as far as the functions in cfg are.
func Ops(cfg OpsConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { state(w, true, nil) })
	mux.HandleFunc("GET /startupz", func(w http.ResponseWriter, _ *http.Request) { state(w, holds(cfg.Started), nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		var checks []Check
		if r.URL.Query().Has("verbose") {
			checks = cfg.Checks
		}
		state(w, holds(cfg.Ready), checks)
	})
	if cfg.Metrics != nil {
		mux.Handle("GET /metrics", cfg.Metrics)
	}
	if cfg.Pprof {
		profiles(mux)
	}
	return mux
}

// profiles mounts net/http/pprof. The package also registers itself with the
// default mux, which nothing here serves.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

func holds(f func() bool) bool { return f == nil || f() }

// state answers in the form of Kubernetes' own health pages.
func state(w http.ResponseWriter, good bool, checks []Check) {
	var text strings.Builder
	for _, c := range checks {
		if err := c.Probe(); err != nil {
			fmt.Fprintf(&text, "[-]%s: %s\n", c.Name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintf(&text, "[+]%s ok\n", c.Name)
		}
	}
	status, word := http.StatusOK, "ok\n"
	if !good {
		status, word = http.StatusServiceUnavailable, "not ready\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// Who asked may have left; there is nobody else to tell.
	_, _ = fmt.Fprint(w, text.String()+word)
}
