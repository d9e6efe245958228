package main

import (
	"io"
	"log/slog"
	"os"

	"vouchsafe/config"
)

// newLogger writes to w at the level of the settings: text for a person at a
// terminal, else JSON, unless the settings say which.
func newLogger(w io.Writer, settings config.Settings) *slog.Logger {
	var level slog.Level
	// The settings hold one of four words, all of which slog knows.
	if err := level.UnmarshalText([]byte(settings.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if settings.LogFormat == "text" || settings.LogFormat == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// isTerminal reports whether a person may be looking at w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// isNull reports whether nobody keeps what is written to w: the null device, which
// also stands for a descriptor that was closed when the program began.
func isNull(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}
