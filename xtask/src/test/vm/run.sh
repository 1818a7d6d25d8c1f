#!/bin/sh
# Runs every test program on this disk in the virtual machine of `cargo xtask test --vm`. The lines that begin with
# "phial-vm:" are read by xtask/src/test/vm/report.rs; all others are libtest's.
set -u
export CARGO_TARGET_DIR=/tests PHIAL_PROGRAM=/tests/phial HOME=/root TMPDIR=/tmp

# Words for libtest, one a line.
set --
while read -r word; do
    set -- "$@" "$word"
done </tests/arguments

echo "phial-vm: $(uname -r), systemd is process 1: $(test -d /run/systemd/system && echo yes || echo no)"
for program in /tests/programs/*; do
    echo "phial-vm: begin ${program##*/}"
    # What is left on the machine can only be told apart while nothing else runs.
    case $program in *-leftovers) threads=1 ;; *) threads=2 ;; esac
    RUST_TEST_THREADS=$threads "$program" "$@" </dev/null
    echo "phial-vm: end ${program##*/} $?"
done
echo "phial-vm: all done"
