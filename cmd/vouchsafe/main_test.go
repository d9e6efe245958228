package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this binary stand for the program that the scripts run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vouchsafe": main})
}

// TestScripts runs testdata/*.txtar: the program as a user drives it.
// UPDATE_GOLDEN=1 writes what is printed into the scripts.
//
// Beside testscript's own commands there are:
//
//	exits CODE COMMAND…   the command ends with that exit code
//	lab                   starts a registry with signed images and makes keys
//	fill FILE…            puts the registry and the keys into documents
//	move IMAGE            moves a tag of the lab to an unsigned image
//	listen                finds free addresses: $LISTEN and $OPS
//	get URL               prints status, headers and body, once somebody listens
//	until PATTERN URL     gets until what is printed matches, for at most 5 s
//	mask stdout           prints it again without what differs from run to run
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("VOUCHSAFE_DRAIN_DELAY", "0s") // nobody balances load here
			return nil
		},
		UpdateScripts: os.Getenv("UPDATE_GOLDEN") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "lab": startLab, "fill": fill, "move": move, "listen": listen,
			"get": get, "until": until, "mask": mask,
		},
	})
}

// get prints the answer to a GET, once somebody listens.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	text := ask(ts, args[0])
	_, _ = fmt.Fprint(ts.Stdout(), text)
}

// until gets until the text matches, for at most 5 s: twice as long as a change
// of documents may take, for a slow machine.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until PATTERN URL")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	text := ""
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text = ask(ts, args[1]); pattern.MatchString(text) {
			_, _ = fmt.Fprint(ts.Stdout(), text)
			return
		}
	}
	ts.Fatalf("%s never matched:\n%s", args[0], text)
}

// ask returns status, some headers and the body of an answer.
func ask(ts *testscript.TestScript, url string) string {
	client := &http.Client{Timeout: 10 * time.Second}
	deadline := time.Now().Add(10 * time.Second)
	answer, err := client.Get(url)
	for err != nil && time.Now().Before(deadline) && errors.Is(err, syscall.ECONNREFUSED) {
		time.Sleep(10 * time.Millisecond)
		answer, err = client.Get(url)
	}
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	text := fmt.Sprintln(answer.StatusCode)
	for _, name := range []string{"Content-Type", "Docker-Content-Digest", "Vouchsafe-Decision"} {
		if value := answer.Header.Get(name); value != "" {
			text += name + ": " + value + "\n"
		}
	}
	return text + strings.TrimSpace(string(body)) + "\n"
}

// host is the name of this machine, which records call the replica.
var host = func() string {
	name, err := os.Hostname()
	if err != nil {
		panic(err)
	}
	return name
}()

// varying is what differs from run to run, and what is printed for it.
var varying = []struct{ what, word string }{
	{`127\.0\.0\.1[:_]\d+`, "HOST"},
	{`SHA256:[0-9a-f]{64}`, "FINGERPRINT"},
	{`sha256([:-])[0-9a-f]{64}`, "sha256${1}DIGEST"},
	{`sha256:[0-9a-f]{6,12}…`, "sha256:SHORT…"},
	{`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`, "ULID"},
	{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "TIME"},
	{`\b[0-9a-f]{32}\b`, "REVISION"},
	{`"replica":"` + regexp.QuoteMeta(host) + `"`, `"replica":"REPLICA"`},
	{`"durationMs":[0-9.e-]+`, `"durationMs":0`},
	{`v[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z.]+)?|\bgo1\.[0-9.]+`, "VERSION"},
}

// mask prints stdout, stderr or a file again with a word for each thing that
// differs from run to run. Spaces that line up columns become two.
func mask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mask stdout|stderr|FILE")
	}
	_, _ = fmt.Fprint(ts.Stdout(), masked(ts.ReadFile(args[0])))
}

func masked(text string) string {
	for _, v := range varying {
		text = regexp.MustCompile(v.what).ReplaceAllString(text, v.word)
	}
	return regexp.MustCompile(`(\S)   +`).ReplaceAllString(text, "$1  ")
}

// exits runs a command and compares its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		coded, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = coded.ExitCode()
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// lastPort is the last port that [listen] looked at.
var lastPort atomic.Int32

// listen sets LISTEN and OPS to addresses that nobody listens at. They are below
// those that the system gives to whoever asks for any, as the other tests do at the
// same time, and no script gets what another got.
func listen(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"LISTEN", "OPS"} {
		const first, ports = 20_000, 12_000
		for free := false; !free; {
			port := first + (os.Getpid()*100+int(lastPort.Add(1)))%ports
			address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			if listener, err := net.Listen("tcp", address); err == nil {
				ts.Check(listener.Close())
				ts.Setenv(name, address)
				free = true
			}
		}
	}
}
