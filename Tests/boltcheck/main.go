// boltcheck looks at bbolt files with the original library.
//
//	check FILE                      tx.Check, order and seeks of every bucket, and bbolt's unwritten assumptions
//	dump FILE OUT                   all buckets, keys and values as length-prefixed records
//	mutate FILE SEED COUNT          random updates in several transactions against a model, check after each
//	put FILE BUCKET KEY HEX         writes one value
//	delete FILE BUCKET KEY          removes one
//	make FILE SEED COUNT PAGESIZE NOFREELISTSYNC MAXVALUE
//	                                a file as the library writes it: random order, deletes, nested buckets
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func number(index int) int {
	if index >= len(os.Args) {
		fail("argument %d is missing", index)
	}
	n, err := strconv.Atoi(os.Args[index])
	must(err)
	return n
}

func open(path string, readOnly bool) *bolt.DB {
	db, err := bolt.Open(path, 0600, &bolt.Options{ReadOnly: readOnly, Timeout: 2 * time.Second, NoSync: true})
	must(err)
	return db
}

func main() {
	if len(os.Args) < 3 || os.Args[1] == "dump" && len(os.Args) < 4 {
		fail("usage: boltcheck check|dump|mutate|make|put|delete FILE …")
	}
	path := os.Args[2]
	switch os.Args[1] {
	case "check":
		check(path)
		assumptions(path)
	case "dump":
		db := open(path, true)
		defer db.Close()
		out, err := os.Create(os.Args[3])
		must(err)
		w := bufio.NewWriterSize(out, 1<<20)
		must(db.View(func(tx *bolt.Tx) error {
			return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
				dump(w, name, b)
				return nil
			})
		}))
		must(w.Flush())
		must(out.Close())
	case "mutate":
		mutate(path, int64(number(3)), number(4))
	case "put", "delete":
		edit(path, os.Args[3:])
	case "make":
		create(path, int64(number(3)), number(4), number(5), number(6) != 0, number(7))
	default:
		fail("unknown command")
	}
}

// edit puts the words BUCKET KEY HEX, or deletes BUCKET KEY.
func edit(path string, words []string) {
	if len(words) < 2 {
		fail("usage: boltcheck put FILE BUCKET KEY HEX, or delete FILE BUCKET KEY")
	}
	db := open(path, false)
	must(db.Update(func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte(words[0]))
		if bucket == nil {
			return fmt.Errorf("no bucket %s", words[0])
		}
		if len(words) == 2 {
			return bucket.Delete([]byte(words[1]))
		}
		value, err := hex.DecodeString(words[2])
		if err != nil {
			return err
		}
		return bucket.Put([]byte(words[1]), value)
	}))
	must(db.Close())
}

func check(path string) {
	db := open(path, true)
	defer db.Close()
	must(db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			fail("check: %v", err)
		}
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			order(b)
			return nil
		})
	}))
}

// order walks a bucket forwards and looks every hundredth key up again.
func order(b *bolt.Bucket) {
	var last []byte
	n := 0
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if last != nil && bytes.Compare(last, k) >= 0 {
			fail("order: %x after %x", k, last)
		}
		last = append(last[:0], k...)
		if v == nil {
			order(b.Bucket(k))
		} else if n%100 == 0 && !bytes.Equal(b.Get(k), v) {
			fail("seek: %x not found", k)
		}
		n++
	}
}

// assumptions tests what bbolt needs for updates and does not check: page numbers, exact branch keys, two children.
func assumptions(path string) {
	file, err := os.ReadFile(path)
	must(err)
	size := uint64(binary.LittleEndian.Uint32(file[0x18:]))
	first, second := file[:size], file[size:]
	live := first
	if binary.LittleEndian.Uint64(second[0x40:]) > binary.LittleEndian.Uint64(first[0x40:]) {
		live = second
	}
	subtree(file, size, binary.LittleEndian.Uint64(live[0x20:]))
}

func subtree(file []byte, size, id uint64) []byte {
	page := file[id*size:]
	if got := binary.LittleEndian.Uint64(page); got != id {
		fail("page %d has number %d", id, got)
	}
	count := int(binary.LittleEndian.Uint16(page[10:]))
	isBranch := binary.LittleEndian.Uint16(page[8:]) == 1
	if isBranch && count < 2 {
		fail("branch page %d has %d children", id, count)
	}
	var firstKey []byte
	for i := 0; i < count; i++ {
		e := page[16+16*i:]
		if isBranch {
			pos, n := binary.LittleEndian.Uint32(e), binary.LittleEndian.Uint32(e[4:])
			key := e[pos : pos+n]
			if below := subtree(file, size, binary.LittleEndian.Uint64(e[8:])); !bytes.Equal(key, below) {
				fail("branch page %d element %d: key %x, first key below %x", id, i, key, below)
			}
			if i == 0 {
				firstKey = key
			}
			continue
		}
		pos, n := binary.LittleEndian.Uint32(e[4:]), binary.LittleEndian.Uint32(e[8:])
		if i == 0 {
			firstKey = e[pos : pos+n]
		}
		if binary.LittleEndian.Uint32(e) == 1 {
			if root := binary.LittleEndian.Uint64(e[pos+n:]); root != 0 {
				subtree(file, size, root)
			}
		}
	}
	return firstKey
}

// dump writes a bucket as a record 'b' (name, sequence), its entries as 'e' (key, value), its buckets, and 'x'.
func dump(w *bufio.Writer, name []byte, b *bolt.Bucket) {
	var sequence [8]byte
	binary.LittleEndian.PutUint64(sequence[:], b.Sequence())
	record(w, 'b', name, sequence[:])
	must(b.ForEach(func(k, v []byte) error {
		if v != nil {
			record(w, 'e', k, v)
		}
		return nil
	}))
	must(b.ForEach(func(k, v []byte) error {
		if v == nil {
			dump(w, k, b.Bucket(k))
		}
		return nil
	}))
	record(w, 'x', nil, nil)
}

func record(w *bufio.Writer, kind byte, key, value []byte) {
	var size [4]byte
	w.WriteByte(kind)
	for _, part := range [][]byte{key, value} {
		binary.LittleEndian.PutUint32(size[:], uint32(len(part)))
		w.Write(size[:])
		w.Write(part)
	}
}

func randomKey(r *rand.Rand) []byte {
	n := 1 + r.Intn(40)
	if r.Intn(50) == 0 {
		n = 1 + r.Intn(3000)
	}
	k := make([]byte, n)
	r.Read(k)
	return k
}

func randomValue(r *rand.Rand, most int) []byte {
	n := r.Intn(200)
	if r.Intn(30) == 0 {
		n = r.Intn(most + 1)
	}
	v := make([]byte, n)
	r.Read(v)
	return v
}

// mutate changes every bucket at the top level, in eight transactions each followed by a check.
func mutate(path string, seed int64, count int) {
	r := rand.New(rand.NewSource(seed))
	db := open(path, false)
	defer db.Close()
	model := map[string]map[string][]byte{}
	must(db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			entries := map[string][]byte{}
			model[string(name)] = entries
			return b.ForEach(func(k, v []byte) error {
				if v != nil {
					entries[string(k)] = append([]byte{}, v...)
				}
				return nil
			})
		})
	}))
	names := []string{}
	for name := range model {
		names = append(names, name)
	}
	sort.Strings(names)
	for round := 0; round < 8; round++ {
		must(db.Update(func(tx *bolt.Tx) error {
			for _, name := range names {
				change(r, tx.Bucket([]byte(name)), model[name], count/8/len(names)+1)
			}
			return nil
		}))
		must(db.View(func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				fail("check after round %d: %v", round, err)
			}
			for _, name := range names {
				compare(tx.Bucket([]byte(name)), model[name])
			}
			return nil
		}))
	}
}

func change(r *rand.Rand, b *bolt.Bucket, model map[string][]byte, count int) {
	keys := make([]string, 0, len(model))
	for k := range model {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for i := 0; i < count; i++ {
		action := r.Intn(3)
		if action == 0 || len(keys) == 0 {
			k, v := randomKey(r), randomValue(r, 20000)
			if b.Bucket(k) == nil {
				must(b.Put(k, v))
				model[string(k)] = v
			}
			continue
		}
		k := keys[r.Intn(len(keys))]
		if action == 1 {
			must(b.Delete([]byte(k)))
			delete(model, k)
		} else {
			v := randomValue(r, 20000)
			must(b.Put([]byte(k), v))
			model[k] = v
		}
	}
}

func compare(b *bolt.Bucket, model map[string][]byte) {
	n := 0
	must(b.ForEach(func(k, v []byte) error {
		if v == nil {
			return nil
		}
		n++
		if want, ok := model[string(k)]; !ok || !bytes.Equal(want, v) {
			fail("content: %x differs from the model", k)
		}
		return nil
	}))
	if n != len(model) {
		fail("content: %d entries instead of %d", n, len(model))
	}
}

func create(path string, seed int64, count, pageSize int, noFreelistSync bool, maxValue int) {
	r := rand.New(rand.NewSource(seed))
	db, err := bolt.Open(path, 0600, &bolt.Options{PageSize: pageSize, NoFreelistSync: noFreelistSync, NoSync: true})
	must(err)
	defer db.Close()
	for round := 0; round < 4; round++ {
		must(db.Update(func(tx *bolt.Tx) error {
			data, err := tx.CreateBucketIfNotExists([]byte("data"))
			must(err)
			for i := 0; i < count/4; i++ {
				must(data.Put(randomKey(r), randomValue(r, maxValue)))
			}
			if round == 2 {
				c := data.Cursor()
				for k, _ := c.First(); k != nil; k, _ = c.Next() {
					if r.Intn(3) == 0 {
						must(c.Delete())
					}
				}
			}
			small, err := tx.CreateBucketIfNotExists([]byte("small"))
			must(err)
			must(small.Put([]byte("empty"), nil))
			must(small.SetSequence(uint64(seed) + 7))
			_, err = tx.CreateBucketIfNotExists([]byte("void"))
			must(err)
			nested, err := tx.CreateBucketIfNotExists([]byte("nested"))
			must(err)
			for i := 0; i < 30 && i < 2+count/10; i++ {
				inner, err := nested.CreateBucketIfNotExists([]byte(fmt.Sprintf("inner%02d", i)))
				must(err)
				for j := 0; j < i*3 && j < count/8; j++ {
					must(inner.Put(randomKey(r), randomValue(r, 300)))
				}
			}
			return nested.Put([]byte("plain"), []byte("value"))
		}))
	}
}
