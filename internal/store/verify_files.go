package store

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
)

// reference is a file that a package refers to.
type reference struct{ packageID, digest string }

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
		v.references[reference{p.ID, a.SHA256}] = true
		v.sizes[a.SHA256] = a.Size
	}
}

// compareReferences holds the table of references against the documents.
func (v *verification) compareReferences() error {
	listed := maps.Clone(v.references)
	err := v.r.c.run(statement{`SELECT package_id, sha256 FROM attachment`, nil, func(r row) error {
		var found reference
		if err := r.Scan(&found.packageID, &found.digest); err != nil {
			return err
		}
		if !listed[found] {
			v.find(-1, "file %s is said to belong to evidence %s, whose document does not list it", found.digest, found.packageID)
		}
		delete(listed, found)
		return nil
	}})
	for lost := range listed {
		v.find(-1, "file %s of evidence %s is not among the attachments: a sweep could remove it", lost.digest, lost.packageID)
	}
	return err
}

// checkFiles looks at every file once, however many packages have it.
func (v *verification) checkFiles(ctx context.Context) {
	if v.o.Attachment == nil {
		return
	}
	for _, digest := range slices.Sorted(maps.Keys(v.sizes)) {
		v.report.Attachments++
		if err := v.o.Attachment(ctx, digest, v.sizes[digest]); err != nil {
			v.find(-1, "attachment %s: %v", digest, err)
		}
	}
}
