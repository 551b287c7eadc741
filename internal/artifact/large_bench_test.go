package artifact

import (
	"crypto"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sassoftware/relic/v8/lib/pkcs7"
)

// The benchmarks here look at the largest files that are accepted, made so that
// they ask for as much work as they can. Each must end within 10 seconds, on a
// machine that has nothing else to do. On another, what is told by SHA-512 says
// more: the processors' time, by that of SHA-512 of 2 GiB just before, which is 3
// seconds of one that is free. Run them with -benchtime 1x.
const largest = 2 << 30

// sparse is a file of a size of which only some parts are written.
func sparse(b *testing.B, size int64, parts map[int64][]byte) Source {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "large"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	for at, data := range parts {
		if _, err := f.WriteAt(data, at); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Truncate(size); err != nil {
		b.Fatal(err)
	}
	return Source{"large", size, f}
}

// looking measures how long it takes to look at a file, and how much memory.
func looking(b *testing.B, s Source, trust *Trust, check func(Info, error) bool) {
	b.Helper()
	runtime.GC() // of what the file was made of
	own, peak := memory(), uint64(0)
	stop := watch(&peak)
	reference := processorTime()
	sum, block := crypto.SHA512.New(), make([]byte, copyBytes)
	for range 128 {
		sum.Write(block)
	}
	pass := (processorTime() - reference) * (largest / copyBytes / 128)
	before := processorTime()
	for b.Loop() {
		info, err := Look(s, trust, spcNow)
		if !check(info, err) {
			b.Errorf("%+v, %v", info, err)
		}
	}
	stop()
	used := (processorTime() - before).Seconds() / float64(b.N)
	b.ReportMetric(used, "processor-s/op")
	b.ReportMetric(used/pass.Seconds(), "SHA-512")
	b.ReportMetric(float64((max(peak, own)-own)>>20), "MiB")
}

// processorTime is what this process has used: on a busy machine, time alone
// says little.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// greedySPC is a signature that is sound, with others nested in it, each about
// another digest of the file. None is the file's.
func greedySPC(b *testing.B, kind spcKind, digest func(crypto.Hash) []byte) []byte {
	signer := issue(b, nil, "Somebody", nil)
	var nested []func(*pkcs7.SignerInfo)
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.MD5} {
		nested = append(nested, nesting(b, signedSPC(b, spcIndirect(b, kind, hash, digest(hash)), hash, signer, nil)))
	}
	return signedSPC(b, spcIndirect(b, kind, crypto.SHA512, digest(crypto.SHA512)), crypto.SHA512, signer, nil, nested...)
}

func isInvalid(info Info, err error) bool { return err == nil && info.Signature.Status == Invalid }

func BenchmarkLargePE(b *testing.B) {
	der := greedySPC(b, spcProgram, func(crypto.Hash) []byte { return []byte{1} })
	entry := append(le.AppendUint32(nil, uint32(8+len(der))), 0, 2, 2, 0)
	entry = append(append(entry, der...), make([]byte, -len(der)&7)...)
	le.PutUint32(entry, uint32(len(entry)))
	head := program()
	le.PutUint32(head[peCertEntry:], uint32(largest-len(entry)))
	le.PutUint32(head[peCertEntry+4:], uint32(len(entry)))
	looking(b, sparse(b, largest, map[int64][]byte{0: head, int64(largest - len(entry)): entry}), nil, isInvalid)
}

// largeMSI is an MSI with one stream, whose sectors come in an order. The rest of
// its sectors are not in use.
func largeMSI(b *testing.B, order func(free []uint32) []uint32) Source {
	const sectors = largest/512 - 1
	const table = sectors/128 + 1    // sectors of the allocation table
	const list = (table-109)/127 + 1 // sectors of the list of these
	signature := greedySPC(b, spcInstaller, func(crypto.Hash) []byte { return []byte{1} })
	signature = append(signature, make([]byte, 4096)...) // not a small stream
	own := uint32(len(signature)+511) / 512
	const directory, first = table + list, table + list + 1
	fat := slices.Repeat([]uint32{cfbFree}, table*128)
	chain := func(sectors []uint32) {
		for i, n := range sectors[:len(sectors)-1] {
			fat[n] = sectors[i+1]
		}
		fat[sectors[len(sectors)-1]] = cfbEndOfChain
	}
	var all []uint32
	for n := uint32(directory); n < sectors; n++ {
		all = append(all, n)
	}
	chain(all[:1])
	chain(all[1 : 1+own])
	data := order(all[1+own:])
	chain(data)
	h := compound(map[string][]byte{msiSignature: signature, "z": make([]byte, 4096)})[:cfbDirectory+512]
	entries := h[cfbDirectory:]
	le.PutUint32(entries[128+116:], first)
	le.PutUint32(entries[128+120:], uint32(len(signature)))
	le.PutUint32(entries[256+116:], data[0])
	le.PutUint32(entries[256+120:], uint32(len(data)*512))
	for at, value := range map[int]uint32{44: table, 48: directory, 64: 0, 68: table, 72: list} {
		le.PutUint32(h[at:], value)
	}
	var fatBytes, listBytes []byte
	for _, n := range fat {
		fatBytes = le.AppendUint32(fatBytes, n)
	}
	for n := range uint32(table) {
		if n < 109 {
			le.PutUint32(h[76+4*n:], n)
			continue
		}
		if listBytes = le.AppendUint32(listBytes, n); len(listBytes)%512 == 508 {
			listBytes = le.AppendUint32(listBytes, table+uint32(len(listBytes)+4)/512)
		}
	}
	return sparse(b, largest, map[int64][]byte{
		0: h[:512], 512: fatBytes, 512 * (table + 1): listBytes, 512 * (directory + 1): entries, 512 * (first + 1): signature,
	})
}

func BenchmarkLargeMSI(b *testing.B) {
	for name, order := range map[string]func(free []uint32) []uint32{
		"in order":    func(free []uint32) []uint32 { return free },
		"reversed":    func(free []uint32) []uint32 { slices.Reverse(free); return free },
		"every other": func(free []uint32) []uint32 { return everyOther(free, 2) },
		"by turns": func(free []uint32) []uint32 { // as of four streams that were written by turns
			return slices.Concat(everyOther(free, 4), everyOther(free[1:], 4), everyOther(free[2:], 4), everyOther(free[3:], 4))
		},
		"near": func(free []uint32) []uint32 { // at random within 8 MiB
			for part := range slices.Chunk(free, 16384) {
				rand.New(rand.NewPCG(1, 2)).Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
			}
			return free
		},
	} {
		b.Run(name, func(b *testing.B) { looking(b, largeMSI(b, order), nil, isInvalid) })
	}
	b.Run("at random", func(b *testing.B) {
		order := func(free []uint32) []uint32 {
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
			return free
		}
		looking(b, largeMSI(b, order), nil, func(_ Info, err error) bool { return err != nil })
	})
}

func everyOther(sectors []uint32, step int) (some []uint32) {
	for i := 0; i < len(sectors); i += step {
		some = append(some, sectors[i])
	}
	return some
}
