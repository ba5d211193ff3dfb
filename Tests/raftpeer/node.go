package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/boltdb/bolt"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
)

// settings are the flags of a node.
type settings struct {
	id, raftAddress, httpAddress, data, bootstrap, logLevel string
	stopAtEOF                                               bool
	entries                                                 string
	multiplier                                              float64
	trailing, threshold                                     uint64
	snapshotInterval                                        time.Duration
}

// node is a running member.
type node struct {
	id        string
	log       hclog.Logger
	machine   *machine
	store     *raftboltdb.BoltStore
	transport *raft.NetworkTransport
	raft      *raft.Raft
}

func parseNode(arguments []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("raftpeer node", flag.ExitOnError)
	flags.StringVar(&s.id, "id", "", "id of this node")
	flags.StringVar(&s.raftAddress, "raft", "127.0.0.1:0", "address for the other nodes")
	flags.StringVar(&s.httpAddress, "http", "127.0.0.1:0", "address for HTTP")
	flags.StringVar(&s.data, "data", "", "directory of log and snapshots, made if missing")
	flags.StringVar(&s.bootstrap, "bootstrap", "", "first members, id=address,…; without it the node waits to be joined")
	flags.Float64Var(&s.multiplier, "multiplier", 1, "of the time-outs: heartbeat and election 1 s, lease 0.5 s")
	flags.StringVar(&s.entries, "entries", "memory", "where the entries are kept: memory, disk (a bolt file) or synced (it is, with every batch)")
	flags.Uint64Var(&s.trailing, "trailing", 10240, "entries that stay in the log behind a snapshot")
	flags.Uint64Var(&s.threshold, "threshold", 8192, "entries after which a snapshot is taken")
	flags.DurationVar(&s.snapshotInterval, "snapshot-interval", 120*time.Second, "how often that is looked at")
	flags.StringVar(&s.logLevel, "log-level", "INFO", "TRACE, DEBUG, INFO, WARN or ERROR")
	flags.BoolVar(&s.stopAtEOF, "stop-at-eof", false, "stop when standard input ends, as when whoever holds it is gone")
	flags.Parse(arguments)
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("%q is no flag", flags.Arg(0))
	case s.id == "" || s.data == "":
		return s, errors.New("a node needs -id and -data")
	case s.entries != "memory" && s.entries != "disk" && s.entries != "synced":
		return s, fmt.Errorf("-entries: %q is not memory, disk or synced", s.entries)
	case hclog.LevelFromString(s.logLevel) == hclog.NoLevel:
		return s, fmt.Errorf("-log-level: there is no level %q", s.logLevel)
	}
	return s, nil
}

func runNode(arguments []string) error {
	s, err := parseNode(arguments)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.httpAddress)
	if err != nil {
		return err
	}
	n, err := startNode(s)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if s.stopAtEOF {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			signals <- syscall.SIGTERM
		}()
	}
	server := &http.Server{Handler: n.handler(), ReadHeaderTimeout: 10 * time.Second}
	failure := make(chan error, 1)
	go func() { failure <- server.Serve(listener) }()
	ready, err := json.Marshal(map[string]string{
		"id": n.id, "raft": string(n.transport.LocalAddr()), "http": listener.Addr().String(),
	})
	if err != nil {
		return err
	}
	fmt.Println(string(ready))
	select {
	case err = <-failure:
	case received := <-signals:
		n.log.Info("stopping", "signal", received.String())
		patience, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	}
	return firstError(err, n.stop())
}

// startNode opens the directory, bootstraps it if it is new, and takes part in the cluster.
func startNode(s settings) (*node, error) {
	n := &node{id: s.id}
	n.log = hclog.New(&hclog.LoggerOptions{
		Name: s.id, Level: hclog.LevelFromString(s.logLevel), Output: os.Stderr,
	})
	n.machine = newMachine(n.log)
	if err := os.MkdirAll(s.data, 0700); err != nil {
		return nil, err
	}
	var err error
	// A second node on the same directory is to fail, not to wait.
	n.store, err = raftboltdb.New(raftboltdb.Options{
		Path: filepath.Join(s.data, "raft.db"), BoltOptions: &bolt.Options{Timeout: time.Second},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: raft.db: %w; does another node run on it?", s.data, err)
	}
	if s.entries != "memory" {
		if err := n.machine.keepOnDisk(filepath.Join(s.data, "entries.db"), s.entries == "synced"); err != nil {
			return nil, err
		}
	}
	files, err := raft.NewFileSnapshotStoreWithLogger(s.data, 1, n.log)
	if err != nil {
		return nil, err
	}
	snapshots := indexedSnapshots{files}
	n.transport, err = raft.NewTCPTransportWithLogger(s.raftAddress, nil, 3, 10*time.Second, n.log)
	if err != nil {
		return nil, err
	}
	config := s.config(n.log)
	if err := n.bootstrap(s, config, snapshots); err != nil {
		return nil, err
	}
	n.raft, err = raft.NewRaft(config, n.machine, n.store, n.store, snapshots, n.transport)
	return n, err
}

func (s settings) config(log hclog.Logger) *raft.Config {
	second := time.Duration(s.multiplier * float64(time.Second))
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(s.id)
	config.Logger = log
	config.HeartbeatTimeout, config.ElectionTimeout, config.LeaderLeaseTimeout = second, second, second/2
	config.CommitTimeout = 50 * time.Millisecond
	config.MaxAppendEntries = 64
	config.TrailingLogs, config.SnapshotThreshold = s.trailing, s.threshold
	config.SnapshotInterval = s.snapshotInterval
	return config
}

func (n *node) bootstrap(s settings, config *raft.Config, snapshots raft.SnapshotStore) error {
	if s.bootstrap == "" {
		return nil
	}
	exists, err := raft.HasExistingState(n.store, n.store, snapshots)
	if err != nil || exists {
		return err
	}
	var members raft.Configuration
	isMember := false
	for _, text := range strings.Split(s.bootstrap, ",") {
		id, address, found := strings.Cut(text, "=")
		if !found || id == "" || address == "" {
			return fmt.Errorf("-bootstrap: %q is not id=address", text)
		}
		members.Servers = append(members.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(id), Address: raft.ServerAddress(address),
		})
		isMember = isMember || (id == s.id && address == string(n.transport.LocalAddr()))
	}
	if !isMember {
		return fmt.Errorf("-bootstrap does not name this node, %s=%s", s.id, n.transport.LocalAddr())
	}
	return raft.BootstrapCluster(config, n.store, n.store, snapshots, n.transport, members)
}

func (n *node) stop() error {
	err := n.raft.Shutdown().Error()
	return firstError(err, n.transport.Close(), n.store.Close())
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
