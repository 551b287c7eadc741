package collect

import (
	"errors"
	"strconv"
	"strings"
)

func isGoCover(s shape) bool { return strings.HasPrefix(s.head(), "mode: ") }

// readGoCover counts statements. A block that stands several times (several
// test binaries) counts once, and is covered if any of them ran it.
func readGoCover(f *file, into *Report) error {
	into.Tool = "go"
	statements := 0
	err := f.lines(func(n int, line string) error {
		if line == "" || strings.HasPrefix(line, "mode: ") {
			return nil
		}
		source, at, weight, hit, ok := goBlock(line)
		if !ok {
			return onLine(n, "is not a block (file:line.column,line.column statements count) that can be read")
		}
		statements += int(weight)
		return into.line(source, at, weight, hit)
	})
	if err == nil && statements == 0 {
		err = errors.New("holds no statements: nothing was measured, which is not full coverage")
	}
	return err
}

// goBlock takes a block apart, from its end: a file's name may hold anything.
func goBlock(line string) (source string, at Place, statements uint32, hit, ok bool) {
	rest, count, _ := cutLast(line, " ")
	rest, weight, _ := cutLast(rest, " ")
	source, stretch, _ := cutLast(rest, ":")
	begin, end, _ := strings.Cut(stretch, ",")
	numbers := []*uint32{&at.Line, &at.Column, &at.EndLine, &at.EndColumn, &statements}
	line1, column1, _ := strings.Cut(begin, ".")
	line2, column2, _ := strings.Cut(end, ".")
	for i, text := range []string{line1, column1, line2, column2, weight} {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return "", Place{}, 0, false, false
		}
		*numbers[i] = uint32(n)
	}
	return source, at, statements, strings.Trim(count, "0") != "", source != "" && allDigits(count)
}

// cutLast cuts a text around the last place where a separator stands.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+len(separator):], true
}
