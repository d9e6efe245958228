//go:build !linux

package main

import (
	"context"
	"log/slog"
)

// noCore does nothing where limits have other rules: Go writes a core only where
// GOTRACEBACK=crash is set.
func noCore(context.Context, *slog.Logger) {}
