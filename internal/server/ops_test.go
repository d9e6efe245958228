package server_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"vouchsafe/internal/server"
)

func TestOpsPages(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }
	checks := []server.Check{
		{Name: "configuration", Probe: func() error { return nil }},
		{Name: "upstream", Probe: func() error { return errors.New("two\nlines") }},
	}
	const verbose = "[+]configuration ok\n[-]upstream: two lines\n"
	tests := map[string]struct {
		cfg    server.OpsConfig
		method string
		path   string
		status int
		body   string
	}{
		"a process that answers lives":               {path: "/livez", status: 200, body: "ok\n"},
		"a process that is not ready lives":          {cfg: server.OpsConfig{Ready: no}, path: "/livez", status: 200, body: "ok\n"},
		"without functions it is ready":              {path: "/readyz", status: 200, body: "ok\n"},
		"ready":                                      {cfg: server.OpsConfig{Ready: yes}, path: "/readyz", status: 200, body: "ok\n"},
		"not ready":                                  {cfg: server.OpsConfig{Ready: no}, path: "/readyz", status: 503, body: "not ready\n"},
		"a failing check does not change the status": {cfg: server.OpsConfig{Ready: yes, Checks: checks}, path: "/readyz?verbose", status: 200, body: verbose + "ok\n"},
		"checks are shown when not ready":            {cfg: server.OpsConfig{Ready: no, Checks: checks}, path: "/readyz?verbose", status: 503, body: verbose + "not ready\n"},
		"checks are not run unless asked for":        {cfg: server.OpsConfig{Checks: []server.Check{{Name: "x", Probe: func() error { panic("run") }}}}, path: "/readyz", status: 200, body: "ok\n"},
		"the start is not over":                      {cfg: server.OpsConfig{Started: no}, path: "/startupz", status: 503, body: "not ready\n"},
		"the start is over":                          {cfg: server.OpsConfig{Started: yes}, path: "/startupz", status: 200, body: "ok\n"},
		"metrics":                                    {cfg: server.OpsConfig{Metrics: says("m 1\n")}, path: "/metrics", status: 200, body: "m 1\n"},
		"without metrics there is no page":           {path: "/metrics", status: 404, body: "404 page not found\n"},
		"other pages do not exist":                   {path: "/debug/pprof/", status: 404, body: "404 page not found\n"},
		"profiles are there when asked for":          {cfg: server.OpsConfig{Pprof: true}, path: "/debug/pprof/symbol", status: 200, body: "num_symbols: 1\n"},
		"profiles are not written to":                {cfg: server.OpsConfig{Pprof: true}, method: http.MethodPost, path: "/debug/pprof/symbol", status: 405, body: "Method Not Allowed\n"},
		"nothing is written to":                      {method: http.MethodPost, path: "/livez", status: 405, body: "Method Not Allowed\n"},
		"nothing is deleted":                         {method: http.MethodDelete, path: "/readyz", status: 405, body: "Method Not Allowed\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			w := httptest.NewRecorder()
			server.Ops(test.cfg).ServeHTTP(w, httptest.NewRequest(method, test.path, http.NoBody))
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.status, test.body)
			}
		})
	}
}
