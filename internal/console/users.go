package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/identity"
	"github.com/eucora/eucora/internal/workflow"
)

// usersPage is the list of accounts.
type usersPage struct {
	Text     string
	Roles    []option // of the filter
	Filtered bool
	Count    string
	Rows     []userRow
	Next     string
	Cursor   bool
	Draft    userDraft
	NewRoles []option // of an account that is added
}

// userRow is an account in a list.
type userRow struct {
	workflow.Account
	RoleText string
	Disabled bool
	Mine     bool
	Used     string // how long ago one of its tokens was used
	Live     string
}

// What can be done about accounts.
const (
	actAdd     = "add"
	actRole    = "role"
	actDisable = "disable"
	actInvite  = "invite"
	actRevoke  = "revoke"
)

// userDraft is something that an administrator is about to do. It travels with the
// forms, as a [draft] does.
type userDraft struct {
	Act, Name string
	Role      cab.Role
	Token     string
	label     string // the token's
	Seen      int64  // the account's revision that they looked at
	Problem   string
	Notice    string
	Done      string
}

func (v *visit) userDraft() userDraft {
	seen, _ := strconv.ParseInt(v.form.Get("seen"), 10, 64) // what is no number has seen nothing
	return userDraft{
		Act: v.form.Get("act"), Name: strings.TrimSpace(v.form.Get("username")), Role: cab.Role(v.form.Get("role")),
		Token: v.form.Get("token"), Seen: seen,
	}
}

func roleOptions(chosen cab.Role, first ...option) []option {
	for _, role := range cab.Roles() {
		first = append(first, option{string(role), roleText(role), false})
	}
	_, all := options(string(chosen), first...)
	return all
}

func (v *visit) users() error { return v.showUsers(http.StatusOK, userDraft{}) }

// showUsers lists accounts, with one that somebody has begun to add.
func (v *visit) showUsers(status int, d userDraft) error {
	query := v.URL.Query()
	page := usersPage{Draft: d, Text: cut(strings.TrimSpace(clip(query.Get("q"), 400)), 100), NewRoles: roleOptions(d.Role)}
	var role string
	role, page.Roles = options(query.Get("role"), roleOptions("", option{"", "Any role", false})...)
	filter := workflow.AccountFilter{Text: page.Text, Role: cab.Role(role)}
	filter.Cursor = clip(query.Get("cursor"), 100)
	found, err := v.server.Service.Accounts(v.Context(), v.call, filter)
	if err != nil {
		return err
	}
	now := v.server.Clock()
	for _, a := range found.Rows {
		page.Rows = append(page.Rows, v.userRow(a, now))
	}
	page.Count = plural(found.Count, "account", "accounts")
	if found.Capped {
		page.Count = "more than 10,000 accounts"
	}
	page.Filtered, page.Cursor = page.Text != "" || role != "", filter.Cursor != ""
	page.Next = nextPage(v.URL, found.Next)
	return v.page(status, "users", "Users", page)
}

func (v *visit) userRow(a workflow.Account, now time.Time) userRow {
	row := userRow{
		Account: a, RoleText: roleText(a.Role), Disabled: !a.DisabledAt.IsZero(), Mine: a.ID == v.call.Actor.ID,
		Used: "never", Live: plural(a.Tokens, "token", "tokens"),
	}
	if !a.LastUsed.IsZero() {
		row.Used = span(now.Sub(a.LastUsed)) + " ago"
	}
	if row.Disabled {
		row.Live = "no token that opens anything"
	}
	return row
}

// userPage is one account.
type userPage struct {
	workflow.AccountTokens
	RoleText string
	Disabled bool
	Mine     bool
	Roles    []option // others that it could have
	Tokens   []tokenRow
	Next     string
	Cursor   bool
	Draft    userDraft
	Done     string
}

type tokenRow struct {
	cab.Token
	State, Class string
	Live         bool
}

func (v *visit) user() error {
	q := v.URL.Query()
	return v.showUser(http.StatusOK, v.PathValue("name"), userDraft{Done: q.Get("done"), Token: q.Get("token")})
}

// showUser shows an account, with what somebody is about to do to it.
func (v *visit) showUser(status int, name string, d userDraft) error {
	account, err := v.server.Service.Account(v.Context(), v.call, clip(name, 100), v.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	page := userPage{
		AccountTokens: account, RoleText: roleText(account.Role), Disabled: !account.DisabledAt.IsZero(), Mine: account.ID == v.call.Actor.ID,
		Draft: d, Next: nextPage(v.URL, account.Tokens.Next), Cursor: v.URL.Query().Get("cursor") != "",
	}
	for _, o := range roleOptions(d.Role) {
		if o.Value != string(account.Role) {
			page.Roles = append(page.Roles, o)
		}
	}
	for _, t := range account.Tokens.Rows {
		row := tokenRow{Token: t, State: "good until " + when(t.ExpiresAt), Class: "good", Live: t.Live(account.Principal, account.Now)}
		switch {
		case !t.RevokedAt.IsZero():
			row.State, row.Class = "revoked", "bad"
		case !account.Now.Before(t.ExpiresAt):
			row.State, row.Class = "expired", "none"
		case !row.Live:
			row.State, row.Class = "opens nothing", "none"
		}
		page.Tokens = append(page.Tokens, row)
	}
	page.Done = page.doneText()
	return v.page(status, "user", account.Username, page)
}

// doneText says what has just been done, if it is so.
func (p *userPage) doneText() string {
	switch d := p.Draft; {
	case d.Done == actAdd && p.Revision == 1:
		return "There is an account " + p.Username + " now. With a sign-in link its person gets in."
	case d.Done == actRole && !p.Disabled && p.Revision > 1:
		return p.Username + " is " + p.RoleText + " now. Sessions that were begun in another role have ended."
	case d.Done == actDisable && p.Disabled:
		return p.Username + " is disabled: no session, token or link of theirs opens anything."
	case d.Done == actRevoke:
		for _, t := range p.Tokens {
			if t.ID == d.Token && !t.RevokedAt.IsZero() {
				return "The token is revoked."
			}
		}
	}
	return ""
}

// userConfirm shows what is about to be done.
type userConfirm struct {
	Draft               userDraft
	Title, Button, Path string
	Class               string
	Back                link
	Facts               []fact
	Warning             string // of what it does to whoever does it
}

type fact struct{ Name, Value string }

// addUser makes an account, in two steps as [visit.decide] does.
func (v *visit) addUser() error {
	d := v.userDraft()
	d.Act = actAdd
	switch v.form.Get("step") {
	case "edit":
		return v.showUsers(http.StatusOK, d)
	case "confirm":
		p, err := v.server.Service.AddUser(v.Context(), v.call, d.Name, d.Role)
		if kind := cab.KindOf(err); kind == cab.Invalid || kind == cab.Conflict {
			return v.refuseUser(d, err)
		}
		if err != nil {
			return err
		}
		return v.redirect(userDone(p.Username, d))
	}
	if _, err := cab.NewPrincipal(cab.Call{Actor: v.call.Actor}, "", d.Name, d.Role); err != nil {
		return v.refuseUser(d, err)
	}
	return v.page(http.StatusOK, "userconfirm", "Add "+d.Name+"?", userConfirm{
		Draft: d, Title: "Add the account " + d.Name, Button: "Add it", Path: "/users", Class: "good", Back: link{"/users", "Users"},
		Facts: []fact{{"Name", d.Name + ": it is theirs for good, accounts are never deleted"}, {"Role", roleText(d.Role)}},
	})
}

// refuseUser shows what cannot be added, as it was typed.
func (v *visit) refuseUser(d userDraft, err error) error {
	d.Problem = sentence(message(err))
	status := http.StatusBadRequest
	if cab.KindOf(err) == cab.Conflict {
		status = http.StatusConflict
	}
	return v.showUsers(status, d)
}

func userPath(name string) string { return "/users/" + url.PathEscape(name) }

func userDone(name string, d userDraft) string {
	done := url.Values{"done": {d.Act}}
	if d.Token != "" {
		done.Set("token", d.Token)
	}
	return userPath(name) + "?" + done.Encode()
}

// changeUser does something to an account, in two steps.
func (v *visit) changeUser() error {
	d := v.userDraft()
	account, err := v.server.Service.Account(v.Context(), v.call, clip(v.PathValue("name"), 100), "")
	if err != nil {
		return err
	}
	d.Name = account.Username
	if d.Act == actRevoke {
		if d.label, err = v.labelOf(d); err != nil {
			return err
		}
	}
	step := v.form.Get("step")
	if step == "edit" {
		return v.showUser(http.StatusOK, d.Name, d)
	}
	if d.Seen != account.Revision && d.Act != actRevoke && !d.isDone(account.Principal) {
		d.Notice = "This account has changed since you looked at it. Look at it again; nothing was done."
		return v.showUser(http.StatusConflict, d.Name, d)
	}
	if step == "confirm" {
		return v.carryOutUser(d)
	}
	page, problem := v.confirmUser(d, account)
	if problem != "" {
		d.Problem = problem
		return v.showUser(http.StatusBadRequest, d.Name, d)
	}
	return v.page(http.StatusOK, "userconfirm", page.Title+"?", page)
}

// labelOf is the label of the account's token that a draft is about.
func (v *visit) labelOf(d userDraft) (string, error) {
	tokens, err := v.server.Service.Tokens(v.Context(), v.call, d.Name)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(tokens, func(t cab.Token) bool { return t.ID == d.Token })
	if at < 0 {
		return "", &cab.Error{Kind: cab.NotFound, Code: "NOT_FOUND", Message: d.Name + " has no such token"}
	}
	return tokens[at].Label, nil
}

// isDone reports whether an account is already as a draft wants it: whoever presses
// twice has done it once.
func (d userDraft) isDone(p cab.Principal) bool {
	return d.Act == actRole && p.Role == d.Role || d.Act == actDisable && !p.DisabledAt.IsZero()
}

// confirmUser is what would be done; problem is why it cannot be.
func (v *visit) confirmUser(d userDraft, account workflow.AccountTokens) (page userConfirm, problem string) {
	page = userConfirm{Draft: d, Path: userPath(d.Name), Back: link{userPath(d.Name), d.Name}, Class: "bad"}
	page.Facts = []fact{{"Account", d.Name + ", " + roleText(account.Role)}}
	mine := account.ID == v.call.Actor.ID
	switch d.Act {
	case actRole:
		if _, err := cab.ParseRole(string(d.Role)); err != nil {
			return page, "Choose a role."
		}
		page.Title, page.Button, page.Class = "Give "+d.Name+" the role "+roleText(d.Role), "Change the role", "none"
		page.Facts = append(page.Facts, fact{"New role", roleText(d.Role)}, fact{"What ends", "their sessions; their tokens get the new role"})
		if mine {
			page.Warning = "This is your own account. You will not administer any more, and be signed out."
		}
	case actDisable:
		page.Title, page.Button = "Disable "+d.Name, "Disable it"
		page.Facts = append(page.Facts, fact{"What ends", "sessions, tokens and links, at once; what they did stays theirs"}, fact{"Back", "there is none: a disabled account stays so, and its name stays taken"})
		if mine {
			page.Warning = "This is your own account. You will be signed out, and not get in again."
		}
	case actInvite:
		page.Title, page.Button, page.Class = "Make a sign-in link for "+d.Name, "Make the link", "good"
		page.Facts = append(page.Facts, fact{"Good for", span(cab.LinkLife) + ", once"}, fact{"What ends", "any link that they have; once it is used, their password and their sessions"})
	case actRevoke:
		page.Title, page.Button = "Revoke a token of "+d.Name, "Revoke it"
		page.Facts = append(page.Facts, fact{"Token", d.Token + " “" + d.label + "”"})
	default:
		return page, "Choose what is to be done."
	}
	return page, ""
}

// linkPath is where a sign-in link's secret is taken.
const linkPath = "/link/"

// userLink is a new sign-in link. It is shown once.
type userLink struct {
	Name, Address string
	Until         time.Time
}

func (v *visit) carryOutUser(d userDraft) error {
	service := v.server.Service
	var err error
	switch d.Act {
	case actRole:
		_, err = service.ChangeRole(v.Context(), v.call, d.Name, d.Role)
	case actDisable:
		_, err = service.DisableUser(v.Context(), v.call, d.Name)
	case actRevoke:
		_, err = service.RevokeToken(v.Context(), v.call, d.Token)
	case actInvite:
		id, secret, hash := identity.NewLink()
		made, err := service.Invite(v.Context(), v.call, d.Name, id, hash)
		if err != nil {
			return err
		}
		scheme := "http://"
		if v.secure() {
			scheme = "https://"
		}
		return v.page(http.StatusOK, "userlink", "A sign-in link for "+d.Name, userLink{d.Name, scheme + v.Host + linkPath + secret, made.ExpiresAt})
	default:
		err = &cab.Error{Kind: cab.Invalid, Code: "INVALID_INPUT", Message: "choose what is to be done"}
	}
	switch {
	case cab.CodeOf(err) == "NOTHING_TO_CHANGE": // pressed twice
		err = nil
	case cab.KindOf(err) == cab.Invalid:
		d.Problem = sentence(message(err))
		return v.showUser(http.StatusBadRequest, d.Name, d)
	}
	if err != nil {
		return err
	}
	return v.redirect(userDone(d.Name, d))
}
