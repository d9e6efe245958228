package main

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vouchsafe/internal/report"
	"vouchsafe/oci"
	"vouchsafe/verify"
)

// bundleFlags are those of `verify-bundle`.
type bundleFlags struct {
	output *outputValue
	bundle string
	trust  trustFlags
}

func (a *app) verifyBundleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify-bundle --bundle FILE FILE_OR_DIGEST",
		Short: "Verify a Sigstore bundle of a file and print what it proves",
		Long: `Verify a Sigstore bundle (versions 0.1 to 0.3) of a file, or of its digest as sha256:… or sha512:…, and
print what it proves. No network is asked. The file may have any size; "-" is stdin. An Ed25519 signature of
a file's bytes, as cosign makes it without a log, needs the file, of at most 64 MiB; Ed25519ph needs the file or its
sha512 digest.

Trust comes from --key, or from --certificate-identity with --certificate-oidc-issuer, as with verify.
A bundle holds a signature of the file or a signed in-toto statement about it. A statement of any kind
counts: its predicate type is printed, and whether it says anything good is not judged.

Exit codes: 0 the bundle is verified, 1 it is not, 2 wrong usage, 3 the file could not be read.`,
		Example: `  vouchsafe verify-bundle --key cosign.pub --bundle app.sigstore.json app.tar.gz
  vouchsafe verify-bundle --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1 \
    --bundle app.sigstore.json -o json app.tar.gz`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(fmt.Errorf("%d files or digests were named, wanted one\nsee: %s --help", len(args), cmd.CommandPath()))
			}
			return nil
		},
	}
	f := &bundleFlags{output: outputFlag(cmd)}
	cmd.Flags().StringVar(&f.bundle, "bundle", "", "file of the bundle, at most 1 MiB")
	f.trust.addTrust(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.verifyBundle(cmd.Context(), f, args[0]) }
	return cmd
}

func (a *app) verifyBundle(ctx context.Context, f *bundleFlags, artifact string) error {
	if f.bundle == "" {
		return usage(errors.New("no bundle was named (add --bundle FILE)"))
	}
	if err := f.trust.combined(); err != nil {
		return usage(err)
	}
	if !f.trust.someone() {
		return usage(errors.New("nobody is trusted: name --key FILE, or --certificate-identity and --certificate-oidc-issuer"))
	}
	in, err := f.trust.integration(a.stderr)
	if err != nil {
		return usage(err)
	}
	bundle, err := readFile(f.bundle)
	if err != nil {
		return usage(fmt.Errorf("--bundle: %w", err))
	}
	file, err := a.fileOf(ctx, artifact)
	if err != nil {
		return err
	}
	found := verify.JudgeBundle(bundle, file, in, time.Now()) //nolint:contextcheck // it is pure and has no context
	if err := report.Write(a.stdout, f.output.format, report.NewBundle(artifact, file.Digests[0], found)); err != nil {
		return &exitError{code: exitUnknown, err: err}
	}
	return exit(resultCode([]verify.Result{{Status: found.Status}}))
}

// fileOf is a file that is read once, and held as far as a signature of bytes may
// need it; or the digest that was written. A name that begins like a digest is
// never a file's: "./" before it says that it is.
func (a *app) fileOf(ctx context.Context, artifact string) (verify.File, error) {
	if strings.HasPrefix(artifact, "sha256:") || strings.HasPrefix(artifact, "sha512:") {
		digest, err := oci.ParseDigest(artifact)
		if err != nil {
			return verify.File{}, usage(err)
		}
		return verify.File{Digests: []oci.Digest{digest}}, nil
	}
	from := a.stdin
	if artifact != stdinName {
		file, err := os.Open(artifact) //nolint:gosec // the user named the file
		if err != nil {
			return verify.File{}, usage(err)
		}
		defer func() { _ = file.Close() }()
		if info, err := file.Stat(); err == nil && info.IsDir() {
			return verify.File{}, usage(fmt.Errorf("%s is a folder", artifact))
		}
		from = file
	}
	short, long, held := sha256.New(), sha512.New(), &holding{whole: true}
	if _, err := io.Copy(io.MultiWriter(short, long, held), readUntil(ctx, from)); err != nil {
		return verify.File{}, &exitError{code: exitUnknown, err: fmt.Errorf("read %s: %w", artifact, err)}
	}
	file := verify.File{Bytes: held.bytes, Whole: held.whole}
	for _, text := range []string{"sha256:" + hex.EncodeToString(short.Sum(nil)), "sha512:" + hex.EncodeToString(long.Sum(nil))} {
		digest, err := oci.ParseDigest(text)
		if err != nil {
			return verify.File{}, &exitError{code: exitUnknown, err: err}
		}
		file.Digests = append(file.Digests, digest)
	}
	return file, nil
}

// holding keeps what is written to it, or nothing of what is larger than
// [verify.MaxFileBytes].
type holding struct {
	bytes []byte
	whole bool
}

// Write implements [io.Writer].
func (h *holding) Write(b []byte) (int, error) {
	if len(h.bytes)+len(b) > verify.MaxFileBytes {
		h.bytes, h.whole = nil, false
	}
	if h.whole {
		h.bytes = append(h.bytes, b...)
	}
	return len(b), nil
}

// readFunc is a reader.
type readFunc func([]byte) (int, error)

// Read implements [io.Reader].
func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// readUntil reads from until ctx ends.
func readUntil(ctx context.Context, from io.Reader) io.Reader {
	return readFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return from.Read(b)
	})
}
