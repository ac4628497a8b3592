module ledgerstone.example/interop/xmod

go 1.26.0

// Earlier releases, 0.30.0 for one, take some full tiles without checking them against their parents; the last
// check in main.go finds that.
require golang.org/x/mod v0.42.0
