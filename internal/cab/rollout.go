package cab

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// RingProgress is how far a deployment has come in one ring, with one package.
type RingProgress struct {
	Ring      Ring            `json:"ring"`
	State     DeploymentState `json:"state"`
	PackageID string          `json:"evidence_package_id"`
	PermitID  string          `json:"permit_id"`
	Devices   int             `json:"devices"`   // that the permit was for
	Succeeded int             `json:"succeeded"` // devices, as last reported
	Failed    int             `json:"failed"`
	Incident  bool            `json:"security_incident,omitzero"` // stays, once reported
	StartedAt time.Time       `json:"started_at"`
	EndedAt   time.Time       `json:"ended_at,omitzero"` // first reported as completed, failed, or rolled back
}

// CheckReport is a named fact that a publisher has reported.
type CheckReport struct {
	Name      string    `json:"check"`
	Passed    bool      `json:"passed"`
	PackageID string    `json:"evidence_package_id"` // the newest when it was reported
	By        Person    `json:"by"`
	At        time.Time `json:"at"`
}

// maxChecks bounds how many checks a deployment has: all of them are in its row.
const maxChecks = 50

// ringTerms is how large a ring is at most (0: no limit), and the success rate, in
// percent, that lets a deployment go on to the next. Specification, section 10.
type ringTerms struct {
	devices, success int
}

var terms = map[Ring]ringTerms{
	Lab: {10, 95}, Canary: {100, 98}, Pilot: {1000, 97}, Department: {10_000, 99}, Global: {0, 99},
}

// before is the ring before this one; false if there is none.
func (r Ring) before() (Ring, bool) {
	i := slices.Index(Rings(), r)
	if i <= 0 {
		return "", false
	}
	return Rings()[i-1], true
}

// promoted reports whether enough devices succeeded for the next ring, in whole
// numbers: nothing is rounded. One of which nothing was reported has not succeeded.
func (p RingProgress) promoted() bool {
	all := p.begun()
	return all > 0 && p.Succeeded*100 >= terms[p.Ring].success*all
}

// begun is how many devices there are in the ring.
func (p RingProgress) begun() int { return max(p.Devices, p.Succeeded+p.Failed) }

func (d Deployment) ringOf(ring Ring) (RingProgress, bool) {
	i := slices.IndexFunc(d.Rings, func(p RingProgress) bool { return p.Ring == ring })
	if i < 0 {
		return RingProgress{}, false
	}
	return d.Rings[i], true
}

func (d Deployment) check(name string) (CheckReport, bool) {
	i := slices.IndexFunc(d.Checks, func(c CheckReport) bool { return c.Name == name })
	if i < 0 {
		return CheckReport{}, false
	}
	return d.Checks[i], true
}

// begin is the deployment with a ring begun. What came of an earlier package is in
// the events: it says nothing of this one.
func (d Deployment) begin(p RingProgress) Deployment {
	if before, known := d.ringOf(p.Ring); known && before.PackageID == p.PackageID {
		p.Incident = before.Incident
	}
	d.Rings = slices.DeleteFunc(slices.Clone(d.Rings), func(o RingProgress) bool { return o.PackageID != p.PackageID || o.Ring == p.Ring })
	d.Rings = append(d.Rings, p)
	d.State = Started
	d.Revision++
	return d
}

// Rollout is what a publisher is about to do: take one artifact to one ring.
type Rollout struct {
	Ring     Ring
	Artifact string // SHA-256, lower-case hex
	Devices  int    // of this ring
	NoteRead bool   // the note of the approval, if it has one, has been read
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Grounds is everything that the deployment gate rests on, as it is at a moment.
// The zero value opens nothing.
type Grounds struct {
	Now        time.Time
	Deployment Deployment
	Package    *Package // the newest; nil if there is none
	Whole      bool     // the package's document and files have been held against their digests
	Artifacts  []string // digests of the package's artifacts; none: not known
	Users      int      // that the evidence says are affected; below 1: not known, or nobody
	Request    *Request // the newest package's; nil if it was never submitted
	Decision   *Decision
	Votes      []Vote      // on a request that is open
	Exceptions []Exception // every one of the request
	Policy     Published   // in force
	Rules      Policy      // what it says
	Witnessed  bool        // read only if the policy wants it, see [Witnessed]
}

func (g Grounds) packageID() string {
	if g.Package == nil {
		return ""
	}
	return g.Package.ID
}

// ring is how far the newest package has come in a ring.
func (g Grounds) ring(ring Ring) (RingProgress, bool) {
	p, known := g.Deployment.ringOf(ring)
	return p, known && p.PackageID == g.packageID()
}

// reach is how many devices have the newest package, in all rings, after a rollout.
func (g Grounds) reach(r Rollout) int {
	n := r.Devices
	for _, p := range g.Deployment.Rings {
		if p.Ring != r.Ring && p.PackageID == g.packageID() && p.State != RolledBack {
			n += p.Devices
		}
	}
	return n
}

// Reported is what a publisher says has happened.
type Reported struct {
	Kind      EventType
	Detail    string
	Ring      Ring // of a deployment that goes by permits; "": the one begun last
	Succeeded *int // devices; nil: not said
	Failed    *int
	Incident  bool
	Check     string // of CHECK_REPORTED
	Passed    *bool  // of CHECK_REPORTED
	PackageID string // the newest, "" if there is none
}

func (in Reported) saysOfRing() bool {
	return in.Ring != "" || in.Succeeded != nil || in.Failed != nil || in.Incident
}

// reportCheck keeps what was said last of a check.
func (d Deployment) reportCheck(call Call, in Reported) (Change, error) {
	switch {
	case !checkForm.MatchString(in.Check):
		return Change{}, invalid("check", "want 1 to 64 small letters, digits, _ . -")
	case in.Passed == nil:
		return Change{}, invalid("passed", "say whether it passed")
	case in.saysOfRing():
		return Change{}, invalid("type", "CHECK_REPORTED says nothing of a ring")
	case in.PackageID == "":
		return Change{}, conflict("NO_EVIDENCE", "there is no evidence for this deployment that a check could be of")
	}
	d.Checks = slices.DeleteFunc(slices.Clone(d.Checks), func(c CheckReport) bool { return c.Name == in.Check || c.PackageID != in.PackageID })
	if len(d.Checks) >= maxChecks {
		return Change{}, conflict("TOO_MANY_CHECKS", "a deployment has at most %d checks", maxChecks)
	}
	d.Checks = append(d.Checks, CheckReport{Name: in.Check, Passed: *in.Passed, PackageID: in.PackageID, By: call.Actor.Person(), At: call.Now})
	slices.SortFunc(d.Checks, func(a, b CheckReport) int { return strings.Compare(a.Name, b.Name) })
	return d.reported(call, in), nil
}

// ringReports is what may be said of a ring after what. Counts of a completed ring
// are said again as they change.
var ringReports = map[EventType][]DeploymentState{
	DeploymentCompleted: {Started, Completed},
	DeploymentFailed:    {Started},
	RollbackStarted:     {Started, Completed, Failed},
	RollbackCompleted:   {RollbackInitiated},
}

// reportRing records what came of a ring that a permit began.
func (d Deployment) reportRing(call Call, in Reported) (Change, error) {
	i := len(d.Rings) - 1
	if in.Ring != "" {
		i = slices.IndexFunc(d.Rings, func(p RingProgress) bool { return p.Ring == in.Ring })
	}
	if i < 0 {
		return Change{}, conflict("INVALID_TRANSITION", "the ring %s has not been begun", in.Ring)
	}
	p := d.Rings[i]
	to := reports[in.Kind].to
	if !slices.Contains(ringReports[in.Kind], p.State) {
		return Change{}, conflict("INVALID_TRANSITION", "the ring %s is %s; it cannot become %s now", p.Ring, p.State, to)
	}
	if (in.Succeeded == nil) != (in.Failed == nil) {
		return Change{}, invalid("succeeded", "goes with failed: give both, or none")
	}
	if in.Succeeded != nil {
		if *in.Succeeded < 0 || *in.Failed < 0 || *in.Succeeded > p.Devices || *in.Failed > p.Devices || *in.Succeeded+*in.Failed > p.Devices {
			return Change{}, invalid("succeeded", "and failed are together at most the %d devices of the permit", p.Devices)
		}
		p.Succeeded, p.Failed = *in.Succeeded, *in.Failed
	}
	p.Incident = p.Incident || in.Incident
	if p.State != to && to != RollbackInitiated {
		p.EndedAt = call.Now
	}
	p.State = to
	d.Rings = slices.Clone(d.Rings)
	d.Rings[i] = p
	d.State = to
	return d.reported(call, in), nil
}

// reported is the change that a report makes.
func (d Deployment) reported(call Call, in Reported) Change {
	d.Revision++
	event := call.event(in.Kind, d.CorrelationID, d.ID, Subject{KindDeployment, d.ID}, EventData{Deployment: &d, Reason: in.Detail})
	return Change{Deployment: &d, Events: []Event{event}}
}
