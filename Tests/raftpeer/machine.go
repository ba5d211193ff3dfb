package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"os"
	"sort"
	"sync"

	bolt "github.com/coreos/bbolt"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// machine is the state machine: entries in memory. Values are never changed once they are in.
type machine struct {
	log     hclog.Logger
	mutex   sync.RWMutex
	entries map[string][]byte
	// disk keeps the entries in place of the map, as a secrets server's state machine does.
	disk *bolt.DB
	// index is that of the last command or configuration applied, or of the snapshot.
	index   uint64
	skipped uint64
}

// applied is what a command did.
type applied struct {
	operations int
	problem    string
}

func newMachine(log hclog.Logger) *machine {
	return &machine{log: log, entries: map[string][]byte{}}
}

func (m *machine) Apply(entry *raft.Log) interface{} {
	return m.ApplyBatch([]*raft.Log{entry})[0]
}

// ApplyBatch is given configurations too, so that a snapshot can be taken behind one.
func (m *machine) ApplyBatch(batch []*raft.Log) []interface{} {
	results := make([]interface{}, len(batch))
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.disk == nil {
		m.applyAll(batch, results, memory{m.entries})
	} else if err := m.disk.Update(func(transaction *bolt.Tx) error {
		m.applyAll(batch, results, onDisk{transaction.Bucket(dataBucket)})
		return nil
	}); err != nil {
		// What is not kept must not be acknowledged, and a state machine has no other way to say so.
		panic(err)
	}
	return results
}

func (m *machine) applyAll(batch []*raft.Log, results []interface{}, target entryTarget) {
	for place, entry := range batch {
		if entry.Type == raft.LogCommand {
			results[place] = m.apply(entry, target)
		}
		m.index = entry.Index
	}
}

// entryTarget is where the entries are kept.
type entryTarget interface {
	put(key, value []byte) error
	remove(key []byte) error
}

type memory struct{ entries map[string][]byte }

func (t memory) put(key, value []byte) error {
	t.entries[string(key)] = append([]byte{}, value...)
	return nil
}

func (t memory) remove(key []byte) error {
	delete(t.entries, string(key))
	return nil
}

type onDisk struct{ bucket *bolt.Bucket }

func (t onDisk) put(key, value []byte) error { return t.bucket.Put(key, value) }
func (t onDisk) remove(key []byte) error     { return t.bucket.Delete(key) }

var dataBucket = []byte("data")

// keepOnDisk has the entries in a file, which is begun anew: log and snapshot bring them.
//
// Integrated storage syncs every batch that it applies; without isSynced the system writes when it likes, since the log is
// what is durable.
func (m *machine) keepOnDisk(path string, isSynced bool) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	disk, err := bolt.Open(path, 0600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	disk.NoSync = !isSynced
	m.disk, m.entries = disk, nil
	return disk.Update(func(transaction *bolt.Tx) error {
		_, err := transaction.CreateBucketIfNotExists(dataBucket)
		return err
	})
}

func (m *machine) apply(entry *raft.Log, target entryTarget) applied {
	problem := ""
	operations, err := decodeCommand(entry.Data)
	if len(entry.Extensions) > 0 {
		problem = "part of a chunked command"
	} else if err != nil {
		problem = err.Error()
	}
	if problem != "" {
		m.skipped++
		m.log.Warn("skipped a command", "index", entry.Index, "problem", problem)
		return applied{problem: problem}
	}
	result := applied{}
	for _, one := range operations {
		if len(one.key) == 0 {
			continue
		}
		switch one.kind {
		case deleteOperation:
			err = target.remove(one.key)
		case putOperation:
			err = target.put(one.key, one.value)
		default:
			continue
		}
		if err != nil {
			return applied{problem: err.Error()}
		}
		result.operations++
	}
	return result
}

// copied is the state as it is now.
func (m *machine) copied() (map[string][]byte, uint64) {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	if m.disk != nil {
		return m.read(), m.index
	}
	entries := make(map[string][]byte, len(m.entries))
	for key, value := range m.entries {
		entries[key] = value
	}
	return entries, m.index
}

// read is what is on disk.
func (m *machine) read() map[string][]byte {
	entries := map[string][]byte{}
	if err := m.disk.View(func(transaction *bolt.Tx) error {
		return transaction.Bucket(dataBucket).ForEach(func(key, value []byte) error {
			entries[string(key)] = append([]byte{}, value...)
			return nil
		})
	}); err != nil {
		panic(err)
	}
	return entries
}

func (m *machine) get(key []byte) ([]byte, bool) {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	if m.disk != nil {
		value, found := m.read()[string(key)]
		return value, found
	}
	value, found := m.entries[string(key)]
	return value, found
}

// taken is the index of what was applied last.
func (m *machine) taken() uint64 {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	return m.index
}

// counts gives back how many entries there are, how many commands were skipped, and the index.
func (m *machine) counts() (entries int, skipped, index uint64) {
	m.mutex.RLock()
	defer m.mutex.RUnlock()
	count := len(m.entries)
	if m.disk != nil {
		count = len(m.read())
	}
	return count, m.skipped, m.index
}

func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	entries, _ := m.copied()
	return &frozen{entries}, nil
}

// Restore leaves the state as it was if the snapshot cannot be read to its end. The library closes the source.
func (m *machine) Restore(source io.ReadCloser) error {
	entries, err := readFrames(source)
	if err != nil {
		return err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.disk == nil {
		m.entries = entries
	} else if err := m.disk.Update(func(transaction *bolt.Tx) error {
		if err := transaction.DeleteBucket(dataBucket); err != nil {
			return err
		}
		bucket, err := transaction.CreateBucket(dataBucket)
		for key, value := range entries {
			if err == nil {
				err = bucket.Put([]byte(key), value)
			}
		}
		return err
	}); err != nil {
		return err
	}
	if positioned, ok := source.(*positionedSnapshot); ok {
		m.index = positioned.index
	}
	return nil
}

// frozen is the state at the moment of a snapshot.
type frozen struct {
	entries map[string][]byte
}

func (f *frozen) Persist(sink raft.SnapshotSink) error {
	if err := writeFrames(sink, f.entries); err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

func (f *frozen) Release() {}

// indexedSnapshots tells the state machine which index a snapshot stands for: the library does not.
type indexedSnapshots struct {
	raft.SnapshotStore
}

type positionedSnapshot struct {
	io.ReadCloser
	index uint64
}

func (s indexedSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, source, err := s.SnapshotStore.Open(id)
	if err != nil {
		return nil, nil, err
	}
	return meta, &positionedSnapshot{source, meta.Index}, nil
}

func sortedKeys(entries map[string][]byte) []string {
	keys := make([]string, 0, len(entries))
	for key := range entries {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// digest is SHA-256 over all entries in order of their keys, in hexadecimal.
func digest(entries map[string][]byte) string {
	hash := sha256.New()
	var lengths [12]byte
	for _, key := range sortedKeys(entries) {
		value := entries[key]
		binary.BigEndian.PutUint32(lengths[:4], uint32(len(key)))
		binary.BigEndian.PutUint64(lengths[4:], uint64(len(value)))
		hash.Write(lengths[:4])
		io.WriteString(hash, key)
		hash.Write(lengths[4:])
		hash.Write(value)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
