package store

import (
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// insertedCopies are columns of cab_request that copy what never changes of the
// request's deployment ($4) and package ($5), with where they are copied from.
// They are there for lastApproved to be found by an index.
const (
	insertedCopies = `app_name, package_created_at`
	copiedFrom     = `COALESCE((SELECT d.app_name FROM deployment d WHERE d.id = $4), ''),
		COALESCE((SELECT p.created_at FROM evidence_package p WHERE p.id = $5), 0)`
)

// lastApproved walks the index request_approved from its end. The condition on
// the status is, word for word, the index's.
const lastApproved = `SELECT r.package_id FROM cab_request r
	WHERE r.app_name = $1 AND r.` + approvedStatus + ` AND (r.package_created_at, r.package_id) < ($2, $3)
		AND ($4 = '' OR r.package_owner = $4 OR r.intent_owner = $4)
	ORDER BY r.package_created_at DESC, r.package_id DESC LIMIT 1`

// LastApproved is the id of the newest package of an application that has been
// approved, for whatever version and ring, and is older than a moment or, if of
// that moment, than a package. owner "" means anybody's.
func (r *Reader) LastApproved(app string, before time.Time, packageID, owner string) (string, error) {
	return one(r, "approved package", func(r row, id *string) error { return r.Scan(id) }, lastApproved, app, micros(before), packageID, owner)
}

// compareCopies holds the copies against what they were copied from.
func (v *verification) compareCopies() error {
	return v.r.c.run(statement{`SELECT r.id FROM cab_request r
		LEFT JOIN deployment d ON d.id = r.deployment_id LEFT JOIN evidence_package p ON p.id = r.package_id
		WHERE r.app_name <> COALESCE(d.app_name, '') OR r.package_created_at <> COALESCE(p.created_at, 0)`, nil, func(r row) error {
		var id string
		err := r.Scan(&id)
		v.find(-1, "%s %s is listed under another application or time than its deployment and package have", cab.KindRequest, id)
		return err
	}})
}
