package notify

import (
	"fmt"
	"strings"
)

// object is a JSON object of somebody else's format.
type object = map[string]any

// slackMessage is a message of Slack's Block Kit. What people wrote stands in
// plain_text, which has no mark-up; in the fallback text the three characters that
// begin Slack's mark-up are escaped. Facts are cut at what a block may hold.
func slackMessage(m message) any {
	const most = 2900 // of 3000 characters
	var facts strings.Builder
	for _, f := range m.facts() {
		fmt.Fprintf(&facts, "%s: %s\n", f.name, f.value)
	}
	plain := func(text string) object {
		return object{"type": "plain_text", "text": cut(text, most), "emoji": false}
	}
	blocks := []object{
		{"type": "section", "text": plain(m.headline())},
		{"type": "section", "text": plain(facts.String())},
	}
	if m.link != "" {
		blocks = append(blocks, object{"type": "context", "elements": []object{{"type": "mrkdwn", "text": "<" + slackText(m.link) + "|Open the page>"}}})
	}
	blocks = append(blocks, object{"type": "context", "elements": []object{plain(nothingDecided)}})
	return object{"text": slackText(m.headline()), "blocks": blocks, "unfurl_links": false, "unfurl_media": false}
}

var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slackText(text string) string { return slackEscapes.Replace(text) }

// teamsMessage is an Adaptive Card for a Teams webhook (a Workflows flow takes it
// as well). What people wrote stands in text runs, which have no Markdown.
func teamsMessage(m message) any {
	line := func(runs ...object) object { return object{"type": "RichTextBlock", "inlines": runs} }
	run := func(text, weight string) object {
		return object{"type": "TextRun", "text": cut(text, 2900), "weight": weight}
	}
	body := []object{line(run(m.headline(), "bolder"))}
	for _, f := range m.facts() {
		body = append(body, line(run(f.name+": ", "bolder"), run(f.value, "default")))
	}
	body = append(body, line(run(nothingDecided, "lighter")))
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	if m.link != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open the page", "url": m.link}}
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}

// cut is a text of at most n characters.
func cut(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}
