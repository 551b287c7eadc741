package collect

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

func isGoCover(s shape) bool { return strings.HasPrefix(s.head(), "mode: ") }

var goBlock = regexp.MustCompile(`^(.+):([0-9]{1,9})\.([0-9]{1,9}),([0-9]{1,9})\.([0-9]{1,9}) ([0-9]{1,9}) ([0-9]+)$`)

// readGoCover counts statements. A block that stands several times (several
// test binaries) counts once, and is covered if any of them ran it.
func readGoCover(f *file, into *Report) error {
	into.Tool = "go"
	statements := 0
	err := f.lines(func(n int, line string) error {
		if line == "" || strings.HasPrefix(line, "mode: ") {
			return nil
		}
		block := goBlock.FindStringSubmatch(line)
		if block == nil {
			return onLine(n, "is not a block (file:line.column,line.column statements count)")
		}
		var numbers [5]uint32 // of at most nine digits each: see goBlock
		for i := range numbers {
			number, err := strconv.ParseUint(block[i+2], 10, 32)
			if err != nil {
				return onLine(n, fmt.Sprintf("the number %s cannot be read", block[i+2]))
			}
			numbers[i] = uint32(number)
		}
		statements += int(numbers[4])
		return into.line(block[1], Place{numbers[0], numbers[1], numbers[2], numbers[3]}, numbers[4], strings.Trim(block[7], "0") != "")
	})
	if err == nil && statements == 0 {
		err = errors.New("holds no statements: nothing was measured, which is not full coverage")
	}
	return err
}
