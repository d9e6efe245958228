package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// defaultPoll is how often a replica looks at the store and the
	// configurations: a bundle that was reset is back within twice that.
	defaultPoll = 15 * time.Second
	// firstPoll is how often while there is no certificate to show.
	firstPoll = 2 * time.Second
	// settle is how long an authority has been in all configurations before it
	// signs: API servers learn of a change a moment later.
	settle = time.Minute
	// unobserved is how old an authority is before it signs when nobody says which
	// configurations hold it: whoever copies it has that long.
	unobserved = 7 * 24 * time.Hour
	// sayEvery is how often one problem after another is logged at most.
	sayEvery = time.Minute
	// tries is how often in a row a replica competes for the store.
	tries = 3
	// bundleBurst and bundleEvery bound how often the bundle of one configuration
	// is written: whoever resets it again and again is answered, but no race.
	bundleBurst = 4
	bundleEvery = time.Minute
)

// AuthorityConfig configures an Authority. The zero value is usable.
type AuthorityConfig struct {
	// Names are DNS names and IP addresses for which the certificate is good,
	// beside those by which Configurations call it. With neither they are
	// "localhost" and the host's name.
	Names []string
	// Configurations get the CA bundle; nil means that nobody does.
	Configurations Publisher
	// Poll is how often the store and the configurations are looked at; zero
	// means 15 s.
	Poll time.Duration
	// BundleWritten is called after each write of a configuration's CA bundle; nil
	// means not observed.
	BundleWritten func()
	// Log receives what changes and what fails; nil means discarded.
	Log *slog.Logger
}

// Publisher is where the CA bundle goes; [Configurations] is one.
type Publisher interface {
	// Read returns the configurations that exist, and the names of those that do
	// not. With an error nothing is known.
	Read(ctx context.Context) (found []Configuration, missing []string, err error)
	// Publish writes the bundle into one, unless it changed since it was read:
	// then it is an [ErrConflict].
	Publish(ctx context.Context, configuration Configuration, bundle []byte) error
}

// Authority has the certificate of the webhook's listener: it makes and renews it
// together with the other replicas, through a Store, and keeps the CA bundle of
// the configurations right. It is safe for concurrent use.
//
// A certificate is shown from when every configuration holds its authority;
// until then the one before is. While there is none, handshakes fail.
type Authority struct {
	store Store
	cfg   AuthorityConfig

	shown   atomic.Pointer[tls.Certificate]
	problem atomic.Pointer[error]

	// What follows belongs to Run.

	// version is the store's when chain was read, empty when it never was.
	version string
	chain   chain
	// known are the configurations as they were last seen, seen whether they ever
	// were. since is from when each authority has been in all of them, by its
	// encoding.
	known  []Configuration
	seen   bool
	since  map[string]time.Time
	limits map[string]*rate.Limiter
	// said is the problem that was logged last, at saidAt.
	said   string
	saidAt time.Time
}

// NewAuthority returns an authority that knows nothing until Run.
func NewAuthority(store Store, cfg AuthorityConfig) *Authority {
	if cfg.Poll <= 0 {
		cfg.Poll = defaultPoll
	}
	if cfg.BundleWritten == nil {
		cfg.BundleWritten = func() {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Configurations == nil && len(cfg.Names) == 0 {
		cfg.Names = []string{"localhost"}
		if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" {
			cfg.Names = append(cfg.Names, host)
		}
	}
	return &Authority{store: store, cfg: cfg, since: map[string]time.Time{}, limits: map[string]*rate.Limiter{}}
}

// ErrNoCertificate is that there is none to show yet.
var ErrNoCertificate = errors.New("no certificate of the webhook yet")

// GetCertificate returns the certificate that is shown now; the error is
// [ErrNoCertificate]. It is for [tls.Config].
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair := a.shown.Load(); pair != nil {
		return pair, nil
	}
	return nil, ErrNoCertificate
}

// NotAfter returns when the certificate that is shown ends, the zero time without
// one.
func (a *Authority) NotAfter() time.Time {
	if pair := a.shown.Load(); pair != nil {
		return pair.Leaf.NotAfter
	}
	return time.Time{}
}

// Problem returns what was wrong at the last look: the store, a configuration, or
// that there is nothing to show. It is nil when all is as it should be.
func (a *Authority) Problem() error {
	if p := a.problem.Load(); p != nil {
		return *p
	}
	if a.shown.Load() == nil {
		return ErrNoCertificate
	}
	return nil
}

// Run keeps everything right until ctx ends. It is called once.
func (a *Authority) Run(ctx context.Context) {
	for {
		a.tell(ctx, a.safely(ctx))
		wait := a.cfg.Poll
		if a.shown.Load() == nil {
			wait = min(wait, firstPoll)
		}
		// Replicas that started together must not compete at each look.
		wait += time.Duration(rand.Int64N(int64(wait/5) + 1)) //nolint:gosec // nobody gains by guessing it
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// tell shows a problem, and logs it when it is another than before.
func (a *Authority) tell(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if err == nil && a.shown.Load() == nil {
		err = ErrNoCertificate
	}
	text := ""
	if err != nil {
		text = err.Error()
		a.problem.Store(&err)
	} else {
		a.problem.Store(nil)
	}
	// The text of a failed connection is another at each try.
	if text == a.said || text != "" && a.said != "" && time.Since(a.saidAt) < sayEvery {
		return
	}
	if a.said, a.saidAt = text, time.Now(); err != nil {
		a.cfg.Log.ErrorContext(ctx, "certificates of the webhook: tried again", "error", err, "notAfter", a.NotAfter())
	} else {
		a.cfg.Log.InfoContext(ctx, "certificates of the webhook are as they should be", "notAfter", a.NotAfter())
	}
}

// safely looks, and turns a panic into a problem: nothing here is worth the end of
// the process.
func (a *Authority) safely(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("certificates of the webhook: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return a.look(ctx)
}

// look reads everything once, changes what is to be changed, and shows the
// certificate that may be shown.
//
// The configurations are read before the store. So what the store then holds is
// at least as new as any bundle that was read, and since a bundle is written only
// over the version that was read, a replica that fell behind never takes back an
// authority that another has published.
func (a *Authority) look(ctx context.Context) error {
	missing, readErr := a.read(ctx)
	keepErr := a.keep(ctx)
	if a.version == "" {
		return errors.Join(readErr, missing, keepErr)
	}
	var publishErr error
	if readErr == nil && keepErr == nil {
		publishErr = a.publish(ctx)
	}
	a.observe(time.Now())
	a.show(ctx)
	return errors.Join(readErr, missing, keepErr, publishErr)
}

// show puts the certificate of the store in force when every configuration holds
// its authority. When nothing is shown and nothing is known of the
// configurations, nothing is lost by showing it.
func (a *Authority) show(ctx context.Context) {
	issuer := a.chain.issuer()
	if issuer == nil || over(a.chain.serving.cert, time.Now()) {
		return
	}
	shown := a.shown.Load()
	if shown != nil && shown.Leaf.Equal(a.chain.serving.cert) {
		return
	}
	if !a.held(issuer) && (shown != nil || a.seen) {
		return
	}
	a.shown.Store(a.chain.pair())
	a.cfg.Log.InfoContext(ctx, "certificate of the webhook is shown",
		"notAfter", a.chain.serving.cert.NotAfter, "names", a.chain.serving.cert.DNSNames, "authority", issuer.Subject.CommonName)
}

// published reports whether an authority may sign.
func (a *Authority) published(cert *x509.Certificate) bool {
	now := time.Now()
	if a.cfg.Configurations == nil {
		return now.Sub(cert.NotBefore) >= unobserved
	}
	at, held := a.since[string(cert.Raw)]
	return held && now.Sub(at) >= settle
}
