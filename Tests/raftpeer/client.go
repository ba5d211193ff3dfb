package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// client talks to the nodes of a cluster over HTTP, each by its address.
type client struct {
	addresses []string
	http      http.Client
}

// httpRefusal is an answer that is no success.
type httpRefusal struct {
	code int
	text string
}

func (r *httpRefusal) Error() string { return fmt.Sprintf("HTTP %d: %s", r.code, r.text) }

func newClient(addresses []string, connections int, patience time.Duration) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	return &client{addresses, http.Client{Transport: transport, Timeout: patience}}
}

func splitAddresses(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// get asks one node for a JSON answer.
func (c *client) get(node int, path string, into interface{}) error {
	response, err := c.http.Get("http://" + c.addresses[node] + path)
	if err != nil {
		return err
	}
	return finish(response, into)
}

// post sends bytes to one node.
func (c *client) post(node int, path string, body []byte, into interface{}) error {
	response, err := c.http.Post("http://"+c.addresses[node]+path, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return finish(response, into)
}

func finish(response *http.Response, into interface{}) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largestCommand))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return &httpRefusal{response.StatusCode, strings.TrimSpace(string(body))}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// notDone tells whether an error of a write says that the write was not done.
func notDone(err error) bool {
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return true
	}
	var refused *httpRefusal
	if !errors.As(err, &refused) {
		return false
	}
	var told struct {
		Outcome string `json:"outcome"`
	}
	return json.Unmarshal([]byte(refused.text), &told) == nil && told.Outcome == "none"
}

// leader waits for a node that leads.
func (c *client) leader(patience time.Duration) (int, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for place := range c.addresses {
			var told status
			if c.get(place, "/status", &told) == nil && told.State == "Leader" {
				return place, nil
			}
		}
	}
	return 0, fmt.Errorf("none of %v leads after %v", c.addresses, patience)
}

// caughtUp waits until every node has applied what the leader has, and compares their digests.
func (c *client) caughtUp(patience time.Duration) (entries int, err error) {
	deadline := time.Now().Add(patience)
	leading, err := c.leader(patience)
	if err != nil {
		return 0, err
	}
	var wanted status
	if err := c.get(leading, "/status", &wanted); err != nil {
		return 0, err
	}
	digests := make([]struct {
		Entries int    `json:"entries"`
		Digest  string `json:"digest"`
	}, len(c.addresses))
	for place, address := range c.addresses {
		for {
			var told status
			err := c.get(place, "/status", &told)
			if err == nil && told.AppliedIndex >= wanted.CommitIndex {
				break
			}
			if time.Now().After(deadline) {
				return 0, fmt.Errorf("%s has applied %d of %d after %v: %v",
					address, told.AppliedIndex, wanted.CommitIndex, patience, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		if err := c.get(place, "/digest", &digests[place]); err != nil {
			return 0, err
		}
		if digests[place] != digests[0] {
			return 0, fmt.Errorf("%s holds other entries than %s", address, c.addresses[0])
		}
	}
	return digests[0].Entries, nil
}
