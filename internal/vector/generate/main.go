// Command generate writes the assembly of package vector and the coefficients of
// its polynomials. Run go generate in the package's directory.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	coefficients := flag.String("coefficients", "", "write the coefficients to this file")
	flag.Parse()
	ConstraintExpr("!purego")
	for _, f := range formats {
		f.linear()
		a := newActivations(f)
		a.emitAll()
		if f.double && *coefficients != "" {
			if err := writeCoefficients(a, *coefficients); err != nil {
				log.Fatal(err)
			}
		}
	}
	Generate()
}
