package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// clusterMetrics are those of the webhook and of the watch on pods.
type clusterMetrics struct {
	reviews      *prometheus.CounterVec
	events       *prometheus.CounterVec
	bundleWrites prometheus.Counter
	webhookGood  prometheus.Gauge
	// webhookEnd is when the webhook's certificate ends, the zero time before there
	// is one; nil is no webhook.
	webhookEnd func() time.Time
	// podsWatched reports whether pods are followed now; nil is no watch.
	podsWatched func() bool
}

func newClusterMetrics() clusterMetrics {
	c := clusterMetrics{
		reviews: counters("admission_reviews_total",
			"Reviews by the worst verdict of their images, or by what became of a pod's names.", "verdict"),
		events: counters("pod_events_total", "Events about images that were refused at pull.", "outcome"),
		bundleWrites: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "vouchsafe", Name: "webhook_ca_bundle_writes_total", Help: "CA bundles written into webhook configurations.",
		}),
		webhookGood: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "vouchsafe", Name: "webhook_certificate_last_reload_successful",
			Help: "1 when the files of the webhook's certificate were last read without a mistake, else 0.",
		}),
	}
	c.webhookGood.Set(1)
	return c
}

var (
	deployedDesc = gaugeDesc("images_deployed", "Images of those remembered that watched pods run.")
	webhookDesc  = gaugeDesc("webhook_certificate_expiry_timestamp_seconds",
		"When the webhook's certificate ends, in Unix time; 0 while it has none.")
	podsDesc = gaugeDesc("pods_watch_healthy", "1 while pods are followed, else 0.")
)

// review counts one review.
func (m *metrics) review(verdict string) { m.cluster.reviews.WithLabelValues(verdict).Inc() }

// event counts one Event on a pod.
func (m *metrics) event(outcome string) { m.cluster.events.WithLabelValues(outcome).Inc() }

// webhookReload says how the last read of the webhook's certificate went.
func (m *metrics) webhookReload(err error) { m.cluster.webhookGood.Set(truth(err == nil)) }

// Describe implements [prometheus.Collector].
func (c *clusterMetrics) Describe(to chan<- *prometheus.Desc) { to <- webhookDesc; to <- podsDesc }

// Collect implements [prometheus.Collector].
func (c *clusterMetrics) Collect(to chan<- prometheus.Metric) {
	if c.webhookEnd != nil {
		end := 0.0
		if at := c.webhookEnd(); !at.IsZero() {
			end = float64(at.Unix())
		}
		to <- prometheus.MustNewConstMetric(webhookDesc, prometheus.GaugeValue, end)
	}
	if c.podsWatched != nil {
		to <- prometheus.MustNewConstMetric(podsDesc, prometheus.GaugeValue, truth(c.podsWatched()))
	}
}
