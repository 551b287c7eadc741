package console

import (
	"fmt"
	"strconv"
)

// chart is columns, measured in percent of its width and height: it is drawn as wide
// as there is room, and its words keep their size.
type chart struct {
	Bars   []rect
	Limits []float64 // across, from the left
	Ticks  []tick    // below
	Top    string    // what the full height is
	most   float64
}

type rect struct {
	Class      string
	X, Y, W, H string
}

type tick struct {
	X      float64
	Text   string
	Anchor string // "" is the middle
}

// series is a column in each group.
type series struct {
	class  string
	values []float64
}

// mostTicks is how many words there is room for below a chart on a phone.
const mostTicks = 6

// columns draws groups of columns. The full height is the highest value, and at
// least some value: of nothing there is nothing to see.
func columns(names []string, least float64, all ...series) chart {
	c := chart{most: least}
	for _, s := range all {
		for _, value := range s.values {
			c.most = max(c.most, value)
		}
	}
	group := 100 / float64(max(1, len(names)))
	width := group * 0.8 / float64(max(1, len(all)))
	for i, name := range names {
		for k, s := range all {
			height := 100 * s.values[i] / c.most
			c.Bars = append(c.Bars, rect{s.class, inPercent(group*(float64(i)+0.1) + width*float64(k)), inPercent(100 - height), inPercent(width), inPercent(height)})
		}
		if every := (len(names) + mostTicks - 1) / mostTicks; i%every == 0 {
			c.Ticks = append(c.Ticks, tick{X: group * (float64(i) + 0.5), Text: name})
		}
	}
	c.Top = fmt.Sprint(int(c.most))
	return c
}

func inPercent(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
