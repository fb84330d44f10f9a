//! Which netfilter subsystems this kernel has, found out without loading any.
//!
//! Opening a netfilter netlink socket, listing sets or asking for `nf_tables` makes a modular kernel load the module. A subsystem that is
//! not loaded holds nothing, so it is simply not asked. Loaded modules are under `/sys/module`; built-in ones need not be, so those are
//! looked up once: in `modules.builtin`, else among the kernel's symbols.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::OnceLock;

/// Subsystems that may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// Netlink for netfilter at all.
    pub nfnetlink: bool,
    /// IP sets.
    pub ip_set: bool,
    /// `nf_tables`.
    pub nf_tables: bool,
}

/// Module name, and a function that only it has (`net/netfilter/nfnetlink.c`, `ipset/ip_set_core.c`, `nf_tables_api.c`).
const KNOWN: [(&str, &str); 3] = [("nfnetlink", "nfnetlink_rcv"), ("ip_set", "ip_set_create"), ("nf_tables", "nf_tables_newrule")];
/// The most bytes of a symbol table that are looked at; real ones have 5 to 20 MB.
const LIMIT: u64 = 256 << 20;

impl Modules {
    /// Looks at this kernel now: a module may have been loaded since the last sweep.
    pub fn find() -> Self {
        static BUILT_IN: OnceLock<[bool; 3]> = OnceLock::new();
        let loaded = KNOWN.map(|(module, _)| Path::new("/sys/module").join(module).exists());
        if loaded == [true; 3] {
            return Self::of(loaded);
        }
        let built_in = BUILT_IN.get_or_init(built_in);
        Self::of([loaded[0] || built_in[0], loaded[1] || built_in[1], loaded[2] || built_in[2]])
    }

    fn of([nfnetlink, ip_set, nf_tables]: [bool; 3]) -> Self {
        Self { nfnetlink, ip_set, nf_tables }
    }
}

fn built_in() -> [bool; 3] {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    if let Ok(list) = File::open(Path::new("/lib/modules").join(release).join("modules.builtin")) {
        return search(list, &KNOWN.map(|(module, _)| format!("/{module}.ko\n")));
    }
    match File::open("/proc/kallsyms") {
        // "address type symbol", and for a loaded module "\t[module]" after it.
        Ok(symbols) => search(symbols, &KNOWN.map(|(_, symbol)| format!(" {symbol}\n"))),
        // Nothing can be told apart, so everything is asked: better a module loaded than a fault not seen.
        Err(_) => [true; 3],
    }
}

/// Which of the endings some line has.
fn search(file: File, endings: &[String; 3]) -> [bool; 3] {
    let mut out = [false; 3];
    let mut reader = BufReader::with_capacity(1 << 16, file.take(LIMIT));
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) && out != [true; 3] {
        for (seen, ending) in out.iter_mut().zip(endings) {
            *seen |= line.ends_with(ending.as_bytes());
        }
        line.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn symbols_tell_what_is_built_in() {
        let mut file = tempfile::tempfile().unwrap();
        writeln!(
            file,
            "0000000000000000 t nfnetlink_rcv\n0000000000000000 t xip_set_create\n0000000000000000 t nf_tables_newrule\t[nf_tables]"
        )
        .unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let found = search(file, &KNOWN.map(|(_, symbol)| format!(" {symbol}\n")));
        assert_eq!(found, [true, false, false]);
    }
}
