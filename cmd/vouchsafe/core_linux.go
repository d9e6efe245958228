package main

import (
	"context"
	"log/slog"

	"golang.org/x/sys/unix"
)

// noCore keeps the process's memory, which holds credentials, out of core files.
// A limit of one byte, not of none: the kernel hands a core to a program named in
// core_pattern in spite of a limit of zero.
func noCore(ctx context.Context, log *slog.Logger) {
	limit := unix.Rlimit{Cur: 1, Max: 1}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		log.WarnContext(ctx, "a crash could leave a core with credentials in it", "error", err)
	}
}
