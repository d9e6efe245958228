#!/usr/bin/env bash
# Prints the path of each tool that is named, one a line, and builds it first
# where it is missing. The versions of all pinned tools are written here, those
# of the servers of Sigstore in sigstack/go.mod, and nowhere else. Builds are
# kept outside the work tree, since a cold one takes minutes: $TOOLS_CACHE, else
# ~/.cache/vouchsafe.
set -euo pipefail

cache=${TOOLS_CACHE:-$HOME/.cache/vouchsafe}/bin
sigstack=$(cd "$(dirname "$0")/sigstack" && pwd)

# The servers of a Sigstore, in one folder, whose path this prints: about 200 MB
# and six CPU minutes. They share a module, and so what they have in common is
# built once; the folder is named by all that goes into it.
sigstore() {
	local of
	of=$(cd "$sigstack" && sha256sum go.mod go.sum */*.go | sha256sum)
	if [ ! -d "$cache/sigstore-${of:0:16}" ]; then
		echo "building the servers of Sigstore into $cache (some minutes, once)" >&2
		mkdir -p "$cache"
		build=$(mktemp -d "$cache/.build.XXXXXX")
		trap 'rm -rf "$build"' EXIT
		(
			cd "$sigstack"
			export CGO_ENABLED=0 GOFLAGS=-trimpath
			go build -ldflags='-s -w' -o "$build/" ./trillian ./tsa github.com/sigstore/fulcio \
				github.com/google/certificate-transparency-go/trillian/ctfe/ct_server github.com/sigstore/rekor/cmd/rekor-server
			# Both Rekors are called rekor-server.
			go build -ldflags='-s -w' -o "$build/rekor-tiles" github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix
		) >&2
		chmod 755 "$build"
		# Fails when another build was first, and then that one is as good.
		mv -T "$build" "$cache/sigstore-${of:0:16}" 2>/dev/null || [ -d "$cache/sigstore-${of:0:16}" ]
		rm -rf "$build"
	fi
	echo "$cache/sigstore-${of:0:16}"
}

for name in "$@"; do
	beside='' flags=()
	case $name in
	sigstore) sigstore; continue ;;
	cosign2) package=github.com/sigstore/cosign/v2/cmd/cosign version=v2.6.5 ;;
	cosign3) package=github.com/sigstore/cosign/v3/cmd/cosign version=v3.1.3 ;;
	# Brings its formatters with it: gofumpt v0.12.0 and gci v0.13.7.
	golangci-lint) package=github.com/golangci/golangci-lint/v2/cmd/golangci-lint version=v2.15.0 ;;
	# The daemon, with its shim beside it: a folder to put in front of PATH. The
	# tags leave out what needs C or a file system that no test has.
	containerd2)
		package=github.com/containerd/containerd/v2/cmd/containerd version=v2.4.2
		beside=github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
		flags=(-tags=no_btrfs,no_devmapper,no_zfs -ldflags="-s -w") ;;
	*) echo "tools.sh: no tool named $name; there are containerd2, cosign2, cosign3, golangci-lint and sigstore" >&2; exit 2 ;;
	esac
	binary=${package##*/}
	path=$cache/$binary-$version/$binary
	if [ ! -x "$path" ]; then
		echo "building $binary $version into $cache (some minutes, once)" >&2
		mkdir -p "$cache" "${path%/*}"
		build=$(mktemp -d "$cache/.build.XXXXXX")
		trap 'rm -rf "$build"' EXIT
		for each in $beside $package; do
			GOBIN=$build CGO_ENABLED=0 GOFLAGS=-trimpath go install "${flags[@]}" "$each@$version" >&2
			# Renamed into place, the tool itself last, so that a build that was cut
			# short is never taken for a tool.
			mv "$build/${each##*/}" "${path%/*}/"
		done
		rm -rf "$build"
	fi
	echo "$path"
done
