package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// starts: how long serve takes on an existing database to its first answer, and
// how much memory it needs while nobody asks.
func starts(b *bench) {
	fmt.Println("Start and idle memory of the static binary")
	program := filepath.Join(b.TempDir(), "eucora")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/eucora")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	b.check(build.Run())
	data := dataDir(b)
	if out, err := exec.Command(program, "user", "add", "erin", "--role", "packaging_engineer", "--data", data).CombinedOutput(); err != nil {
		b.Fatal(string(out), err)
	}
	best := time.Hour
	for range 5 {
		begin := time.Now()
		serve := exec.Command(program, "serve", "--data", data, "--listen", "127.0.0.1:0")
		out, err := serve.StdoutPipe()
		b.check(err)
		b.check(serve.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		b.check(err)
		response, err := http.Get(strings.TrimSpace(strings.TrimPrefix(line, "listening on ")) + "/readyz")
		b.check(err)
		response.Body.Close()
		took := time.Since(begin)
		best = min(best, took)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", serve.Process.Pid))
		b.check(err)
		for line := range strings.SplitSeq(string(status), "\n") {
			if memory, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				say("first answer after %s, resident %s", took.Round(time.Millisecond), strings.TrimSpace(memory))
			}
		}
		b.check(serve.Process.Signal(syscall.SIGTERM))
		b.check(serve.Wait())
	}
	info, err := os.Stat(program)
	b.check(err)
	say("best %s (wanted: under 300 ms; memory under 60 MB); the binary has %.1f MB", best.Round(time.Millisecond), float64(info.Size())/1e6)
}
