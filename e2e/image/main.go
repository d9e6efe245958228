// Command image writes the product's container image as an OCI layout, for
// several platforms, without a container engine: it runs "go build" and puts the
// program into a layer. The same commit, toolchain and certificate authorities
// give the same bytes. The Dockerfile makes the same files with an engine.
//
// It works in the folder of this module:
//
//	go run ./image -o ../bin/image
package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// roots is where Debian's package ca-certificates keeps the roots of the web,
// and where Go looks for them first.
const roots = "/etc/ssl/certs/ca-certificates.crt"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds what the arguments name and prints the digest of the index.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	out := flags.String("o", "", "folder of the layout; one that is there is replaced")
	platforms := flags.String("platforms", "linux/amd64,linux/arm64", "comma-separated")
	authorities := flags.String("roots", roots, "certificate authorities in PEM, from Debian's package ca-certificates")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("-o is missing")
	}
	pem, err := os.ReadFile(*authorities)
	if err != nil {
		return fmt.Errorf("read the certificate authorities (Debian: apt-get install ca-certificates): %w", err)
	}
	work, err := os.MkdirTemp("", "vouchsafe-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // the system's folder of temporary files
	var programs []Program
	for text := range strings.SplitSeq(*platforms, ",") {
		program, err := compile(ctx, work, text)
		if err != nil {
			return err
		}
		programs = append(programs, program)
	}
	source, err := readSource(programs[0].File)
	if err != nil {
		return err
	}
	index, err := Index(source, pem, programs)
	if err != nil {
		return err
	}
	digest, err := Write(*out, index, strings.Trim(source.Version, "()"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: vouchsafe %s, %s, %s\n", *out, source.Version, *platforms, digest)
	return err
}

// compile builds the program for a platform as "os/architecture".
func compile(ctx context.Context, work, text string) (Program, error) {
	platform, err := v1.ParsePlatform(text)
	if err != nil || platform.OS != "linux" || platform.Architecture == "" || strings.Count(text, "/") != 1 {
		return Program{}, fmt.Errorf("the platform %q is not linux/<architecture>", text)
	}
	program := Program{Platform: *platform, File: filepath.Join(work, platform.Architecture)}
	cmd := exec.CommandContext(ctx, "go", "-C", "..", "build", "-trimpath", "-buildvcs=auto", "-ldflags=-s -w", "-o", program.File, "./cmd/vouchsafe") //nolint:gosec // the platform was parsed
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+platform.OS, "GOARCH="+platform.Architecture)
	if said, err := cmd.CombinedOutput(); err != nil {
		return Program{}, fmt.Errorf("build for %s: %w\n%s", text, err, said)
	}
	return program, nil
}

// readSource reads what the toolchain recorded in a program. SOURCE_DATE_EPOCH,
// in seconds, takes the place of the commit's time.
func readSource(file string) (Source, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return Source{}, fmt.Errorf("read the record of the build: %w", err)
	}
	source := Source{Version: info.Main.Version}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			source.Revision = setting.Value
		case "vcs.time":
			if source.Created, err = time.Parse(time.RFC3339, setting.Value); err != nil {
				return Source{}, fmt.Errorf("read the commit's time: %w", err)
			}
		}
	}
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return Source{}, fmt.Errorf("read SOURCE_DATE_EPOCH: %w", err)
		}
		source.Created = time.Unix(seconds, 0).UTC()
	}
	if source.Created.IsZero() {
		return Source{}, errors.New("the time of the commit is not known (no git, or no repository): set SOURCE_DATE_EPOCH")
	}
	return source, nil
}
