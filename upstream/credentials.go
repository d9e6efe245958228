package upstream

import (
	"encoding/base64"
	"strings"

	"vouchsafe/oci"
)

// Ceilings of the files that a document names.
const (
	maxSecretFile = 64 << 10
	maxDockerFile = 1 << 20
	maxCAFile     = 1 << 20
)

// credentials are what the gateway presents to one registry. The zero value
// presents nothing.
type credentials struct {
	username string
	password Secret
	// identity is an OAuth2 refresh token, for the token service alone.
	identity Secret
}

func (c credentials) present() bool { return c.canBasic() || !c.identity.IsZero() }

func (c credentials) canBasic() bool { return c.username != "" && !c.password.IsZero() }

// basic returns the value of an Authorization header (RFC 7617).
func (c credentials) basic() Secret {
	pair := c.username + ":" + c.password.Reveal()
	return NewSecret("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
}

// credentials reads what spec names, for the registry called name.
func (c *check) credentials(name string, spec Spec) credentials {
	const path = "spec.credentials"
	s := spec.Credentials
	if s == nil {
		return credentials{}
	}
	pair := s.UsernameFile != "" || s.PasswordFile != ""
	switch {
	case pair && s.DockerConfigFile != "":
		c.hintf("keep one of the two forms", path, "has dockerConfigFile beside usernameFile or passwordFile")
	case s.DockerConfigFile != "":
		return c.dockerConfig(name, path+".dockerConfigFile", s.DockerConfigFile)
	case s.UsernameFile == "" && s.PasswordFile == "":
		c.hintf("usernameFile with passwordFile, or dockerConfigFile", path, "names no file")
	case s.UsernameFile == "":
		c.errorf(path+".usernameFile", "is missing beside passwordFile")
	case s.PasswordFile == "":
		c.errorf(path+".passwordFile", "is missing beside usernameFile")
	default:
		username := c.secretFile(path+".usernameFile", s.UsernameFile)
		password := c.secretFile(path+".passwordFile", s.PasswordFile)
		if strings.Contains(username, ":") {
			c.errorf(path+".usernameFile", "holds a colon, which no user name may have")
		}
		return credentials{username: username, password: NewSecret(password)}
	}
	return credentials{}
}

// secretFile reads a file of one line; "" has been reported.
func (c *check) secretFile(path, name string) string {
	b, ok := c.read(path, name, maxSecretFile)
	if !ok {
		return ""
	}
	text := strings.TrimRight(string(b), "\r\n")
	switch {
	case text == "":
		c.errorf(path, "the file is empty")
		return ""
	case strings.ContainsAny(text, "\r\n\x00"):
		c.errorf(path, "the file has more than one line")
		return ""
	}
	return text
}

// read reads a file of at most limit bytes; a failure has been reported.
func (c *check) read(path, name string, limit int) ([]byte, bool) {
	if c.files == nil {
		c.errorf(path, "files cannot be read here")
		return nil, false
	}
	b, err := c.files(name)
	if err != nil {
		c.mistakes = append(c.mistakes, &oci.FieldError{Path: path, Message: err.Error()})
		return nil, false
	}
	if len(b) > limit {
		c.errorf(path, "the file has more than %d bytes", limit)
		return nil, false
	}
	return b, true
}
