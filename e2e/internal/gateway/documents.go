package gateway

import (
	"fmt"
	"strings"
)

// header begins a document.
func header(kind, name string) string {
	return "apiVersion: vouchsafe.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec:\n"
}

// Integration is a SignatureIntegration that trusts public keys in PEM.
func Integration(name string, keys ...string) string {
	var b strings.Builder
	b.WriteString(header("SignatureIntegration", name) + "  publicKeys:\n")
	for i, key := range keys {
		fmt.Fprintf(&b, "    - name: key-%d\n      key: |\n", i+1)
		for line := range strings.Lines(key) {
			b.WriteString("        " + line)
		}
	}
	return b.String()
}

// Policy is an ImagePolicy for images; more are further lines of its spec.
func Policy(name, behavior, images string, signers []string, more ...string) string {
	lines := append([]string{
		"images: [" + images + "]",
		"signers: [" + strings.Join(signers, ", ") + "]",
		"behavior: " + behavior,
	}, more...)
	return header("ImagePolicy", name) + "  " + strings.Join(lines, "\n  ") + "\n"
}

// Registry is a Registry whose endpoint is a registry on loopback; more are
// further lines of its spec.
func Registry(name, host string, more ...string) string {
	lines := append([]string{
		"endpoint: http://" + host,
		"plainHTTP: true",
		"allowPrivateAddresses: true",
	}, more...)
	return header("Registry", name) + "  " + strings.Join(lines, "\n  ") + "\n"
}
