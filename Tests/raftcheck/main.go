// raftcheck looks at directories of integrated storage with the original raft libraries.
//
//	address TEXT        what Go makes of a cluster address: "host HOST:PORT" or "error TEXT"
//	log FILE INDEX KINDS [TERM]
//	                    a raft.db whose log starts at INDEX, one entry of TERM (3) a letter: c command, n no-op, b barrier,
//	                    f something in place of a configuration, m a configuration of one voter node2 at
//	                    10.0.0.2:8201, x bytes that are no entry
//	store FILE          opens a raft.db as a server's library does and prints term, first and last index, vote, and a
//	                    digest of all its entries as the library decodes them
//	boot DIR ID         starts a node on a directory as a server does, waits until it leads, commits an entry, and
//	                    prints what it saw
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/boltdb/bolt"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
	bbolt "go.etcd.io/bbolt"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "address":
		address(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "log":
		writeLog(os.Args[2], os.Args[3], os.Args[4], "3")
	case len(os.Args) == 6 && os.Args[1] == "log":
		writeLog(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	case len(os.Args) == 3 && os.Args[1] == "store":
		store(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "boot":
		boot(os.Args[2], os.Args[3])
	default:
		must(errors.New("usage: raftcheck address TEXT | log FILE INDEX KINDS [TERM] | store FILE | boot DIR ID"))
	}
}

func address(text string) {
	if parsed, err := url.Parse(text); err != nil {
		fmt.Printf("error %v", err)
	} else {
		fmt.Printf("host %s", parsed.Host)
	}
}

func writeLog(path, first, kinds, termText string) {
	index, err := strconv.ParseUint(first, 10, 64)
	must(err)
	term, err := strconv.ParseUint(termText, 10, 64)
	must(err)
	store, err := raftboltdb.NewBoltStore(path)
	must(err)
	must(store.SetUint64([]byte("CurrentTerm"), 3))
	types := map[rune]raft.LogType{
		'c': raft.LogCommand, 'n': raft.LogNoop, 'b': raft.LogBarrier, 'f': raft.LogConfiguration,
		'm': raft.LogConfiguration,
	}
	membership := []byte("\x81\xa7Servers\x91\x83\xa7Address\xad10.0.0.2:8201\xa2ID\xa5node2\xa8Suffrage\x00")
	damaged := []uint64{}
	for _, kind := range kinds {
		if kind == 'x' {
			damaged = append(damaged, index)
		} else {
			data := []byte("some data")
			if kind == 'm' {
				data = membership
			}
			must(store.StoreLog(&raft.Log{Index: index, Term: term, Type: types[kind], Data: data}))
		}
		index++
	}
	must(store.Close())
	db, err := bolt.Open(path, 0600, nil)
	must(err)
	must(db.Update(func(tx *bolt.Tx) error {
		for _, index := range damaged {
			key := make([]byte, 8)
			binary.BigEndian.PutUint64(key, index)
			must(tx.Bucket([]byte("logs")).Put(key, []byte{0xc1, 1, 2}))
		}
		return nil
	}))
	must(db.Close())
}

func store(path string) {
	logs, err := raftboltdb.NewBoltStore(path)
	must(err)
	term, err := logs.GetUint64([]byte("CurrentTerm"))
	must(err)
	candidate, err := logs.Get([]byte("LastVoteCand"))
	if err != nil && err.Error() != "not found" {
		must(err)
	}
	first, err := logs.FirstIndex()
	must(err)
	last, err := logs.LastIndex()
	must(err)
	digest := sha256.New()
	count := 0
	for index := first; index <= last && first > 0; index++ {
		var entry raft.Log
		must(logs.GetLog(index, &entry))
		fmt.Fprintf(digest, "%d %d %d %x %x\n", entry.Index, entry.Term, entry.Type, entry.Data, entry.Extensions)
		count++
	}
	fmt.Printf("term %d vote %s first %d last %d entries %d %x\n", term, candidate, first, last, count, digest.Sum(nil))
	must(logs.Close())
}

// boltSnapshots presents vault.db as the node's only snapshot, as a server does.
type boltSnapshots struct {
	meta raft.SnapshotMeta
}

func (s *boltSnapshots) Create(raft.SnapshotVersion, uint64, uint64, raft.Configuration, uint64,
	raft.Transport) (raft.SnapshotSink, error) {
	return nil, errors.New("no snapshots are taken")
}

func (s *boltSnapshots) List() ([]*raft.SnapshotMeta, error) {
	if s.meta.Index == 0 {
		return nil, nil
	}
	return []*raft.SnapshotMeta{&s.meta}, nil
}

func (s *boltSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	return &s.meta, io.NopCloser(bytes.NewReader(nil)), nil
}

// countingFSM notes the entries it is given.
type countingFSM struct {
	indexes []uint64
}

func (f *countingFSM) Apply(entry *raft.Log) interface{} {
	f.indexes = append(f.indexes, entry.Index)
	return nil
}

func (f *countingFSM) Snapshot() (raft.FSMSnapshot, error) {
	return nil, errors.New("no snapshots are taken")
}

func (f *countingFSM) Restore(io.ReadCloser) error { return nil }

// fields reads a protocol buffers message: numbers and strings by field, the last of repeated ones.
func fields(message []byte) (map[uint64]uint64, map[uint64][]byte) {
	numbers, texts := map[uint64]uint64{}, map[uint64][]byte{}
	take := func() uint64 {
		value, n := binary.Uvarint(message)
		if n <= 0 {
			must(errors.New("a record of vault.db is damaged"))
		}
		message = message[n:]
		return value
	}
	for len(message) > 0 {
		tag := take()
		value := take()
		if tag&7 == 2 {
			texts[tag>>3], message = message[:value], message[value:]
		} else {
			numbers[tag>>3] = value
		}
	}
	return numbers, texts
}

func readSnapshot(path string) raft.SnapshotMeta {
	db, err := bbolt.Open(path, 0600, &bbolt.Options{Timeout: time.Second})
	must(err)
	defer db.Close()
	meta := raft.SnapshotMeta{Version: 1, ID: "bolt-snapshot"}
	must(db.View(func(tx *bbolt.Tx) error {
		config := tx.Bucket([]byte("config"))
		indexes, _ := fields(config.Get([]byte("latest_indexes")))
		meta.Term, meta.Index = indexes[1], indexes[2]
		numbers, texts := fields(config.Get([]byte("latest_config")))
		meta.ConfigurationIndex = numbers[1]
		suffrage, server := fields(texts[2])
		meta.Configuration.Servers = []raft.Server{{
			Suffrage: raft.ServerSuffrage(suffrage[1]), ID: raft.ServerID(server[2]),
			Address: raft.ServerAddress(server[3]),
		}}
		_, local := fields(config.Get([]byte("local_node_config")))
		fmt.Printf("local %s\n", local[1])
		fmt.Printf("entries %d\n", tx.Bucket([]byte("data")).Stats().KeyN)
		return nil
	}))
	return meta
}

func boot(directory, id string) {
	meta := readSnapshot(filepath.Join(directory, "vault.db"))
	server := meta.Configuration.Servers[0]
	fmt.Printf("snapshot %d term %d\n", meta.Index, meta.Term)
	fmt.Printf("configuration %d %v %s %s\n", meta.ConfigurationIndex, server.Suffrage, server.ID, server.Address)

	store, err := raftboltdb.NewBoltStore(filepath.Join(directory, "raft", "raft.db"))
	must(err)
	term, err := store.GetUint64([]byte("CurrentTerm"))
	must(err)
	first, err := store.FirstIndex()
	must(err)
	last, err := store.LastIndex()
	must(err)
	fmt.Printf("log term %d first %d last %d\n", term, first, last)

	_, transport := raft.NewInmemTransport(server.Address)
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(id)
	config.LogOutput = io.Discard
	config.HeartbeatTimeout, config.ElectionTimeout = 50*time.Millisecond, 50*time.Millisecond
	config.LeaderLeaseTimeout = 50 * time.Millisecond
	fsm := &countingFSM{}
	snapshots := &boltSnapshots{meta}
	exists, err := raft.HasExistingState(store, store, snapshots)
	must(err)
	fmt.Printf("existing state %v\n", exists)
	node, err := raft.NewRaft(config, fsm, store, store, snapshots, transport)
	must(err)
	select {
	case <-node.LeaderCh():
	case <-time.After(20 * time.Second):
		must(errors.New("no election was won"))
	}
	future := node.Apply([]byte("entry"), 20*time.Second)
	must(future.Error())
	fmt.Printf("committed %d\n", future.Index())
	var noop raft.Log
	must(store.GetLog(meta.Index+1, &noop))
	fmt.Printf("before it %d type %d term %d\n", noop.Index, noop.Type, noop.Term)
	must(node.Shutdown().Error())
	fmt.Printf("applied %v\n", fsm.indexes)
	must(store.Close())
}
