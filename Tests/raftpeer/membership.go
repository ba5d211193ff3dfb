package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/raft"
)

// patienceForChanges is how long a change of membership may take until it counts as not done.
const patienceForChanges = 30 * time.Second

func (n *node) join(w http.ResponseWriter, r *http.Request) (interface{}, error) {
	var wanted server
	if err := decodeBody(w, r, &wanted); err != nil {
		return nil, err
	}
	if wanted.ID == "" || wanted.Address == "" {
		return nil, badRequest(errors.New("a member has id and address"))
	}
	add := n.raft.AddNonvoter
	if wanted.Voter {
		add = n.raft.AddVoter
	}
	return n.changed(add(raft.ServerID(wanted.ID), raft.ServerAddress(wanted.Address), 0, patienceForChanges))
}

func (n *node) remove(w http.ResponseWriter, r *http.Request) (interface{}, error) {
	var wanted server
	if err := decodeBody(w, r, &wanted); err != nil {
		return nil, err
	}
	if wanted.ID == "" {
		return nil, badRequest(errors.New("the member's id is missing"))
	}
	return n.changed(n.raft.RemoveServer(raft.ServerID(wanted.ID), 0, patienceForChanges))
}

func (n *node) changed(future raft.IndexFuture) (interface{}, error) {
	if err := within(patienceForChanges, future); err != nil {
		return nil, err
	}
	return map[string]uint64{"index": future.Index()}, nil
}

func (n *node) snapshot(http.ResponseWriter, *http.Request) (interface{}, error) {
	future := n.raft.Snapshot()
	if err := future.Error(); err != nil {
		return nil, &refusal{http.StatusConflict, "none", err}
	}
	meta, source, err := future.Open()
	if err != nil {
		return nil, err
	}
	source.Close()
	return map[string]interface{}{"index": meta.Index, "term": meta.Term, "bytes": meta.Size}, nil
}

func (n *node) transfer(w http.ResponseWriter, r *http.Request) (interface{}, error) {
	var wanted server
	if err := decodeBody(w, r, &wanted); err != nil {
		return nil, err
	}
	var future raft.Future
	if wanted.ID == "" && wanted.Address == "" {
		future = n.raft.LeadershipTransfer()
	} else {
		future = n.raft.LeadershipTransferToServer(raft.ServerID(wanted.ID), raft.ServerAddress(wanted.Address))
	}
	if err := within(patienceForChanges, future); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}
