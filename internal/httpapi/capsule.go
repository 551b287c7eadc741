package httpapi

import (
	"net/http"
	"strconv"

	"github.com/eucora/eucora/internal/capsule"
)

// capsuleFile is a capsule that is to be sent, and what it is called.
type capsuleFile struct {
	name   string
	sealed *capsule.Sealed // nil: only what it is called was asked for
}

func (s *Server) capsule(q *request) (any, error) {
	id, err := q.id("CAB-")
	if err != nil {
		return nil, err
	}
	wanted := q.boolean("attachments")
	if err := q.faulty(); err != nil {
		return nil, err
	}
	if q.Method == http.MethodHead { // nothing is made for nobody
		name, err := s.Service.CapsuleName(q.Context(), q.call, id)
		return capsuleFile{name: name}, err
	}
	name, sealed, err := s.Service.Capsule(q.Context(), q.call, id, wanted != nil && *wanted)
	return capsuleFile{name, sealed}, err
}

// writeCapsule sends a capsule. Its length is known; one that cannot be sent to its
// end is cut off, and can be taken for a whole one by nobody.
func (s *Server) writeCapsule(w http.ResponseWriter, r *http.Request, file capsuleFile) {
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+file.name+`.zip"`)
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if file.sealed == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Content-Length", strconv.FormatInt(file.sealed.Size, 10))
	if _, err := file.sealed.WriteTo(&unhurried{w, http.NewResponseController(w)}); err != nil {
		if r.Context().Err() == nil { // otherwise the caller is gone
			s.Log.Error("a capsule could not be written to its end", "request", file.name, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}
