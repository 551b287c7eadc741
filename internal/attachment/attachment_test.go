package attachment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "attachments"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files lists what is in the directory.
func files(t *testing.T, s *Store) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, s.dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func keep(t *testing.T, s *Store, text string) string {
	t.Helper()
	f, err := s.Receive(t.Context(), strings.NewReader(text), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	if err := f.Keep(); err != nil {
		t.Fatal(err)
	}
	return f.SHA256
}

func TestKeptOnceAndReadBack(t *testing.T) {
	s := open(t)
	sum := sha256.Sum256([]byte("installer"))
	for range 3 {
		if got := keep(t, s, "installer"); got != hex.EncodeToString(sum[:]) {
			t.Fatalf("digest %s", got)
		}
	}
	if all := files(t, s); len(all) != 1 {
		t.Errorf("stored as %q, want one file", all)
	}
	file, err := s.Open(hex.EncodeToString(sum[:]), 9)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text, err := io.ReadAll(file); err != nil || string(text) != "installer" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestNothingIsLeftOfWhatDidNotArrive(t *testing.T) {
	s := open(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		body io.Reader
		want error
	}{
		"too large":     {t.Context(), bytes.NewReader(make([]byte, 1001)), ErrTooLarge},
		"cut off":       {t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
		"caller leaves": {cancelled, strings.NewReader("all of it"), context.Canceled},
	} {
		if _, err := s.Receive(c.ctx, c.body, 1000); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	f, err := s.Receive(t.Context(), strings.NewReader("refused later"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if all := files(t, s); len(all) != 0 {
		t.Errorf("left behind: %q", all)
	}
}

func TestMissingAndAlteredAreFound(t *testing.T) {
	s := open(t)
	digest := keep(t, s, "installer")
	check := func(size int64, want error) {
		t.Helper()
		if err := s.Check(t.Context(), digest, size); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	check(9, nil)
	check(10, ErrAltered)
	if err := os.WriteFile(s.path(digest), []byte("INSTALLER"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(9, ErrAltered)
	if again := keep(t, s, "installer"); again != digest { // whoever sends it again brings the right one
		t.Fatal(again)
	}
	check(9, nil)
	if err := os.Remove(s.path(digest)); err != nil {
		t.Fatal(err)
	}
	check(9, ErrMissing)
	for _, name := range []string{"", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("/", 64)} {
		if err := s.Check(t.Context(), name, 9); !errors.Is(err, ErrMissing) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSweepRemovesOrphansOnly(t *testing.T) {
	s := open(t)
	used, orphan := keep(t, s, "used"), keep(t, s, "orphan")
	f, err := s.Receive(t.Context(), strings.NewReader("coming in"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // as if the process had died here
	refers := func(_ context.Context, digests []string) (map[string]bool, error) {
		return map[string]bool{used: true}, nil
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{time.Minute, 0}, {grace - time.Minute, 0}, {grace + time.Minute, 2}, {2 * grace, 0}, {keptAside + 3*grace, 0}} {
		if n, err := s.Sweep(t.Context(), time.Now().Add(c.after), refers); err != nil || n != c.want {
			t.Errorf("after %v: %d removed (%v), want %d", c.after, n, err, c.want)
		}
	}
	if err := s.Check(t.Context(), used, 4); err != nil {
		t.Error("what is used was removed:", err)
	}
	if err := s.Check(t.Context(), orphan, 6); !errors.Is(err, ErrMissing) {
		t.Error("the orphan is still there:", err)
	}
	if all := files(t, s); len(all) != 1 {
		t.Errorf("left: %q", all)
	}
	if _, err := s.Sweep(t.Context(), time.Now().Add(3*grace), func(context.Context, []string) (map[string]bool, error) {
		return nil, errors.New("the database is away")
	}); err == nil || s.Check(t.Context(), used, 4) != nil {
		t.Error("a sweep that cannot ask removes nothing:", err)
	}
}

// TestSweepAgainstSenders: a file that is old and unused is sent again while it
// is being swept. Whoever kept it finds it there.
func TestSweepAgainstSenders(t *testing.T) {
	s := open(t)
	nobody := func(context.Context, []string) (map[string]bool, error) { return nil, nil }
	for range 200 {
		digest := keep(t, s, "again")
		long := time.Now().Add(-2 * grace)
		if err := os.Chtimes(s.path(digest), long, long); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := s.Sweep(t.Context(), time.Now(), nobody); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() { keep(t, s, "again") })
		both.Wait()
		if err := s.Check(t.Context(), digest, 5); err != nil {
			t.Fatal("kept, and swept away:", err)
		}
	}
}

// TestTheWrongDatabaseIsNotTheEnd: a sweep that is told that nobody refers to
// anything puts the files aside, and one that knows better brings them back.
func TestTheWrongDatabaseIsNotTheEnd(t *testing.T) {
	s := open(t)
	digest := keep(t, s, "installer")
	says := func(wanted bool) func(context.Context, []string) (map[string]bool, error) {
		return func(context.Context, []string) (map[string]bool, error) { return map[string]bool{digest: wanted}, nil }
	}
	later := time.Now().Add(2 * grace)
	if n, err := s.Sweep(t.Context(), later, says(false)); n != 1 || err != nil || !errors.Is(s.Check(t.Context(), digest, 9), ErrMissing) {
		t.Fatalf("%d swept: %v", n, err)
	}
	if _, err := s.Sweep(t.Context(), later.Add(grace), says(true)); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context(), digest, 9); err != nil {
		t.Error("it did not come back:", err)
	}
}

// TestHeldLately: a check holds for a minute, and only while nobody writes.
func TestHeldLately(t *testing.T) {
	s := open(t)
	digest, now := keep(t, s, "installer"), time.Now()
	if s.HeldLately(digest, 9, now) {
		t.Error("nobody has looked yet")
	}
	check := func() {
		t.Helper()
		if err := s.CheckAt(t.Context(), digest, 9, now); err != nil {
			t.Fatal(err)
		}
	}
	check()
	for after, want := range map[time.Duration]bool{0: true, lately - time.Second: true, lately: false, -time.Second: false} {
		if got := s.HeldLately(digest, 9, now.Add(after)); got != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
	if s.HeldLately(digest, 8, now) {
		t.Error("of another size")
	}
	if err := os.WriteFile(s.path(digest), []byte("INSTALLER"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(s.path(digest), now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if s.HeldLately(digest, 9, now) {
		t.Error("it was written to")
	}
	if err := s.CheckAt(t.Context(), digest, 9, now); !errors.Is(err, ErrAltered) || s.HeldLately(digest, 9, now) {
		t.Error("an altered file is remembered as held:", err)
	}
}

// TestOnlyFilesAreOpened: a pipe or a folder in a file's place ends at once.
func TestOnlyFilesAreOpened(t *testing.T) {
	s := open(t)
	digest := keep(t, s, "installer")
	for name, put := range map[string]func(path string) error{
		"a pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) }, "a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link": func(path string) error { return os.Symlink("/etc/passwd", path) },
	} {
		if err := errors.Join(os.Remove(s.path(digest)), put(s.path(digest))); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context(), digest, 9); !errors.Is(err, ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
