package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"vouchsafe/oci"
)

// advised adds to why the image at ref could not be read what its reader can do
// about it: by a flag where flags made the configuration, else in a document.
func (x *examiner) advised(ref oci.Reference, err error) error {
	flags := x.snapshot.Revision == oneOffName
	e, _ := errors.AsType[*oci.Error](err)
	switch {
	case err == nil:
		return nil
	case spokePlainly(err) && flags:
		return fmt.Errorf("%w; for a registry without TLS: --plain-http", err)
	case spokePlainly(err):
		return fmt.Errorf("%w; for a registry without TLS: plainHTTP: true in the Registry document named %s", err, ref.Repository.Registry)
	case flags && e != nil && (e.Reason == "token_realm" || e.Reason == "address_refused"):
		return fmt.Errorf("%w; flags cannot: write a Registry document with it, name the folder with --config-dir", err)
	}
	return err
}

// spokePlainly reports whether something without TLS answered where TLS was
// spoken: net/http knows an HTTP server by its answer, of others TLS says that
// the first bytes are none of its own.
func spokePlainly(err error) bool {
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	return noTLS || errors.Is(err, http.ErrSchemeMismatch)
}
