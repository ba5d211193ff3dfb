package main

import (
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// loadPlan is which entries to put, and how.
type loadPlan struct {
	Entries    int    `json:"entries"`
	ValueBytes int    `json:"value_bytes"`
	Batch      int    `json:"batch"`
	Workers    int    `json:"workers"`
	Prefix     string `json:"prefix"`
	Seed       uint64 `json:"seed"`
}

func (p loadPlan) check() error {
	switch {
	case p.Entries < 0 || p.Entries > 1_000_000_000:
		return errors.New("entries: 0 to 1,000,000,000")
	case p.Workers < 1 || p.Workers > 1024:
		return errors.New("workers: 1 to 1,024")
	case p.ValueBytes < 0 || p.ValueBytes > largestCommand:
		return fmt.Errorf("value_bytes: 0 to %d", largestCommand)
	case p.Batch < 1 || p.Batch > largestCommand || p.Batch*(p.ValueBytes+len(p.Prefix)+32) > largestCommand:
		return fmt.Errorf("batch: at least 1, and a command may have %d bytes", largestCommand)
	}
	return nil
}

func (p loadPlan) commands() int { return (p.Entries + p.Batch - 1) / p.Batch }

// key of an entry. Ten digits: the order of the keys is that of the numbers.
func (p loadPlan) key(number int) []byte { return []byte(fmt.Sprintf("%s%010d", p.Prefix, number)) }

// value of an entry: bytes of SplitMix64, one of each number it gives.
func (p loadPlan) value(number int) []byte {
	value := make([]byte, p.ValueBytes)
	state := p.Seed + uint64(number)
	for place := range value {
		state += 0x9E3779B97F4A7C15
		z := state
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		value[place] = byte(z ^ z>>31)
	}
	return value
}

// command puts the entries of one batch.
func (p loadPlan) command(batch int) []byte {
	first, end := batch*p.Batch, (batch+1)*p.Batch
	if end > p.Entries {
		end = p.Entries
	}
	command := make([]byte, 0, (end-first)*(p.ValueBytes+len(p.Prefix)+16+bits.Len(uint(p.ValueBytes))))
	for number := first; number < end; number++ {
		command = appendPut(command, p.key(number), p.value(number))
	}
	return command
}

// run sends every batch once, by as many workers as planned; the first error ends it.
func (p loadPlan) run(send func(worker int, command []byte) error) (took time.Duration, err error) {
	var next int64 = -1
	var failure atomic.Value
	var group sync.WaitGroup
	started := time.Now()
	for worker := 0; worker < p.Workers; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for failure.Load() == nil {
				batch := int(atomic.AddInt64(&next, 1))
				if batch >= p.commands() {
					return
				}
				if err := send(worker, p.command(batch)); err != nil {
					failure.CompareAndSwap(nil, loadFailure{err})
					return
				}
			}
		}(worker)
	}
	group.Wait()
	if failed, ok := failure.Load().(loadFailure); ok {
		return time.Since(started), failed.cause
	}
	return time.Since(started), nil
}

type loadFailure struct{ cause error }

func (n *node) load(w http.ResponseWriter, r *http.Request) (interface{}, error) {
	plan := loadPlan{Batch: 1, Workers: 1}
	if err := decodeBody(w, r, &plan); err != nil {
		return nil, err
	}
	if err := plan.check(); err != nil {
		return nil, badRequest(err)
	}
	took, err := plan.run(func(_ int, command []byte) error {
		return within(time.Minute, n.raft.Apply(command, time.Minute))
	})
	if err != nil {
		return nil, err
	}
	return map[string]interface{}{
		"entries": plan.Entries, "commands": plan.commands(), "seconds": took.Seconds(),
	}, nil
}
