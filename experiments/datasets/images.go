package datasets

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	_ "image/gif" // the formats
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxPixels bounds an image, whatever its header claims.
const maxPixels = 1 << 24

// Images reads PNG, JPEG and GIF files (the first picture of it) of one size from a folder
// with a sub-folder for each class. If it has a sub-folder train, this is the folder, and
// the one beside it called test, or else val, is held out; held is nil without. Samples are
// (1, height, width) if every pixel of every image is grey, and (3, height, width) otherwise.
// Transparent pixels are black. The hash covers the names of the files too.
func (f *Reader) Images(o Options) (train, held *Table, err error) {
	if !isFolder(filepath.Join(o.Path, "train")) {
		train, err = f.imageFolder(o.Path)
		return train, nil, err
	}
	if train, err = f.imageFolder(filepath.Join(o.Path, "train")); err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"test", "val"} {
		if folder := filepath.Join(o.Path, name); isFolder(folder) {
			held, err = f.imageFolder(folder)
			return train, held, err
		}
	}
	return train, nil, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// imageFolder reads a folder with a sub-folder for each class.
func (f *Reader) imageFolder(folder string) (*Table, error) {
	classes, err := os.ReadDir(folder)
	if err != nil {
		return nil, &Error{Path: folder, Err: err, Fault: "found no folder; a folder with a sub-folder of images for each class is due, its path taken from the working directory"}
	}
	t, before, grey := &Table{}, len(f.read), true
	for _, class := range classes {
		path := filepath.Join(folder, class.Name())
		if !isFolder(path) || strings.HasPrefix(class.Name(), ".") {
			continue
		}
		files, err := os.ReadDir(path)
		if err != nil {
			return nil, &Error{Path: path, Fault: err.Error(), Err: err}
		}
		rows := t.Rows
		for _, file := range files {
			if !slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif"}, strings.ToLower(filepath.Ext(file.Name()))) || strings.HasPrefix(file.Name(), ".") {
				continue
			}
			if _, err := io.WriteString(f.all, class.Name()+"/"+file.Name()+"\x00"); err != nil {
				return nil, err
			}
			if err := f.each(filepath.Join(path, file.Name()), func(r *bufio.Reader) error { return t.addImage(r, &grey) }); err != nil {
				return nil, err
			}
			t.Labels = append(t.Labels, class.Name())
			t.Rows++
		}
		if t.Rows == rows {
			return nil, &Error{Path: path, Fault: "found no image (.png, .jpg, .jpeg, .gif) in the folder of a class: add some, or take the folder away"}
		}
	}
	if t.Rows == 0 {
		return nil, &Error{Path: folder, Fault: "found no sub-folder with images; one for each class is due"}
	}
	if grey {
		t.Shape[0], t.Pixels = 1, firstChannel(t.Pixels, t.Shape[1]*t.Shape[2])
	}
	var size int64
	for _, file := range f.read[before:] {
		size += file.Bytes
	}
	f.read = append(f.read[:before:before], File{Path: folder, Bytes: size, SHA256: f.SHA256()})
	return t, nil
}

// addImage adds the pixels of an image, the channels first, and notes whether all are grey.
func (t *Table) addImage(r *bufio.Reader, grey *bool) error {
	var header bytes.Buffer // is read twice
	config, format, err := image.DecodeConfig(io.TeeReader(r, &header))
	if err != nil {
		return fmt.Errorf("not a whole PNG, JPEG or GIF image: %w", err)
	}
	w, h := config.Width, config.Height
	if w < 1 || h < 1 || w > maxPixels || h > maxPixels || w*h > maxPixels {
		return fmt.Errorf("found %d×%d pixels, at most %d pixels are read: scale the images down", w, h, maxPixels)
	}
	if t.Shape == nil {
		t.Shape = []int{3, h, w}
	} else if t.Shape[1] != h || t.Shape[2] != w {
		return fmt.Errorf("found %d×%d pixels (width, height), the images before have %d×%d: bring all to one size", w, h, t.Shape[2], t.Shape[1])
	}
	img, _, err := image.Decode(io.MultiReader(&header, r))
	if err != nil {
		return fmt.Errorf("the %s image is cut or damaged: %w", strings.ToUpper(format), err)
	}
	at, pixels := len(t.Pixels), w*h
	t.Pixels = append(t.Pixels, make([]byte, 3*pixels)...)
	box := img.Bounds()
	for y := range min(h, box.Dy()) {
		for x := range min(w, box.Dx()) {
			r, g, b, _ := img.At(box.Min.X+x, box.Min.Y+y).RGBA()
			for c, v := range [3]uint32{r, g, b} {
				t.Pixels[at+c*pixels+y*w+x] = byte(v >> 8)
			}
			*grey = *grey && r>>8 == g>>8 && g>>8 == b>>8
		}
	}
	return nil
}

// firstChannel returns the first of three channels of images.
func firstChannel(v []byte, pixels int) []byte {
	out := make([]byte, 0, len(v)/3)
	for i := 0; i < len(v); i += 3 * pixels {
		out = append(out, v[i:i+pixels]...)
	}
	return out
}
