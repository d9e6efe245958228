package oci

import "strings"

// kindOf returns what a media type stands for, zero when it is none of the four.
func kindOf(mediaType string) Kind {
	switch mediaType {
	case MediaTypeImageManifest, MediaTypeDockerManifest:
		return KindImage
	case MediaTypeImageIndex, MediaTypeDockerManifestList:
		return KindIndex
	}
	return 0
}

// settle decides what the manifest is, once all of it was read.
func (r *manifestReader) settle(contentType string) error {
	m := &r.manifest
	shape, err := r.shape()
	if err != nil {
		return err
	}
	if m.MediaType, err = r.mediaType(saidType(contentType), shape); err != nil {
		return err
	}
	if m.Kind = kindOf(m.MediaType); m.Kind != shape {
		return invalid("type_mismatch", "%s with the fields of an %s", m.MediaType, shape)
	}
	switch docker := m.MediaType == MediaTypeDockerManifest || m.MediaType == MediaTypeDockerManifestList; {
	case !r.version2:
		return invalid("schema", "schemaVersion is not 2")
	case m.Kind == KindImage && !r.has.config:
		return invalid("schema", "has layers and no config")
	case m.Kind == KindImage && !r.has.layers:
		return invalid("schema", "has a config and no layers")
	case docker && !r.has.mediaType:
		return invalid("schema", "has no mediaType, which Docker's formats must have")
	}
	return nil
}

// shape returns what the fields alone say. A document that could be read as two
// things is refused whatever it says of itself (CVE-2021-41190).
func (r *manifestReader) shape() (Kind, error) {
	image := r.has.config || r.has.layers
	switch {
	case image && r.has.manifests:
		return 0, invalid("ambiguous", "has manifests and also layers or a config")
	case r.has.schema1 && (image || r.has.manifests):
		return 0, invalid("ambiguous", "has fields of Docker's schema 1 beside others")
	case r.has.schema1:
		return 0, invalid("unknown_type", "Docker's schema 1 is not supported: push the image again with a current tool")
	case image:
		return KindImage, nil
	case r.has.manifests:
		return KindIndex, nil
	}
	return 0, invalid("unknown_type", "has neither layers nor manifests")
}

// mediaType returns the one type that all agree upon.
func (r *manifestReader) mediaType(said string, shape Kind) (string, error) {
	inside := r.manifest.MediaType
	switch {
	case r.has.mediaType && kindOf(inside) == 0:
		return "", invalid("unknown_type", "the media type %.80q is neither manifest nor index", inside)
	case r.has.mediaType && said != "" && said != inside:
		return "", invalid("type_mismatch", "the registry calls it %.80q, it calls itself %s", said, inside)
	case r.has.mediaType:
		return inside, nil
	case said != "" && kindOf(said) == 0:
		return "", invalid("unknown_type", "the registry calls it %.80q, which is neither manifest nor index", said)
	case said != "":
		return said, nil
	case shape == KindIndex:
		return MediaTypeImageIndex, nil
	}
	return MediaTypeImageManifest, nil
}

// saidType returns what a Content-Type says of a manifest, or "". The generic
// types are what file servers and simple registries send for everything.
func saidType(contentType string) string {
	said, _, _ := strings.Cut(contentType, ";")
	switch said = strings.ToLower(strings.TrimSpace(said)); said {
	case "application/json", "application/octet-stream", "text/plain", "binary/octet-stream":
		return ""
	}
	return said
}
