// Command trillian is a Trillian log server and sequencer that keeps its trees
// in memory: what stands behind a CT log and a Rekor where neither may outlive
// a test. It makes its trees as it starts, prints the id of each on a line of
// standard output, and serves until it is told to end.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/client"
	"github.com/google/trillian/extension"
	tlog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"github.com/google/trillian/util/election2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	"k8s.io/klog/v2"
)

// patience bounds the making of all trees.
const patience = 20 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address of the gRPC service")
	trees := flag.Int("trees", 1, "how many empty logs to make")
	every := flag.Duration("every", 20*time.Millisecond, "time between two runs of the sequencer")
	flag.Parse()
	// It warns of each run of the sequencer that found nothing to do. Errors
	// still go to standard error.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	if err := serve(*listen, *trees, *every); err != nil {
		log.Fatalf("trillian: %v", err)
	}
}

func serve(listen string, trees int, every time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	kept := memory.NewTreeStorage()
	registry := extension.Registry{
		AdminStorage:    memory.NewAdminStorage(kept),
		LogStorage:      memory.NewLogStorage(kept, nil),
		QuotaManager:    quota.Noop(),
		ElectionFactory: election2.NoopFactory{},
	}
	services := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(services, admin.New(registry, nil))
	trillian.RegisterTrillianLogServer(services, server.NewTrillianLogRPCServer(registry, clock.System))
	sequencer := tlog.NewOperationManager(tlog.OperationInfo{
		Registry: registry, BatchSize: 64, NumWorkers: 1, RunInterval: every, TimeSource: clock.System,
	}, tlog.NewSequencerManager(registry, 0))
	go sequencer.OperationLoop(ctx)
	served := make(chan error, 1)
	go func() { served <- services.Serve(listener) }()
	if err := plant(ctx, listener.Addr().String(), trees); err != nil {
		return err
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		services.Stop()
		return nil
	}
}

// plant makes the trees through the service itself, as its clients do, and
// prints their ids.
func plant(ctx context.Context, address string, trees int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	defer connection.Close() //nolint:errcheck // nothing is under way on it
	for range trees {
		tree, err := client.CreateAndInitTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
			TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, MaxRootDuration: durationpb.New(time.Hour),
		}}, trillian.NewTrillianAdminClient(connection), trillian.NewTrillianLogClient(connection))
		if err != nil {
			return fmt.Errorf("make a tree: %w", err)
		}
		fmt.Println(tree.GetTreeId())
	}
	return nil
}
