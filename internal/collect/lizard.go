package collect

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// lizardColumns is what each row of a function holds, in the table and as CSV.
var lizardColumns = [...]string{"NLOC", "CCN", "token", "PARAM", "length", "location"}

// lizardRow reads the columns of a row.
func lizardRow(columns []string) (ccn int, ok bool) {
	if len(columns) < len(lizardColumns) {
		return 0, false
	}
	for i := range len(lizardColumns) - 1 {
		n, isNumber := amount(strings.TrimSpace(columns[i]))
		if !isNumber {
			return 0, false
		}
		if i == 1 {
			ccn = n
		}
	}
	return ccn, true
}

func isLizardHeader(columns []string) bool {
	for i, name := range lizardColumns {
		if i >= len(columns) || strings.TrimSpace(columns[i]) != name {
			return false
		}
	}
	return true
}

func isLizardCSV(s shape) bool {
	columns := strings.Split(s.head(), ",")
	_, ok := lizardRow(columns)
	return isLizardHeader(columns) || (ok && strings.HasPrefix(columns[5], `"`))
}

// lizardFields is how many columns each row has at least: after the location
// come file, function, long name, start and end, and what extensions add.
const lizardFields = 11

// readLizardCSV counts the rows. There is a header only with --verbose.
func readLizardCSV(f *file, into *Report) error {
	into.Tool = "lizard"
	limited := &pacedReader{Reader: f.text()}
	var passed int64 // where the last row ended
	limited.passed = func() int64 { return passed }
	rows := csv.NewReader(limited)
	rows.FieldsPerRecord, rows.ReuseRecord = -1, true
	for ; ; passed = rows.InputOffset() {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return into.anyFunctions()
		}
		if syntax, ok := errors.AsType[*csv.ParseError](err); ok {
			return onLine(syntax.Line, syntax.Err.Error())
		}
		if err != nil {
			return err
		}
		line, _ := rows.FieldPos(0)
		ccn, ok := lizardRow(row)
		switch {
		case ok && len(row) >= lizardFields:
			into.function(ccn, strings.Clone(row[5]))
		case line != 1 || !isLizardHeader(row):
			return onLine(line, "is not a function (NLOC,CCN,token,PARAM,length,location,file,function,long_name,start,end)")
		}
	}
}

func isLizardText(s shape) bool {
	for _, line := range s.lines[:min(len(s.lines), 5)] {
		if isLizardHeader(strings.Fields(line)) {
			return true
		}
	}
	return false
}

// readLizardText counts the rows of the first table. The others repeat them: by
// file, and those that are worth a warning.
func readLizardText(f *file, into *Report) error {
	into.Tool = "lizard"
	var inTable, done bool
	err := f.lines(func(n int, line string) error {
		columns := strings.Fields(line[:min(len(line), 64<<10)])
		switch ccn, ok := lizardRow(columns); {
		case done || len(columns) == 0 || strings.Trim(columns[0], "-=") == "":
		case isLizardHeader(columns):
			inTable = true
		case len(columns) >= 3 && strings.HasPrefix(columns[1], "file") && columns[2] == "analyzed.":
			done = true
		case inTable && ok:
			into.function(ccn, strings.Join(columns[len(lizardColumns)-1:], " "))
		case inTable:
			return onLine(n, "is not a function (NLOC CCN token PARAM length location)")
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !done:
		return errors.New(`the file ends too early: the table of functions has no end ("files analyzed")`)
	}
	return into.anyFunctions()
}

func isLizardXML(s shape) bool { return s.root == "cppncss" }

// readLizardXML counts the items of the measure of functions, by the column
// that is labelled CCN. The measure of files holds sums.
func readLizardXML(f *file, into *Report) error {
	into.Tool = "lizard"
	l := lizardXML{into: into, column: -1}
	if err := f.walk(walker{enter: l.enter, text: l.addText, leave: l.leave}); err != nil {
		return err
	}
	return into.anyFunctions()
}

type lizardXML struct {
	into           *Report
	functions      bool // in their measure
	labels, column int  // how many labels there were, and which of them is CCN; -1 before it came
	item, text     string
	values, ccn    int // of the item; ccn is -1 before it came
}

func (l *lizardXML) enter(_ []string, e xml.StartElement) error {
	l.text = ""
	switch e.Name.Local {
	case "measure":
		l.functions = strings.EqualFold(attribute(e, "type"), "function")
		l.labels, l.column = 0, -1
	case "item":
		l.item, l.values, l.ccn = attribute(e, "name"), 0, -1
	}
	return nil
}

func (l *lizardXML) addText(_ []string, text string) error {
	if l.text += text; len(l.text) > 64<<10 {
		return errors.New("holds a text that is too long")
	}
	return nil
}

func (l *lizardXML) leave(path []string) error {
	if !l.functions {
		return nil
	}
	text := strings.TrimSpace(l.text)
	switch l.text = ""; path[len(path)-1] {
	case "label":
		if text == "CCN" {
			l.column = l.labels
		}
		l.labels++
	case "value":
		if l.values == l.column {
			n, ok := amount(text)
			if !ok {
				return &ReadError{Place: clip(l.item, 200), Reason: "CCN is not a number"}
			}
			l.ccn = n
		}
		l.values++
	case "item":
		if l.ccn < 0 {
			return &ReadError{Place: clip(l.item, 200), Reason: "has no CCN"}
		}
		l.into.function(l.ccn, l.item)
	case "measure":
		l.functions = false
	}
	return nil
}
