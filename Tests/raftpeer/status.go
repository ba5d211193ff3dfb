package main

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

type server struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
}

type status struct {
	ID            string   `json:"id"`
	State         string   `json:"state"`
	Term          uint64   `json:"term"`
	Leader        string   `json:"leader"`
	FirstIndex    uint64   `json:"first_index"`
	LastIndex     uint64   `json:"last_index"`
	CommitIndex   uint64   `json:"commit_index"`
	AppliedIndex  uint64   `json:"applied_index"`
	SnapshotIndex uint64   `json:"snapshot_index"`
	Entries       int      `json:"entries"`
	Skipped       uint64   `json:"skipped"`
	Servers       []server `json:"servers"`
}

func (n *node) status(http.ResponseWriter, *http.Request) (interface{}, error) {
	stats := n.raft.Stats()
	number := func(name string) uint64 {
		value, _ := strconv.ParseUint(stats[name], 10, 64)
		return value
	}
	result := status{
		ID: n.id, State: stats["state"], Term: number("term"), Leader: string(n.raft.Leader()),
		LastIndex: number("last_log_index"), CommitIndex: number("commit_index"),
		SnapshotIndex: number("last_snapshot_index"), Servers: []server{},
	}
	if result.SnapshotIndex > result.LastIndex {
		result.LastIndex = result.SnapshotIndex
	}
	result.AppliedIndex = n.appliedIndex()
	result.Entries, result.Skipped, _ = n.machine.counts()
	var err error
	if result.FirstIndex, err = n.store.FirstIndex(); err != nil {
		return nil, err
	}
	future := n.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return nil, err
	}
	for _, one := range future.Configuration().Servers {
		result.Servers = append(result.Servers, server{
			ID: string(one.ID), Address: string(one.Address), Voter: one.Suffrage == raft.Voter,
		})
	}
	return result, nil
}

// appliedIndex is how far the state machine has come. The library's own index runs ahead of it, and the index of the
// last command falls behind: no-ops and barriers never reach a state machine.
func (n *node) appliedIndex() uint64 {
	handed := n.raft.AppliedIndex()
	taken := n.machine.taken()
	for index := handed; index > taken; index-- {
		var entry raft.Log
		if err := n.store.GetLog(index, &entry); err != nil {
			// Trimmed: it is in a snapshot, which the state machine had made or taken.
			break
		}
		if entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration {
			return taken
		}
	}
	if taken > handed {
		return taken
	}
	return handed
}

// settle waits until the state machine has taken what this node knows to be committed.
func (n *node) settle(patience time.Duration) error {
	committed, _ := strconv.ParseUint(n.raft.Stats()["commit_index"], 10, 64)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if n.appliedIndex() >= committed {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("the state machine did not take all that is committed in time")
		}
	}
}

func (n *node) digest(http.ResponseWriter, *http.Request) (interface{}, error) {
	if err := n.settle(10 * time.Second); err != nil {
		return nil, err
	}
	entries, index := n.machine.copied()
	return map[string]interface{}{"entries": len(entries), "index": index, "digest": digest(entries)}, nil
}
