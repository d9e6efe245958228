package main

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"vouchsafe/inventory"
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// metrics are all of the program's, on a registry of its own. Labels are bounded
// by what the operator wrote: names of policies, integrations and registries,
// never an image, tag, digest or user. docs/metrics.md describes each.
type metrics struct {
	registry *prometheus.Registry

	requests          *prometheus.CounterVec
	requestSeconds    *prometheus.HistogramVec
	decisions         *prometheus.CounterVec
	verifications     *prometheus.CounterVec
	verifySeconds     prometheus.Histogram
	cacheRequests     *prometheus.CounterVec
	upstreamRequests  *prometheus.CounterVec
	upstreamSeconds   *prometheus.HistogramVec
	logRequests       *prometheus.CounterVec
	contentRequests   *prometheus.CounterVec
	auditFailures     prometheus.Counter
	logDropped        prometheus.Counter
	shed              prometheus.Counter
	retries           *prometheus.CounterVec
	corrupted         *prometheus.CounterVec
	blobRequests      *prometheus.CounterVec
	connections       *prometheus.GaugeVec
	connectionsOver   *prometheus.CounterVec
	reverifications   *prometheus.CounterVec
	certificateGood   prometheus.Gauge
	reloadSuccessful  prometheus.Gauge
	configurationTime func() time.Time
	contentBytes      func() int64
	// certificateEnd is when the listener's certificate ends; nil is plain HTTP.
	certificateEnd func() time.Time
	inventory      func() inventory.Counts
	due            func() int
	lag            func() time.Duration
	// mirrors are the TUF mirrors that are followed; nil is none.
	mirrors func() []verify.MirrorStatus
	cluster clusterMetrics
}

// seconds are the buckets of durations: from a warm manifest (under a
// millisecond) to the longest request (25 s).
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25}

// newMetrics registers all metrics. What a gauge reads at each scrape is set by
// the stack before the first one.
func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: counters("registry_requests_total",
			"Requests of clients by operation and HTTP status.", "op", "code"),
		requestSeconds: durations("registry_request_duration_seconds",
			"Time from a client's request to the end of the answer.", "op"),
		decisions: counters("decisions_total",
			"Verdicts of matching policies.", "policy", "behavior", "verdict"),
		verifications: counters("verifications_total",
			"Results of judging an image, answers from the cache left out.", "integration", "status"),
		verifySeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "vouchsafe", Name: "verification_duration_seconds", Buckets: seconds,
			Help: "Time to collect the signatures of an image and to judge them.",
		}),
		cacheRequests: counters("result_cache_requests_total",
			"Look-ups of results: hit, miss or stale.", "outcome"),
		upstreamRequests: counters("upstream_requests_total",
			"Requests at the doors of registries, token services included; code 0 is no answer.", "registry", "code"),
		upstreamSeconds: durations("upstream_request_duration_seconds",
			"Time until a registry's answer began.", "registry"),
		logRequests: counters("log_requests_total",
			"Requests to transparency logs for entries that are not attached.", "log", "outcome"),
		contentRequests: counters("content_requests_total",
			"Resolutions of a name to bytes: hit, miss or shared with another request.", "outcome"),
		auditFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "vouchsafe", Name: "audit_write_failures_total",
			Help: "Audit records that could not be written.",
		}),
		logDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "vouchsafe", Name: "log_lines_dropped_total",
			Help: "Lines of the log that nobody took in time.",
		}),
		reloadSuccessful: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "vouchsafe", Name: "configuration_last_reload_successful",
			Help: "1 when the documents were last loaded without a mistake, else 0.",
		}),
		shed: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "vouchsafe", Name: "requests_shed_total",
			Help: "Requests turned away because nine tenths of GOMEMLIMIT were in use.",
		}),
		retries: counters("upstream_retries_total",
			"Requests to registries that were sent again, and blobs that were resumed.", "registry"),
		corrupted: counters("upstream_corrupt_total",
			"Answers of registries whose bytes are not what their digest says.", "registry"),
		blobRequests: counters("blob_requests_total",
			"Blobs and parts opened, by how they were come by, and readers that fell behind.", "outcome"),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "vouchsafe", Name: "connections", Help: "Open connections of clients.",
		}, []string{"listener"}),
		connectionsOver: counters("connections_refused_total",
			"Connections beyond a bound: of all, or of one address.", "listener", "reason"),
		reverifications: counters("reverification_changes_total",
			"Changed statuses of images that were seen before.", "integration", "from", "to"),
		certificateGood: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "vouchsafe", Name: "certificate_last_reload_successful",
			Help: "1 when the listener's certificate was last read without a mistake, else 0.",
		}),
		cluster:           newClusterMetrics(),
		configurationTime: time.Now,
		contentBytes:      func() int64 { return 0 },
	}
	m.certificateGood.Set(1)
	m.register()
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "vouchsafe", Name: name, Help: help}, labels)
}

func durations(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Namespace: "vouchsafe", Name: name, Help: help, Buckets: seconds}, labels)
}

func (m *metrics) register() {
	build := readVersion()
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.requestSeconds, m.decisions, m.verifications, m.verifySeconds, m.cacheRequests,
		m.upstreamRequests, m.upstreamSeconds, m.logRequests, m.contentRequests, m.auditFailures, m.logDropped, m.reloadSuccessful,
		m.shed, m.retries, m.corrupted, m.blobRequests, m.connections, m.connectionsOver, m.reverifications, m.certificateGood,
		inventoryMetrics{m}, mirrorMetrics{m},
		m.cluster.reviews, m.cluster.events, m.cluster.bundleWrites, m.cluster.webhookGood, &m.cluster,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "vouchsafe", Name: "content_bytes", Help: "Bytes of manifests and blobs in memory.",
		}, func() float64 { return float64(m.contentBytes()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "vouchsafe", Name: "configuration_age_seconds", Help: "Age of the configuration in force.",
		}, func() float64 { return time.Since(m.configurationTime()).Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "vouchsafe", Name: "build_info", Help: "Always 1; the labels name the build.",
			ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "go": build.Go},
		}, func() float64 { return 1 }),
	)
}

// request counts one answer to a client.
func (m *metrics) request(op string, status int, took time.Duration) {
	m.requests.WithLabelValues(op, strconv.Itoa(status)).Inc()
	m.requestSeconds.WithLabelValues(op).Observe(took.Seconds())
}

// decision counts one policy's verdict.
func (m *metrics) decision(name string, behavior policy.Behavior, verdict policy.Verdict) {
	m.decisions.WithLabelValues(name, behavior.String(), verdict.String()).Inc()
}

// verification counts one judged result.
func (m *metrics) verification(result verify.Result, took time.Duration) {
	m.verifications.WithLabelValues(result.Integration, result.Status.String()).Inc()
	m.verifySeconds.Observe(took.Seconds())
}

// upstream counts one request at a registry's door.
func (m *metrics) upstream(registry string, status int, took time.Duration) {
	m.upstreamRequests.WithLabelValues(registry, strconv.Itoa(status)).Inc()
	m.upstreamSeconds.WithLabelValues(registry).Observe(took.Seconds())
}

// log counts one request to a transparency log.
func (m *metrics) log(host, outcome string) { m.logRequests.WithLabelValues(host, outcome).Inc() }

// cache counts one look-up of a result.
func (m *metrics) cache(outcome string) { m.cacheRequests.WithLabelValues(outcome).Inc() }

// content counts one resolution.
func (m *metrics) content(outcome string) { m.contentRequests.WithLabelValues(outcome).Inc() }

// reload remembers whether the documents were good.
func (m *metrics) reload(err error) {
	m.reloadSuccessful.Set(0)
	if err == nil {
		m.reloadSuccessful.Set(1)
	}
}

// retried counts one request that was sent again.
func (m *metrics) retried(registry string) { m.retries.WithLabelValues(registry).Inc() }

// corrupt counts one answer with other bytes than its digest.
func (m *metrics) corrupt(registry string) { m.corrupted.WithLabelValues(registry).Inc() }

// blob counts one opening of a blob.
func (m *metrics) blob(outcome string) { m.blobRequests.WithLabelValues(outcome).Inc() }

// connection follows the number of open connections.
func (m *metrics) connection(listener string, delta int) {
	m.connections.WithLabelValues(listener).Add(float64(delta))
}

// refused counts one connection beyond a bound.
func (m *metrics) refused(listener, reason string) {
	m.connectionsOver.WithLabelValues(listener, reason).Inc()
}

// reverified counts one changed status.
func (m *metrics) reverified(integration string, from, to verify.Status) {
	m.reverifications.WithLabelValues(integration, from.String(), to.String()).Inc()
}

// certificateReload says how the last read of the certificate went.
func (m *metrics) certificateReload(err error) {
	m.certificateGood.Set(truth(err == nil))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
