package main

import (
	"github.com/prometheus/client_golang/prometheus"
)

// inventoryMetrics reads the memory of images at each scrape.
type inventoryMetrics struct{ m *metrics }

var (
	imagesDesc     = gaugeDesc("images_seen", "Images that are remembered and verified again.")
	evictedDesc    = gaugeDesc("images_evicted_total", "Images that were forgotten for want of room.")
	violationsDesc = gaugeDesc("violations", "Images seen that do not satisfy a policy now.", "policy")
	dueDesc        = gaugeDesc("reverification_due", "Images that are due to be verified again.")
	lagDesc        = gaugeDesc("reverification_lag_seconds", "How long the first of them has been due.")
	expiryDesc     = gaugeDesc("certificate_expiry_timestamp_seconds", "When the certificate of LISTEN ends, in Unix time.")
)

func gaugeDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName("vouchsafe", "", name), help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (inventoryMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{imagesDesc, evictedDesc, violationsDesc, dueDesc, lagDesc, expiryDesc, deployedDesc} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c inventoryMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if c.m.inventory != nil {
		counts := c.m.inventory()
		gauge(imagesDesc, float64(counts.Images))
		gauge(deployedDesc, float64(counts.Deployed))
		to <- prometheus.MustNewConstMetric(evictedDesc, prometheus.CounterValue, float64(counts.Evicted))
		for policy, open := range counts.Violations {
			gauge(violationsDesc, float64(open), policy)
		}
		gauge(dueDesc, float64(c.m.due()))
		gauge(lagDesc, c.m.lag().Seconds())
	}
	if c.m.certificateEnd != nil {
		gauge(expiryDesc, float64(c.m.certificateEnd().Unix()))
	}
}
