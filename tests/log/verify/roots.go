package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// rootsCase is one of src/dataset/testdata/roots.json: what a data set is made of, and its roots.
type rootsCase struct {
	Shows       string   `json:"shows"`
	Rows        []string `json:"rows"`
	Used        []string `json:"used"`
	Manifest    string   `json:"manifest_sha256"`
	RowsRoot    string   `json:"rows_root"`
	UsedRoot    string   `json:"used_root"`
	DatasetRoot string   `json:"dataset_root"`
}

// treeOf returns the root over leaves as tlog computes it.
func treeOf(leaves [][]byte) (tlog.Hash, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = stored[index]
		}
		return out, nil
	})
	for i, leaf := range leaves {
		hashes, err := tlog.StoredHashes(int64(i), leaf, reader)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored = append(stored, hashes...)
	}
	if len(leaves) == 0 {
		return sha256.Sum256(nil), nil // RFC 6962 section 2.1; TreeHash knows trees with leaves alone
	}
	return tlog.TreeHash(int64(len(leaves)), reader)
}

// leavesOf decodes hexadecimal leaves.
func leavesOf(texts []string) ([][]byte, error) {
	var out [][]byte
	for _, text := range texts {
		leaf, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		out = append(out, leaf)
	}
	return out, nil
}

// check compares the roots that follow with those that the case names.
func (c *rootsCase) check() error {
	rows, err := leavesOf(c.Rows)
	if err != nil {
		return err
	}
	used, err := leavesOf(c.Used)
	if err != nil {
		return err
	}
	for i := 1; i < len(used); i++ {
		if bytes.Compare(used[i-1], used[i]) >= 0 {
			return fmt.Errorf("used ids: not sorted")
		}
	}
	manifest, err := hex.DecodeString(c.Manifest)
	if err != nil {
		return err
	}
	rowsRoot, err := treeOf(rows)
	if err != nil {
		return err
	}
	usedRoot, err := treeOf(used)
	if err != nil {
		return err
	}
	content := append([]byte("loam.dataset.v1"), rowsRoot[:]...)
	content = append(append(content, usedRoot[:]...), manifest...)
	root := sha256.Sum256(content)
	for _, pair := range [][2]string{{hex.EncodeToString(rowsRoot[:]), c.RowsRoot},
		{hex.EncodeToString(usedRoot[:]), c.UsedRoot}, {hex.EncodeToString(root[:]), c.DatasetRoot}} {
		if pair[0] != pair[1] {
			return fmt.Errorf("computed %s, the file has %s", pair[0], pair[1])
		}
	}
	return nil
}

// checkRoots checks the vectors of data sets' roots, docs/formats/dataset.md.
func checkRoots(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var vectors struct {
		Cases []rootsCase `json:"cases"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		return fmt.Errorf("%s: %v", path, err)
	}
	for _, c := range vectors.Cases {
		if err := c.check(); err != nil {
			return fmt.Errorf("%s: %v", c.Shows, err)
		}
	}
	fmt.Printf("ok: %d cases of roots\n", len(vectors.Cases))
	return nil
}
