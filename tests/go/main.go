// A verifier that shares no code with leadlog: the checksum database's own packages check
// signatures, inclusion and consistency; the layout of a leaf is that of docs/reference/proof.md.
//
//	verify export FILE VERIFIER...              an export of a lead
//	verify consistency OLD NEW PROOF VERIFIER   two checkpoints, PROOF as the API answers it
//	verify proofs                               requests on stdin, a JSON object a line
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const format = "leadlog-lead-export/1"

type event struct {
	Position   int64    `json:"position"`
	Version    int64    `json:"version"`
	Topic      string   `json:"topic"`
	RecordedAt string   `json:"recorded_at"`
	State      []byte   `json:"state"`
	Proof      [][]byte `json:"proof"`
}

type export struct {
	Format     string  `json:"format"`
	Origin     string  `json:"origin"`
	Lead       string  `json:"lead"`
	Checkpoint string  `json:"checkpoint"`
	Events     []event `json:"events"`
}

type checkpoint struct {
	origin string
	tlog.Tree
}

func main() {
	err := errors.New("usage: verify export|consistency|proofs ...")
	switch args := os.Args[1:]; {
	case len(args) >= 3 && args[0] == "export":
		err = checkExport(args[1], args[2:])
	case len(args) == 5 && args[0] == "consistency":
		err = checkConsistency(args[1], args[2], args[3], args[4:])
	case len(args) == 1 && args[0] == "proofs":
		err = answerProofs()
	}
	if err != nil {
		fmt.Println("bad:", err)
		os.Exit(1)
	}
}

func checkExport(path string, keys []string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var file struct {
		Export    json.RawMessage `json:"export"`
		Signature string          `json:"signature"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	signed, err := open(file.Signature, keys)
	if err != nil {
		return err
	}
	var e export
	if err := json.Unmarshal(file.Export, &e); err != nil {
		return err
	}
	digest := sha256.Sum256(file.Export)
	claim := fmt.Sprintf("%s\n%s\n%s\n%s\n", format, e.Origin, e.Lead,
		base64.StdEncoding.EncodeToString(digest[:]))
	if e.Format != format || signed != claim {
		return errors.New("the export is not what was signed")
	}
	tree, err := readCheckpoint(e.Checkpoint, keys)
	if err != nil {
		return err
	}
	if tree.origin != e.Origin || len(e.Events) == 0 {
		return errors.New("the checkpoint is another log's, or there are no events")
	}
	for i, ev := range e.Events {
		if ev.Version != int64(i+1) || i > 0 && ev.Position <= e.Events[i-1].Position {
			return fmt.Errorf("version %d is missing or out of place", i+1)
		}
		leaf, err := ev.leaf(e.Lead)
		if err != nil {
			return err
		}
		if err := checkRecord(ev.Proof, tree.Tree, ev.Position-1, leaf); err != nil {
			return fmt.Errorf("position %d: %w", ev.Position, err)
		}
	}
	fmt.Printf("ok: %d events\n", len(e.Events))
	return nil
}

func (e event) leaf(lead string) ([]byte, error) {
	stream, err := hex.DecodeString(strings.ReplaceAll(lead, "-", ""))
	if err != nil || len(stream) != 16 {
		return nil, errors.New("the lead is no UUID")
	}
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", e.RecordedAt)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	write := func(v any) { _ = binary.Write(&b, binary.BigEndian, v) }
	write(e.Position)
	b.Write(stream)
	write(e.Version)
	write(at.UnixMicro())
	write(uint32(len(e.Topic)))
	b.WriteString(e.Topic)
	b.Write(e.State)
	return b.Bytes(), nil
}

func checkConsistency(oldPath, newPath, proofPath string, keys []string) error {
	var trees [2]checkpoint
	for i, path := range []string{oldPath, newPath} {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if trees[i], err = readCheckpoint(string(text), keys); err != nil {
			return err
		}
	}
	var answer struct {
		Proof [][]byte `json:"proof"`
	}
	data, err := os.ReadFile(proofPath)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return err
	}
	if trees[0].origin != trees[1].origin {
		return errors.New("two logs")
	}
	if err := checkTree(answer.Proof, trees[1].Tree, trees[0].Tree); err != nil {
		return err
	}
	fmt.Println("ok")
	return nil
}

// A request: with a leaf, is it in the tree; without, does the tree begin with the old one.
type request struct {
	Leaf    []byte   `json:"leaf"`
	Index   int64    `json:"index"`
	OldSize int64    `json:"old_size"`
	OldRoot []byte   `json:"old_root"`
	Size    int64    `json:"size"`
	Root    []byte   `json:"root"`
	Proof   [][]byte `json:"proof"`
}

func answerProofs() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		tree, err := treeOf(r.Size, r.Root)
		if err == nil && r.OldSize == 0 {
			err = checkRecord(r.Proof, tree, r.Index, r.Leaf)
		} else if err == nil {
			var old tlog.Tree
			if old, err = treeOf(r.OldSize, r.OldRoot); err == nil {
				err = checkTree(r.Proof, tree, old)
			}
		}
		if err != nil {
			fmt.Fprintln(out, "bad:", err)
		} else {
			fmt.Fprintln(out, "ok")
		}
	}
	return lines.Err()
}

func open(text string, keys []string) (string, error) {
	var verifiers []note.Verifier
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return "", err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifiers...))
	if err != nil {
		return "", err
	}
	return opened.Text, nil
}

func readCheckpoint(text string, keys []string) (checkpoint, error) {
	signed, err := open(text, keys)
	if err != nil {
		return checkpoint{}, err
	}
	lines := strings.Split(signed, "\n")
	if len(lines) < 4 {
		return checkpoint{}, errors.New("no checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return checkpoint{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return checkpoint{}, err
	}
	tree, err := treeOf(size, root)
	return checkpoint{lines[0], tree}, err
}

func treeOf(size int64, root []byte) (tlog.Tree, error) {
	hash, err := hashOf(root)
	return tlog.Tree{N: size, Hash: hash}, err
}

func checkRecord(proof [][]byte, tree tlog.Tree, index int64, leaf []byte) error {
	hashes, err := hashesOf(proof)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}

func checkTree(proof [][]byte, tree, old tlog.Tree) error {
	hashes, err := hashesOf(proof)
	if err != nil {
		return err
	}
	return tlog.CheckTree(hashes, tree.N, tree.Hash, old.N, old.Hash)
}

func hashesOf(all [][]byte) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, data := range all {
		hash, err := hashOf(data)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func hashOf(data []byte) (hash tlog.Hash, err error) {
	if len(data) != len(hash) {
		return hash, errors.New("no SHA-256")
	}
	copy(hash[:], data)
	return hash, nil
}
