// Tessera's POSIX driver under the same load as Loam's log: writers that each add an entry and wait until it has its
// place. Entries are bytes without a signature.
//
//	tessera DIR WRITERS BYTES SECONDS
//
// stdout: {"entries": N, "seconds": S}
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const (
	batchEntries = 256
	batchAge     = time.Millisecond
)

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value <= 0 {
		log.Fatalf("%q is no count", text)
	}
	return value
}

func open(ctx context.Context, folder string) (*tessera.Appender, func(context.Context) error) {
	secret, _, err := note.GenerateKey(rand.Reader, "bench")
	if err != nil {
		log.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		log.Fatal(err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: folder})
	if err != nil {
		log.Fatal(err)
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(batchEntries, batchAge)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		log.Fatal(err)
	}
	return appender, shutdown
}

// add adds entries of its own, one after the other, until `done`.
func add(ctx context.Context, appender *tessera.Appender, size int, done <-chan struct{}, added *atomic.Int64) {
	content := make([]byte, size)
	for {
		select {
		case <-done:
			return
		default:
		}
		if _, err := rand.Read(content[:32]); err != nil {
			log.Fatal(err)
		}
		entry := append([]byte(nil), content...)
		if _, err := appender.Add(ctx, tessera.NewEntry(entry))(); err != nil {
			log.Fatal(err)
		}
		added.Add(1)
	}
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: tessera DIR WRITERS BYTES SECONDS")
	}
	writers, size, seconds := number(os.Args[2]), number(os.Args[3]), number(os.Args[4])
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	appender, shutdown := open(ctx, os.Args[1])

	var added atomic.Int64
	var group sync.WaitGroup
	done := make(chan struct{})
	begin := time.Now()
	for range writers {
		group.Add(1)
		go func() {
			defer group.Done()
			add(ctx, appender, size, done, &added)
		}()
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	close(done)
	group.Wait()
	elapsed := time.Since(begin).Seconds()
	if err := shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"entries": added.Load(), "seconds": elapsed})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
}
