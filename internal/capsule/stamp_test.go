package capsule_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/capsule/capsuletest"
)

const authority = `[req]
distinguished_name = name
prompt = no
[name]
CN = an authority
[stamps]
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = here
[here]
serial = serial
signer_cert = ca.pem
signer_key = key.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384
`

// TestStampByOpenSSL: what openssl stamps, as an authority would, is read; of
// another text it is found not to be about this checkpoint, and in another digest
// neither.
func TestStampByOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	w := capsuletest.Stories()[0].Make()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl := func(line string) {
		c := exec.Command("openssl", strings.Fields(line)...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", line, err, out)
		}
	}
	write("conf", authority)
	write("serial", "01\n")
	write("checkpoint", string(w.Checkpoint()))
	write("other", "else\n")
	openssl("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 9 -config conf -extensions stamps")
	m := capsuletest.Unpack(w.Capsule(true))
	for _, c := range []struct {
		of, digest, form string
		holds            bool
	}{
		{"checkpoint", "sha256", "", true},
		{"checkpoint", "sha256", " -token_out", true},
		{"other", "sha256", "", false},
		{"checkpoint", "sha384", "", false},
	} {
		openssl("ts -query -data " + c.of + " -" + c.digest + " -cert -out query")
		openssl("ts -reply -queryfile query -config conf -section here -out stamp" + c.form)
		stamp, err := os.ReadFile(filepath.Join(dir, "stamp"))
		if err != nil {
			t.Fatal(err)
		}
		with := slices.Insert(slices.Clone(m), 3, capsuletest.Member{Name: "timestamp.tsr", Body: stamp})
		r := verify(t, capsuletest.Case{Capsule: with.Sealed(w.Name(), w.Signer)})
		if r.Holds() != c.holds {
			t.Errorf("%+v: %s", c, text(r))
		}
	}
}
