// raftpeer is a node of hashicorp/raft (1.1.2, log in raft-boltdb) with a small state machine: the peer of our own
// nodes in mixed clusters, and what a benchmark compares them with.
//
//	raftpeer node -id ID -raft HOST:PORT -http HOST:PORT -data DIR [-bootstrap ID=HOST:PORT,…] [-multiplier N]
//	              [-trailing N] [-threshold N] [-snapshot-interval D] [-log-level LEVEL] [-stop-at-eof]
//	        runs a node until SIGTERM or SIGINT, or the end of standard input if that is asked for. Port 0 takes a free one. Once it serves it prints one line on standard
//	        output, {"id","raft","http"}; it logs to standard error. A directory that has state is never bootstrapped.
//	raftpeer bench throughput [-http HOST:PORT,…] [-connections W] [-entries N] [-batch K] [-value-bytes B]
//	        writes N entries to the leader over HTTP, K to a command, by W connections, and prints what it took
//	raftpeer bench failover [-http HOST:PORT,… -start COMMAND -start COMMAND …] [-rounds R]
//	        writes one entry after the other while it kills the leader R times, and prints for how long no write was
//	        acknowledged, and whether one that was is gone
//	        Without -http, bench runs three nodes of its own in a temporary folder.
//
// The library is old on purpose: its messages carry no ID and no Addr, and it closes the connection on a pre-vote.
//
// A command is LogData: put and delete are applied, other operations skipped, and so are operations without a key and
// fields that are not known. A command that is no LogData, or a part of a chunked one, changes nothing and counts in
// "skipped". A snapshot is a sequence of frames as in state.bin, in order of the keys; frames without a key are
// skipped.
//
// A node answers over HTTP, in JSON, keys and values in hexadecimal. Errors: {"error","leader","outcome"}, with code
// 421 where another node leads and 503 where the cluster cannot; outcome is "none" where nothing was done, "unknown"
// where it may be done yet.
//
//	GET  /status     id, state, term, leader (its raft address), last_index, commit_index, applied_index (what the state
//	                 machine has really taken), first_index and snapshot_index of the log, entries, skipped, servers
//	GET  /digest     entries, index of the last command or change of membership among them, digest: SHA-256 over all
//	                 entries in order of their keys, of each the length of the key (u32, big-endian), the key, the length
//	                 of the value (u64, big-endian), the value. Waits for what the node knows to be committed
//	GET  /get        ?key=HEX: found, value; what this node has, or with &barrier=true what the cluster has
//	POST /apply      ?timeout=10s, body LogData: index, operations
//	POST /load       {"entries","value_bytes","batch","workers","prefix","seed"}: puts entry 0, 1, 2 … under the prefix
//	                 and the number in ten digits; a value is bytes of SplitMix64 with seed + number
//	POST /join       {"id","address","voter"}
//	POST /remove     {"id"}
//	POST /snapshot   takes a snapshot and trims the log; 409 if none can be taken now
//	POST /transfer   {} or {"id","address"}: bids a member, or that one, stand for election; /status tells how it went
package main

import (
	"fmt"
	"os"
)

func main() {
	arguments := os.Args[1:]
	var err error
	switch {
	case len(arguments) >= 1 && arguments[0] == "node":
		err = runNode(arguments[1:])
	case len(arguments) >= 2 && arguments[0] == "bench" && arguments[1] == "throughput":
		err = benchThroughput(arguments[2:])
	case len(arguments) >= 2 && arguments[0] == "bench" && arguments[1] == "failover":
		err = benchFailover(arguments[2:])
	default:
		err = fmt.Errorf("usage: raftpeer node … | bench throughput … | bench failover …; -help tells the flags of each")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "raftpeer:", err)
		os.Exit(1)
	}
}
