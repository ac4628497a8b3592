// Xmod has a log checked by the packages note and tlog of golang.org/x/mod, which the Go checksum database uses and
// which share no code with Ledgerstone.
//
//	xmod -tiles URL_OR_DIR -vkey FILE [-old FILE]
//
// It verifies the checkpoint, authenticates every leaf hash against its root, compares each with the entry in the
// bundles, builds and checks inclusion and consistency proofs, and checks that a changed tile is refused.
package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

func main() {
	tiles := flag.String("tiles", "", "URL or directory of the log")
	vkeyFile := flag.String("vkey", "", "file with the log's verification key")
	old := flag.String("old", "", "file with an older checkpoint that the log must extend")
	flag.Parse()
	if err := run(*tiles, *vkeyFile, *old); err != nil {
		fmt.Fprintln(os.Stderr, "xmod: FAILED:", err)
		os.Exit(1)
	}
}

func run(tiles, vkeyFile, old string) error {
	vkey, err := os.ReadFile(vkeyFile)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return err
	}
	log := &logReader{prefix: strings.TrimSuffix(tiles, "/"), cache: map[string][]byte{}}
	signed, err := log.read("checkpoint")
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	fmt.Printf("xmod: checkpoint of %d entries verified, root %v\n", tree.N, tree.Hash)
	hashes := tlog.TileHashReader(tree, log)
	if err := checkEntries(log, tree, hashes); err != nil {
		return err
	}
	fmt.Printf("xmod: %d entries are in the tree\n", tree.N)
	proofs, err := checkInclusion(tree, hashes)
	if err != nil {
		return err
	}
	fmt.Printf("xmod: %d inclusion proofs built and checked\n", proofs)
	if old != "" {
		older, err := os.ReadFile(old)
		if err != nil {
			return err
		}
		oldTree, err := openCheckpoint(older, verifier)
		if err != nil {
			return fmt.Errorf("older checkpoint: %w", err)
		}
		if err := checkConsistency(oldTree, tree, hashes); err != nil {
			return err
		}
		fmt.Printf("xmod: the tree of %d entries extends that of %d\n", tree.N, oldTree.N)
	}
	return checkRefusal(log, tree)
}

// openCheckpoint verifies the log's signature and reads the three lines of C2SP tlog-checkpoint.
func openCheckpoint(signed []byte, verifier note.Verifier) (tree tlog.Tree, err error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("not three lines that begin with %s", verifier.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// checkEntries compares the hash of every entry with the leaf hash that the root authenticates.
func checkEntries(log *logReader, tree tlog.Tree, hashes tlog.HashReader) error {
	for start := int64(0); start < tree.N; start += width {
		count := min(width, tree.N-start)
		bundle, err := log.read(path("entries", start/width, int(count)))
		if err != nil {
			return err
		}
		indexes := make([]int64, count)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, start+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		if err != nil {
			return fmt.Errorf("leaf hashes from entry %d on: %w", start, err)
		}
		for i, leaf := range leaves {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("bundle ends before entry %d", start+int64(i))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != leaf {
				return fmt.Errorf("entry %d is not the one in the tree", start+int64(i))
			}
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return fmt.Errorf("bundle of entry %d has bytes left over", start)
		}
	}
	return nil
}

// checkInclusion builds and checks proofs for about a hundred entries spread over the tree.
func checkInclusion(tree tlog.Tree, hashes tlog.HashReader) (proofs int, err error) {
	step := max(1, tree.N/97)
	for index := int64(0); index < tree.N; index += step {
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return proofs, err
		}
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return proofs, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf[0]); err != nil {
			return proofs, fmt.Errorf("inclusion of entry %d: %w", index, err)
		}
		proofs++
	}
	return proofs, nil
}

func checkConsistency(old, tree tlog.Tree, hashes tlog.HashReader) error {
	if old.N == 0 {
		return nil // the package knows no proof from the empty tree; there is nothing to extend
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("from %d to %d entries: %w", old.N, tree.N, err)
	}
	return nil
}

// checkRefusal changes one bit of the first leaf hash: were that accepted, all of the above would prove nothing.
func checkRefusal(log *logReader, tree tlog.Tree) error {
	if tree.N == 0 {
		return nil
	}
	first := path("0", 0, int(min(width, tree.N)))
	tile, err := log.read(first)
	if err != nil {
		return err
	}
	changed := append([]byte(nil), tile...)
	changed[0] ^= 1
	log.cache[first] = changed
	_, err = tlog.TileHashReader(tree, log).ReadHashes([]int64{tlog.StoredHashIndex(0, 0)})
	if err == nil {
		return errors.New("a changed tile was accepted")
	}
	fmt.Println("xmod: a changed tile is refused")
	return nil
}

// logReader reads a C2SP log from a directory or over HTTP, each object once.
type logReader struct {
	prefix string
	cache  map[string][]byte
}

func (l *logReader) read(name string) ([]byte, error) {
	if data, ok := l.cache[name]; ok {
		return data, nil
	}
	data, err := l.load(name)
	if err == nil {
		l.cache[name] = data
	}
	return data, err
}

func (l *logReader) load(name string) ([]byte, error) {
	if !strings.HasPrefix(l.prefix, "http://") && !strings.HasPrefix(l.prefix, "https://") {
		return os.ReadFile(filepath.Join(l.prefix, filepath.FromSlash(name)))
	}
	answer, err := http.Get(l.prefix + "/" + name)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", name, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, 32<<20))
}

func (l *logReader) Height() int { return 8 }

func (l *logReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (l *logReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		bytes, err := l.read(path(strconv.Itoa(tile.L), tile.N, tile.W))
		if err != nil {
			return nil, err
		}
		data[i] = bytes
	}
	return data, nil
}

// path spells a resource as C2SP tlog-tiles does: the package's own spelling, `tile/8/<L>/<N>`, without the height.
func path(level string, index int64, count int) string {
	tile := tlog.Tile{H: 8, L: 0, N: index, W: count}
	return "tile/" + level + "/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
}
