package oci_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vouchsafe/oci"
)

func TestCodeReachesTheWire(t *testing.T) {
	for code, want := range map[oci.Code]struct {
		status int
		word   string
	}{
		oci.CodeInternal:        {500, "UNKNOWN"},
		oci.CodeNameInvalid:     {400, "NAME_INVALID"},
		oci.CodeTagInvalid:      {400, "TAG_INVALID"},
		oci.CodeDigestInvalid:   {400, "DIGEST_INVALID"},
		oci.CodePageInvalid:     {400, "PAGINATION_NUMBER_INVALID"},
		oci.CodeNotListed:       {404, "NAME_UNKNOWN"},
		oci.CodeNameUnknown:     {404, "NAME_UNKNOWN"},
		oci.CodeManifestUnknown: {404, "MANIFEST_UNKNOWN"},
		oci.CodeBlobUnknown:     {404, "BLOB_UNKNOWN"},
		oci.CodeUnauthorized:    {403, "UNAUTHORIZED"},
		oci.CodeUnauthenticated: {401, "UNAUTHORIZED"},
		oci.CodeDenied:          {403, "DENIED"},
		oci.CodeUndecided:       {503, "UNAVAILABLE"},
		oci.CodeUpstream:        {502, "UNAVAILABLE"},
		oci.CodeManifestInvalid: {502, "MANIFEST_INVALID"},
		oci.CodeTimeout:         {504, "UNAVAILABLE"},
		oci.CodeBusy:            {429, "TOOMANYREQUESTS"},
		oci.CodeUnsupported:     {405, "UNSUPPORTED"},
		oci.CodeRangeInvalid:    {416, "RANGE_INVALID"},
		oci.Code(200):           {500, "UNKNOWN"},
	} {
		err := fmt.Errorf("wrapped: %w", &oci.Error{Code: code, Message: "why", Err: errors.New("secret"), Detail: 7})
		if got := oci.CodeOf(err).Status(); got != want.status {
			t.Errorf("%v: got status %d, want %d", code, got, want.status)
		}
		b, e := json.Marshal(oci.WireErrors(err))
		if want := `{"errors":[{"code":"` + want.word + `","message":"why","detail":7}]}`; e != nil || string(b) != want {
			t.Errorf("%v: got %s, %v; want %s", code, b, e, want)
		}
	}
}

func TestEveryCodeHasAName(t *testing.T) {
	for code := oci.CodeInternal; code <= oci.CodeRangeInvalid; code++ {
		b, err := json.Marshal(oci.WireErrors(&oci.Error{Code: code}))
		if err != nil || code.String() == "" || !strings.Contains(string(b), code.String()) {
			t.Errorf("code %d: got %s, %v, want the name %q", code, b, err, code)
		}
	}
}

func TestForeignErrorIsInternal(t *testing.T) {
	for _, err := range []error{nil, errors.New("secret"), &oci.FieldError{Message: "secret"}} {
		if got := oci.CodeOf(err); got != oci.CodeInternal || got.Status() != http.StatusInternalServerError {
			t.Errorf("%v: got %v, %d", err, got, got.Status())
		}
		if b, e := json.Marshal(oci.WireErrors(err)); e != nil || strings.Contains(string(b), "secret") {
			t.Errorf("%v: got %s, %v", err, b, e)
		}
	}
}

func TestErrorTellsItsCause(t *testing.T) {
	cause := errors.New("connection refused")
	for _, test := range []struct {
		err  *oci.Error
		want string
	}{
		{&oci.Error{Code: oci.CodeUpstream, Message: "fetch a", Err: cause}, "fetch a: connection refused"},
		{&oci.Error{Code: oci.CodeUpstream, Err: cause}, "upstream trouble: connection refused"},
		{&oci.Error{Code: oci.CodeDenied}, "denied"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	if !errors.Is(&oci.Error{Err: cause}, cause) {
		t.Error("the cause is not found")
	}
	outer := &oci.Error{Code: oci.CodeTimeout, Err: &oci.Error{Code: oci.CodeUpstream}}
	if got := oci.CodeOf(outer); got != oci.CodeTimeout {
		t.Errorf("got %v, want that of the outermost", got)
	}
}
