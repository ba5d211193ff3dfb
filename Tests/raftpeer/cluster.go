package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// cluster is nodes that a benchmark has started, by their command lines, and kills.
type cluster struct {
	addresses []string
	commands  [][]string
	running   []*exec.Cmd
	folder    string
}

// commandLines is a flag that can be given several times.
type commandLines []string

func (c *commandLines) String() string     { return strings.Join(*c, "; ") }
func (c *commandLines) Set(t string) error { *c = append(*c, t); return nil }

// newCluster is one of the given command lines, or else of three nodes of this program in a temporary folder.
func newCluster(addresses []string, lines commandLines, multiplier float64, flags ...string) (*cluster, error) {
	c := &cluster{addresses: addresses}
	if len(lines) != len(addresses) {
		return nil, errors.New("one -start for each address in -http, in the same order")
	}
	for _, line := range lines {
		c.commands = append(c.commands, strings.Fields(line))
	}
	if len(lines) == 0 {
		if err := c.planOwn(3, multiplier, flags); err != nil {
			return nil, err
		}
	}
	c.running = make([]*exec.Cmd, len(c.commands))
	// Children are to die with the thread that starts them, which is to be the program's own.
	runtime.LockOSThread()
	for place := range c.commands {
		if err := c.start(place); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

func (c *cluster) planOwn(count int, multiplier float64, flags []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if c.folder, err = os.MkdirTemp("", "raftpeer"); err != nil {
		return err
	}
	ports, err := freeAddresses(2 * count)
	if err != nil {
		return err
	}
	members := make([]string, count)
	for place := range members {
		members[place] = fmt.Sprintf("n%d=%s", place+1, ports[place])
	}
	for place := range members {
		id := fmt.Sprintf("n%d", place+1)
		c.addresses = append(c.addresses, ports[count+place])
		c.commands = append(c.commands, append([]string{
			program, "node", "-id", id, "-raft", ports[place], "-http", ports[count+place],
			"-data", filepath.Join(c.folder, id), "-bootstrap", strings.Join(members, ","),
			"-multiplier", fmt.Sprint(multiplier), "-log-level", "ERROR",
		}, flags...))
	}
	return nil
}

func freeAddresses(count int) ([]string, error) {
	addresses := make([]string, count)
	for place := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Open until all are found, so that each is another.
		defer listener.Close()
		addresses[place] = listener.Addr().String()
	}
	return addresses, nil
}

func (c *cluster) start(place int) error {
	if len(c.commands[place]) == 0 {
		return errors.New("-start is empty")
	}
	process := exec.Command(c.commands[place][0], c.commands[place][1:]...)
	process.Stderr = os.Stderr
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		return err
	}
	c.running[place] = process
	return nil
}

// kill ends a node at once and waits until it is gone.
func (c *cluster) kill(place int) {
	c.running[place].Process.Kill()
	c.running[place].Wait()
	c.running[place] = nil
}

// stop ends all nodes and removes what the cluster made.
func (c *cluster) stop() {
	for place, process := range c.running {
		if process != nil {
			c.kill(place)
		}
	}
	if c.folder != "" {
		os.RemoveAll(c.folder)
	}
}
