package sigstore_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"
	"time"

	"vouchsafe/e2e/internal/sigstore"
)

// onlineRows are signatures that were logged and say nothing of it, and a log
// that is away, slow, or answers what it was not asked.
func (g *gallery) onlineRows(tb testing.TB) []row {
	tb.Helper()
	one := keys(g.one.Public)
	asked := func(at string) object {
		return object{"transparencyLog": object{"enabled": true, "url": at, "publicKey": g.RekorKey(tb)}}
	}
	byKey := func(name, image, at, reason string) row {
		return row{name: name, image: image, spec: with(one, asked(at)), reason: reason, signer: "key-1"}
	}
	byPerson := func(name, image, at, reason string) row {
		return row{
			name: name, image: image, reason: reason, signer: developer, issuer: g.Issuers.People,
			spec: with(g.person(), rooted(), object{"transparencyLog": object{"enabled": true, "url": at}}),
		}
	}
	const away = "http://127.0.0.1:9" // nobody is ever given that port
	broken := g.rekor(tb, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	return []row{
		byKey("the log has it", "key stripped", g.RekorURL, ""),
		byKey("it is attached, and the log is away", "key logged", away, ""),
		byKey("the log has nothing", "key", g.RekorURL, "TLOG_MISSING"),
		byKey("the log is away", "key stripped", away, unasked),
		byKey("the log is broken", "key stripped", broken, unasked),
		byKey("the log does not answer", "key stripped", g.rekor(tb, g.silent), unasked),
		byKey("the log answers a byte at a time", "key stripped", g.rekor(tb, g.trickles), unasked),
		byKey("the log answers without an end", "key stripped", g.rekor(tb, g.endless), unasked),
		byKey("the log answers with the entry of another signature", "key stripped", g.rekor(tb, g.foreignEntry(tb)), "TLOG_INVALID"),
		{
			name: "another log has it", image: "key stripped", reason: "TLOG_INVALID",
			spec: with(one, object{"transparencyLog": object{"enabled": true, "url": g.RekorURL, "publicKey": sigstore.StrangePEM(tb)}}),
		},
		byKey("the log answers with more entries than it was asked for", "key stripped", g.rekor(tb, g.manyEntries(tb)), unasked),
		byKey("the log answers with what is no entry", "key stripped", g.rekor(tb, babbles), unasked),
		byKey("the log has that of a bundle", "bundle stripped", g.RekorURL, ""),
		byKey("the log of a bundle has nothing", "bundle key", g.RekorURL, "TLOG_MISSING"),
		byKey("the log of a bundle is away", "bundle stripped", away, unasked),
		byKey("the log answers with the entry of another for a bundle", "bundle stripped", g.rekor(tb, g.foreignEntry(tb)), "TLOG_INVALID"),
		byPerson("a keyless signature whose entry the log has", "keyless stripped", g.RekorURL, ""),
		byPerson("a keyless signature whose log is away", "keyless stripped", away, unasked),
		byPerson("a keyless signature whose log does not answer", "keyless stripped", g.rekor(tb, g.silent), unasked),
		byPerson("a keyless signature whose log answers without an end", "keyless stripped", g.rekor(tb, g.endless), unasked),
		byPerson("a keyless signature whose log answers with the entry of another", "keyless stripped", g.rekor(tb, g.foreignEntry(tb)), "TLOG_INVALID"),
		byPerson("a keyless bundle whose entry the log has", "bundle unlogged", g.RekorURL, ""),
		byPerson("a keyless bundle whose log is away", "bundle unlogged", away, unasked),
	}
}

// rekor serves a Rekor that answers for its key as the real one does, and looks
// entries up with handler.
func (g *gallery) rekor(tb testing.TB, handler http.HandlerFunc) string {
	tb.Helper()
	target, err := url.Parse(g.RekorURL)
	if err != nil {
		tb.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(target))
	mux.HandleFunc("/api/v1/log/entries", handler)
	mux.HandleFunc("/api/v1/log/entries/", handler)
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	tb.Cleanup(server.CloseClientConnections) // runs first
	return server.URL
}

// silent takes a question and says nothing until the asker leaves.
func (*gallery) silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// trickles begins an answer and never comes to its end.
func (*gallery) trickles(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte("[")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		<-tick.C
	}
}

// endless answers more than anybody may take.
func (*gallery) endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`[{"`))
	more := bytes.Repeat([]byte("a"), 1<<20)
	for r.Context().Err() == nil {
		if _, err := w.Write(more); err != nil {
			return
		}
	}
}

// babbles answers with JSON that no log would send.
func babbles(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`[{"uuid": "not an entry"}]`))
}

// foreignEntry answers every question with a good entry of the real log that is
// about another signature.
func (g *gallery) foreignEntry(tb testing.TB) http.HandlerFunc {
	tb.Helper()
	return answers(g.anEntry(tb), 1)
}

// manyEntries answers with more entries than any question could have.
func (g *gallery) manyEntries(tb testing.TB) http.HandlerFunc {
	tb.Helper()
	return answers(g.anEntry(tb), 11)
}

// anEntry is the first entry of the real log.
func (g *gallery) anEntry(tb testing.TB) []byte {
	tb.Helper()
	g.image(tb, "key logged") // there is an entry
	response, err := http.Get(g.RekorURL + "/api/v1/log/entries?logIndex=0")
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	entry, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !json.Valid(entry) {
		tb.Fatalf("the log gave no entry: %s %s %v", response.Status, entry, err)
	}
	return entry
}

// answers answers a search with so many times the entry, and a look-up with it.
func answers(entry []byte, times int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			_, _ = w.Write(slices.Concat([]byte("["), bytes.Join(slices.Repeat([][]byte{entry}, times), []byte(",")), []byte("]")))
			return
		}
		_, _ = w.Write(entry)
	}
}
