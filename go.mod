module pkm

go 1.26.0
