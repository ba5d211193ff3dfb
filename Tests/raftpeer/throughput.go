package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"time"
)

// latencies are milliseconds that commands took.
type latencies struct {
	Median  float64 `json:"median_ms"`
	P99     float64 `json:"p99_ms"`
	Longest float64 `json:"longest_ms"`
}

type throughput struct {
	Entries           int       `json:"entries"`
	ValueBytes        int       `json:"value_bytes"`
	Batch             int       `json:"batch"`
	Connections       int       `json:"connections"`
	Seconds           float64   `json:"seconds"`
	EntriesPerSecond  float64   `json:"entries_per_second"`
	CommandsPerSecond float64   `json:"commands_per_second"`
	MegabytesPerSec   float64   `json:"value_megabytes_per_second"`
	Latencies         latencies `json:"command_latency"`
}

func benchThroughput(arguments []string) error {
	plan := loadPlan{}
	flags := flag.NewFlagSet("raftpeer bench throughput", flag.ExitOnError)
	addresses := flags.String("http", "", "addresses of the nodes; without them three are run")
	path := flags.String("path", "/apply", "where a command is posted to")
	flags.IntVar(&plan.Workers, "connections", 8, "connections that write at the same time")
	flags.IntVar(&plan.Entries, "entries", 100_000, "entries to write")
	flags.IntVar(&plan.Batch, "batch", 64, "entries of a command")
	flags.IntVar(&plan.ValueBytes, "value-bytes", 1024, "bytes of a value")
	flags.StringVar(&plan.Prefix, "prefix", "bench/", "of the keys")
	flags.Uint64Var(&plan.Seed, "seed", 1, "of the values")
	multiplier := flags.Float64("multiplier", 1, "of the time-outs of own nodes")
	kept := flags.String("kept", "memory", "where own nodes keep the entries: memory, disk or synced")
	flags.Parse(arguments)
	if err := plan.check(); err != nil {
		return err
	}
	nodes := splitAddresses(*addresses)
	if len(nodes) == 0 {
		own, err := newCluster(nil, nil, *multiplier, "-entries", *kept)
		if err != nil {
			return err
		}
		defer own.stop()
		nodes = own.addresses
	}
	result, err := measureThroughput(plan, nodes, *path)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func measureThroughput(plan loadPlan, nodes []string, path string) (throughput, error) {
	c := newClient(nodes, plan.Workers, time.Minute)
	leading, err := c.leader(time.Minute)
	if err != nil {
		return throughput{}, err
	}
	taken := make([][]time.Duration, plan.Workers)
	took, err := plan.run(func(worker int, command []byte) error {
		started := time.Now()
		err := c.post(leading, path, command, nil)
		taken[worker] = append(taken[worker], time.Since(started))
		return err
	})
	if err != nil {
		return throughput{}, fmt.Errorf("the load was broken off: %w", err)
	}
	if _, err := c.caughtUp(time.Minute); err != nil {
		return throughput{}, err
	}
	var all []time.Duration
	for _, some := range taken {
		all = append(all, some...)
	}
	seconds := took.Seconds()
	return throughput{
		Entries: plan.Entries, ValueBytes: plan.ValueBytes, Batch: plan.Batch, Connections: plan.Workers,
		Seconds: rounded(seconds, 3), EntriesPerSecond: rounded(float64(plan.Entries)/seconds, 0),
		CommandsPerSecond: rounded(float64(plan.commands())/seconds, 0),
		MegabytesPerSec:   rounded(float64(plan.Entries)*float64(plan.ValueBytes)/seconds/1e6, 1),
		Latencies: latencies{
			Median: milliseconds(quantile(all, 0.5)), P99: milliseconds(quantile(all, 0.99)),
			Longest: milliseconds(quantile(all, 1)),
		},
	}, nil
}

// quantile sorts what it is given.
func quantile(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sort.Slice(all, func(left, right int) bool { return all[left] < all[right] })
	return all[int(part*float64(len(all)-1)+0.5)]
}

func milliseconds(d time.Duration) float64 { return rounded(d.Seconds()*1000, 2) }

func rounded(value float64, digits int) float64 {
	scale := math.Pow(10, float64(digits))
	return math.Round(value*scale) / scale
}
