package store

import (
	"slices"

	"github.com/eucora/eucora/internal/cab"
)

const packageColumns = `p.id, p.deployment_id, p.correlation_id, p.created_by_id, p.created_by_name, p.created_at, p.risk_score, p.risk_model_version, p.is_complete, p.content_hash`

func packageFields(p *cab.Package) []any {
	return []any{
		&p.ID, &p.DeploymentID, &p.CorrelationID, &p.CreatedBy.ID, &p.CreatedBy.Username, atTime{&p.CreatedAt},
		&p.Score, &p.ModelVersion, &p.Complete, &p.ContentHash,
	}
}

func scanPackage(r row, p *cab.Package) error { return r.Scan(packageFields(p)...) }

func scanPackageDocument(r row, p *cab.Package) error {
	return r.Scan(append(packageFields(p), &p.Document)...)
}

const packageByID = `SELECT ` + packageColumns + `, p.document FROM evidence_package p WHERE p.id = $1`

// Package returns an evidence package with its document.
func (r *Reader) Package(id string) (cab.Package, error) {
	return one(r, "evidence package", scanPackageDocument, packageByID, id)
}

// PackageHolding says whose a package is (its maker's and its intent's owner's)
// and whether it has been approved.
func (r *Reader) PackageHolding(id string) (cab.Holding, error) {
	return one(r, "evidence package", scanHolding, `SELECT p.created_by_id, d.created_by_id,
		EXISTS (SELECT 1 FROM cab_request q WHERE q.package_id = p.id AND q.`+approvedStatus+`)
		FROM evidence_package p JOIN deployment d ON d.id = p.deployment_id WHERE p.id = $1`, id)
}

// PackageFilter chooses packages.
type PackageFilter struct {
	Paging
	DeploymentID string
	Owner        string
	ApprovedOnly bool
}

// Packages lists packages, newest first, without their documents.
func (r *Reader) Packages(f PackageFilter) (Page[cab.Package], error) {
	var w where
	w.equal("p.deployment_id", f.DeploymentID)
	w.equal("p.created_by_id", f.Owner)
	if f.ApprovedOnly {
		w.add(`EXISTS (SELECT 1 FROM cab_request q WHERE q.package_id = p.id AND q.` + approvedStatus + `)`)
	}
	return page(r, f.Paging, listing[cab.Package]{
		columns: packageColumns, from: "evidence_package p", time: "p.created_at", id: "p.id", where: w, scan: scanPackage,
		key: func(p *cab.Package) cursor { return cursor{micros(p.CreatedAt), p.ID} },
	})
}

// savePackage gives the package the next position of its deployment: which one
// is the latest never depends on a clock.
func (tx *Tx) savePackage(change cab.Change) error {
	if p := change.Package; p != nil {
		tx.c.queue(`INSERT INTO evidence_package (id, deployment_id, correlation_id, created_by_id, created_by_name, created_at,
				risk_score, risk_model_version, is_complete, content_hash, document, position)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
				(SELECT COALESCE(MAX(position), 0) + 1 FROM evidence_package WHERE deployment_id = $2))`,
			1, p.ID, p.DeploymentID, p.CorrelationID, p.CreatedBy.ID, p.CreatedBy.Username, micros(p.CreatedAt),
			int64(p.Score), p.ModelVersion, p.Complete, p.ContentHash, p.Document)
		for _, digest := range p.Attachments {
			tx.c.queue(`INSERT INTO attachment (package_id, sha256) VALUES ($1, $2)`, 1, p.ID, digest)
		}
	}
	return nil
}

// UsedAttachments reports which of some digests packages refer to.
func (r *Reader) UsedAttachments(digests []string) (map[string]bool, error) {
	used := map[string]bool{}
	for chunk := range slices.Chunk(digests, 500) {
		args := make([]any, len(chunk))
		for i, digest := range chunk {
			args[i] = digest
		}
		text := `SELECT DISTINCT sha256 FROM attachment WHERE sha256 IN (` + marks(len(chunk)) + `)`
		err := r.c.run(statement{text, args, func(r row) error {
			var digest string
			if err := r.Scan(&digest); err != nil {
				return err
			}
			used[digest] = true
			return nil
		}})
		if err != nil {
			return nil, err
		}
	}
	return used, nil
}
