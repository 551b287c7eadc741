package collect

import "strings"

func isGocyclo(s shape) bool {
	_, _, ok := goFunction(s.head())
	return ok
}

// readGocyclo counts the functions that are listed. gocognit writes the same
// lines with cognitive complexities: nothing in a file tells the two apart. A
// list that is cut off (-top, -over) still begins with the highest function.
func readGocyclo(f *file, into *Report) error {
	into.Tool = "gocyclo or gocognit"
	err := f.lines(func(n int, line string) error {
		complexity, where, ok := goFunction(line)
		switch {
		case ok:
			into.function(complexity, where)
		case strings.TrimSpace(line) != "" && !isGoAverage(line):
			return onLine(n, "is not a function (complexity package function file:line:column)")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return into.anyFunctions()
}

// goFunction reads "complexity package function file:line:column". A receiver
// with type parameters and a path may hold spaces.
func goFunction(line string) (complexity int, where string, ok bool) {
	number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	pack, where, _ := strings.Cut(rest, " ")
	complexity, ok = amount(number)
	position, column, _ := cutLast(where, ":")
	function, lineNumber, _ := cutLast(position, ":")
	name, path, _ := strings.Cut(strings.TrimSpace(function), " ")
	ok = ok && pack != "" && name != "" && path != "" && allDigits(lineNumber) && allDigits(column)
	return complexity, where, ok
}

// isGoAverage knows the line that -avg or -total adds.
func isGoAverage(line string) bool {
	name, value, found := strings.Cut(line, ": ")
	_, isNumber := hits(strings.TrimSpace(value))
	return found && (name == "Average" || name == "Total") && isNumber
}
