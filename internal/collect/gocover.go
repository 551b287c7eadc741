package collect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

func isGoCover(s shape) bool { return strings.HasPrefix(s.head, "mode: ") }

var goBlock = regexp.MustCompile(`^(.+):([0-9]+\.[0-9]+,[0-9]+\.[0-9]+) ([0-9]{1,9}) ([0-9]+)$`)

// readGoCover counts statements. A block that stands several times (several
// test binaries) counts once, and is covered if any of them ran it.
func readGoCover(data []byte, into *Report) error {
	into.Tool, into.Lines = "go", map[LineKey]Line{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	statements := 0
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSuffix(lines.Text(), "\r")
		if text == "" || strings.HasPrefix(text, "mode: ") {
			continue
		}
		block := goBlock.FindStringSubmatch(text)
		if block == nil {
			return &ReadError{Place: fmt.Sprintf("line %d", n), Reason: "is not a block (file:line.column,line.column statements count)"}
		}
		weight, err := strconv.Atoi(block[3])
		if err != nil {
			return &ReadError{Place: fmt.Sprintf("line %d", n), Reason: "the number of statements cannot be read"}
		}
		into.line(block[1], block[2], weight, strings.Trim(block[4], "0") != "")
		statements += weight
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if statements == 0 {
		return errors.New("holds no statements: nothing was measured, which is not full coverage")
	}
	return nil
}
