//! Makes the byte fixtures of the parsers' own tests, `tests/fixtures/*.hex`, anew: with `UPDATE_FIXTURES=1`, else it checks that what this
//! kernel answers is still read as the fixture is.
