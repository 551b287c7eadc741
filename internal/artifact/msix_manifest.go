package artifact

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sassoftware/relic/v8/lib/x509tools"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxManifestDepth is how deep a manifest's elements nest.
const maxManifestDepth = 64

// describe fills in what the manifest says, of a package or a bundle.
func (z *msixZip) describe(info *Info) error {
	name := msixBundleManifest
	entry, err := z.find(name)
	if err == nil && entry == nil {
		name = msixManifest
		entry, err = z.find(name)
	}
	if err != nil {
		return err
	}
	if entry == nil {
		return damaged(name, "it is not there")
	}
	var raw bytes.Buffer
	if err := z.copy(&raw, entry, maxMSIXManifest); err != nil {
		return err
	}
	decoder := xml.NewDecoder(transform.NewReader(&raw, unicode.BOMOverride(transform.Nop)))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // UTF-8 by now, or an error
	return parseManifest(decoder, name, info)
}

func parseManifest(decoder *xml.Decoder, place string, info *Info) error {
	var path []string
	var architectures []string
	identities := 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return damaged(place, "%v", err)
		}
		switch element := token.(type) {
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.StartElement:
			if path = append(path, element.Name.Local); len(path) > maxManifestDepth {
				return damaged(place, "its elements nest deeper than %d", maxManifestDepth)
			}
			value := func(name string) string { return attributeOf(element, name) }
			switch at := strings.Join(path, "/"); {
			case at == "Package/Identity", at == "Bundle/Identity":
				identities++
				info.Name, info.ID, info.Version = value("Name"), value("Name"), value("Version")
				info.Publisher, info.Architecture = value("Publisher"), cmp.Or(value("ProcessorArchitecture"), "neutral")
			case at == "Bundle/Packages/Package" && value("Type") == "application":
				architectures = append(architectures, cmp.Or(value("Architecture"), "neutral"))
			}
		}
	}
	if identities != 1 || info.Name == "" || info.Publisher == "" {
		return damaged(place, "%d identities with name and publisher; one is wanted", identities)
	}
	if len(architectures) > 0 {
		slices.Sort(architectures)
		info.Architecture = strings.Join(slices.Compact(architectures), ", ")
	}
	return nil
}

func attributeOf(element xml.StartElement, name string) string {
	for _, a := range element.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return clip(a.Value, 1000)
		}
	}
	return ""
}

// checkPublisher: Windows refuses a package whose publisher is not the signer,
// however sound the signature is.
func checkPublisher(blob []byte, info *Info) {
	cms, err := parseCMS(blob, oidSPCIndirectData)
	if err != nil || cms.signer == nil {
		return // not valid in any case
	}
	subject := x509tools.FormatPkixName(cms.signer.RawSubject, x509tools.NameStyleMsOsco)
	if slices.Equal(splitName(subject), splitName(info.Publisher)) {
		return
	}
	info.Notes = append(info.Notes, fmt.Sprintf("its publisher is %s, it was signed by %s: Windows refuses to install it", info.Publisher, clip(subject, 300)))
	if info.Signature.Status == Valid {
		info.Signature.Status = Untrusted
		info.Signature.Reason = "the signature is " + info.Signature.Reason + ", but the signer is not the publisher that the package states"
	}
}

// splitName takes an X.500 name in Windows's notation apart.
func splitName(name string) []string {
	var parts []string
	quoted := false
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool {
		quoted = quoted != (r == '"')
		return !quoted && (r == ',' || r == ';')
	}) {
		kind, value, _ := strings.Cut(part, "=")
		kind, value = strings.ToUpper(strings.TrimSpace(kind)), strings.TrimSpace(value)
		if kind == "ST" {
			kind = "S"
		}
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = strings.ReplaceAll(value[1:len(value)-1], `""`, `"`)
		}
		parts = append(parts, kind+"="+value)
	}
	return parts
}
