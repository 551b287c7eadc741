package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// Document reads a plan, YAML or JSON, as an object.
func Document(source Source) (jsontext.Value, error) {
	name := source.Name
	if source.Size > evidence.MaxBytes {
		return nil, &ReadError{File: name, Reason: fmt.Sprintf("larger than %d bytes", evidence.MaxBytes)}
	}
	f, err := open(source)
	if err != nil {
		return nil, located(f, err)
	}
	data, err := io.ReadAll(f.text())
	if err != nil {
		return nil, &ReadError{File: name, Reason: err.Error()}
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); !bytes.HasPrefix(trimmed, []byte("{")) {
		if data, err = fromYAML(data); err != nil {
			return nil, &ReadError{File: name, Reason: strings.TrimPrefix(err.Error(), "yaml: ")}
		}
	}
	canonical, err := evidence.Canonical(data)
	if syntax, ok := errors.AsType[*evidence.SyntaxError](err); ok {
		line := 1 + bytes.Count(data[:min(syntax.Offset, int64(len(data)))], []byte("\n"))
		return nil, &ReadError{File: name, Place: fmt.Sprintf("line %d (%s)", line, syntax.Pointer), Reason: syntax.Reason}
	}
	if jsontext.Value(canonical).Kind() != '{' {
		return nil, &ReadError{File: name, Reason: "must be an object: name: value"}
	}
	return canonical, nil
}

func fromYAML(data []byte) ([]byte, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document")
	}
	return json.Marshal(value, json.Deterministic(true))
}
