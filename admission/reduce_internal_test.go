package admission

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestWhatIsKeptIsWhatIsRead walks the types that are read.
func TestWhatIsKeptIsWhatIsRead(t *testing.T) {
	var walk func(at string, of reflect.Type, n *node)
	walk = func(at string, of reflect.Type, n *node) {
		if n == nil {
			t.Errorf("%s is read and not kept", at)
			return
		}
		switch of.Kind() {
		case reflect.Pointer:
			walk(at, of.Elem(), n)
		case reflect.Slice:
			walk(at+"[]", of.Elem(), n.elements)
		case reflect.Struct:
			names := fields(of)
			for name, field := range names {
				walk(at+"."+name, field, n.members[name])
			}
			if len(names) != len(n.members) {
				t.Errorf("%s: %d members are kept, %d are read", at, len(n.members), len(names))
			}
		default:
			if n.members != nil || n.elements != nil {
				t.Errorf("%s is kept as something with parts", at)
			}
		}
	}
	walk("review", reflect.TypeFor[envelope[*object]](), kept)
}

// fields returns the members of a type as JSON names them.
func fields(of reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for i := range of.NumField() {
		f := of.Field(i)
		name, tagged := f.Tag.Lookup("json")
		if f.Anonymous && !tagged {
			for name, field := range fields(f.Type) {
				all[name] = field
			}
			continue
		}
		all[name] = f.Type
	}
	return all
}

func reduce(b []byte, byByte bool) (*reducer, error) {
	s := &reducer{in: bytes.NewReader(b), chunk: make([]byte, 64), grow: func() error { return nil }}
	if byByte {
		s.in = iotest.OneByteReader(s.in)
	}
	return s, s.run()
}

// FuzzReduce: whatever can be read whole reads the same when it was reduced.
func FuzzReduce(f *testing.F) {
	const head = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"version":"v1","kind":"Pod"},"namespace":"n","operation":"CREATE",`
	for _, seed := range []string{
		head + `"object":{"spec":{"containers":[{"name":"a","image":"b","env":[{"x":"\"]}"}]},{},null]}}}}`,
		head + "\n\"object\" : { \"spec\" :{\"\\u0063ontainers\":[ {\"image\":\"\\u0061\\\\\"} ] , \"volumes\":[{\"name\":\"v\",\"image\":{\"reference\":\"r\"}}]}} } } ",
		head + `"object":{"metadata":{"annotations":{"vouchsafe.dev/original-images":"{}","x":1}},"spec":null},"oldObject":null}}`,
		head + `"object":{"spec":{"template":{"spec":{"initContainers":[]}},"jobTemplate":{"spec":{"template":{"spec":{"ephemeralContainers":[{"image":"e"}]}}}}}}}}`,
		head + `"dryRun":true,"object":{"spec":{"containers":{}}}}}`,
		`{"a":,"request":{}}`, `[`, `{"request":{"uid":1}} x`, `{"kind":"\ud83d\ude00","apiVersion":nul}`, strings.Repeat("[", 20_000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := reduce(b, false)
		if one, again := reduce(b, true); (again == nil) != (err == nil) || err == nil && !bytes.Equal(one.out, s.out) {
			t.Fatalf("byte by byte: %q, %v, else %q, %v", one.out, again, s.out, err)
		}
		want, wrong := parse(b)
		if wrong != nil || s.excess {
			return
		}
		if err != nil {
			t.Fatalf("%q can be read: %v", b, err)
		}
		got, err := parse(s.out)
		if err != nil {
			t.Fatalf("%q became %q: %v", b, s.out, err)
		}
		all := cmp.Exporter(func(reflect.Type) bool { return true })
		if diff := cmp.Diff(want, got, all); diff != "" {
			t.Errorf("%q became %q:\n%s", b, s.out, diff)
		}
		if s.uid != got.UID && len(got.UID) < 30 {
			t.Errorf("the uid is %q, want %q", s.uid, got.UID)
		}
	})
}
