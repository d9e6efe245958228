package kube

import (
	"context"
	"errors"
)

// Store keeps the certificates of the webhook and their keys for all replicas.
// Implementations are [FolderStore] and [SecretStore].
type Store interface {
	// Load returns what is kept. Nothing kept yet is no error, and its parts are
	// empty.
	Load(ctx context.Context) (Kept, error)
	// Save replaces what Load returned as before. When another writer was first,
	// nothing is changed and the error is an [ErrConflict]; the caller loads and
	// judges again.
	Save(ctx context.Context, before Kept, parts map[string][]byte) error
}

// Kept is what a Store holds. It is not changed by whoever has it.
type Kept struct {
	// Version changes with each change; empty when nothing is kept.
	Version string
	// Parts are the files or keys that this package writes, by name; what else
	// lies beside them is left alone.
	Parts map[string][]byte
}

// Names of the parts: those of Secrets of the type kubernetes.io/tls, and the key
// of the authority.
const (
	// partAuthorities is PEM: the certificates of the authorities, the oldest
	// first. It is what the configurations get, and public.
	partAuthorities = "ca.crt"
	// partAuthorityKeys is PEM: the keys of those that may still sign.
	partAuthorityKeys = "ca.key"
	// partCertificate and partKey are the serving certificate and its key, PEM.
	partCertificate = "tls.crt"
	partKey         = "tls.key"
)

// partNames are all of them.
var partNames = []string{partAuthorities, partAuthorityKeys, partCertificate, partKey}

// maxPartBytes bounds one part.
const maxPartBytes = 256 << 10

// errPartTooLarge is a part that this package cannot have written.
var errPartTooLarge = errors.New("larger than anything that is written there")
