package faults_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// hang never answers.
func hang(k *call) bool {
	<-k.r.Context().Done()
	panic(http.ErrAbortHandler)
}

// status answers with a status, and headers given as pairs.
func status(code int, headers ...string) fault {
	return func(k *call) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			k.header().Set(headers[i], headers[i+1])
		}
		k.fail(code, "UNKNOWN")
		return true
	}
}

// firstOf lets a fault happen to the first n requests for each thing.
func firstOf(n int, f fault) fault {
	return func(k *call) bool { return k.n <= n && f(k) }
}

// granted is a fault of content: without the credential there is none.
func granted(f fault) fault {
	return func(k *call) bool {
		if k.doc == nil && k.blob == nil || k.r.Method != http.MethodGet {
			return false
		}
		if !k.authorized() {
			return true
		}
		return f(k)
	}
}

// begin sends the header of a whole answer.
func (k *call) begin() []byte {
	b, mediaType := k.content()
	k.header().Set("Content-Type", mediaType)
	k.header().Set("Content-Length", strconv.Itoa(len(b)))
	k.w.WriteHeader(http.StatusOK)
	return b
}

func (k *call) flush() { _ = http.NewResponseController(k.w).Flush() }

// stall sends a half and then nothing.
var stall = granted(func(k *call) bool {
	b := k.begin()
	_, _ = k.w.Write(b[:len(b)/2])
	k.flush()
	<-k.r.Context().Done()
	panic(http.ErrAbortHandler)
})

// drip sends a byte at a time, each within the idle time-out.
var drip = granted(func(k *call) bool {
	for _, b := range k.begin() {
		if _, err := k.w.Write([]byte{b}); err != nil {
			break
		}
		k.flush()
		select {
		case <-k.r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-time.After(300 * time.Millisecond):
		}
	}
	return true
})

// cut resets the connection in the middle of a body. With ranges it goes on
// where it is asked to, and breaks once more; without, it breaks each time.
func cut(ranges bool) fault {
	return granted(func(k *call) bool {
		b, mediaType := k.content()
		first, size := 0, len(b)
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n", mediaType, size)
		if ranges {
			head += "Accept-Ranges: bytes\r\nEtag: \"" + k.ref + "\"\r\n"
			if k.blob != nil && k.r.Header.Get("Range") != "" {
				var last int
				var ok bool
				if first, last, ok = k.part206(); !ok || k.n > 2 {
					return false
				}
				head = fmt.Sprintf("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\nEtag: \"%s\"\r\n",
					first, last, size, last-first+1, k.ref)
			}
		}
		conn := k.raw()
		defer reset(conn)
		_, _ = conn.Write([]byte(head + "\r\n"))
		_, _ = conn.Write(b[first : first+(size-first)*2/3])
		// A reset may overtake what was sent.
		time.Sleep(50 * time.Millisecond)
		return true
	})
}

// otherRange breaks, and goes on with other bytes than it was asked for.
func otherRange(truthful bool) fault {
	return granted(func(k *call) bool {
		if k.blob == nil || k.r.Header.Get("Range") == "" {
			return cut(true)(k)
		}
		first, _, ok := k.part206()
		if !ok {
			return false
		}
		from := first
		if truthful {
			from = first / 2
		}
		part := bytes.Clone(k.blob[from:])
		if !truthful {
			part[len(part)/2] ^= 1
		}
		k.header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(k.blob)-1, len(k.blob)))
		k.header().Set("Content-Length", strconv.Itoa(len(part)))
		k.header().Set("Etag", `"`+k.ref+`"`)
		k.w.WriteHeader(http.StatusPartialContent)
		_, _ = k.w.Write(part)
		return true
	})
}

// length says something about the length that is not so, or says it oddly.
func length(how string) fault {
	return granted(func(k *call) bool {
		b, mediaType := k.content()
		n := len(b)
		head, body := "", string(b)
		switch how {
		case "long":
			head = fmt.Sprintf("Content-Length: %d\r\n", n+100)
		case "short":
			head = fmt.Sprintf("Content-Length: %d\r\n", n-7)
		case "absent":
		case "twice":
			head = fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n", n, n-7)
		case "chunked":
			head = fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", n-7)
			body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, b)
		}
		conn := k.raw()
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + mediaType + "\r\n" + head + "\r\n" + body))
		return true
	})
}

// flip turns one bit, in text that stays text.
func flip(parts ...string) fault {
	return granted(func(k *call) bool {
		b, mediaType := k.content()
		b = bytes.Clone(b)
		at := len(b) - 1
		if k.doc != nil {
			at = bytes.Index(b, []byte(parts[0])) + len(parts[0])
		}
		b[at] ^= 1
		k.header().Set("Content-Type", mediaType)
		if k.doc != nil {
			k.header().Set("Docker-Content-Digest", k.doc.digest)
		}
		k.send(b)
		return true
	})
}

// redirect goes to where to says; empty is no Location.
func redirect(code int, to func(k *call) string) fault {
	return func(k *call) bool {
		if !k.authorized() {
			return true
		}
		if location := to(k); location != "" {
			k.header().Set("Location", location)
		}
		k.w.WriteHeader(code)
		return true
	}
}

// hops redirects to itself, again and again; after most it answers.
func hops(most int) fault {
	return func(k *call) bool {
		if !k.authorized() {
			return true
		}
		n, _ := strconv.Atoi(k.r.URL.Query().Get("hop"))
		if n >= most {
			return false
		}
		k.header().Set("Location", k.r.URL.Path+"?hop="+strconv.Itoa(n+1))
		k.w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
}

// page is an answer of its own, with a type.
func page(code int, mediaType, text string) fault {
	return func(k *call) bool {
		if !k.authorized() {
			return true
		}
		k.header().Set("Content-Type", mediaType)
		k.w.WriteHeader(code)
		_, _ = k.w.Write([]byte(text))
		return true
	}
}

// referrers answers the referrers API alone, and leaves tags as they are.
func referrers(f fault) fault {
	return func(k *call) bool {
		return strings.Contains(k.r.URL.Path, "/referrers/") && f(k)
	}
}
