module hearth/complement

go 1.24
