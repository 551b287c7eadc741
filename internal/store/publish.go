package store

import (
	"github.com/eucora/eucora/internal/cab"
)

const publishedColumns = `version, digest, published_by_id, published_by_name, published_at, document`

func publishedFields(p *cab.Published) []any {
	return []any{&p.Version, &p.Digest, &p.PublishedBy.ID, &p.PublishedBy.Username, atTime{&p.PublishedAt}, &p.Document}
}

func scanPublished(r row, p *cab.Published) error { return r.Scan(publishedFields(p)...) }

// Model returns a published risk model.
func (r *Reader) Model(version string) (cab.Published, error) {
	return one(r, "risk model "+version, scanPublished, `SELECT `+publishedColumns+` FROM risk_model WHERE version = $1`, version)
}

// Models lists the published risk models, newest first.
func (r *Reader) Models() ([]cab.Published, error) {
	return all(r, scanPublished, `SELECT `+publishedColumns+` FROM risk_model ORDER BY position DESC`)
}

// Policy returns a published policy.
func (r *Reader) Policy(version string) (cab.Published, error) {
	return one(r, "policy "+version, scanPublished, `SELECT `+publishedColumns+` FROM policy WHERE version = $1`, version)
}

// Policies lists the published policies, newest first: the first is in force.
func (r *Reader) Policies() ([]cab.Published, error) {
	return all(r, scanPublished, `SELECT `+publishedColumns+` FROM policy ORDER BY position DESC`)
}

const activePolicy = `SELECT ` + publishedColumns + ` FROM policy ORDER BY position DESC LIMIT 1`

// ActivePolicy returns the policy in force. A database without one gates
// nothing: that is an error, never a default.
func (r *Reader) ActivePolicy() (cab.Published, error) {
	return one(r, "policy in force", scanPublished, activePolicy)
}

// ActivePolicy is [Reader.ActivePolicy], read once a batch unless the batch itself
// has put another in force.
func (tx *Tx) ActivePolicy() (cab.Published, error) {
	g := tx.growth
	if g.policies == nil || g.trails[""] {
		g.policies = nil
		if err := tx.c.run(readActivePolicy(&g.policies)); err != nil {
			return cab.Published{}, err
		}
	}
	return first(g.policies, "policy in force", nil)
}

func readActivePolicy(to *[]cab.Published) statement { return into(to, scanPublished, activePolicy) }

func (tx *Tx) savePublished(change cab.Change) error {
	if p := change.Model; p != nil {
		tx.c.queue(`INSERT INTO risk_model (version, digest, published_by_id, published_by_name, published_at, document, position)
			VALUES ($1, $2, $3, $4, $5, $6, (SELECT COALESCE(MAX(position), 0) + 1 FROM risk_model))`,
			1, p.Version, p.Digest, p.PublishedBy.ID, p.PublishedBy.Username, micros(p.PublishedAt), p.Document)
	}
	if p := change.Policy; p != nil {
		tx.c.queue(`INSERT INTO policy (version, digest, published_by_id, published_by_name, published_at, document, position)
			VALUES ($1, $2, $3, $4, $5, $6, (SELECT COALESCE(MAX(position), 0) + 1 FROM policy))`,
			1, p.Version, p.Digest, p.PublishedBy.ID, p.PublishedBy.Username, micros(p.PublishedAt), p.Document)
	}
	return nil
}
