package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// mirrorMetrics reads what is known of TUF mirrors at each scrape: of several the
// worst, and nothing without any.
type mirrorMetrics struct{ m *metrics }

var (
	rootExpiryDesc = gaugeDesc("trusted_root_expiry_timestamp_seconds",
		"When the metadata of the trusted root of a TUF mirror ends, the first of all, in Unix time; 0 while one was never obtained.")
	rootAgeDesc = gaugeDesc("trusted_root_age_seconds", "How long ago a TUF mirror last confirmed its trusted root, the longest of all.")
)

// Describe implements [prometheus.Collector].
func (mirrorMetrics) Describe(to chan<- *prometheus.Desc) { to <- rootExpiryDesc; to <- rootAgeDesc }

// Collect implements [prometheus.Collector].
func (c mirrorMetrics) Collect(to chan<- prometheus.Metric) {
	if c.m.mirrors == nil {
		return
	}
	statuses := c.m.mirrors()
	if len(statuses) == 0 {
		return
	}
	first, age := int64(1<<62), time.Duration(-1)
	for _, one := range statuses {
		if one.Expires.IsZero() {
			first = 0
			continue
		}
		first, age = min(first, one.Expires.Unix()), max(age, time.Since(one.CheckedAt))
	}
	to <- prometheus.MustNewConstMetric(rootExpiryDesc, prometheus.GaugeValue, float64(first))
	if age >= 0 {
		to <- prometheus.MustNewConstMetric(rootAgeDesc, prometheus.GaugeValue, age.Seconds())
	}
}
