package storetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a throwaway PostgreSQL server on loopback. It dies with the test
// binary.
type Server struct {
	bin, dir string
	port     int
	as       *syscall.SysProcAttr
	process  *exec.Cmd
	ended    chan struct{} // closed when the process has ended
}

// shared starts one server for the test binary, when first asked.
var shared = sync.OnceValues(func() (*Server, error) { return newServer() })

// Start starts a server of the test's own, to be stopped and started again.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := newServer()
	if err != nil {
		if os.Getenv("EUCORA_REQUIRE_POSTGRES") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		s.Stop(t)
		os.RemoveAll(s.dir)
	})
	return s
}

func newServer() (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	removeOld()
	dir, err := os.MkdirTemp("", fmt.Sprintf("eucora-postgres-%d-", os.Getpid()))
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, as: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	if err := s.becomePostgres(); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "eucora", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr = s.as
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.start()
}

// becomePostgres: PostgreSQL refuses to run as root, so root runs it as the
// user postgres.
func (s *Server) becomePostgres() error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(real), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("initdb is neither in PATH nor in /usr/lib/postgresql: install PostgreSQL (apt-get install postgresql)")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// removeOld removes what servers of test binaries that were killed left behind.
func removeOld() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), "eucora-postgres-*"))
	for _, dir := range left {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), "eucora-postgres-%d-", &pid); err != nil {
			continue
		}
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) start() error {
	// Pdeathsig is sent when the thread that started the process ends, so the
	// server gets a thread of its own that lives as long as the process.
	failed := make(chan error, 1)
	s.ended = make(chan struct{})
	go func() {
		runtime.LockOSThread()
		s.process = exec.Command(filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.dir, "data"),
			"-c", "listen_addresses=127.0.0.1", "-c", fmt.Sprintf("port=%d", s.port), "-c", "unix_socket_directories=",
			"-c", "max_connections=300", "-c", "fsync="+fsync(), "-c", "shared_buffers=256MB", "-c", "log_min_messages=fatal")
		s.process.SysProcAttr = s.as
		s.process.Dir = s.dir
		if err := s.process.Start(); err != nil {
			failed <- err
			return
		}
		failed <- nil
		_ = s.process.Wait()
		close(s.ended)
	}()
	if err := <-failed; err != nil {
		return err
	}
	return s.ready()
}

// fsync is off for tests, which do not pull the plug on the machine, and on for
// benchmarks.
func fsync() string {
	if os.Getenv("EUCORA_POSTGRES_FSYNC") == "1" {
		return "on"
	}
	return "off"
}

func (s *Server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		c, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not come up: %w", err)
		case <-ticker.C:
		}
	}
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://eucora@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Database makes an empty database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	name := fmt.Sprintf("eucora_%d_%d", os.Getpid(), databases.Add(1))
	if _, err := c.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.url(name)
}

// Stop stops the server at once, as a crash would.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	_ = s.process.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		t.Fatal("PostgreSQL does not stop")
	}
}

// Restart starts a stopped server again, on the same port.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	os.Remove(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}
