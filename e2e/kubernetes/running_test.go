package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vouchsafe/e2e/internal/gateway"
	"vouchsafe/e2e/internal/kubernetes"
	"vouchsafe/e2e/internal/origin"
)

// gatewaysOf is where the DaemonSet of deploy/gateway is.
const gatewaysOf = "vouchsafe-node"

// metrics is the page of the gateway of the node.
func (s *site) metrics(t *testing.T) string {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ DeletionTimestamp string }
			Status   struct{ PodIP string }
		}
	}
	cluster.MustDo(t, http.MethodGet, "/api/v1/namespaces/"+gatewaysOf+"/pods", nil).Object(t, &list)
	for _, one := range list.Items {
		if one.Metadata.DeletionTimestamp != "" || one.Status.PodIP == "" {
			continue
		}
		response, err := http.Get("http://" + one.Status.PodIP + ":9091/metrics")
		check(t, err)
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		check(t, err)
		return string(page)
	}
	t.Fatal("there is no gateway on the node")
	return ""
}

// metric is the value of a line of the page, 0 where there is none.
func (s *site) metric(t *testing.T, line string) int {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + ` (\d+)$`).FindStringSubmatch(s.metrics(t))
	if found == nil {
		return 0
	}
	value, err := strconv.Atoi(found[1])
	check(t, err)
	return value
}

// log is what the gateway of the node wrote, its audit records included.
func (s *site) log(t *testing.T) string {
	t.Helper()
	return cluster.MustKubectl(t, "--namespace", gatewaysOf, "logs", "daemonset/vouchsafe-gateway").Stdout
}

// records are the audit records of a kind about a repository.
func (s *site) records(t *testing.T, kind, repository string) []gateway.Record {
	t.Helper()
	var found []gateway.Record
	for line := range strings.Lines(s.log(t)) {
		var one gateway.Record
		if json.Unmarshal([]byte(line), &one) == nil && one.Kind == kind && one.Image.Origin == "docker.io/"+repository {
			found = append(found, one)
		}
	}
	return found
}

// checkEvent demands that the gateway said on a pod why it refused its image, in
// the words of the refusal, and that whoever describes the pod reads it.
func (s *site) checkEvent(t *testing.T, namespace, name, repository string) {
	t.Helper()
	var list struct {
		Items []struct {
			Type, Message  string
			Source         struct{ Component string }
			InvolvedObject struct{ FieldPath, UID string }
		}
	}
	kubernetes.Await(t, "an Event ImageRefused", func() bool {
		cluster.MustDo(t, http.MethodGet, "/api/v1/namespaces/"+namespace+"/events?fieldSelector=reason=ImageRefused,involvedObject.name="+name, nil).Object(t, &list)
		return len(list.Items) > 0
	}, explain)
	event := list.Items[0]
	if event.Type != "Warning" || event.Source.Component != "vouchsafe" || event.InvolvedObject.FieldPath != "spec.containers{app}" {
		t.Errorf("the Event is %+v, want a warning of vouchsafe about the container", event)
	}
	refused := s.records(t, "pull", repository)
	if !slices.ContainsFunc(refused, func(r gateway.Record) bool { return r.Decision.Verdict == "Deny" && r.Message == event.Message }) {
		t.Errorf("no refusal of %s says what the Event says: %q", repository, event.Message)
	}
	shown := cluster.MustKubectl(t, "--namespace", namespace, "describe", "pod", name).Stdout
	if !regexp.MustCompile(`(?m)^ +Warning +ImageRefused +\S+ +vouchsafe.* +` + regexp.QuoteMeta(event.Message) + `$`).MatchString(shown) {
		t.Errorf("kubectl describe pod does not show the Event %q:\n%s", event.Message, shown)
	}
}

// deployedNow are the images of docker.io that the API server says to run on the
// node, by repository and digest.
func deployedNow(t *testing.T) []string {
	t.Helper()
	var list struct{ Items []state }
	cluster.MustDo(t, http.MethodGet, "/api/v1/pods?fieldSelector=spec.nodeName="+kubernetes.NodeName, nil).Object(t, &list)
	var found []string
	for _, pod := range list.Items {
		if pod.Status.Phase == "Succeeded" || pod.Status.Phase == "Failed" {
			continue
		}
		named := map[string]string{}
		for _, containers := range [][]struct{ Name, Image string }{pod.Spec.Containers, pod.Spec.InitContainers, pod.Spec.EphemeralContainers} {
			for _, one := range containers {
				named[one.Name] = strings.TrimPrefix(one.Image, pullHost+"/")
			}
		}
		for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses, pod.Status.EphemeralContainerStatuses) {
			_, digest, known := strings.Cut(status.ImageID, "@")
			repository, _, _ := strings.Cut(strings.TrimPrefix(named[status.Name], "docker.io/"), ":")
			if one := repository + "@" + digest; known && strings.HasPrefix(named[status.Name], "docker.io/") && !slices.Contains(found, one) {
				found = append(found, one)
			}
		}
	}
	return found
}

// awaitDeployed waits until the gateway counts what the API server says to run.
func (s *site) awaitDeployed(t *testing.T) {
	t.Helper()
	kubernetes.Await(t, "the gateway to know what runs", func() bool {
		return s.metric(t, "vouchsafe_images_deployed") == len(deployedNow(t))
	}, func() string { return fmt.Sprintf("want %q\n%s", deployedNow(t), s.metrics(t)) })
}

// tellNeverPulled runs images that no gateway saw, as where a node is not
// configured and no webhook is asked.
func (s *site) tellNeverPulled(t *testing.T) {
	// Else the kubelet asks for what was refused, again and again.
	cluster.MustKubectl(t, "--namespace=shop", "delete", "pods", "--field-selector=status.phase=Pending")
	cluster.MustKubectl(t, "--namespace", gatewaysOf, "set", "env", "daemonset/vouchsafe-gateway",
		"VOUCHSAFE_REVERIFY_INTERVAL=3s", "VOUCHSAFE_REJECTED_TTL=1s", "VOUCHSAFE_UNAVAILABLE_TTL=1s", "VOUCHSAFE_DRAIN_DELAY=0s")
	// The one before need not wait for clients that are still to come.
	cluster.MustKubectl(t, "--namespace", gatewaysOf, "delete", "pods", "--all", "--grace-period=1", "--wait=false")
	cluster.MustKubectl(t, "--namespace", gatewaysOf, "rollout", "status", "--timeout=90s", "daemonset/vouchsafe-gateway")
	// This one has pulled nothing yet.
	s.awaitDeployed(t)
	violations := func(want int) {
		kubernetes.Await(t, fmt.Sprintf("%d violations", want), func() bool {
			return s.metric(t, `vouchsafe_violations{policy="`+policyName+`"}`) == want
		}, func() string { return s.metrics(t) })
	}
	violations(0)

	check(t, cluster.Mirror("docker.io", "http://"+s.at.Host))
	direct := s.push(t, "acme/direct", "1", false, "pause")
	loaded := s.push(t, "acme/loaded", "1", false, "pause")
	unknown := s.push(t, "acme/unknown", "1", false, "pause")
	check(t, cluster.SideLoad(loaded.ByTag(), nameOf(loaded), "docker.io/"+loaded.Repository+"@"+loaded.Digest))
	check(t, cluster.SideLoad(unknown.ByTag(), nameOf(unknown), ""))
	for _, image := range []origin.Image{direct, loaded} {
		if id, want := s.idOf(t, image), "docker.io/"+image.Repository+"@"+image.Digest; id != want {
			t.Errorf("the node calls the image %s, want %s", id, want)
		}
	}
	// What the kubelet tells of it names no manifest, so that nobody can judge it.
	if id := s.idOf(t, unknown); strings.Contains(id, "@") {
		t.Errorf("the node calls the image without a digest %s", id)
	}
	s.awaitDeployed(t)
	violations(2)

	for _, image := range []origin.Image{direct, loaded} {
		s.key.Sign(t, s.at, image, s.layout)
		kubernetes.Await(t, "a record that "+image.Repository+" is signed now", func() bool {
			return slices.ContainsFunc(s.records(t, "reverification", image.Repository), func(r gateway.Record) bool {
				return r.Image.Digest == image.Digest && r.Decision.Verdict == "Allow" && len(r.Results) == 1 && r.Results[0].Status == "Verified"
			})
		}, func() string { return s.log(t) })
		if pulls := s.records(t, "pull", image.Repository); len(pulls) > 0 {
			t.Errorf("%s was pulled through the gateway: %v", image.Repository, pulls)
		}
	}
	violations(0)
	s.checkRights(t)
}

// idOf runs an image, under its origin's name, and returns what the node calls it.
func (s *site) idOf(t *testing.T, image origin.Image) string {
	t.Helper()
	name := s.start(t, "shop", object{"containers": []object{container("app", nameOf(image))}})
	return s.awaitRunning(t, "shop", name).Status.ContainerStatuses[0].ImageID
}

// checkRights demands that the role of deploy/gateway has all that the watch and
// the Events need.
func (s *site) checkRights(t *testing.T) {
	t.Helper()
	if log := s.log(t); strings.Contains(strings.ToLower(log), "forbidden") {
		t.Errorf("something was forbidden:\n%s", log)
	}
	if s.metric(t, "vouchsafe_pods_watch_healthy") != 1 {
		t.Error("pods are not watched")
	}
	if page := s.metrics(t); strings.Contains(page, `vouchsafe_pod_events_total{outcome="forbidden"}`) {
		t.Error("an Event was forbidden")
	}
}
