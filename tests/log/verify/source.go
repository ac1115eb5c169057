package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	bytesMax   = 1 << 25
)

// notFound says that a file is not there.
type notFound struct{ path string }

func (e notFound) Error() string { return e.path + ": not there" }

// source reads a log's files by the names of C2SP tlog-tiles, as a tlog.TileReader. Nothing that it
// returns is believed: TileHashReader of this version lets some changed tiles through (CVE-2026-56865;
// later versions need a newer Go than Debian 12 has), but proofs made from them do not lead to the root.
type source struct {
	base  string
	tiles map[tlog.Tile][]byte
}

var client = &http.Client{Timeout: time.Minute}

func (s *source) get(path string) ([]byte, error) {
	reply, err := client.Get(s.base + path)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode == http.StatusNotFound {
		return nil, notFound{path}
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: answer %s", path, reply.Status)
	}
	content, err := io.ReadAll(io.LimitReader(reply.Body, bytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	if len(content) > bytesMax {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, bytesMax)
	}
	return content, nil
}

// grouped is N of a path: three digits a group, x before all but the last.
func grouped(n int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	return path
}

// getPart reads the file that holds the first width items of number n: the partial one, or the full
// one that took its place.
func (s *source) getPart(kind string, n, width int64) ([]byte, error) {
	path := "tile/" + kind + "/" + grouped(n)
	if width == tileWidth {
		return s.get(path)
	}
	content, err := s.get(fmt.Sprintf("%s.p/%d", path, width))
	if _, missing := err.(notFound); missing {
		return s.get(path)
	}
	return content, err
}

// readBundle returns the entries of bundle n that a tree of size entries covers.
func (s *source) readBundle(n, size int64) ([][]byte, error) {
	width := size - n*tileWidth
	if width > tileWidth {
		width = tileWidth
	}
	content, err := s.getPart("entries", n, width)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(content) > 0 {
		if len(content) < 2 {
			return nil, fmt.Errorf("entry bundle %d: cut", n)
		}
		length := int(content[0])<<8 | int(content[1])
		if len(content) < 2+length {
			return nil, fmt.Errorf("entry bundle %d: its lengths do not add up", n)
		}
		entries = append(entries, content[2:2+length])
		content = content[2+length:]
	}
	if int64(len(entries)) != width && len(entries) != tileWidth {
		return nil, fmt.Errorf("entry bundle %d: %d entries where %d belong", n, len(entries), width)
	}
	return entries[:width], nil
}

func (s *source) Height() int { return tileHeight }

func (s *source) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	contents := make([][]byte, len(tiles))
	for i, tile := range tiles {
		content, ok := s.tiles[tile]
		if !ok {
			var err error
			if content, err = s.getPart(fmt.Sprint(tile.L), tile.N, int64(tile.W)); err != nil {
				return nil, err
			}
			if whole := tile.W * tlog.HashSize; len(content) > whole && len(content) == tileWidth*tlog.HashSize {
				content = content[:whole]
			}
		}
		contents[i] = content
	}
	return contents, nil
}

// SaveTiles keeps tiles, so that each is read once.
func (s *source) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	if s.tiles == nil {
		s.tiles = map[tlog.Tile][]byte{}
	}
	for i, tile := range tiles {
		s.tiles[tile] = data[i]
	}
}
