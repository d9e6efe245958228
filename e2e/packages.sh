#!/usr/bin/env bash
# Installs the Debian packages that the tests need and that are missing. Where
# that cannot be done it says what is missing and what follows from that.
set -euo pipefail

missing=()
# The race detector is C code.
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
# The node of the end-to-end tests. It is started on folders of its own.
command -v containerd >/dev/null || missing+=(containerd)
command -v runc >/dev/null || missing+=(runc)
# The cluster of the Kubernetes tests: its store, and its network.
command -v etcd >/dev/null || missing+=(etcd-server)
[ -e /usr/lib/cni/bridge ] || [ -e /opt/cni/bin/bridge ] || missing+=(containernetworking-plugins)
command -v iptables >/dev/null || missing+=(iptables)
command -v ip >/dev/null || missing+=(iproute2)
# The other clients; Podman also runs the container image.
command -v skopeo >/dev/null || missing+=(skopeo)
command -v podman >/dev/null || missing+=(podman)
# What the container image has of the web's certificate authorities.
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
# Watches what files the gateway touches.
command -v strace >/dev/null || missing+=(strace)
if [ ${#missing[@]} = 0 ]; then
	exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "installing ${missing[*]}"
	apt-get update -q
	# No daemon of these starts by itself: the tests start their own, on folders
	# and addresses of their own.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
	exit 0
fi
echo "not root on Debian, so not installed: ${missing[*]}" >&2
if ! command -v gcc >/dev/null; then
	echo "the tests run with the race detector, which needs a C compiler: install gcc" >&2
	exit 1
fi
echo "without containerd, runc and podman the tests with a real node are skipped (or fail, as root); without skopeo and ca-certificates those of the clients fail; without etcd, network plugins, iptables and iproute2 those of Kubernetes are skipped (or fail, as root)" >&2
