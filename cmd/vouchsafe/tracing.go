package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"vouchsafe/oci"
	"vouchsafe/policy"
	"vouchsafe/proxy"
	"vouchsafe/upstream"
)

// traceTimeout bounds one export.
const traceTimeout = 10 * time.Second

// traceFlush is how long the end of the program waits for spans.
const traceFlush = 2 * time.Second

// tracing makes spans and sends them where the OTEL_* variables say. Without
// them it is nil, and nothing is made.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// newTracing reads the variables of the OpenTelemetry specification ("Environment
// Variable Specification"): nil, nil when no exporter is asked for. A collector
// that does not answer holds up nothing: spans that find no room are dropped.
func newTracing(ctx context.Context, environ []string, log *slog.Logger) (*tracing, error) {
	protocol, err := traceProtocol(environ)
	if err != nil || protocol == "" {
		return nil, err
	}
	var exporter sdktrace.SpanExporter
	if protocol == "grpc" {
		exporter, err = otlptracegrpc.New(ctx)
	} else {
		var egress *upstream.Egress
		if egress, err = upstream.NewEgress(environ); err != nil {
			return nil, err
		}
		// The operator's headers go where the operator said, not where that leads.
		exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithHTTPClient(upstream.NewOperatorClient(traceTimeout, egress)))
	}
	if err != nil {
		return nil, fmt.Errorf("OpenTelemetry: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "vouchsafe"), attribute.String("service.version", readVersion().Version)),
		// Last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OpenTelemetry: %w", err)
	}
	var said atomic.Int64
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		// A collector that is away for a night is one line a minute.
		now, last := time.Now().Unix(), said.Load()
		if now-last >= 60 && said.CompareAndSwap(last, now) {
			log.WarnContext(ctx, "spans were not sent", "error", err)
		}
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &tracing{provider: provider, tracer: provider.Tracer("vouchsafe")}, nil
}

// traceProtocol returns how spans are sent, empty when they are not.
func traceProtocol(environ []string) (string, error) {
	get := func(names ...string) string {
		for _, name := range names {
			at := slices.IndexFunc(environ, func(line string) bool { return strings.HasPrefix(line, name+"=") && line != name+"=" })
			if at >= 0 {
				return environ[at][len(name)+1:]
			}
		}
		return ""
	}
	exporter := get("OTEL_TRACES_EXPORTER")
	endpoint := get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	switch {
	case strings.EqualFold(get("OTEL_SDK_DISABLED"), "true"), exporter == "none", exporter == "" && endpoint == "":
		return "", nil
	case exporter != "" && exporter != "otlp":
		return "", fmt.Errorf("OTEL_TRACES_EXPORTER: %.40q is not supported (write otlp or none)", exporter)
	}
	switch protocol := get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "", "http/protobuf":
		return "http/protobuf", nil
	case "grpc":
		return protocol, nil
	default:
		return "", fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: %.40q is not supported (write http/protobuf or grpc)", protocol)
	}
}

// close sends what waits, for at most traceFlush.
func (t *tracing) close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlush)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // The error handler has said what there is to say.
}

// upstream is what package upstream makes its spans with, nil for none.
func (t *tracing) upstream() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.tracer
}

// traceID returns the trace that ctx belongs to, empty without one.
func traceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	return ""
}

// handler wraps next in a span for each request. A trace begins here: headers of
// a client do not decide what is sampled, or to which trace it belongs.
func (t *tracing) handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := t.tracer.Start(r.Context(), "registry "+r.Method, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.EscapedPath())))
		defer span.End()
		noted := &notedStatus{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			span.SetAttributes(attribute.Int("http.response.status_code", noted.status))
			if noted.status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, http.StatusText(noted.status))
			}
		}()
		next.ServeHTTP(noted, r.WithContext(ctx))
	})
}

// notedStatus remembers the status of an answer.
type notedStatus struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *notedStatus) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves [http.ResponseController].
func (w *notedStatus) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// resolver wraps next in a span for each resolution.
func (t *tracing) resolver(next proxy.Resolver) proxy.Resolver {
	if t == nil {
		return next
	}
	return tracedResolver{next, t.tracer}
}

type tracedResolver struct {
	next   proxy.Resolver
	tracer trace.Tracer
}

// Resolve implements [proxy.Resolver].
func (r tracedResolver) Resolve(ctx context.Context, ref oci.Reference) (oci.Image, error) {
	ctx, span := r.tracer.Start(ctx, "resolve", trace.WithAttributes(attribute.String("vouchsafe.image", ref.String())))
	defer span.End()
	image, err := r.next.Resolve(ctx, ref)
	spanError(span, err)
	return image, err
}

// decider wraps next in a span for each decision.
func (t *tracing) decider(next policy.Decider) policy.Decider {
	if t == nil {
		return next
	}
	return tracedDecider{next, t.tracer}
}

type tracedDecider struct {
	next   policy.Decider
	tracer trace.Tracer
}

// Decide implements [policy.Decider].
func (d tracedDecider) Decide(ctx context.Context, request policy.Request, image oci.Image) (policy.Decision, error) {
	ctx, span := d.tracer.Start(ctx, "decide")
	defer span.End()
	decision, err := d.next.Decide(ctx, request, image)
	decided(span, decision, err)
	return decision, err
}

// DecideBlob implements [policy.Decider].
func (d tracedDecider) DecideBlob(ctx context.Context, request policy.Request, blob oci.Digest) (policy.Decision, error) {
	ctx, span := d.tracer.Start(ctx, "decide blob")
	defer span.End()
	decision, err := d.next.DecideBlob(ctx, request, blob)
	decided(span, decision, err)
	return decision, err
}

func decided(span trace.Span, decision policy.Decision, err error) {
	span.SetAttributes(attribute.String("vouchsafe.decision", decision.ID), attribute.String("vouchsafe.verdict", decision.Verdict.String()),
		attribute.StringSlice("vouchsafe.reasons", decision.Reasons), attribute.Bool("vouchsafe.cached", decision.Cached))
	spanError(span, err)
}

// spanError marks a span as failed by the class of err; its text may quote a
// registry, and stays in the log.
func spanError(span trace.Span, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		span.SetStatus(codes.Error, oci.CodeOf(err).String())
	}
}
