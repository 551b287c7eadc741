package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
)

// logRoutes are the log as C2SP tlog-tiles has it, below /log, for readers who know
// nothing else of us. They are no part of the contract's document: the
// specification of tlog-tiles is theirs.
func (s *Server) logRoutes() []route {
	return []route{
		{http.MethodGet, "/log/checkpoint", cab.ReadEvents, "The log's checkpoint, cosigned", http.StatusOK, nil, nil, logFile{}, s.logCheckpoint, false},
		{http.MethodGet, "/log/{tile...}", cab.ReadEvents, "A tile of the log, or a bundle of its entries", http.StatusOK, nil, nil, logFile{}, s.logTile, false},
	}
}

// logFile is an answer that is not JSON.
type logFile struct {
	data        []byte
	mediaType   string
	name        string // to be saved under; "" for none
	everlasting bool   // the address never has anything else
	packed      bool   // compressed for those who take it
}

const (
	textPlain   = "text/plain; charset=utf-8"
	octetStream = "application/octet-stream"
)

func (s *Server) logCheckpoint(q *request) (any, error) {
	note, err := s.Service.LogCheckpoint(q.Context(), q.call)
	return logFile{data: note, mediaType: textPlain}, err
}

func (s *Server) logTile(q *request) (any, error) {
	path, err := ledger.ParseTilePath(q.PathValue("tile"))
	if err != nil {
		return nil, noSuchPath(q.Request)
	}
	data, err := s.Service.LogTile(q.Context(), q.call, path)
	return logFile{data: data, mediaType: octetStream, everlasting: true, packed: path.Entries}, err
}

// seq is the {seq} of the path.
func (q *request) seq() (int64, error) {
	text := q.PathValue("seq")
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 || strconv.FormatInt(seq, 10) != text {
		return 0, invalidField("seq", "want an event's place in the ledger, such as 0 or 1234")
	}
	return seq, nil
}

func (s *Server) event(q *request) (any, error) {
	seq, err := q.seq()
	if err != nil {
		return nil, err
	}
	leaf, err := s.Service.Event(q.Context(), q.call, seq)
	return logFile{data: leaf, mediaType: "application/json", name: fmt.Sprintf("event-%d.json", seq)}, err
}

func (s *Server) proof(q *request) (any, error) {
	seq, err := q.seq()
	if err != nil {
		return nil, err
	}
	proof, err := s.Service.Proof(q.Context(), q.call, seq)
	return logFile{data: proof.Text(), mediaType: textPlain, name: fmt.Sprintf("event-%d.tlog-proof", seq)}, err
}

// writeLog sends a file of the log. What never changes may be kept, by whoever was
// let in to read it; its tag is of the bytes, so that one who kept others learns of
// it.
func (s *Server) writeLog(w http.ResponseWriter, r *http.Request, file logFile) {
	h := w.Header()
	if file.everlasting {
		tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(file.data)) // weak: of the bytes before they are compressed
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
		h.Set("ETag", tag)
		h.Set("Vary", "Authorization, Accept-Encoding")
		if slices.Contains(listed(r.Header.Values("If-None-Match")), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if file.packed && takesGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		file.data = pack(file.data)
	}
	if file.name != "" {
		h.Set("Content-Disposition", `attachment; filename="`+file.name+`"`)
	}
	h.Set("Content-Type", file.mediaType)
	h.Set("Content-Length", strconv.Itoa(len(file.data)))
	_, _ = w.Write(file.data) // a caller who is gone is the access log's business
}

// listed is a header's values, separated by commas.
func listed(values []string) []string {
	var items []string
	for item := range strings.SplitSeq(strings.Join(values, ","), ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

func takesGzip(accepted []string) bool {
	for _, item := range listed(accepted) {
		name, weight, _ := strings.Cut(item, ";")
		_, q, weighed := strings.Cut(strings.ReplaceAll(weight, " ", ""), "q=")
		if quality, err := strconv.ParseFloat(q, 64); weighed && (err != nil || quality == 0) {
			continue
		}
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return true
		}
	}
	return false
}

func pack(data []byte) []byte {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		panic(err) // of a level that there is not
	}
	_, _ = writer.Write(data) // into memory: neither fails
	_ = writer.Close()
	return packed.Bytes()
}
