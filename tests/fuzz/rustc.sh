#!/bin/sh
# Called by cargo in place of rustc (RUSTC_WRAPPER, by tests/fuzz.sh): coverage counters go into our parsers and those of the libraries
# they hand bytes to. All other crates are compiled as ever, which takes half the time.
case " $* " in
*" --crate-name chaoscope "* | *" --crate-name prost "* | *" --crate-name serde_json "* | *" --crate-name granit_parser "*)
  exec "$@" --cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares ;;
*" --crate-name fuzz "*) exec "$@" --cfg fuzzing ;;
esac
exec "$@"
