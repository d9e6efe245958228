//go:build !unix

package datadir

import "os"

// lock does nothing where files are locked by other rules: the gateway is run on
// Linux.
func lock(*os.File) error { return nil }
