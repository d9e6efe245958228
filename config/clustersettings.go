package config

import (
	"strings"
	"unicode"
)

// mostCluster bounds CLUSTER, which every record repeats.
const mostCluster = 128

// checkWebhook holds the settings of the webhook against each other. One that has
// no effect is a mistake: whoever wrote it believes that it has.
func (r *settingsReader) checkWebhook(s *Settings) {
	r.oneOf("PIN", s.Pin, PinWhenKnown, PinNever)
	r.together("WEBHOOK_TLS_CERT_FILE", s.WebhookTLSCertFile, "WEBHOOK_TLS_KEY_FILE", s.WebhookTLSKeyFile)
	if s.WebhookListen == "" {
		if s.Listen == ListenOff {
			r.fail("LISTEN", "is off and "+EnvPrefix+"WEBHOOK_LISTEN is empty: nothing would be served", "")
		}
		for name, given := range map[string]bool{
			"WEBHOOK_TLS_CERT_FILE": s.WebhookTLSCertFile != "", "WEBHOOK_SECRET": s.WebhookSecret != "",
			"WEBHOOK_CONFIGURATIONS": s.WebhookConfigurations != "", "WEBHOOK_CLIENT_CA_FILE": s.WebhookClientCAFile != "",
		} {
			if given {
				r.fail(name, "has no effect without "+EnvPrefix+"WEBHOOK_LISTEN", "")
			}
		}
		return
	}
	r.checkListen("WEBHOOK_LISTEN", s.WebhookListen)
	for name, address := range map[string]string{"LISTEN": s.Listen, "OPS_LISTEN": s.OpsListen} {
		if s.WebhookListen == address && !strings.HasSuffix(address, ":0") {
			r.fail("WEBHOOK_LISTEN", "is the same address as "+EnvPrefix+name, "")
		}
	}
	if s.WebhookTLSCertFile != "" {
		if s.WebhookSecret != "" {
			r.fail("WEBHOOK_SECRET", "has no effect beside "+EnvPrefix+"WEBHOOK_TLS_CERT_FILE", "")
		}
		if s.WebhookConfigurations != "" {
			r.fail("WEBHOOK_CONFIGURATIONS", "has no effect beside "+EnvPrefix+"WEBHOOK_TLS_CERT_FILE: whoever makes that certificate keeps the CA bundle", "")
		}
	}
	if namespace, name, _ := strings.Cut(s.WebhookSecret, "/"); s.WebhookSecret != "" && (!isObjectName(namespace) || !isObjectName(name)) {
		r.fail("WEBHOOK_SECRET", quoted(s.WebhookSecret)+" is not namespace/name", "")
	}
	for _, name := range s.WebhookConfigurationNames() {
		if !isObjectName(name) {
			r.fail("WEBHOOK_CONFIGURATIONS", quoted(name)+" is no name of a webhook configuration", "")
		}
	}
}

// checkCluster holds the settings of the cluster's side against each other.
func (r *settingsReader) checkCluster(s *Settings) {
	r.oneOf("WATCH_PODS", s.WatchPods, WatchOff, WatchNode, WatchAll)
	switch {
	case s.WatchPods == WatchNode && s.NodeName == "":
		r.fail("WATCH_PODS", "is Node and "+EnvPrefix+"NODE_NAME is empty", "")
	case s.NodeName != "" && !isObjectName(s.NodeName):
		r.fail("NODE_NAME", quoted(s.NodeName)+" is no name of a node", "")
	}
	if len(s.Cluster) > mostCluster || strings.ContainsFunc(s.Cluster, func(c rune) bool { return !unicode.IsPrint(c) }) {
		r.fail("CLUSTER", quoted(s.Cluster)+" is not one line of at most 128 characters", "")
	}
}

// isObjectName reports whether s is the name of a Kubernetes object (RFC 1123
// subdomain: lower case letters, digits, "-" and ".").
func isObjectName(s string) bool {
	const most = 253
	if s == "" || len(s) > most {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
