package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"

	"vouchsafe/oci"
)

const (
	pemPublicKey = "PUBLIC KEY"
	minRSABits   = 2048
	// maxRSABits keeps one signature from costing seconds.
	maxRSABits = 16384
	// maxKeyBytes is far above the PEM of the largest RSA key.
	maxKeyBytes = 16 << 10
)

const pasteHint = "paste the text of cosign.pub, from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----"

// parsePublicKey reads text as exactly one PEM block of type PUBLIC KEY. The
// error has no path and never holds any of text, which may be a private key
// that was pasted by mistake.
func parsePublicKey(text string) (crypto.PublicKey, *oci.FieldError) {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return nil, mistake("the key is missing", pasteHint)
	case len(trimmed) > maxKeyBytes:
		return nil, mistake(fmt.Sprintf("longer than %d bytes, which no public key is", maxKeyBytes), pasteHint)
	case looksPrivate(trimmed):
		return nil, privateKey()
	}
	block, rest := pem.Decode([]byte(trimmed))
	if block == nil {
		return nil, notPEM(trimmed)
	}
	if block.Type != pemPublicKey {
		return nil, wrongType(block.Type)
	}
	if !strings.HasPrefix(trimmed, "-----BEGIN "+pemPublicKey+"-----") || len(block.Headers) > 0 {
		return nil, mistake("there is text around the PEM block", "keep only the lines from BEGIN to END")
	}
	if len(rest) > 0 {
		if next, _ := pem.Decode(rest); next != nil {
			return nil, mistake("more than one PEM block", "one key per entry: add another entry with its own name below publicKeys")
		}
		return nil, mistake("there is text behind the PEM block", "keep only the lines from BEGIN to END")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, mistake("the PEM block holds no public key of a known kind", "ECDSA P-256, P-384, P-521, RSA of at least 2048 bits or Ed25519")
	}
	return public, checkStrength(public)
}

// checkStrength refuses kinds of keys and sizes that are not to be trusted.
func checkStrength(public crypto.PublicKey) *oci.FieldError {
	const kinds = "ECDSA P-256, P-384, P-521, RSA of at least 2048 bits or Ed25519"
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return mistake("ECDSA on the curve "+key.Params().Name+" is not accepted", kinds)
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		if bits < minRSABits || bits > maxRSABits {
			return mistake(fmt.Sprintf("RSA of %d bits is not accepted, wanted %d to %d", bits, minRSABits, maxRSABits), "")
		}
		if key.E < 3 || key.E%2 == 0 {
			return mistake("the RSA key's exponent is not usable", "")
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return mistake("this kind of key cannot verify signatures here", kinds)
}

// wrongType names what was found and where it belongs.
func wrongType(found string) *oci.FieldError {
	switch {
	case found == "CERTIFICATE" || found == "TRUSTED CERTIFICATE":
		return mistake("found a CERTIFICATE, wanted a PUBLIC KEY", "a certificate of an authority belongs into certificates[].chain; for a single signer, take the key out: openssl x509 -in certificate.pem -pubkey -noout")
	case found == "RSA PUBLIC KEY":
		return mistake("found an RSA PUBLIC KEY (PKCS#1), wanted a PUBLIC KEY", "convert it: openssl rsa -RSAPublicKey_in -in key.pem -pubout")
	case strings.HasSuffix(found, "CERTIFICATE REQUEST"):
		return mistake("found a CERTIFICATE REQUEST, wanted a PUBLIC KEY", "take its key out: openssl req -in request.pem -pubkey -noout")
	case found == "EC PARAMETERS":
		return mistake("found EC PARAMETERS, wanted a PUBLIC KEY", "make the public key: openssl ec -in key.pem -pubout")
	case found == "SSH2 PUBLIC KEY":
		return mistake("found an SSH PUBLIC KEY, wanted a PUBLIC KEY", "convert it: ssh-keygen -e -m PKCS8 -f key.pub")
	case strings.HasPrefix(found, "PGP "):
		return mistake("found a PGP block, wanted a PUBLIC KEY", "cosign does not sign with PGP; "+pasteHint)
	}
	return mistake(fmt.Sprintf("found a PEM block of type %.40q, wanted PUBLIC KEY", found), pasteHint)
}

// notPEM guesses what text without a PEM block is.
func notPEM(text string) *oci.FieldError {
	switch {
	case strings.Contains(text, "-----BEGIN "):
		return mistake("the PEM block is damaged", "check that the END line is there and that no line of it was lost or indented in another way")
	case strings.HasPrefix(text, "ssh-") || strings.HasPrefix(text, "ecdsa-sha2-"):
		return mistake("found an SSH public key, wanted a PUBLIC KEY in PEM", "convert it: ssh-keygen -e -m PKCS8 -f key.pub")
	case reference.MatchString(text):
		return mistake("this names a key instead of holding it", pasteHint)
	}
	if der, ok := decodeBase64(text); ok {
		if _, err := x509.ParsePKIXPublicKey(der); err == nil {
			return mistake("base64 without PEM", "put -----BEGIN PUBLIC KEY----- before it and -----END PUBLIC KEY----- behind it, each on a line of its own")
		}
		if strings.HasPrefix(strings.TrimSpace(string(der)), "-----BEGIN ") {
			return mistake("PEM in base64", "decode it once: base64 -d")
		}
		return mistake("base64 without PEM, and not of a public key", pasteHint)
	}
	return mistake("not PEM", pasteHint)
}

// reference matches names of keys: URLs, key management services, file names.
var reference = regexp.MustCompile(`^(?:[a-z0-9]+://\S+|[\w./~-]+\.(?:pub|pem|key|crt|cer|der))$`)

// looksPrivate finds private keys in PEM, in PEM inside base64, and in bare DER.
func looksPrivate(text string) bool {
	if strings.Contains(strings.ToUpper(text), "PRIVATE KEY") {
		return true
	}
	der, ok := decodeBase64(text)
	if !ok {
		return false
	}
	if strings.Contains(string(der), "PRIVATE KEY") {
		return true
	}
	_, pkcs8 := x509.ParsePKCS8PrivateKey(der)
	_, ec := x509.ParseECPrivateKey(der)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(der)
	return pkcs8 == nil || ec == nil || pkcs1 == nil
}

func privateKey() *oci.FieldError {
	return mistake("this is a private key: remove it and rotate it", "paste the public key (cosign.pub)")
}

// decodeBase64 reads base64 that may be broken into lines; prose, which has
// spaces, is none.
func decodeBase64(text string) ([]byte, bool) {
	var joined strings.Builder
	for line := range strings.Lines(text) {
		joined.WriteString(strings.TrimSpace(line))
	}
	if der, err := base64.StdEncoding.DecodeString(joined.String()); err == nil && len(der) > 0 {
		return der, true
	}
	der, err := base64.RawStdEncoding.DecodeString(joined.String())
	return der, err == nil && len(der) > 0
}

func mistake(message, hint string) *oci.FieldError {
	return &oci.FieldError{Message: message, Hint: hint}
}
