package report

import (
	"vouchsafe/policy"
	"vouchsafe/verify"
)

// rule says what a reason word means and what to do about it.
type rule struct {
	what, help string
	// trouble is true when asking again may help.
	trouble bool
}

func (r rule) level() string {
	if r.trouble {
		return "warning"
	}
	return "error"
}

// ruleText returns the text of a reason word.
func ruleText(word string) rule {
	if r, ok := rules[word]; ok {
		return r
	}
	return rule{what: "The image is not verified.", help: "See the message of the result."}
}

// rules has a line for each reason word, so that a code host can explain it.
var rules = map[string]rule{
	string(verify.KeyMismatch):            {what: "No signature of the image was made with a trusted key.", help: "Sign the image with a key of the integration, or add the key that signed it."},
	string(verify.KeyExpired):             {what: "The key that signed the image is outside the time in which it counts.", help: "Sign the image with the present key, or widen notBefore and notAfter of the key."},
	string(verify.IdentityMismatch):       {what: "The certificate that signed the image names another identity.", help: "Compare the identity that was found with the one that the integration wants."},
	string(verify.IssuerMismatch):         {what: "The identity that signed the image was vouched for by another issuer.", help: "Compare the issuer that was found with the one that the integration wants."},
	string(verify.ChainInvalid):           {what: "The certificate that signed the image does not chain to a trusted root.", help: "Check the chain of the integration and the certificate."},
	string(verify.CertificateExpired):     {what: "The certificate was not valid when the image was signed.", help: "Sign the image again, with proof of the time."},
	string(verify.SCTMissing):             {what: "The certificate carries no proof that it was logged.", help: "Sign with a certificate from an authority that logs, or do not demand it."},
	string(verify.SCTInvalid):             {what: "The proof that the certificate was logged does not hold.", help: "Check which certificate transparency logs the integration trusts."},
	string(verify.TlogMissing):            {what: "The signature has no entry in a transparency log.", help: "Sign the image with an upload to the log, or do not demand an entry."},
	string(verify.TlogInvalid):            {what: "The signature's entry in a transparency log does not hold.", help: "Check which logs the integration trusts, and that the entry is of this signature."},
	string(verify.TimestampMissing):       {what: "The signature carries no timestamp.", help: "Sign the image with a timestamp authority, or do not demand a timestamp."},
	string(verify.TimestampInvalid):       {what: "The signature's timestamp does not hold.", help: "Check which timestamp authorities the integration trusts."},
	string(verify.DigestMismatch):         {what: "The signature beside the image is of another image.", help: "Find out who put it there; sign the image itself."},
	string(verify.NameMismatch):           {what: "The signature is for an image of another name.", help: "Sign the image under its own name, or allow the name with an alias."},
	string(verify.Malformed):              {what: "The signature cannot be read.", help: "Sign the image again with a current version of the signing tool."},
	string(verify.OverLimit):              {what: "The image has more or larger signatures than are read.", help: "Remove signatures that nobody needs."},
	string(verify.Unsupported):            {what: "The signature is of a kind that is not supported.", help: "Sign the image in one of the supported formats."},
	string(verify.RegistryNotListed):      {what: "The image's registry is not listed, so nothing may be pulled from it.", help: "Write a Registry document of its name, or use an image of a listed registry."},
	string(verify.FetchFailed):            {what: "The registry could not be read.", help: "Check the image's name and the registry, and ask again.", trouble: true},
	string(verify.FetchUnauthorized):      {what: "The registry does not let the image or its signatures be read.", help: "Give credentials with the right to read the repository.", trouble: true},
	string(verify.TlogUnavailable):        {what: "The transparency log could not be asked.", help: "Ask again, or verify offline.", trouble: true},
	string(verify.TrustedRootUnavailable): {what: "There is no trusted root to judge by: its TUF mirror gave none yet, or none for too long.", help: "Look at the mirror, and ask again.", trouble: true},
	string(verify.NotKnown):               {what: "The image is not known here, and nobody may be asked.", help: "Pull it, or let the webhook contact registries.", trouble: true},
	policy.ReasonNameInvalid:              {what: "The name is no image name.", help: "Write registry/repository:tag or registry/repository@digest."},
	policy.ReasonImageUnknown:             {what: "The registry has no such image.", help: "Look for a slip in the name or tag, and whether it was pushed.", trouble: true},
	policy.ReasonManifestInvalid:          {what: "The manifest cannot be read as one thing.", help: "Build and push the image again."},
	string(verify.Timeout):                {what: "The answer did not come in time.", help: "Ask again.", trouble: true},

	policy.ReasonUnsigned:           {what: "The image has no signature.", help: "Sign the image."},
	policy.ReasonUntrusted:          {what: "No signature of the image is trusted.", help: "Sign the image as an integration wants it."},
	policy.ReasonUnavailable:        {what: "It could not be found out whether the image is signed.", help: "Ask again.", trouble: true},
	policy.ReasonNoPolicy:           {what: "No policy matches the image, and such images are refused.", help: "Write an ImagePolicy that matches it."},
	policy.ReasonLineageUnavailable: {what: "It could not be read or written which index lists the image.", help: "Ask again.", trouble: true},
	policy.ReasonAuditFailed:        {what: "The record of the decision could not be written.", help: "Make room for audit records, and ask again.", trouble: true},
	policy.ReasonSuperseded:         {what: "The rules changed while the image was judged.", help: "Ask again.", trouble: true},
	policy.ReasonInformOnly:         {what: "The image would have been refused, had the gate not been opened.", help: "Look at the other reasons, and set INFORM_ONLY back to false."},
	policy.ReasonInternal:           {what: "The decision failed by a mistake of the program.", help: "Report it, with the log.", trouble: true},

	notJudged: {what: "Nobody is trusted, so the image was not judged.", help: "Name a key, or a folder of documents with a SignatureIntegration."},
}
