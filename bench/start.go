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
	program := build(b)
	data := dataDir(b)
	if out, err := exec.Command(program, "user", "add", "erin", "--role", "packaging_engineer", "--data", data).CombinedOutput(); err != nil {
		b.Fatal(string(out), err)
	}
	best := time.Hour
	for range 5 {
		begin := time.Now()
		serve, address := serve(b, program, data)
		response, err := http.Get(address + "/readyz")
		b.check(err)
		response.Body.Close()
		took := time.Since(begin)
		best = min(best, took)
		say("first answer after %s, resident %d MiB", took.Round(time.Millisecond), resident(b, serve.Process.Pid, "VmRSS:")>>20)
		b.check(serve.Process.Signal(syscall.SIGTERM))
		b.check(serve.Wait())
	}
	info, err := os.Stat(program)
	b.check(err)
	say("best %s (wanted: under 300 ms; memory under 60 MB); the binary has %.1f MB", best.Round(time.Millisecond), float64(info.Size())/1e6)
}

// build builds the static binary.
func build(b *bench) string {
	program := filepath.Join(b.TempDir(), "eucora")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/eucora")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	b.check(build.Run())
	return program
}

// serve starts a server of its own, and returns where it listens.
func serve(b *bench, program, data string) (process *exec.Cmd, address string) {
	process = exec.Command(program, "serve", "--data", data, "--listen", "127.0.0.1:0")
	out, err := process.StdoutPipe()
	b.check(err)
	b.check(process.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	b.check(err)
	return process, strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

// resident is what a process has in memory (VmRSS:), or had at most (VmHWM:), in
// bytes.
func resident(b *bench, pid int, which string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	b.check(err)
	var kib int64
	for line := range strings.SplitSeq(string(status), "\n") {
		if text, ok := strings.CutPrefix(line, which); ok {
			_, err := fmt.Sscan(text, &kib)
			b.check(err)
		}
	}
	return kib << 10
}
