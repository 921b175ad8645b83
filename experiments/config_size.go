package experiments

import (
	"regexp"
	"strconv"
)

// sizes says which texts are a number of bytes.
const sizes = "a number and a unit of bytes, B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 2GiB"

// sizeForm is a number and a unit.
const sizeForm = `^([0-9]+(?:\.[0-9]+)?) ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$`

// ParseSize returns the bytes of a text such as 2GiB or 1.5 GB, as configurations have them, false where it is none.
func ParseSize(text string) (bytes float64, ok bool) {
	parts := regexp.MustCompile(sizeForm).FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	units := map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	n, err := strconv.ParseFloat(parts[1], 64)
	return n * units[parts[2]], err == nil
}
