package console

import (
	"net/http"

	"github.com/eucora/eucora/internal/cab"
)

// route is one page, or one form that a page sends.
type route struct {
	method, path string
	action       cab.Action // which row of the permission table it is; "" for everybody, signed in or not
	handle       func(*visit) error
}

// allRoutes is every route, on one page. Adding one is adding a line here, a row in
// the table of the test, and a handler.
func (s *Server) allRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/{$}", cab.ReadSelf, (*visit).home},
		{get, "/signin", "", (*visit).signInPage},
		{post, "/signin", "", (*visit).signIn},
		{post, "/signout", "", (*visit).signOut},
		{get, "/link/{secret}", "", (*visit).linkPage},
		{post, "/link/{secret}", "", (*visit).setPassword},
		{get, "/sessions", cab.ReadSelf, (*visit).sessions},
		{post, "/sessions/{id}/end", cab.ReadSelf, (*visit).endSession},

		{get, "/requests", cab.ReadRequest, (*visit).queue},
		{get, "/requests/{id}", cab.ReadRequest, (*visit).request},
		{post, "/requests/{id}/decision", cab.ReadRequest, (*visit).decide},
		{get, "/requests/{id}/changes", cab.ReadEvidence, (*visit).changes},
		{get, "/exceptions", cab.ReadException, (*visit).exceptions},
		{get, "/exceptions/{id}", cab.ReadException, (*visit).exception},
		{post, "/exceptions/{id}/decision", cab.ReadException, (*visit).decideException},
		{get, "/evidence/{id}/document", cab.ReadEvidence, (*visit).document},
		{get, "/evidence/{id}/files/{sha256}", cab.ReadEvidence, (*visit).file},

		{get, "/audit", cab.ReadEvents, (*visit).audit},
		{get, "/audit/export", cab.ReadEvents, (*visit).exportEvents},
		{get, "/audit/checkpoint", cab.ReadEvents, (*visit).checkpointFile},
		{get, "/audit/{seq}", cab.ReadEvents, (*visit).event},
		{get, "/audit/{seq}/leaf", cab.ReadEvents, (*visit).leafFile},
		{get, "/audit/{seq}/proof", cab.ReadEvents, (*visit).proofFile},
		{get, "/overview", cab.ReadReports, (*visit).overview},
		{get, "/users", cab.Administer, (*visit).users},
		{post, "/users", cab.Administer, (*visit).addUser},
		{get, "/users/{name}", cab.Administer, (*visit).user},
		{post, "/users/{name}", cab.Administer, (*visit).changeUser},

		{get, "/static/{version}/{name}", "", (*visit).asset},

		{get, "/evidence/{id}", cab.ReadEvidence, (*visit).evidence},
		{get, "/evidence/{id}/verify", cab.ReadEvidence, (*visit).verify},
		{get, "/evidence/{id}/origins", cab.ReadEvidence, (*visit).origins},
		{get, "/evidence/{id}/components", cab.ReadEvidence, (*visit).components},
		{get, "/evidence/{id}/findings", cab.ReadEvidence, (*visit).findings},
		{get, "/evidence/{id}/diff", cab.ReadEvidence, (*visit).diff},

		{get, "/models", cab.ReadModels, (*visit).rules},
	}
}
