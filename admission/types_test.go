package admission_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// notOurs are kinds with a pod template that are left alone on purpose.
var notOurs = map[string]string{
	"v1 PodTemplate":                "a stored template: nothing runs it by itself, and who copies it is reviewed",
	"apps/v1beta1 Deployment":       "no API server since 1.16 serves it",
	"apps/v1beta1 StatefulSet":      "no API server since 1.16 serves it",
	"apps/v1beta2 DaemonSet":        "no API server since 1.16 serves it",
	"apps/v1beta2 Deployment":       "no API server since 1.16 serves it",
	"apps/v1beta2 ReplicaSet":       "no API server since 1.16 serves it",
	"apps/v1beta2 StatefulSet":      "no API server since 1.16 serves it",
	"batch/v1beta1 CronJob":         "no API server since 1.25 serves it",
	"extensions/v1beta1 DaemonSet":  "no API server since 1.16 serves it",
	"extensions/v1beta1 Deployment": "no API server since 1.16 serves it",
	"extensions/v1beta1 ReplicaSet": "no API server since 1.16 serves it",
}

// TestEveryImageOfTheAPIIsReached walks every kind of the Kubernetes API. Each
// field that names an image, of each kind that has pods in it, is filled in and has
// to be judged; a kind or a field that a new version brings fails here.
func TestEveryImageOfTheAPIIsReached(t *testing.T) {
	w := newWorld(t)
	w.known(unsigned)
	reached := map[string]int{}
	for gvk, typ := range scheme.Scheme.AllKnownTypes() {
		paths := imagePaths(typ, nil, nil)
		if len(paths) == 0 || strings.HasSuffix(gvk.Kind, "List") {
			continue
		}
		version, kind := gvk.ToAPIVersionAndKind()
		name := version + " " + kind
		if _, left := notOurs[name]; left {
			continue
		}
		for _, path := range paths {
			request := object{
				"uid": "1", "kind": object{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}, "namespace": "prod", "operation": "CREATE",
				"object": filled(path, unsigned),
			}
			if got := w.validate(request); got.Allowed {
				t.Errorf("%s: an image at %s is not judged", name, strings.Join(path, "."))
			}
		}
		reached[name] = len(paths)
	}
	if len(reached) != len(kinds) {
		t.Errorf("reached %v, want %d kinds", reached, len(kinds))
	}
	for name, n := range reached {
		if n != len(lists) {
			t.Errorf("%s has %d fields that name images, want %d", name, n, len(lists))
		}
	}
}

var (
	specType    = reflect.TypeFor[corev1.PodSpec]()
	imageVolume = reflect.TypeFor[corev1.ImageVolumeSource]()
)

// imagePaths returns the JSON paths, "[]" for each list, of what names an image
// somewhere within a pod's spec within typ.
func imagePaths(typ reflect.Type, path []string, above []reflect.Type) [][]string {
	switch typ.Kind() {
	case reflect.Pointer:
		return imagePaths(typ.Elem(), path, above)
	case reflect.Slice, reflect.Map:
		return imagePaths(typ.Elem(), append(slices.Clone(path), "[]"), above)
	case reflect.Struct:
	default:
		return nil
	}
	if slices.Contains(above, typ) {
		return nil
	}
	above = append(slices.Clone(above), typ)
	inPod := slices.Contains(above, specType)
	var all [][]string
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		at := slices.Clone(path)
		if name != "" {
			at = append(at, name)
		}
		if field.Type.Kind() == reflect.String {
			named := strings.EqualFold(field.Name, "image") || strings.EqualFold(field.Name, "imageRef") || typ == imageVolume && field.Name == "Reference"
			if inPod && named {
				all = append(all, at)
			}
			continue
		}
		all = append(all, imagePaths(field.Type, at, above)...)
	}
	return all
}

// filled is a document with a value at a path.
func filled(path []string, value any) any {
	switch {
	case len(path) == 0:
		return value
	case path[0] == "[]":
		return []any{filled(path[1:], value)}
	}
	return object{path[0]: filled(path[1:], value)}
}
