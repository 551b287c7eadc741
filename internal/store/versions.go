package store

import "github.com/eucora/eucora/internal/cab"

// RequestOf returns the request that a package was submitted with: there is one at
// most.
func (r *Reader) RequestOf(packageID string) (RequestRow, error) {
	return one(r, "request", scanRequestRow, `SELECT `+requestColumns+`, `+decisionColumns+` FROM cab_request r `+joinDecision+` WHERE r.package_id = $1`, packageID)
}

// VersionRow is a package with what it is of.
type VersionRow struct {
	cab.Package
	Version  string
	Ring     cab.Ring
	Approved bool // it has been approved
}

func scanVersionRow(r row, v *VersionRow) error {
	return scanPackage(scanning{r, []any{&v.Version, &v.Ring, &v.Approved}}, &v.Package)
}

// VersionFilter chooses packages of one application.
type VersionFilter struct {
	Paging
	App          string
	Except       string // a package that is left out; "" for none
	Owner        string // whose package or intent it is; "" means anybody's
	ApprovedOnly bool
}

// Versions lists the packages of an application, newest first, without their
// documents. The index deployment_app finds them.
func (r *Reader) Versions(f VersionFilter) (Page[VersionRow], error) {
	const isApproved = `EXISTS (SELECT 1 FROM cab_request q WHERE q.package_id = p.id AND q.` + approvedStatus + `)`
	var w where
	w.add("d.app_name = ?", f.App)
	w.add("p.id <> ?", f.Except)
	if f.Owner != "" {
		w.add("(p.created_by_id = ? OR d.created_by_id = ?)", f.Owner, f.Owner)
	}
	if f.ApprovedOnly {
		w.add(isApproved)
	}
	return page(r, f.Paging, listing[VersionRow]{
		columns: packageColumns + `, d.version, d.target_ring, ` + isApproved, from: "deployment d JOIN evidence_package p ON p.deployment_id = d.id",
		time: "p.created_at", id: "p.id", where: w, scan: scanVersionRow,
		key: func(v *VersionRow) cursor { return cursor{micros(v.CreatedAt), v.ID} },
	})
}
