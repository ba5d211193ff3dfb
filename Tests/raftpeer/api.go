package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/raft"
)

// Bounds of request bodies, in bytes.
const (
	largestCommand = 64 << 20
	largestRequest = 1 << 20
)

// refusal is an error with the code that a client gets.
type refusal struct {
	code    int
	outcome string
	cause   error
}

func (r *refusal) Error() string { return r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

func badRequest(cause error) error { return &refusal{http.StatusBadRequest, "none", cause} }

// refused says what became of something that raft did not do.
func refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader):
		return &refusal{http.StatusMisdirectedRequest, "none", err}
	case errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return &refusal{http.StatusServiceUnavailable, "none", err}
	default:
		return &refusal{http.StatusServiceUnavailable, "unknown", err}
	}
}

type answer func(http.ResponseWriter, *http.Request) (interface{}, error)

func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	add := func(method, path string, answer answer) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			var result interface{}
			err := error(&refusal{http.StatusMethodNotAllowed, "none", fmt.Errorf("%s takes %s", path, method)})
			if r.Method == method {
				result, err = answer(w, r)
			}
			n.reply(w, result, err)
		})
	}
	add(http.MethodGet, "/status", n.status)
	add(http.MethodGet, "/digest", n.digest)
	add(http.MethodGet, "/get", n.get)
	add(http.MethodPost, "/apply", n.apply)
	add(http.MethodPost, "/load", n.load)
	add(http.MethodPost, "/join", n.join)
	add(http.MethodPost, "/remove", n.remove)
	add(http.MethodPost, "/snapshot", n.snapshot)
	add(http.MethodPost, "/transfer", n.transfer)
	return mux
}

func (n *node) reply(w http.ResponseWriter, result interface{}, err error) {
	code := http.StatusOK
	if err != nil {
		known := &refusal{http.StatusInternalServerError, "unknown", err}
		errors.As(err, &known)
		code = known.code
		result = map[string]string{
			"error": err.Error(), "leader": string(n.raft.Leader()), "outcome": known.outcome,
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(result)
}

func decodeBody(w http.ResponseWriter, r *http.Request, into interface{}) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return badRequest(fmt.Errorf("the body: %w", err))
	}
	return nil
}

func timeout(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("timeout")
	if text == "" {
		return 10 * time.Second, nil
	}
	value, err := time.ParseDuration(text)
	if err == nil && value <= 0 {
		err = errors.New("not positive")
	}
	if err != nil {
		return 0, badRequest(fmt.Errorf("timeout: %w", err))
	}
	return value, nil
}

// within waits for a future, but not longer than that.
func within(patience time.Duration, future raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- future.Error() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return refused(err)
	case <-timer.C:
		return &refusal{http.StatusServiceUnavailable, "unknown", errors.New("not committed in time")}
	}
}

func (n *node) apply(w http.ResponseWriter, r *http.Request) (interface{}, error) {
	patience, err := timeout(r)
	if err != nil {
		return nil, err
	}
	command, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestCommand))
	if err != nil {
		return nil, badRequest(err)
	}
	future := n.raft.Apply(command, patience)
	if err := within(patience, future); err != nil {
		return nil, err
	}
	result := map[string]interface{}{"index": future.Index()}
	if done, ok := future.Response().(applied); ok {
		result["operations"] = done.operations
		if done.problem != "" {
			result["problem"] = done.problem
		}
	}
	return result, nil
}

func (n *node) get(w http.ResponseWriter, r *http.Request) (interface{}, error) {
	key, err := hex.DecodeString(r.URL.Query().Get("key"))
	if err != nil {
		return nil, badRequest(fmt.Errorf("key: %w", err))
	}
	if r.URL.Query().Get("barrier") == "true" {
		patience, err := timeout(r)
		if err != nil {
			return nil, err
		}
		if err := within(patience, n.raft.Barrier(patience)); err != nil {
			return nil, err
		}
	}
	value, found := n.machine.get(key)
	if !found {
		return map[string]bool{"found": false}, nil
	}
	return map[string]interface{}{"found": true, "value": hex.EncodeToString(value)}, nil
}
