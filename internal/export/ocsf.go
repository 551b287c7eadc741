package export

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/eucora/eucora/internal/cab"
)

// The objects of OCSF, with the attributes that are used here.

type ocsfEvent struct {
	ActivityID   activity       `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	CategoryUID  int            `json:"category_uid"`
	CategoryName string         `json:"category_name"`
	ClassUID     int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	TypeUID      int            `json:"type_uid"`
	TypeName     string         `json:"type_name"`
	Time         int64          `json:"time"` // milliseconds since 1970
	SeverityID   severity       `json:"severity_id"`
	Severity     string         `json:"severity"`
	StatusID     int            `json:"status_id"`
	Status       string         `json:"status"`
	Message      string         `json:"message"`
	Metadata     ocsfMetadata   `json:"metadata"`
	Actor        ocsfActor      `json:"actor"`
	SrcEndpoint  *ocsfEndpoint  `json:"src_endpoint,omitzero"`
	HTTPRequest  *ocsfHTTP      `json:"http_request,omitzero"`
	API          *ocsfAPI       `json:"api,omitzero"`       // API Activity
	Resources    []ocsfResource `json:"resources,omitzero"` // API Activity
	Entity       *ocsfEntity    `json:"entity,omitzero"`    // Entity Management
	Comment      string         `json:"comment,omitzero"`   // Entity Management
	StatusDetail string         `json:"status_detail,omitzero"`
	RawData      string         `json:"raw_data"` // the leaf
	RawDataHash  ocsfHash       `json:"raw_data_hash"`
	RawDataSize  int            `json:"raw_data_size"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	Product        ocsfProduct `json:"product"`
	UID            string      `json:"uid"`
	Sequence       int64       `json:"sequence"`
	EventCode      string      `json:"event_code"`
	CorrelationUID string      `json:"correlation_uid,omitzero"`
	LogName        string      `json:"log_name"`
	OriginalTime   string      `json:"original_time"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version"`
}

type ocsfActor struct {
	User ocsfUser `json:"user"`
}

type ocsfUser struct {
	UID    string      `json:"uid"`
	Name   string      `json:"name,omitzero"`
	TypeID int         `json:"type_id"`
	Type   string      `json:"type"`
	Groups []ocsfGroup `json:"groups,omitzero"`
}

// ocsfGroup carries the role: OCSF's user has none.
type ocsfGroup struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

type ocsfEndpoint struct {
	IP   string `json:"ip,omitzero"`
	Name string `json:"name,omitzero"`
}

type ocsfHTTP struct {
	UserAgent string `json:"user_agent"`
}

type ocsfAPI struct {
	Operation string `json:"operation"`
	Version   string `json:"version"`
}

type ocsfResource struct {
	UID  string `json:"uid"`
	Name string `json:"name"`
	Type string `json:"type"`
}

type ocsfEntity struct {
	UID     string    `json:"uid"`
	Name    string    `json:"name"`
	TypeID  int       `json:"type_id"`
	Type    string    `json:"type"`
	Version string    `json:"version,omitzero"`
	User    *ocsfUser `json:"user,omitzero"`
}

type ocsfHash struct {
	AlgorithmID int    `json:"algorithm_id"`
	Algorithm   string `json:"algorithm"`
	Value       string `json:"value"`
}

// toOCSF maps an event by its type's mapping. version is the product's own.
func toOCSF(e cab.Event, m mapping, leaf []byte, version string) (*ocsfEvent, error) {
	act := m.activity
	if act == byChange {
		var err error
		if act, err = changed(e); err != nil {
			return nil, err
		}
	}
	name := activityNames[act]
	digest := sha256.Sum256(leaf)
	mapped := &ocsfEvent{
		ActivityID: act, ActivityName: name, CategoryUID: m.class.category, CategoryName: m.class.categoryName,
		ClassUID: m.class.uid, ClassName: m.class.name, TypeUID: m.class.uid*100 + int(act), TypeName: m.class.name + ": " + name,
		Time: e.Time.UnixMilli(), SeverityID: m.severity, Severity: severityNames[m.severity], StatusID: 1, Status: "Success",
		Message: fmt.Sprintf("%s %s %s", e.Actor.Name, m.does, subjectName(e)),
		Metadata: ocsfMetadata{
			Version: OCSFVersion, Product: ocsfProduct{"Eucora", "Eucora", version}, UID: e.ID, Sequence: e.Seq, EventCode: string(e.Type),
			CorrelationUID: e.CorrelationID, LogName: "ledger", OriginalTime: e.Time.UTC().Format(time.RFC3339Nano),
		},
		Actor: ocsfActor{actorUser(e.Actor)}, RawData: string(leaf), RawDataSize: len(leaf),
		RawDataHash: ocsfHash{3, "SHA-256", hex.EncodeToString(digest[:])},
	}
	if m.failure {
		mapped.StatusID, mapped.Status, mapped.StatusDetail = 2, "Failure", failure(e)
	}
	mapped.origin(e, m)
	if m.class == entityManagement {
		mapped.Entity, mapped.Comment = entity(e), why(e)
		return mapped, nil
	}
	mapped.API = &ocsfAPI{m.api, "v1"}
	mapped.Resources = []ocsfResource{{e.Subject.ID, subjectName(e), string(e.Subject.Kind)}}
	return mapped, nil
}

// origin says where the call came from. API Activity wants an endpoint: what
// came over no network is named so.
func (o *ocsfEvent) origin(e cab.Event, m mapping) {
	address, err := netip.ParseAddr(e.Source.Address)
	switch {
	case err == nil && len(address.Unmap().String()) <= 40: // the schema's limit; a zone can be longer
		o.SrcEndpoint = &ocsfEndpoint{IP: address.Unmap().String()}
	case e.Source.Address != "":
		o.SrcEndpoint = &ocsfEndpoint{Name: e.Source.Address}
	case m.class == apiActivity:
		o.SrcEndpoint = &ocsfEndpoint{Name: "local"}
	}
	if e.Source.UserAgent != "" {
		o.HTTPRequest = &ocsfHTTP{e.Source.UserAgent}
	}
}

func actorUser(a cab.Actor) ocsfUser {
	user := ocsfUser{UID: a.ID, Name: a.Name, TypeID: 1, Type: "User", Groups: []ocsfGroup{{string(a.Role), "role"}}}
	switch a.Role {
	case cab.Admin:
		user.TypeID, user.Type = 2, "Admin"
	case cab.System:
		user.TypeID, user.Type = 3, "System"
	}
	return user
}

// entity is the subject as a managed entity. OCSF has a kind for accounts; the
// others go by our name for them.
func entity(e cab.Event) *ocsfEntity {
	managed := &ocsfEntity{UID: e.Subject.ID, Name: subjectName(e), TypeID: 99, Type: string(e.Subject.Kind)}
	if e.Data.Deployment != nil {
		managed.Version = e.Data.Deployment.AppVersion
	}
	if e.Subject.Kind == cab.KindModel || e.Subject.Kind == cab.KindPolicy {
		managed.Version = e.Subject.ID
	}
	if p := e.Data.Principal; p != nil {
		user := actorUser(p.Actor())
		managed.TypeID, managed.Type, managed.User = 2, "User", &user
	}
	return managed
}

// subjectName is the name that people know the subject by.
func subjectName(e cab.Event) string {
	d := e.Data
	switch {
	case e.Subject.Kind == cab.KindRequest:
		return cab.RequestName(e.Subject.ID)
	case e.Subject.Kind == cab.KindException:
		return cab.ExceptionName(e.Subject.ID)
	case e.Subject.Kind == cab.KindDeployment && d.Deployment != nil:
		return d.Deployment.AppName
	case e.Subject.Kind == cab.KindPrincipal && d.Principal != nil:
		return d.Principal.Username
	}
	return e.Subject.ID
}

func failure(e cab.Event) string {
	if t := e.Data.Tamper; t != nil {
		return fmt.Sprintf("expected SHA-256 %s, found %s, during %s", t.Expected, t.Actual, t.Found)
	}
	return fmt.Sprintf("%d tokens that open nothing", e.Data.Refusals)
}
