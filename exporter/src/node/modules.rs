//! Which netfilter subsystems this kernel has, found out without loading any.
//!
//! Opening a netfilter netlink socket, listing sets or asking for `nf_tables` makes a modular kernel load the module. A subsystem that is
//! not loaded holds nothing, so it is simply not asked. Loaded modules are under `/sys/module`, or where no sysfs is mounted in
//! `/proc/modules`; built-in ones need not be, so those are looked up once: in `modules.builtin`, else among the kernel's symbols.
//! Where nothing can be told apart everything is asked: better a module loaded than a fault not seen.

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
        let loaded = loaded(Path::new("/sys/module"), Path::new("/proc/modules"));
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

/// Which modules are loaded, as the folder `sysfs` says, else the list `procfs`. A kernel that has a sysfs has `kernel` and the like
/// in that folder, so an empty or missing one is no sysfs.
fn loaded(sysfs: &Path, procfs: &Path) -> [bool; 3] {
    if std::fs::read_dir(sysfs).is_ok_and(|mut entries| entries.next().is_some()) {
        return KNOWN.map(|(module, _)| sysfs.join(module).exists());
    }
    match File::open(procfs) {
        // "name size users …", so what is looked for is at the beginning.
        Ok(list) => search(list, |line, at| line.strip_prefix(KNOWN[at].0.as_bytes()).is_some_and(|rest| rest.starts_with(b" "))),
        Err(_) => [true; 3],
    }
}

fn built_in() -> [bool; 3] {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    if let Ok(list) = File::open(Path::new("/lib/modules").join(release).join("modules.builtin")) {
        return search_ends(list, &KNOWN.map(|(module, _)| format!("/{module}.ko\n")));
    }
    match File::open("/proc/kallsyms") {
        // "address type symbol", and for a loaded module "\t[module]" after it.
        Ok(symbols) => search_ends(symbols, &KNOWN.map(|(_, symbol)| format!(" {symbol}\n"))),
        Err(_) => [true; 3],
    }
}

/// Which of the endings some line has.
fn search_ends(file: File, endings: &[String; 3]) -> [bool; 3] {
    search(file, |line, at| line.ends_with(endings[at].as_bytes()))
}

/// Which of the modules of [`KNOWN`], by place, some line tells of.
fn search(file: File, tells: impl Fn(&[u8], usize) -> bool) -> [bool; 3] {
    let mut out = [false; 3];
    let mut reader = BufReader::with_capacity(1 << 16, file.take(LIMIT));
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) && out != [true; 3] {
        for (at, seen) in out.iter_mut().enumerate() {
            *seen |= tells(&line, at);
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
        let found = search_ends(file, &KNOWN.map(|(_, symbol)| format!(" {symbol}\n")));
        assert_eq!(found, [true, false, false]);
    }

    #[test]
    fn without_sysfs_the_list_of_modules_tells_and_without_both_everything_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (sysfs, procfs) = (folder.path().join("module"), folder.path().join("modules"));
        assert_eq!(loaded(&sysfs, &procfs), [true; 3], "nothing can be told");
        std::fs::write(&procfs, "ip_set_hash_net 53248 0 - Live 0x0\nnf_tables 1 2 nfnetlink, Live 0x0\n").unwrap();
        assert_eq!(loaded(&sysfs, &procfs), [false, false, true]);
        std::fs::create_dir(&sysfs).unwrap();
        assert_eq!(loaded(&sysfs, &procfs), [false, false, true], "an empty folder where no sysfs is mounted");
        std::fs::create_dir_all(sysfs.join("kernel")).unwrap();
        assert_eq!(loaded(&sysfs, &procfs), [false; 3]);
        std::fs::create_dir(sysfs.join("ip_set")).unwrap();
        assert_eq!(loaded(&sysfs, &procfs), [false, true, false]);
    }
}
