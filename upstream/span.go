package upstream

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"vouchsafe/oci"
)

// traced is hops within a span. It ends with the answer's header, and tells the
// registry, the status and the number of retries: never a URL, whose query may be
// signed, and nothing that the registry wrote.
func (d door) traced(ctx context.Context, q *request) (*answer, error) {
	ctx, span := d.client.tracer.Start(ctx, "upstream "+q.method,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("registry", d.registry.name)))
	defer span.End()
	a, err := d.hops(ctx, q)
	if !span.IsRecording() {
		return a, err
	}
	span.SetAttributes(attribute.Int("http.request.resend_count", q.retries))
	if err != nil {
		span.SetStatus(codes.Error, failureWord(err))
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", a.status))
	if a.status >= 400 {
		span.SetStatus(codes.Error, "")
	}
	return a, nil
}

// failureWord is what a span says of an error: our own words alone, since
// messages may quote what a registry wrote.
func failureWord(err error) string {
	if e, ok := errors.AsType[*oci.Error](err); ok {
		return e.Code.String() + " " + e.Reason
	}
	return "ended by the caller"
}
