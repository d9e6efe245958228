package upstream_test

import (
	"testing"

	"vouchsafe/upstream"
)

func TestClassOf(t *testing.T) {
	for address, want := range map[string]string{
		"1.1.1.1": "public", "140.82.121.34": "public", "2606:4700::1111": "public",
		"172.15.255.255": "public", "172.32.0.0": "public", "100.63.255.255": "public", "100.128.0.0": "public",
		"64:ff9b::101:101": "public", "::ffff:8.8.8.8": "public",

		"10.0.0.1": "private", "10.255.255.255": "private", "172.16.0.1": "private", "172.31.255.255": "private",
		"192.168.1.1": "private", "127.0.0.1": "private", "127.255.255.254": "private", "::1": "private",
		"100.64.0.1": "private", "100.127.255.255": "private", "fc00::1": "private", "fdff::1": "private",
		"198.18.0.1": "private", "::ffff:127.0.0.1": "private", "::ffff:10.0.0.1": "private",
		"64:ff9b::a00:1": "private", "64:ff9b::7f00:1": "private",

		"0.0.0.0": "never", "0.1.2.3": "never", "169.254.169.254": "never", "169.254.0.1": "never",
		"::ffff:169.254.169.254": "never", "64:ff9b::a9fe:a9fe": "never", "64:ff9b:1::a9fe:a9fe": "never",
		"2002:a9fe:a9fe::1": "never", "2002:7f00:1::": "never", "2001:0:4136:e378:8000:63bf:3fff:fdd2": "never",
		"::": "never", "::ffff:0.0.0.0": "never", "::169.254.169.254": "never", "::127.0.0.1": "never",
		"fe80::1": "never", "febf::1": "never", "fe80::1%eth0": "never", "::1%lo": "never", "fec0::1": "never",
		"2606:4700::1111%eth0": "never",
		"224.0.0.1":            "never", "239.255.255.255": "never", "ff02::1": "never", "255.255.255.255": "never", "240.0.0.1": "never",
		"192.0.0.192": "never", "192.0.2.1": "never", "198.51.100.1": "never", "203.0.113.1": "never", "2001:db8::1": "never",
		"100.100.100.200": "never", "168.63.129.16": "never", "fd00:ec2::254": "never", "fd20:ce::254": "never",
		"100::1": "never", "4000::1": "never", "5f00::1": "never",
	} {
		if got := upstream.ClassOf(address); got != want {
			t.Errorf("class of %s: got %s, want %s", address, got, want)
		}
	}
}
