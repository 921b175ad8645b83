package datasets

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"
)

// picture returns an image of 3×2 pixels: 10·x + 100·y, with that much more of red.
func picture(red uint8) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(5, 7, 8, 9)) // whose origin is not 0
	for y := range 2 {
		for x := range 3 {
			v := uint8(10*x + 100*y)
			img.Set(5+x, 7+y, color.NRGBA{v + red, v, v, 255})
		}
	}
	return img
}

func pngOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImages(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b/1.png", pngOf(t, picture(0)))
	write(t, dir, "b/notes.txt", []byte("passed over"))
	write(t, dir, "a/2.PNG", pngOf(t, picture(0)))
	write(t, dir, ".hidden/3.png", []byte("passed over"))
	read := NewReader()
	train, held, err := read.Images(Options{Path: dir})
	if err != nil || held != nil {
		t.Fatal(held, err)
	}
	grey := []byte{0, 10, 20, 100, 110, 120}
	if !slices.Equal(train.Shape, []int{1, 2, 3}) || !slices.Equal(train.Labels, []string{"a", "b"}) || !slices.Equal(train.Pixels, slices.Concat(grey, grey)) {
		t.Errorf("%+v", train)
	}
	if files := read.Files(); len(files) != 1 || files[0].Path != dir {
		t.Errorf("%+v", files)
	}
	// One coloured pixel, and all have three channels.
	write(t, dir, "b/4.png", pngOf(t, picture(5)))
	coloured, _, err := NewReader().Images(Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(coloured.Shape, []int{3, 2, 3}) || !slices.Equal(coloured.Pixels[36:48], []byte{5, 15, 25, 105, 115, 125, 0, 10, 20, 100, 110, 120}) {
		t.Errorf("%+v", coloured)
	}
	// Moving an image to another class changes the hash, although no bytes change.
	other := NewReader()
	moved := t.TempDir()
	write(t, moved, "b/1.png", pngOf(t, picture(0)))
	write(t, moved, "b/2.PNG", pngOf(t, picture(0)))
	if _, _, err := other.Images(Options{Path: moved}); err != nil || other.SHA256() == read.SHA256() {
		t.Errorf("%v, %s", err, other.SHA256())
	}
}

// A folder train and one beside it; the other formats.
func TestImageFormats(t *testing.T) {
	dir := t.TempDir()
	var j, g bytes.Buffer
	if err := jpeg.Encode(&j, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	black := image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White})
	black.SetColorIndex(1, 0, 1)
	if err := gif.Encode(&g, black, nil); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "train/a/1.jpg", j.Bytes())
	write(t, dir, "train/b/1.gif", g.Bytes())
	write(t, dir, "val/b/1.jpeg", j.Bytes())
	train, held, err := NewReader().Images(Options{Path: dir})
	if err != nil || train.Rows != 2 || held == nil || held.Rows != 1 || train.Pixels[64] != 0 || train.Pixels[65] != 255 || train.Pixels[66] != 0 {
		t.Errorf("%+v, %+v, %v", train, held, err)
	}
}

func TestImagesRefuse(t *testing.T) {
	whole := pngOf(t, picture(0))
	// A header that claims 65,536 × 65,536 pixels, with its checksum.
	huge := bytes.Clone(whole)
	binary.BigEndian.PutUint32(huge[16:], 1<<16)
	binary.BigEndian.PutUint32(huge[20:], 1<<16)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"text":  {[]byte("no image"), "not a whole PNG, JPEG or GIF image"},
		"empty": {nil, "not a whole PNG, JPEG or GIF image"},
		"cut":   {whole[:len(whole)-20], "damaged"},
		"huge":  {huge, "scale the images down"},
		"size":  {pngOf(t, image.NewGray(image.Rect(0, 0, 2, 3))), "found 2×3 pixels (width, height), the images before have 3×2"},
	} {
		dir := t.TempDir()
		write(t, dir, "a/1.png", whole)
		write(t, dir, "b/2.png", test.file)
		_, _, err := NewReader().Images(Options{Path: dir})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "2.png") {
			t.Errorf("%s: error %v, want %q in it", name, err, test.want)
		}
	}
	dir := t.TempDir()
	for want, path := range map[string]string{"found no folder": dir + "/none", "found no sub-folder with images": dir} {
		if _, _, err := NewReader().Images(Options{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	write(t, dir, "a/notes.txt", nil)
	if _, _, err := NewReader().Images(Options{Path: dir}); err == nil || !strings.Contains(err.Error(), "found no image") {
		t.Errorf("error %v", err)
	}
}

// record returns a record of CIFAR-10 whose pixels are all of one value.
func record(label, pixel byte) []byte {
	return append([]byte{label}, bytes.Repeat([]byte{pixel}, 3072)...)
}

func TestCIFAR10(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"} {
		write(t, dir, name+".bin", slices.Concat(record(byte(i), byte(i)), record(9, 200)))
	}
	train, held, err := NewReader().CIFAR10(Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if train.Rows != 10 || held.Rows != 2 || train.Labels[2] != "automobile" || held.Labels[0] != "dog" || train.Pixels[4*3072] != 2 || len(train.Pixels) != 10*3072 {
		t.Errorf("%d and %d rows, %v, %v", train.Rows, held.Rows, train.Labels, held.Labels)
	}
	one, held, err := NewReader().CIFAR10(Options{Path: dir + "/test_batch.bin"})
	if err != nil || held != nil || one.Rows != 2 {
		t.Errorf("%+v, %+v, %v", one, held, err)
	}
	for want, content := range map[string][]byte{
		"record 0: found 0 bytes, 3073 are due":             nil,
		"record 1: found 3 bytes, 3073 are due":             append(record(1, 1), 1, 2, 3),
		"record 1: found the label 10, a class from 0 to 9": append(record(1, 1), record(10, 1)...),
	} {
		write(t, dir, "data_batch_3.bin", content)
		if _, _, err := NewReader().CIFAR10(Options{Path: dir}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "data_batch_3.bin") {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	if _, _, err := NewReader().CIFAR10(Options{Path: dir + "/none"}); err == nil || !strings.Contains(err.Error(), "cifar-10-binary.tar.gz is due, unpacked") {
		t.Errorf("error %v", err)
	}
}
