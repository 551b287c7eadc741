package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/store/storetest"
)

// attack is one hostile request and what must become of it.
type attack struct {
	as, method, path, body string
	headers                []string
	status                 int
	field                  string // that the problem must name; "" for none
}

// members says, for each body of the contract, a good one and its members with
// values of the wrong type or size.
func memberAttacks(of things) []attack {
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	var all []attack
	for _, b := range []struct {
		as, path string
		good     map[string]string
		bad      map[string][]string
	}{
		{"erin", "/deployments/", map[string]string{"app_name": `"a"`, "version": `"1"`, "target_ring": `"LAB"`}, map[string][]string{
			"app_name": {`""`, `1`, `null`, `[]`, `{}`, `true`, long(201)}, "version": {`""`, `1.5`, `null`, long(101)}, "target_ring": {`"lab"`, `"MOON"`, `1`, `null`, `""`},
		}},
		{"erin", "/evidence/", map[string]string{"deployment_intent_id": `"` + of.deployment + `"`, "evidence_data": `{}`}, map[string][]string{
			"deployment_intent_id": {`"x"`, `1`, `null`, `""`, `"' OR 1=1 --"`}, "evidence_data": {`null`, `[]`, `"x"`, `1`, `{"test_result":{}}`, `{"test_results":null}`, `{"artifacts":[1]}`},
		}},
		{"erin", "/cab/submit/", map[string]string{"evidence_package_id": `"` + of.evidence + `"`}, map[string][]string{
			"evidence_package_id": {`"x"`, `{}`, `null`}, "notes": {`1`, `[]`, long(1001)}, "risk_score": {`"11.08"`, `-1`, `101`, `true`, `[]`}, "urgency": {`"now"`, `1`, `""`},
		}},
		{"carol", "/cab/" + of.request + "/approve/", map[string]string{"rationale": `"ok"`}, map[string][]string{
			"rationale": {`""`, `1`, `null`, long(2001)}, "conditions": {`[]`, `"x"`, `1`, `true`},
		}},
		{"carol", "/cab/" + of.request + "/reject/", map[string]string{"rationale": `"ok"`}, map[string][]string{"rationale": {`""`, `{}`, `null`, long(2001)}}},
		{"erin", "/cab/" + of.request + "/withdraw/", map[string]string{}, map[string][]string{"reason": {`1`, `{}`, long(2001)}}},
		{"sam", "/cab/" + of.request + "/revoke/", map[string]string{"reason": `"x"`}, map[string][]string{"reason": {`""`, `1`, `null`, long(2001)}}},
		{"erin", "/cab/exceptions/", map[string]string{"deployment_intent_id": `"` + of.deployment + `"`, "reason": `"r"`, "risk_justification": `"j"`, "compensating_controls": `["c"]`}, map[string][]string{
			"deployment_intent_id": {`"x"`, `5`}, "reason": {`""`, `1`, long(2001)}, "risk_justification": {`""`, `[]`, long(2001)},
			"compensating_controls": {`[]`, `"c"`, `null`, `{}`, `[` + strings.TrimSuffix(strings.Repeat(`"c",`, 51), ",") + `]`},
			"expiry_days":           {`0`, `91`, `-5`, `1.5`, `"30"`},
		}},
		{"pat", "/deployments/" + of.deployment + "/events/", map[string]string{"type": `"DEPLOYMENT_STARTED"`}, map[string][]string{
			"type": {`"CAB_APPROVED"`, `1`, `""`, `null`, `"PERMIT_ISSUED"`}, "detail": {`1`, long(2001)}, "ring": {`"MOON"`, `1`, `""`},
			"succeeded": {`-1`, `1.5`, `"5"`}, "failed": {`-1`, `{}`}, "security_incident": {`"no"`, `0`}, "check": {`""`, `"A b"`, `1`, long(65)}, "passed": {`"yes"`, `1`},
		}},
		{"pat", "/deployments/" + of.deployment + "/permits/", map[string]string{"ring": `"LAB"`, "artifact_sha256": `"` + hash64 + `"`, "devices": `5`}, map[string][]string{
			"ring": {`"lab"`, `1`, `""`, `null`}, "artifact_sha256": {`""`, `"x"`, `1`, `null`, `"` + hash64 + `0"`, `"sha256:` + hash64 + `"`},
			"devices": {`0`, `-1`, `1.5`, `"5"`, `null`, `100000001`, `1e20`}, "note_read": {`1`, `"true"`}, "minutes": {`0`, `16`, `-1`, `1.5`, `"15"`},
		}},
		{"pat", "/permits/00000000-0000-7000-8000-000000000000/redeem/", map[string]string{"ring": `"LAB"`, "artifact_sha256": `"` + hash64 + `"`, "devices": `5`}, map[string][]string{
			"ring": {`"lab"`, `1`}, "artifact_sha256": {`""`, `"x"`, `1`}, "devices": {`0`, `-1`, `1.5`, `"5"`, `1e20`},
		}},
		{"ada", "/risk-models/1.0/score/", map[string]string{"evidence_data": `{}`}, map[string][]string{"evidence_data": {`[]`, `null`, `{"x":{}}`}}},
	} {
		body := func(change map[string]string) string {
			members := map[string]json.RawMessage{}
			for name, value := range b.good {
				members[name] = json.RawMessage(value)
			}
			for name, value := range change {
				if value == "" {
					delete(members, name)
					continue
				}
				members[name] = json.RawMessage(value)
			}
			text, err := json.Marshal(members)
			if err != nil {
				panic(err)
			}
			return string(text)
		}
		post := func(text, field string) {
			all = append(all, attack{as: b.as, method: "POST", path: "/api/v1" + b.path, body: text, status: 400, field: field})
		}
		for name, values := range b.bad {
			for _, value := range values {
				post(body(map[string]string{name: value}), name)
			}
			post(body(map[string]string{strings.ToUpper(name): `"x"`}), strings.ToUpper(name)) // case matters
		}
		for name := range b.good {
			post(body(map[string]string{name: ""}), name) // left out
		}
		post(body(map[string]string{"is_admin": `true`}), "is_admin")
		post(`[]`, "body")
		post(`null`, "body")
		post(`"x"`, "body")
	}
	return all
}

func jsonAttacks(of things) []attack {
	var all []attack
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for body, field := range map[string]string{
		`{`: "", `{"app_name":"a"`: "", `}`: "", `{"app_name":"a",}`: "", `{'app_name':'a'}`: "", `{"app_name":"a"}{}`: "", `{"app_name":"a"} x`: "",
		`{"app_name":"a","app_name":"b","version":"1","target_ring":"LAB"}`: "app_name", `{"app_name":NaN}`: "app_name", `{"app_name":Infinity}`: "",
		`{"app_name":1e400}`: "app_name", `{"app_name":"a` + "\x00" + `"}`: "", `{"app_name":"a\u0000b","version":"1","target_ring":"LAB"}`: "app_name",
		`{"app_name":"\ud800","version":"1","target_ring":"LAB"}`: "app_name", "{\"app_name\":\"\xff\"}": "", `{"x":` + deep + `}`: "", "\ufeff{}": "", "<xml/>": "", "app_name=a": "",
	} {
		all = append(all, attack{as: "erin", method: "POST", path: "/api/v1/deployments/", body: body, status: 400, field: field})
	}
	for _, value := range []string{`1e16`, `1e23`, `9007199254740993`, `-1e400`, `{"a":1,"a":1}`, `"\udfff"`, deep} {
		all = append(all, attack{as: "erin", method: "POST", path: "/api/v1/evidence/", status: 400,
			body: `{"deployment_intent_id":"` + of.deployment + `","evidence_data":{"rollback_plan":{"x":` + value + `}}}`, field: "evidence_data.rollback_plan.x"})
	}
	return append(all,
		attack{as: "erin", method: "POST", path: "/api/v1/evidence/", status: 400, field: "evidence_data.artifacts",
			body: `{"deployment_intent_id":"` + of.deployment + `","evidence_data":{"artifacts":[{}` + strings.Repeat(",{}", 300_000) + `]}}`},
		attack{as: "erin", method: "POST", path: "/api/v1/deployments/", body: `{"app_name":"` + strings.Repeat("x", 2<<20) + `"}`, status: 413},
		attack{as: "erin", method: "POST", path: "/api/v1/deployments/", body: `{}`, headers: []string{"Content-Type", "text/plain"}, status: 415},
		attack{as: "erin", method: "POST", path: "/api/v1/deployments/", body: `{}`, headers: []string{"Content-Type", ""}, status: 415},
		attack{as: "erin", method: "POST", path: "/api/v1/deployments/", body: `a=1`, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415},
		attack{as: "erin", method: "POST", path: "/api/v1/deployments/", body: `{}`, headers: []string{"Content-Type", "application/json; charset=\""}, status: 415},
		attack{as: "erin", method: "POST", path: "/api/v1/deployments/", status: 415},
		attack{as: "erin", method: "POST", path: "/api/v1/deployments/", body: `{"app_name":"a","version":"1","target_ring":"LAB"}`, headers: []string{"Idempotency-Key", strings.Repeat("k", 129)}, status: 400, field: "Idempotency-Key"},
		attack{as: "carol", method: "POST", path: "/api/v1/cab/" + of.request + "/review/", body: `{"x":1}`, status: 400, field: "body"},
	)
}

func queryAttacks(of things) []attack {
	var all []attack
	for path, queries := range map[string]map[string]string{
		"/cab/pending/": {
			"risk_min=nan": "risk_min", "risk_min=NaN": "risk_min", "risk_max=inf": "risk_max", "risk_min=-1": "risk_min", "risk_min=1e2": "risk_min", "risk_max=100.001": "risk_max", "risk_min=": "risk_min",
			"status=open": "status", "status=approved": "status", "status=": "status", "status=submitted,x": "status", "limit=0": "limit", "limit=201": "limit", "limit=ten": "limit", "limit=-1": "limit",
			"limit=9999999999999999999": "limit", "cursor=x": "cursor", "cursor=" + strings.Repeat("A", 3000): "cursor", "limit=1&limit=2": "limit", "order=new": "order", "risk_min=1%00": "risk_min",
			"a%00b=1": "a\x00b", "%zz=1": "query", "cursor=%27%20OR%201=1": "cursor",
		},
		"/cab/":            {"deployment_intent_id=": "deployment_intent_id", "status=gone": "status", "deployment_intent_id=x": "deployment_intent_id", "deployment_intent_id=" + of.deployment + "'": "deployment_intent_id"},
		"/cab/exceptions/": {"active=maybe": "active", "status=active": "status", "active=": "active"},
		"/events/": {
			"type=HACKED": "type", "since=yesterday": "since", "until=2026-13-01T00:00:00Z": "until", "since=0000-01-01T00:00:00Z": "since", "order=sideways": "order", "limit=1001": "limit", "cursor=-1": "cursor", "cursor=1.5": "cursor",
			"actor=": "actor", "correlation_id=" + strings.Repeat("x", 101): "correlation_id",
		},
		"/evidence/":    {"deployment_intent_id=1": "deployment_intent_id", "q=1": "q"},
		"/deployments/": {"cursor=!!": "cursor", "cursor=MSBhAGI": "cursor", "cursor=": "cursor", "app_name=x": "app_name"},
		"/me/":          {"x=1": "x"},
		"/deployments/" + of.deployment + "/gate/": {
			"ring=lab": "ring", "ring=": "ring", "devices=0": "devices", "devices=1e3": "devices", "devices=": "devices", "devices=5&devices=6": "devices",
			"artifact_sha256=": "artifact_sha256", "artifact_sha256=x": "artifact_sha256", "note_read=1": "note_read", "rings=LAB": "rings",
		},
	} {
		for query, field := range queries {
			all = append(all, attack{as: "ada", method: "GET", path: "/api/v1" + path + "?" + query, status: 400, field: field})
		}
	}
	for _, id := range []string{"x", "1", "CAB-xyz", "CAB-0A1B2C3D4E5", "EXC-0A1B2C3D4E5F", "%27", "00000000-0000-0000-0000-00000000000g", "cab-0a1b2c3d4e5f"} {
		all = append(all, attack{as: "ada", method: "GET", path: "/api/v1/cab/" + id + "/", status: 400, field: "id"})
	}
	for _, id := range []string{"x", "CAB-0A1B2C3D4E5F", "EXC-zz", "%00"} {
		all = append(all,
			attack{as: "ada", method: "GET", path: "/api/v1/cab/exceptions/" + id + "/", status: 400, field: "id"},
			attack{as: "ada", method: "GET", path: "/api/v1/evidence/" + id + "/", status: 400, field: "id"},
			attack{as: "ada", method: "GET", path: "/api/v1/deployments/" + id + "/approval-status/", status: 400, field: "id"})
	}
	for path, status := range map[string]int{
		"/api/v1/nothing/": 404, "/api/v1/cab/x/y/z/": 404, "/api/v2/cab/": 404, "/": 404, "//api/v1/cab/": 404, "/api/v1/../v1/cab/": 404, "/api/v1/risk-models/9.9/": 404, "/api/v1/risk-models/%27/": 400, "/api/v1/risk-models/a%00b/": 400, "/api/v1/risk-models/%ff/": 400, "/api/v1/risk-models/" + strings.Repeat("9", 5000) + "/": 400,
	} {
		all = append(all, attack{as: "ada", method: "GET", path: path, status: status})
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"} {
		all = append(all, attack{as: "ada", method: method, path: "/api/v1/cab/", status: 405})
	}
	return append(all, attack{as: "ada", method: "POST", path: "/api/v1/events/", body: `{"type":"CAB_APPROVED"}`, status: 405}) // lesson 18
}

// TestHostile: whatever is sent, the answer is a clear problem document that
// names the field, never a 500, and nothing is written.
func TestHostile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) { hostile(t, newWorld(t, e)) })
}

func hostile(t *testing.T, w *world) {
	of := w.submitted("mid")
	attacks := append(append(memberAttacks(of), jsonAttacks(of)...), queryAttacks(of)...)
	if len(attacks) < 150 {
		t.Fatalf("only %d attacks", len(attacks))
	}
	before := w.eventCount()
	for _, a := range attacks {
		name := fmt.Sprintf("%s %.80s %.100q", a.method, a.path, a.body)
		got := w.send(a.as, a.method, a.path, a.body, a.headers...)
		if got.status != a.status {
			t.Errorf("%s: %d, want %d: %.300s", name, got.status, a.status, got.body)
			continue
		}
		p := got.problem(t)
		if p.Status != a.status || p.Code == "" || p.Detail == "" || p.Detail != p.Message || p.CorrelationID == "" || p.Title == "" {
			t.Errorf("%s: not a whole problem: %s", name, got.body)
		}
		if a.field != "" && !names(p.Errors, a.field) {
			t.Errorf("%s: the problem does not name %s: %.300s", name, a.field, got.body)
		}
	}
	if after := w.eventCount(); after != before {
		t.Errorf("%d events were written by hostile requests", after-before)
	}
	t.Logf("%d hostile requests", len(attacks))
}

func names[F any](fields []F, want string) bool {
	for _, f := range fields {
		text, err := json.Marshal(f)
		if err != nil {
			return false
		}
		var field struct {
			Field string `json:"field"`
		}
		if json.Unmarshal(text, &field) == nil && (field.Field == want || strings.HasPrefix(field.Field, want+".") || strings.HasPrefix(field.Field, want+"[")) {
			return true
		}
	}
	return false
}

// TestStringsAreJustStrings: SQL, HTML, templates and odd Unicode in every text
// are kept as they are and do nothing.
func TestStringsAreJustStrings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		w := newWorld(t, e)
		for _, text := range []string{
			`'; DROP TABLE event; --`, `" OR ""="`, `<script>alert(1)</script>`, `{{.}}`, `%s%n%x`, `../../etc/passwd`, `${jndi:ldap://x}`, "\u2028\u202e", `𝄞😀`, `\`, "a\tb\nc", `$1`, `?`,
		} {
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			d := w.post("erin", "/api/v1/deployments/", fmt.Sprintf(`{"app_name":%s,"version":%s,"target_ring":"LAB"}`, quoted, quoted))
			if d.member(t, "app_name") != text {
				t.Errorf("%q came back as %q", text, d.member(t, "app_name"))
			}
			id := d.member(t, "id")
			if got := w.send("erin", "GET", "/api/v1/deployments/"+id+"/", "").member(t, "version"); got != text {
				t.Errorf("%q was stored as %q", text, got)
			}
			ev := w.post("erin", "/api/v1/evidence/", fmt.Sprintf(`{"deployment_intent_id":%q,"evidence_data":{"rollback_plan":{"strategy":%s,"validated":true}}}`, id, quoted)).member(t, "id")
			if got := w.send("ada", "GET", "/api/v1/evidence/"+ev+"/verify/", "").member(t, "is_valid"); got != "true" {
				t.Errorf("%q: evidence does not verify", text)
			}
		}
	})
}

// TestRawHostile speaks HTTP by hand: a lying length, header injection.
func TestRawHostile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) { rawHostile(t, newWorld(t, e)) })
}

func rawHostile(t *testing.T, w *world) {
	before := w.eventCount()
	raw := func(text string) string {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, text)
		c.(*net.TCPConn).CloseWrite()
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return "closed"
		}
		defer response.Body.Close()
		for name := range response.Header {
			if strings.EqualFold(name, "X-Injected") {
				t.Error("a header was injected")
			}
		}
		return fmt.Sprint(response.StatusCode, " ", response.Header.Get("X-Correlation-ID"))
	}
	head := "POST /api/v1/deployments/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer " + w.tokens["erin"] + "\r\n"
	if got := raw(head + "Content-Length: 500\r\n\r\n{\"app_name\":\"a\""); !strings.HasPrefix(got, "400") {
		t.Errorf("a length that promises more: %s", got)
	}
	if got := raw(head + "Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}"); !strings.HasPrefix(got, "400") {
		t.Errorf("two lengths: %s", got)
	}
	if got := raw(head + "Content-Length: -1\r\n\r\n{}"); !strings.HasPrefix(got, "400") {
		t.Errorf("a negative length: %s", got)
	}
	if got := raw(head + "X-Correlation-ID: a\rX-Injected: 1\r\nContent-Length: 2\r\n\r\n{}"); strings.Contains(got, "Injected") {
		t.Errorf("injection: %s", got)
	}
	for _, id := range []string{"a b", strings.Repeat("x", 65), "<script>", "a;b", "ü"} {
		got := w.send("erin", "GET", "/api/v1/me/", "", "X-Correlation-ID", id)
		if echoed := got.header.Get("X-Correlation-ID"); echoed == id || len(echoed) != 36 {
			t.Errorf("correlation id %q was answered by %q", id, echoed)
		}
	}
	if got := w.send("erin", "GET", "/api/v1/me/", "", "X-Correlation-ID", "build-42.a_b"); got.header.Get("X-Correlation-ID") != "build-42.a_b" || !strings.Contains(w.log.String(), "build-42.a_b") {
		t.Error("a good correlation id is not echoed and logged")
	}
	if after := w.eventCount(); after != before {
		t.Errorf("%d events written", after-before)
	}
}

func FuzzBody(f *testing.F) {
	w := newWorld(f, storetest.Engine{Name: "sqlite", URL: func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/f.db" }})
	for _, seed := range []string{`{"app_name":"a","version":"1","target_ring":"LAB"}`, `{}`, `[]`, `{"app_name":{"a":[1]}}`, "\x00", `{"app_name":1e99}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in := *w
		in.t = t
		got := in.send("erin", "POST", "/api/v1/deployments/", string(body))
		if got.status >= 500 || (got.status >= 300 && got.problem(t).Code == "") {
			t.Errorf("%q: %d %s", body, got.status, got.body)
		}
	})
}
