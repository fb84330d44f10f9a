//! For the tests of parsers: bytes a kernel once answered (`tests/fixtures/*.hex`, which say how they were made), and ways to spoil them.

/// The bytes of a fixture: hex digits, and lines that begin with `#` before them.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::bytes).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Every beginning of `whole`, and `whole` with each byte changed in turn: `parse` may refuse, but must come back.
pub(crate) fn spoil<T>(whole: &[u8], parse: impl Fn(&[u8]) -> T) {
    for length in 0..whole.len() {
        parse(&whole[..length]);
    }
    let mut bytes = whole.to_vec();
    for at in 0..bytes.len() {
        let right = bytes[at];
        for wrong in [right ^ 0xff, 0, right.wrapping_add(4)] {
            bytes[at] = wrong;
            parse(&bytes);
        }
        bytes[at] = right;
    }
    parse(&[whole, &[0xff; 64]].concat());
    parse(&[0xff; 4096]);
}
