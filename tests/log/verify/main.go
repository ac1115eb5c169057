// Command verify checks a Loam log over HTTP with the code that Go's own checksum database uses:
// golang.org/x/mod/sumdb/note for the checkpoint, golang.org/x/mod/sumdb/tlog for tiles and proofs.
//
//	verify -url URL -key KEY [-old FILE] [-sample N]
//	verify -roots FILE
//
// The second form checks vectors of the roots of data sets (src/dataset/testdata/roots.json).
//
// The first form proves that every record of the entry bundles (with -sample, about N of them, evenly spread) is in
// the tree of the signed checkpoint, and that the tree goes on from the checkpoint in FILE. It prints
// one line, and exits 1 with the reason if anything is wrong. What the records say is not its business:
// tests/formats/record_check.py reads them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// openCheckpoint returns the tree of a checkpoint that verifier signed. The layout is C2SP's
// tlog-checkpoint, whose first line is the log's name.
func openCheckpoint(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("checkpoint: not one of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %q is no size", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %v", err)
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// checkInclusion proves that about sample entries, or all if it is 0, are in the tree.
func checkInclusion(log *source, tree tlog.Tree, hashes tlog.HashReader, sample int64) (int64, error) {
	step := int64(1)
	if sample > 0 && tree.N > sample {
		step = tree.N / sample
	}
	proved := int64(0)
	var bundle [][]byte
	bundleNumber := int64(-1)
	for i := int64(0); i < tree.N; i += step {
		if i/tileWidth != bundleNumber {
			bundleNumber = i / tileWidth
			var err error
			if bundle, err = log.readBundle(bundleNumber, tree.N); err != nil {
				return proved, err
			}
		}
		proof, err := tlog.ProveRecord(tree.N, i, hashes)
		if err != nil {
			return proved, fmt.Errorf("entry %d: %v", i, err)
		}
		leaf := tlog.RecordHash(bundle[i%tileWidth])
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, i, leaf); err != nil {
			return proved, fmt.Errorf("entry %d: %v", i, err)
		}
		proved++
	}
	return proved, nil
}

func checkConsistency(tree, old tlog.Tree, hashes tlog.HashReader) error {
	if old.N > tree.N {
		return fmt.Errorf("the log has %d entries and had %d", tree.N, old.N)
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return fmt.Errorf("consistency: %v", err)
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("consistency: %v", err)
	}
	return nil
}

func run() error {
	url := flag.String("url", "", "of the node or mirror; the log lies at URL/log/")
	key := flag.String("key", "", "the log's verifier key")
	oldFile := flag.String("old", "", "a checkpoint that was seen before")
	sample := flag.Int64("sample", 0, "prove only so many entries")
	roots := flag.String("roots", "", "a file of vectors of data sets' roots, instead of a log")
	flag.Parse()
	if *roots != "" {
		return checkRoots(*roots)
	}
	verifier, err := note.NewVerifier(*key)
	if err != nil {
		return fmt.Errorf("-key: %v", err)
	}
	log := &source{base: strings.TrimRight(*url, "/") + "/log/"}
	text, err := log.get("checkpoint")
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, verifier)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, log)
	proved, err := checkInclusion(log, tree, hashes, *sample)
	if err != nil {
		return err
	}
	goesOn := ""
	if *oldFile != "" {
		text, err := os.ReadFile(*oldFile)
		if err != nil {
			return err
		}
		old, err := openCheckpoint(text, verifier)
		if err != nil {
			return fmt.Errorf("-old: %v", err)
		}
		if err := checkConsistency(tree, old, hashes); err != nil {
			return err
		}
		goesOn = fmt.Sprintf(", goes on from %d", old.N)
	}
	fmt.Printf("ok: %d entries, %d proved%s\n", tree.N, proved, goesOn)
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "wrong: %v\n", err)
		os.Exit(1)
	}
}
