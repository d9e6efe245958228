package faults_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"vouchsafe/e2e/faults/history"
)

// during is what is asked while the fault lasts.
func (c *cell) during() {
	v := c.variant
	var asks []ask
	if v.script != nil {
		asks = v.script(c)
	} else {
		asks = slices.Concat(c.pull(c.signed), c.pull(c.unsigned))
		if v.brief && c.kind != byBlob {
			asks = asks[:len(asks)-1] // one blob is enough
		}
	}
	if v.crowd == 0 {
		for _, a := range asks {
			c.exchanges = append(c.exchanges, c.ask(history.During, a))
		}
		return
	}
	var clients sync.WaitGroup
	var mu sync.Mutex // guards c.exchanges
	for _, a := range asks {
		for n := range v.leavers + v.crowd {
			a := a
			if n < v.leavers {
				a.leave = 1
			}
			clients.Go(func() {
				x := c.ask(history.During, a)
				mu.Lock()
				defer mu.Unlock()
				c.exchanges = append(c.exchanges, x)
			})
		}
		clients.Wait()
	}
}

// clientPatience is how long a client waits for a whole answer.
const clientPatience = 25 * time.Second

// exchange sends x to path and notes what comes.
func (l *lab) exchange(x *history.Exchange, path string, leave int64) {
	ctx, cancel := context.WithTimeout(context.Background(), clientPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, x.Method, l.scheme()+"://"+l.process.host+path, nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Accept", "*/*")
	x.Asked = time.Now()
	answer, err := l.client.Do(request)
	x.Answered = time.Now()
	x.AuditSeen = l.process.auditSize()
	if err != nil {
		x.Done, x.Problem = time.Now(), err.Error()
		return
	}
	defer answer.Body.Close()
	x.Status = answer.StatusCode
	x.Digest = answer.Header.Get("Docker-Content-Digest")
	x.Decision, x.Verdict, _ = strings.Cut(answer.Header.Get("Vouchsafe-Decision"), " ")
	x.RetryAfter = answer.Header.Get("Retry-After")
	x.Text = fmt.Sprint(answer.Header)
	read(x, answer.Body, leave)
	x.Done = time.Now()
}

// read reads a body: hashed, and kept when it is a refusal.
func read(x *history.Exchange, body io.Reader, leave int64) {
	sum := sha256.New()
	source := body
	if leave > 0 {
		source = io.LimitReader(body, leave)
	}
	if x.Status < 400 {
		_, err := io.Copy(sum, source)
		finish(x, sum, err, leave > 0)
		return
	}
	refusal, err := io.ReadAll(io.LimitReader(source, 1<<20))
	x.Text += " " + string(refusal)
	var list struct{ Errors []struct{ Code string } }
	if json.Unmarshal(refusal, &list) == nil && len(list.Errors) > 0 {
		x.Code = list.Errors[0].Code
	}
	finish(x, sum, err, leave > 0)
}

// finish notes how a body ended.
func finish(x *history.Exchange, sum hash.Hash, err error, left bool) {
	x.Clean, x.Left = err == nil && !left, left
	if err != nil {
		x.Problem = err.Error()
	}
	if x.Method != http.MethodHead && x.Status < 400 {
		x.Hash = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	}
}
