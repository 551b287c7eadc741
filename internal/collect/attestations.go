package collect

import "github.com/go-json-experiment/json/jsontext"

// isResponse knows what npm and GitHub answer, and what gh writes.
func isResponse(s shape) bool {
	return s.json == '{' && s.members["attestations"] && !s.members["bomFormat"] || s.json != 0 && s.members["attestation"]
}

func (r *attestations) responses(d *jsontext.Decoder) error { return elements(d, r.response) }

// response reads a bundle and the predicate type that npm states beside it.
func (r *attestations) response(d *jsontext.Decoder) error {
	var b bundle
	var stated string
	err := members{"predicateType": r.keep(&stated), "bundle": b.members(r).read}.read(d)
	if err != nil {
		return err
	}
	return r.addBundle(&b, stated)
}

func isCloudBuild(s shape) bool { return s.json != 0 && s.members["provenance_summary"] }

// cloudBuild reads what gcloud tells of an image. The envelopes count: the
// statements that stand beside them in the clear are not signed.
func (r *attestations) cloudBuild() members {
	entry := func(d *jsontext.Decoder) error {
		var e *envelope
		err := members{"envelope": func(d *jsontext.Decoder) error {
			e = &envelope{}
			return e.members(r).read(d)
		}}.read(d)
		switch {
		case err != nil:
			return err
		case e == nil:
			return r.fault("has no envelope: what is not signed is not taken")
		}
		return r.addEnvelope(e, Attestation{})
	}
	return members{
		"image_summary": members{"digest": value(&r.into.Subject)}.read,
		"provenance_summary": members{"provenance": func(d *jsontext.Decoder) error {
			return elements(d, entry)
		}}.read,
	}
}
