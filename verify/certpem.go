package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"vouchsafe/oci"
)

const (
	pemCertificate = "CERTIFICATE"
	// maxChainBytes and maxChain are far above what an organization's hierarchy
	// has.
	maxChainBytes = 256 << 10
	maxChain      = 32
)

// The fields that hold certificates, as the messages name them.
const (
	fieldChain        = "chain"
	fieldIntermediate = "intermediate"
)

// pemBlocks reads text as PEM blocks of type want, at most most of them. What
// stands between them is a remark of whoever made the file. The error has no path
// and never holds any of text.
func pemBlocks(text, want string, most, mostBytes int) ([][]byte, *oci.FieldError) {
	hint := "paste it from -----BEGIN " + want + "----- to -----END " + want + "-----"
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return nil, mistake("is empty", hint)
	case len(text) > mostBytes:
		return nil, mistake(fmt.Sprintf("longer than %d KiB", mostBytes>>10), "")
	case looksPrivate(trimmed):
		return nil, mistake("this holds a private key: remove it and rotate it", hint)
	}
	var blocks [][]byte
	begun := strings.Count(text, "-----BEGIN ")
	for rest := []byte(trimmed); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type != want:
			return nil, otherBlock(block.Type, want, hint)
		case len(blocks) == most:
			return nil, mistake(fmt.Sprintf("more than %d PEM blocks", most), "")
		}
		blocks = append(blocks, block.Bytes)
	}
	switch {
	// A block that a parser steps over in silence would be trust that is missing.
	case begun != len(blocks):
		return nil, mistake("a PEM block is damaged", "check that each END line is there and that no line was lost or indented in another way")
	case len(blocks) == 0:
		return nil, notBlocks(trimmed, want, hint)
	}
	return blocks, nil
}

// otherBlock names what was found and where it belongs.
func otherBlock(found, want, hint string) *oci.FieldError {
	message := fmt.Sprintf("found a PEM block of type %.40q, wanted %s", found, want)
	switch {
	case found == pemPublicKey:
		return mistake("found a PUBLIC KEY, wanted a CERTIFICATE", "a key that signs images belongs into publicKeys, a log's into publicKey of the log")
	case found == pemCertificate:
		return mistake("found a CERTIFICATE, wanted a PUBLIC KEY", "take its key out: openssl x509 -in certificate.pem -pubkey -noout")
	case found == "TRUSTED CERTIFICATE":
		return mistake(message, "convert it: openssl x509 -in trusted.pem")
	case found == "PKCS7" || found == "CMS":
		return mistake(message, "convert it: openssl pkcs7 -in bundle.p7b -print_certs")
	case strings.HasSuffix(found, "CERTIFICATE REQUEST"):
		return mistake(message, "a request is not a certificate: paste what the authority has made of it")
	case found == "X509 CRL":
		return mistake(message, "revocation lists are not read")
	case found == "RSA PUBLIC KEY":
		return mistake(message, "convert it: openssl rsa -RSAPublicKey_in -in key.pem -pubout")
	}
	return mistake(message, hint)
}

// notBlocks guesses what text without a PEM block is.
func notBlocks(text, want, hint string) *oci.FieldError {
	if reference.MatchString(text) {
		return mistake("this names a file instead of holding it", hint)
	}
	if _, ok := decodeBase64(text); ok {
		return mistake("base64 without PEM", "put -----BEGIN "+want+"----- before it and -----END "+want+"----- behind it, each on a line of its own")
	}
	if strings.HasPrefix(text, "{") {
		return mistake("found JSON, wanted PEM", "a trusted root belongs into trustedRoot.file")
	}
	return mistake("not PEM", hint)
}

// parseCertificates reads text as certificates, in their order.
func parseCertificates(text, field string) ([]*x509.Certificate, *oci.FieldError) {
	blocks, problem := pemBlocks(text, pemCertificate, maxChain, maxChainBytes)
	if problem != nil {
		return nil, problem
	}
	certificates := make([]*x509.Certificate, 0, len(blocks))
	for i, der := range blocks {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, mistake(fmt.Sprintf("certificate %d of %s cannot be read", i+1, field), "openssl x509 -text shows what it holds")
		}
		if problem := checkStrength(one.PublicKey); problem != nil {
			return nil, mistake(nameOf(i, one)+": "+problem.Message, problem.Hint)
		}
		certificates = append(certificates, one)
	}
	return certificates, nil
}

// nameOf names certificate i, from 0, for people.
func nameOf(i int, one *x509.Certificate) string {
	subject := one.Subject.CommonName
	if subject == "" {
		subject = one.Subject.String()
	}
	if subject == "" {
		return fmt.Sprintf("certificate %d", i+1)
	}
	return fmt.Sprintf("certificate %d (%.80q)", i+1, subject)
}

// selfSigned reports whether one is its own issuer.
func selfSigned(one *x509.Certificate) bool {
	if !bytes.Equal(one.RawSubject, one.RawIssuer) {
		return false
	}
	err := one.CheckSignature(one.SignatureAlgorithm, one.RawTBSCertificate, one.Signature)
	// Old roots carry signatures that nobody checks any more: what makes a root
	// trusted is that it is here.
	_, weak := errors.AsType[x509.InsecureAlgorithmError](err)
	return err == nil || weak
}

// isAuthority reports whether one may sign certificates.
func isAuthority(one *x509.Certificate) bool {
	return one.BasicConstraintsValid && one.IsCA && (one.KeyUsage == 0 || one.KeyUsage&x509.KeyUsageCertSign != 0)
}
