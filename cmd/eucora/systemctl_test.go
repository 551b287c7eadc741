package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// systemctl stands in for systemd's on test machines: systemctl start|stop|restart
// NAME runs the ExecStart line of NAME.service in this directory. It returns from
// start when the server listens, and from stop when it has ended.
func systemctl() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "systemctl start|stop|restart NAME")
		os.Exit(2)
	}
	u := unit(os.Args[2])
	var err error
	if os.Args[1] != "start" {
		err = u.signal(syscall.SIGTERM)
	}
	if os.Args[1] != "stop" && err == nil {
		err = u.start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "systemctl:", err)
		os.Exit(1)
	}
}

// unit is a service by its name, or its path without the ending.
type unit string

func (u unit) start() error {
	text, err := os.ReadFile(string(u) + ".service")
	if err != nil {
		return err
	}
	var line []string
	for text := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(text, "ExecStart="); ok {
			line = strings.Fields(rest)
		}
	}
	if len(line) == 0 {
		return fmt.Errorf("%s.service has no ExecStart", u)
	}
	log, err := os.OpenFile(string(u)+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	running, err := os.Create(string(u) + ".pid") // locked as long as it runs
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(running.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%s runs: %w", u, err)
	}
	command := exec.Command(filepath.Base(line[0]), line[1:]...)
	command.Stderr, command.ExtraFiles, command.SysProcAttr = log, []*os.File{running}, &syscall.SysProcAttr{Setsid: true}
	command.Env = []string{"PATH=" + os.Getenv("PATH")} // and no variable of whoever starts it
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(running, command.Process.Pid); err != nil {
		return err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // the line that says that it listens
		said, _ := os.ReadFile(string(u) + ".log")
		return fmt.Errorf("%s did not start: %s", u, said)
	}
	return nil
}

// signal sends a signal to what runs, and waits for its end.
func (u unit) signal(s syscall.Signal) error {
	running, err := os.Open(string(u) + ".pid")
	if err != nil {
		return err
	}
	defer running.Close()
	if syscall.Flock(int(running.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return nil // nothing has it
	}
	text, err := os.ReadFile(running.Name())
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		return err
	}
	return syscall.Flock(int(running.Fd()), syscall.LOCK_EX)
}
