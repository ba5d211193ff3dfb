package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"time"
)

type failover struct {
	Rounds int `json:"rounds"`
	// Pauses are the milliseconds from the last write acknowledged by a killed leader to the first by another node.
	Pauses       []float64 `json:"pauses_ms"`
	Median       float64   `json:"median_ms"`
	Shortest     float64   `json:"shortest_ms"`
	Longest      float64   `json:"longest_ms"`
	Acknowledged int       `json:"acknowledged"`
	Unknown      int       `json:"outcome_unknown"`
	// Lost are acknowledged writes that a node does not have at the end.
	Lost int `json:"acknowledged_but_lost"`
}

// acknowledgement is a write that a node said to be done.
type acknowledgement struct {
	node int
	time time.Time
}

// writer puts one entry after the other, on whichever node leads.
type writer struct {
	client       *client
	path         string
	leading      int
	next         int
	acknowledged []int
	unknown      int
	stop         chan struct{}
	done         chan acknowledgement
}

func benchFailover(arguments []string) error {
	var lines commandLines
	flags := flag.NewFlagSet("raftpeer bench failover", flag.ExitOnError)
	addresses := flags.String("http", "", "addresses of the nodes; without them three are run")
	flags.Var(&lines, "start", "command that runs the next node of -http, words without quotes; once for each")
	path := flags.String("path", "/apply", "where a command is posted to")
	rounds := flags.Int("rounds", 20, "how often the leader is killed")
	multiplier := flags.Float64("multiplier", 1, "of the time-outs of own nodes")
	seed := flags.Int64("seed", 1, "of the moments of the kills")
	flags.Parse(arguments)
	nodes, err := newCluster(splitAddresses(*addresses), lines, *multiplier)
	if err != nil {
		return err
	}
	defer nodes.stop()
	w := &writer{
		client: newClient(nodes.addresses, 4, 2*time.Second), path: *path,
		stop: make(chan struct{}), done: make(chan acknowledgement, 1<<20),
	}
	result := failover{Rounds: *rounds}
	random := rand.New(rand.NewSource(*seed))
	if result.Pauses, err = measurePauses(nodes, w, *rounds, random); err != nil {
		return err
	}
	if result.Lost, err = w.countLost(); err != nil {
		return err
	}
	result.Acknowledged, result.Unknown = len(w.acknowledged), w.unknown
	sorted := append([]float64{}, result.Pauses...)
	sort.Float64s(sorted)
	if len(sorted) > 0 {
		result.Median = rounded((sorted[(len(sorted)-1)/2]+sorted[len(sorted)/2])/2, 2)
		result.Shortest, result.Longest = sorted[0], sorted[len(sorted)-1]
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// measurePauses kills the leader again and again under a writer, which it ends.
func measurePauses(nodes *cluster, w *writer, rounds int, random *rand.Rand) ([]float64, error) {
	var pauses []float64
	if _, err := w.client.leader(time.Minute); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		w.run()
		close(ended)
	}()
	defer func() {
		close(w.stop)
		<-ended
	}()
	for round := 0; round < rounds; round++ {
		time.Sleep(time.Duration(500+random.Intn(1000)) * time.Millisecond)
		pause, killed, err := w.pause(nodes)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", round+1, err)
		}
		pauses = append(pauses, milliseconds(pause))
		if err := nodes.start(killed); err != nil {
			return nil, err
		}
		// The next kill finds three nodes at work, or it would cost the cluster its majority.
		if err := w.client.rejoined(killed, time.Minute); err != nil {
			return nil, fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	return pauses, nil
}

// pause kills the leader and gives back for how long nothing was acknowledged.
func (w *writer) pause(nodes *cluster) (time.Duration, int, error) {
	last := acknowledgement{node: -1}
	for len(w.done) > 0 {
		last = <-w.done
	}
	if last.node < 0 {
		return 0, 0, fmt.Errorf("no write was acknowledged before the kill")
	}
	killed := last.node
	nodes.kill(killed)
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		select {
		case next := <-w.done:
			if next.node != killed {
				return next.time.Sub(last.time), killed, nil
			}
			last = next
		case <-patience.C:
			return 0, 0, fmt.Errorf("nothing acknowledged a minute after the kill of %s", nodes.addresses[killed])
		}
	}
}

func failoverKey(number int) []byte { return []byte(fmt.Sprintf("failover/%010d", number)) }

func (w *writer) run() {
	for {
		select {
		case <-w.stop:
			return
		default:
		}
		err := w.client.post(w.leading, w.path, appendPut(nil, failoverKey(w.next), []byte("value")), nil)
		switch {
		case err == nil:
			w.done <- acknowledgement{w.leading, time.Now()}
			w.acknowledged = append(w.acknowledged, w.next)
			w.next++
		case notDone(err):
			w.leading = (w.leading + 1) % len(w.client.addresses)
			time.Sleep(time.Millisecond)
		default:
			// It may be done or not, and yet be done: its number is not used again.
			w.unknown++
			w.next++
			w.leading = (w.leading + 1) % len(w.client.addresses)
			time.Sleep(time.Millisecond)
		}
	}
}

// countLost compares the nodes, and looks every acknowledged write up on one of them.
func (w *writer) countLost() (int, error) {
	if _, err := w.client.caughtUp(time.Minute); err != nil {
		return 0, err
	}
	lost := 0
	for _, number := range w.acknowledged {
		var told struct {
			Found bool `json:"found"`
		}
		if err := w.client.get(0, "/get?key="+hex.EncodeToString(failoverKey(number)), &told); err != nil {
			return 0, err
		}
		if !told.Found {
			lost++
		}
	}
	return lost, nil
}

// rejoined waits until a node that was started again has applied what the leader had when it was asked.
func (c *client) rejoined(place int, patience time.Duration) error {
	leading, err := c.leader(patience)
	if err != nil {
		return err
	}
	var wanted, told status
	if err := c.get(leading, "/status", &wanted); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if c.get(place, "/status", &told) == nil && told.AppliedIndex >= wanted.CommitIndex {
			return nil
		}
	}
	return fmt.Errorf("%s has applied %d of %d", c.addresses[place], told.AppliedIndex, wanted.CommitIndex)
}
