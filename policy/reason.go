package policy

import "vouchsafe/verify"

// Reasons of a decision that are not a [vouchsafe/verify.Reason].
const (
	// ReasonUnsigned is of a result that found no signature at all.
	ReasonUnsigned = "UNSIGNED"
	// ReasonUntrusted is of a result that is Untrusted without saying why.
	ReasonUntrusted = "UNTRUSTED"
	// ReasonUnavailable is of a result that is Unavailable without saying why.
	ReasonUnavailable = "UNAVAILABLE"
	// ReasonNoPolicy is of an image that no policy matches, when such images are
	// refused.
	ReasonNoPolicy = "NO_POLICY"
	// ReasonLineageUnavailable means that it could not be read or written which
	// index lists which manifest.
	ReasonLineageUnavailable = "LINEAGE_UNAVAILABLE"
	// ReasonAuditFailed means that the record of the decision could not be
	// written.
	ReasonAuditFailed = "AUDIT_FAILED"
	// ReasonSuperseded means that the rules changed again and again while the
	// image was decided.
	ReasonSuperseded = "SUPERSEDED"
	// ReasonInformOnly means that the image would have been refused, had the gate
	// not been opened; see [Rules.InformOnly].
	ReasonInformOnly = "INFORM_ONLY"
	// ReasonNotKnown is of a question that may ask nobody.
	ReasonNotKnown = string(verify.NotKnown)
	// ReasonNameInvalid is of a name that is no image name.
	ReasonNameInvalid = "NAME_INVALID"
	// ReasonImageUnknown is of a name of which its registry said that there is no
	// such image.
	ReasonImageUnknown = "IMAGE_UNKNOWN"
	// ReasonManifestInvalid is of an image whose manifest must not be read.
	ReasonManifestInvalid = "MANIFEST_INVALID"
	// ReasonInternal means that the decision failed by a bug of the gateway.
	ReasonInternal = "INTERNAL"
)
