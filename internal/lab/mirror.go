package lab

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// mirrorLife is how long a mirror's metadata lasts.
const mirrorLife = 7 * 24 * time.Hour

// Mirror is a repository of The Update Framework, with consistent snapshots, that
// publishes one trusted root. It is a handler, and safe for concurrent use.
type Mirror struct {
	// Ends is when what is signed from now on ends; zero is in a week.
	Ends time.Time

	mu sync.Mutex // guards what follows
	// keys are one for each role.
	keys      map[string]ed25519.PrivateKey
	root      *metadata.Metadata[metadata.RootType]
	targets   *metadata.Metadata[metadata.TargetsType]
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	timestamp *metadata.Metadata[metadata.TimestampType]
	files     map[string][]byte
	asked     []string
}

var mirrorRoles = []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}

// NewMirror makes a repository that publishes trustedRoot.
func NewMirror(trustedRoot []byte) (*Mirror, error) {
	m := &Mirror{
		keys: map[string]ed25519.PrivateKey{}, files: map[string][]byte{},
		root: metadata.Root(), targets: metadata.Targets(), snapshot: metadata.Snapshot(), timestamp: metadata.Timestamp(),
	}
	if err := m.newKeys(); err != nil {
		return nil, err
	}
	if err := m.signRoot(nil); err != nil {
		return nil, err
	}
	return m, m.publish(trustedRoot)
}

// Root returns the first root.json, with which trust in the repository begins.
func (m *Mirror) Root() []byte { return m.File("1.root.json") }

// Publish signs trustedRoot, and all that vouches for it, anew.
func (m *Mirror) Publish(trustedRoot []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.targets.Signed.Version++
	m.snapshot.Signed.Version++
	m.timestamp.Signed.Version++
	return m.publish(trustedRoot)
}

// Rotate gives every role a new key, and signs all of it anew.
func (m *Mirror) Rotate(trustedRoot []byte) error {
	m.mu.Lock()
	before := m.keys[metadata.ROOT]
	err := m.newKeys()
	if err == nil {
		m.root.Signed.Version++
		err = m.signRoot(before)
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	return m.Publish(trustedRoot)
}

// newKeys makes a key for each role and takes the ones before away.
func (m *Mirror) newKeys() error {
	for _, role := range mirrorRoles {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return fmt.Errorf("make key of mirror: %w", err)
		}
		key, err := metadata.KeyFromPublicKey(public)
		if err != nil {
			return fmt.Errorf("make key of mirror: %w", err)
		}
		for _, old := range slices.Clone(m.root.Signed.Roles[role].KeyIDs) {
			if err := m.root.Signed.RevokeKey(old, role); err != nil {
				return fmt.Errorf("take key of mirror away: %w", err)
			}
		}
		if err := m.root.Signed.AddKey(key, role); err != nil {
			return fmt.Errorf("add key of mirror: %w", err)
		}
		m.keys[role] = private
	}
	return nil
}

// signRoot writes the next root.json, signed by its own key and the one before.
func (m *Mirror) signRoot(before ed25519.PrivateKey) error {
	m.root.Signed.Expires = m.ends()
	return write(m, fmt.Sprintf("%d.root.json", m.root.Signed.Version), m.root, before, m.keys[metadata.ROOT])
}

// publish writes the target and the metadata above it.
func (m *Mirror) publish(trustedRoot []byte) error {
	const name = "trusted_root.json"
	target, err := metadata.TargetFile().FromBytes(name, trustedRoot, "sha256")
	if err != nil {
		return fmt.Errorf("describe target of mirror: %w", err)
	}
	m.targets.Signed.Targets[name], m.targets.Signed.Expires = target, m.ends()
	m.files["targets/"+hex.EncodeToString(target.Hashes["sha256"])+"."+name] = trustedRoot
	if err := write(m, fmt.Sprintf("%d.targets.json", m.targets.Signed.Version), m.targets, m.keys[metadata.TARGETS]); err != nil {
		return err
	}
	m.snapshot.Signed.Meta["targets.json"], m.snapshot.Signed.Expires = metadata.MetaFile(m.targets.Signed.Version), m.ends()
	if err := write(m, fmt.Sprintf("%d.snapshot.json", m.snapshot.Signed.Version), m.snapshot, m.keys[metadata.SNAPSHOT]); err != nil {
		return err
	}
	m.timestamp.Signed.Meta["snapshot.json"], m.timestamp.Signed.Expires = metadata.MetaFile(m.snapshot.Signed.Version), m.ends()
	return write(m, "timestamp.json", m.timestamp, m.keys[metadata.TIMESTAMP])
}

func (m *Mirror) ends() time.Time {
	if m.Ends.IsZero() {
		return time.Now().Add(mirrorLife).UTC().Truncate(time.Second)
	}
	return m.Ends.UTC().Truncate(time.Second)
}

// write signs one file of metadata by keys and writes it.
func write[T metadata.Roles](m *Mirror, name string, signed *metadata.Metadata[T], keys ...ed25519.PrivateKey) error {
	signed.ClearSignatures()
	for _, key := range keys {
		if key == nil {
			continue
		}
		signer, err := signature.LoadSigner(key, crypto.Hash(0))
		if err != nil {
			return fmt.Errorf("sign %s: %w", name, err)
		}
		if _, err := signed.Sign(signer); err != nil {
			return fmt.Errorf("sign %s: %w", name, err)
		}
	}
	text, err := signed.ToBytes(false)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	m.files[name] = text
	return nil
}

// File returns a file of the repository; nil for none.
func (m *Mirror) File(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[name]
}

// Files returns the files by name, and Serve has other files served: those of an
// earlier time, or changed ones.
func (m *Mirror) Files() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.files)
}

// Serve replaces the files that are served.
func (m *Mirror) Serve(files map[string][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = maps.Clone(files)
}

// Asked returns the names of the files that were asked for since the last time.
func (m *Mirror) Asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}

// ServeHTTP implements [http.Handler].
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	m.mu.Lock()
	m.asked = append(m.asked, name)
	text, ok := m.files[name]
	m.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) //nolint:gosec // files of our own, of which a request names one
}
