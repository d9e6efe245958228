#!/usr/bin/env bash
# Prints the path of each tool that is named, one a line, and builds it first
# where it is missing. The versions of all pinned tools are written here, those
# of the servers of Sigstore in sigstack/go.mod, those of Kubernetes in
# kubestack/go.mod, and nowhere else. Builds are
# kept outside the work tree, since a cold one takes minutes: $TOOLS_CACHE, else
# ~/.cache/vouchsafe.
set -euo pipefail

cache=${TOOLS_CACHE:-$HOME/.cache/vouchsafe}/bin
here=$(cd "$(dirname "$0")" && pwd)

# stack NAME: the programs that one module pins, built together since most of
# their code is the same, in one folder, whose path this prints. The folder is
# named by all that goes into it.
stack() {
	local of path
	of=$(cd "$here/$2" && find . -name 'go.*' -o -name '*.go' | LC_ALL=C sort | xargs sha256sum | sha256sum)
	path=$cache/$1-${of:0:16}
	if [ ! -d "$path" ]; then
		echo "building $3 into $cache (some minutes, once)" >&2
		mkdir -p "$cache"
		build=$(mktemp -d "$cache/.build.XXXXXX")
		trap 'rm -rf "$build"' EXIT
		(
			cd "$here/$2"
			export CGO_ENABLED=0 GOFLAGS=-trimpath
			"build_$1"
		) >&2
		chmod 755 "$build"
		# Fails when another build was first, and then that one is as good.
		mv -T "$build" "$path" 2>/dev/null || [ -d "$path" ]
		rm -rf "$build"
	fi
	echo "$path"
}

# About 200 MB and six CPU minutes.
build_sigstore() {
	go build -ldflags='-s -w' -o "$build/" ./trillian ./tsa github.com/sigstore/fulcio \
		github.com/google/certificate-transparency-go/trillian/ctfe/ct_server github.com/sigstore/rekor/cmd/rekor-server
	# Both Rekors are called rekor-server.
	go build -ldflags='-s -w' -o "$build/rekor-tiles" github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix
}

# About 460 MB and twenty CPU minutes. The version is stamped, since kubectl and
# the kubelet refuse to work with a server that has none.
build_kubernetes() {
	local version minor stamp
	version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
	minor=${version#v1.}
	stamp="-X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
	stamp+=" -X k8s.io/component-base/version.gitMinor=${minor%%.*} -X k8s.io/component-base/version.gitTreeState=clean"
	go build -ldflags="-s -w $stamp" -o "$build/" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kubectl}
}

for name in "$@"; do
	beside='' flags=()
	case $name in
	sigstore) stack sigstore sigstack 'the servers of Sigstore'; continue ;;
	kubernetes) stack kubernetes kubestack 'the programs of Kubernetes'; continue ;;
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
	*) echo "tools.sh: no tool named $name; there are containerd2, cosign2, cosign3, golangci-lint, kubernetes and sigstore" >&2; exit 2 ;;
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
