package store

import (
	"bytes"
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// refers notes the files that a document lists. A document that is not what was
// filed is found elsewhere.
func (v *verification) refers(p *cab.Package) {
	if !bytes.Contains(p.Document, []byte(`"attachments":[{`)) {
		return // most have none, and reading a document costs
	}
	filed, err := evidence.ReadScored(p.Document)
	if err != nil {
		v.find(-1, "the document of evidence %s cannot be read: %v", p.ID, err)
		return
	}
	for _, a := range filed.Attachments {
		v.note(v.scratch.refer(p.ID, a.SHA256, a.Size))
	}
}

// compareReferences holds the table of references against the documents.
func (v *verification) compareReferences() error {
	err := v.r.c.run(statement{`SELECT package_id, sha256 FROM attachment`, nil, func(r row) error {
		var packageID, digest string
		if err := r.Scan(&packageID, &digest); err != nil {
			return err
		}
		listed, err := v.scratch.referred(packageID, digest)
		if err == nil && !listed {
			v.find(-1, "file %s is said to belong to evidence %s, whose document does not list it", digest, packageID)
		}
		return err
	}})
	if err != nil {
		return err
	}
	return v.scratch.each(`SELECT package, sha256 FROM reference`, func(r row) error {
		var packageID, digest string
		err := r.Scan(&packageID, &digest)
		v.find(-1, "file %s of evidence %s is not among the attachments: a sweep could remove it", digest, packageID)
		return err
	})
}

// checkFiles looks at every file once, however many packages have it.
func (v *verification) checkFiles(ctx context.Context) error {
	if v.o.Attachment == nil {
		return nil
	}
	return v.scratch.each(`SELECT sha256, size FROM file ORDER BY sha256`, func(r row) error {
		var digest string
		var size int64
		if err := r.Scan(&digest, &size); err != nil {
			return err
		}
		v.report.Attachments++
		if err := v.o.Attachment(ctx, digest, size); err != nil {
			v.find(-1, "attachment %s: %v", digest, err)
		}
		return ctx.Err()
	})
}
