package config_test

import (
	"slices"
	"strings"
	"testing"

	"vouchsafe/config"
)

func TestWebhookSettingsThatGoTogether(t *testing.T) {
	for name, environ := range map[string]string{
		"a webhook beside the registry":             "WEBHOOK_LISTEN=:8443",
		"a webhook alone":                           "WEBHOOK_LISTEN=:8443 LISTEN=off",
		"its certificate in files":                  "WEBHOOK_LISTEN=:8443 WEBHOOK_TLS_CERT_FILE=a WEBHOOK_TLS_KEY_FILE=b WEBHOOK_CLIENT_CA_FILE=c",
		"its own authority for several replicas":    "WEBHOOK_LISTEN=:8443 WEBHOOK_SECRET=vouchsafe/webhook-tls WEBHOOK_CONFIGURATIONS=one,two.acme",
		"all that a cluster's side has":             "WATCH_PODS=Node NODE_NAME=node-1.acme.test CLUSTER=prod PIN=Never CONTACT_REGISTRIES=false",
		"all pods, and a node's name for something": "WATCH_PODS=All NODE_NAME=node1",
	} {
		if _, err := config.LoadSettings(variables(environ), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWebhookSettingsThatDoNot(t *testing.T) {
	for environ, want := range map[string]string{
		"LISTEN=off":                                "VOUCHSAFE_LISTEN: is off and VOUCHSAFE_WEBHOOK_LISTEN is empty: nothing would be served",
		"WEBHOOK_SECRET=a/b":                        "VOUCHSAFE_WEBHOOK_SECRET: has no effect without VOUCHSAFE_WEBHOOK_LISTEN",
		"WEBHOOK_LISTEN=:5000":                      "VOUCHSAFE_WEBHOOK_LISTEN: is the same address as VOUCHSAFE_LISTEN",
		"WEBHOOK_LISTEN=off":                        "is not host:port",
		"WEBHOOK_LISTEN=:1 WEBHOOK_TLS_CERT_FILE=a": "is given without VOUCHSAFE_WEBHOOK_TLS_KEY_FILE",
		"WEBHOOK_LISTEN=:1 WEBHOOK_TLS_CERT_FILE=a WEBHOOK_TLS_KEY_FILE=b WEBHOOK_SECRET=a/b":       "has no effect beside VOUCHSAFE_WEBHOOK_TLS_CERT_FILE",
		"WEBHOOK_LISTEN=:1 WEBHOOK_TLS_CERT_FILE=a WEBHOOK_TLS_KEY_FILE=b WEBHOOK_CONFIGURATIONS=a": "whoever makes that certificate keeps the CA bundle",
		"WEBHOOK_LISTEN=:1 WEBHOOK_SECRET=webhook":                                                  "is not namespace/name",
		"WEBHOOK_LISTEN=:1 WEBHOOK_SECRET=a/b/c":                                                    "is not namespace/name",
		"WEBHOOK_LISTEN=:1 WEBHOOK_SECRET=a/B":                                                      "is not namespace/name",
		"WEBHOOK_LISTEN=:1 WEBHOOK_CONFIGURATIONS=a,,b":                                             "is no name of a webhook configuration",
		"WATCH_PODS=Node":                     "is Node and VOUCHSAFE_NODE_NAME is empty",
		"WATCH_PODS=node":                     "is none of Off, Node, All",
		"NODE_NAME=-x":                        "is no name of a node",
		"PIN=Always":                          "is none of WhenKnown, Never",
		"CONTACT_REGISTRIES=no":               "is neither true nor false",
		"CLUSTER=" + strings.Repeat("x", 129): "is not one line of at most 128 characters",
	} {
		_, err := config.LoadSettings(variables(environ), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", environ, err, want)
		}
	}
}

func TestWebhookConfigurationNames(t *testing.T) {
	settings, err := config.LoadSettings([]string{"VOUCHSAFE_WEBHOOK_LISTEN=:1", "VOUCHSAFE_WEBHOOK_CONFIGURATIONS=one, two.acme"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := settings.WebhookConfigurationNames(); !slices.Equal(got, []string{"one", "two.acme"}) {
		t.Errorf("got %q", got)
	}
}

// variables are settings with blanks between them.
func variables(text string) []string {
	all := strings.Fields(text)
	for i := range all {
		all[i] = config.EnvPrefix + all[i]
	}
	return all
}
