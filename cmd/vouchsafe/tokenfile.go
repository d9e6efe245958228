package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"vouchsafe/internal/server"
	"vouchsafe/proxy"
)

// tokensInterval is how often the file of client tokens is looked at.
const tokensInterval = time.Second

// tokenFile is the file of client tokens, read again when it changes. A file with
// a mistake leaves the last good tokens in force. Nil is no file: then no token is
// demanded.
type tokenFile struct {
	path    string
	log     *slog.Logger
	watcher *server.Watcher
	tokens  atomic.Pointer[proxy.Tokens]
	// failure is what was wrong with the last read; nil, or a nil inside, is
	// nothing.
	failure atomic.Pointer[error]
}

// readTokenFile returns nil for no path.
func readTokenFile(path string, log *slog.Logger) (*tokenFile, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // the zero value of a setting that is off
	}
	f := &tokenFile{path: path, log: log, watcher: server.Watch(path)}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *tokenFile) read() error {
	content, err := server.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("client tokens: %w", err)
	}
	tokens, err := proxy.ParseTokens(content)
	if err != nil {
		return fmt.Errorf("client tokens %s: %w", f.path, err)
	}
	f.tokens.Store(tokens)
	return nil
}

// current returns the tokens in force.
func (f *tokenFile) current() *proxy.Tokens { return f.tokens.Load() }

// problem returns what was wrong with the last read.
func (f *tokenFile) problem() error {
	if f == nil {
		return nil
	}
	if err := f.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// follow reads the file at each change until ctx ends.
func (f *tokenFile) follow(ctx context.Context) {
	if f == nil {
		return
	}
	f.watcher.Follow(ctx, tokensInterval, func() {
		err := f.read()
		f.failure.Store(&err)
		if err != nil {
			f.log.ErrorContext(ctx, "client tokens refused, the last good ones stay in force", "error", err)
			return
		}
		f.log.InfoContext(ctx, "client tokens in force", "file", f.path)
	})
}
