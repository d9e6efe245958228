package upstream_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"vouchsafe/oci"
	"vouchsafe/upstream"
)

func TestDialerRefusesAddresses(t *testing.T) {
	canary := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	_, port, _ := net.SplitHostPort(canary.host())
	hosts := []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]",
		"localhost", "LOCALHOST", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254",
		"[::ffff:169.254.169.254]", "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fd00::1]", "[fd00:ec2::254]",
		"[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001::1]", "[::127.0.0.1]",
		"224.0.0.1", "255.255.255.255", "[ff02::1]", "240.0.0.1", "192.0.2.1", "168.63.129.16", "100.100.100.200",
	}
	for _, host := range hosts {
		t.Run(host, func(t *testing.T) {
			for _, allow := range []bool{false, true} {
				// The permission is for another host:port than the one asked.
				registry := hop(t, "http://"+host+":"+port+"/v2/", allow)
				_, err := registry.client.GetManifest(t.Context(), registry.server.image())
				wantCode(t, err, oci.CodeUpstream, "address_refused")
				if strings.Contains(wireMessage(err), "127.0.0.1 ") {
					t.Errorf("the message tells the address: %v", wireMessage(err))
				}
			}
		})
	}
	if got := canary.lines(); len(got) != 0 {
		t.Errorf("canary was asked: %v", got)
	}
}

// hopped is a registry that redirects every request to one place.
type hopped struct {
	server *server
	client *upstream.Client
}

func hop(t *testing.T, target string, wide bool) hopped {
	t.Helper()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	spec := s.spec()
	if wide {
		spec.TokenHosts = []string{"127.0.0.1:1"}
		spec.RedirectHosts = []string{"blobs.example.com:443"}
	}
	return hopped{server: s, client: open(t, s.host(), spec, nil)}
}

func wireMessage(err error) string { return oci.WireErrors(err).Error() }

func TestDialerNeverDialsLinkLocalWhateverIsAllowed(t *testing.T) {
	for _, endpoint := range []string{
		"http://169.254.169.254", "http://[fe80::1]", "http://0.0.0.0:5000", "http://[64:ff9b::a9fe:a9fe]", "http://[fd00:ec2::254]",
	} {
		spec := upstream.Spec{
			Endpoint: endpoint, PlainHTTP: true, AllowPrivateAddresses: true,
			RedirectHosts: []string{"169.254.169.254:80"}, TokenHosts: []string{"169.254.169.254"},
		}
		client := open(t, "registry.example.com", spec, nil)
		_, err := client.GetManifest(t.Context(), reference("registry.example.com"))
		wantCode(t, err, oci.CodeUpstream, "address_refused")
	}
}

func TestDialerRefusesTheRegistryItselfUnlessAllowed(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeString(w, "{}") })
	spec := s.spec()
	spec.AllowPrivateAddresses = false
	_, err := open(t, s.host(), spec, nil).GetManifest(t.Context(), s.image())
	wantCode(t, err, oci.CodeUpstream, "address_refused")
	if got := s.lines(); len(got) != 0 {
		t.Errorf("server was asked: %v", got)
	}
	if _, err := open(t, s.host(), s.spec(), nil).GetManifest(t.Context(), s.image()); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

func TestDialerChecksWhatANameResolvesToEachTime(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		writeString(w, "{}")
	})
	_, port, _ := net.SplitHostPort(s.host())
	name := "registry.example.com:" + port
	for _, row := range []struct {
		name  string
		allow bool
		// answers are the addresses of the successive look-ups.
		answers []string
		want    []string
	}{
		{"a name that resolves to loopback", false, []string{"127.0.0.1"}, []string{"address_refused"}},
		{"a name that resolves to loopback, allowed", true, []string{"127.0.0.1"}, []string{""}},
		{"a name that rebinds to the metadata service", true, []string{"127.0.0.1", "169.254.169.254"}, []string{"", "address_refused"}},
		{"a mapped address", false, []string{"::ffff:127.0.0.1"}, []string{"address_refused"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			registry, err := upstream.NewRegistry(name, upstream.Spec{PlainHTTP: true, AllowPrivateAddresses: row.allow}, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(registry.Close)
			registry.SetResolver(stubResolver(t, row.answers))
			client := clientOf(registry, upstream.Config{})
			for i, want := range row.want {
				_, err := client.GetManifest(t.Context(), reference(name))
				if got := upstream.ReasonOf(err); got != want {
					t.Errorf("request %d: got %q, want %q: %v", i, got, want, err)
				}
			}
		})
	}
}

func TestNumbersThatLookLikeAddressesPassNoCheck(t *testing.T) {
	canary := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(canary.host())
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1"} {
		registry, err := upstream.NewRegistry("registry.example.com", upstream.Spec{Endpoint: "http://" + host + ":" + port, PlainHTTP: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(registry.Close)
		// Should a resolver read it as a number, the check is the same.
		registry.SetResolver(stubResolver(t, []string{"127.0.0.1"}))
		_, err = clientOf(registry, upstream.Config{}).GetManifest(t.Context(), reference("registry.example.com"))
		if got := oci.CodeOf(err); got != oci.CodeUpstream {
			t.Errorf("%s: got %v: %v", host, got, err)
		}
	}
	if got := canary.lines(); len(got) != 0 {
		t.Errorf("canary was asked: %v", got)
	}
}

func reference(registry string) oci.Reference {
	return oci.Reference{Repository: oci.Repository{Registry: registry, Path: "acme/api"}, Tag: "1"}
}

// stubResolver answers the n-th look-up of any name with the n-th address, the
// last one from then on; with "none" it knows no name.
func stubResolver(t *testing.T, addresses []string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	var asked atomic.Int64
	go func() {
		defer close(done)
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			at := int(asked.Load())
			if addresses[0] == "none" {
				// No such name.
				answer := append([]byte(nil), buffer[:n]...)
				answer[2], answer[3] = 0x81, 0x83
				_, _ = conn.WriteTo(answer, from)
				continue
			}
			address := netip.MustParseAddr(addresses[min(at, len(addresses)-1)])
			answer, matched := dnsAnswer(buffer[:n], address)
			if matched {
				asked.Add(1)
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// dnsAnswer answers one question with address, when its type fits.
func dnsAnswer(query []byte, address netip.Addr) (answer []byte, matched bool) {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	wanted := uint16(1)
	if !address.Is4() {
		wanted = 28
	}
	matched = binary.BigEndian.Uint16(query[end-4:]) == wanted
	answer = append(answer, query[:2]...)
	answer = append(answer, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, query[12:end]...)
	if matched {
		answer[7] = 1
		answer = append(answer, 0xc0, 12)
		answer = binary.BigEndian.AppendUint16(answer, wanted)
		answer = append(answer, 0, 1, 0, 0, 0, 0)
		raw := address.AsSlice()
		answer = binary.BigEndian.AppendUint16(answer, uint16(len(raw)))
		answer = append(answer, raw...)
	}
	return answer, matched
}
