// Package config turns documents and environment into one validated, revisioned
// [Snapshot], and keeps it current while the process runs.
//
// Documents are decoded strictly and judged whole: every mistake is reported at
// once, with file, line and a caret. Each domain owns the meaning of its fields
// ([verify.NewIntegration], [policy.New], [upstream.NewRegistry]); this package
// decodes, links names, and maps field paths to places in files.
//
// Trust: the folder and the environment are the operator's and trusted; a
// mistake in them is refused loudly and the last good snapshot stays in force.
// A secret that was pasted into the wrong place is never echoed. What a document
// may cost is bounded all the same ([MaxFileBytes], [MaxTotalBytes],
// [MaxDocuments], [MaxDepth], [MaxKeys]), since files are generated and mounts go
// wrong; aliases, which grow when they are expanded, are not read at all.
package config
