package capsuletest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Python is a Python that the second verifier runs on.
func Python() (string, error) {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import sys, cryptography; sys.exit(sys.version_info < (3, 11))").Run() == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("there is no Python 3.11 with the package cryptography (Debian: python3-cryptography)")
}

// Write writes every case into a directory: NAME.zip, NAME.trust where the auditor
// has a trust policy, and a file LIST with a line for each: NAME, holds or refused,
// and the auditor's arguments.
func Write(dir string) error {
	var list strings.Builder
	for _, c := range Cases() {
		verdict := "refused"
		if c.Holds {
			verdict = "holds"
		}
		fmt.Fprintf(&list, "%s %s", c.Name, verdict)
		if c.Key != "" {
			fmt.Fprintf(&list, " --key %s", c.Key)
		}
		if c.Trust != "" {
			fmt.Fprintf(&list, " --trust %s.trust", c.Name)
			if err := os.WriteFile(filepath.Join(dir, c.Name+".trust"), []byte(c.Trust), 0o644); err != nil {
				return err
			}
		}
		list.WriteByte('\n')
		if err := os.WriteFile(filepath.Join(dir, c.Name+".zip"), c.Capsule, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "LIST"), []byte(list.String()), 0o644)
}
