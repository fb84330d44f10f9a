//! Text of a process's files in /proc → values; its control group has a file of its own. Pure, and any bytes do.

/// What a `stat` line says that we need.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) comm: String,
    pub(super) is_dead: bool,
    pub(super) ppid: u32,
    pub(super) flags: u32,
    /// Threads of the process, a dead main thread among them until the last one ends.
    pub(super) threads: u32,
    pub(super) start_ticks: u64,
}

/// `pid (comm) state ppid …`, proc(5). The name may hold anything, parentheses too, so it ends at the last one.
/// Not the procfs crate's parser: that one panics on a line cut short, and takes all 52 fields apart for every process.
pub(super) fn parse_stat(line: &[u8]) -> Option<Stat> {
    let open = line.iter().position(|&byte| byte == b'(')?;
    let close = line.iter().rposition(|&byte| byte == b')')?;
    let comm = String::from_utf8_lossy(line.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(line.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?; // field 3
    let ppid = fields.next()?.parse().ok()?; // field 4
    let flags = fields.nth(4)?.parse().ok()?; // field 9
    let threads = fields.nth(10)?.parse().ok()?; // field 20
    let start_ticks = fields.nth(1)?.parse().ok()?; // field 22
    Some(Stat { comm, is_dead: matches!(state, "Z" | "X" | "x"), ppid, flags, threads, start_ticks })
}

/// `cmdline`: arguments, each ended by a zero byte; a program that has changed its title may have left none.
pub(super) fn parse_argv(text: &[u8]) -> Vec<String> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|&byte| byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// What is before the last line break of a text that filled its buffer of `limit` bytes, else all of it.
pub(super) fn complete_lines(text: &[u8], limit: usize) -> &[u8] {
    if text.len() < limit {
        return text;
    }
    text.iter().rposition(|&byte| byte == b'\n').map_or(&[], |end| &text[..end])
}
