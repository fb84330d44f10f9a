//! Server-Sent Events: bytes → messages. Pure, and only what the standard says (WHATWG HTML, section 9.2.6, "Interpreting an event stream").

/// Longest message unless told otherwise, in bytes. A run with 10 000 targets has about 3 MiB.
const LONGEST: usize = 16 << 20;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it is; empty where it does not say.
    pub(crate) event: String,
    /// Where the stream is with it, where it says so.
    pub(crate) id: Option<String>,
    /// What it says; empty for a heartbeat.
    pub(crate) data: String,
}

/// A message that is too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Takes pieces and gives messages.
#[derive(Debug)]
pub(crate) struct Parser {
    rest: Vec<u8>,
    /// So much of the rest has no end of a line.
    searched: usize,
    longest: usize,
    message: Message,
    /// Whether there was a line since the last message.
    begun: bool,
    /// Lines so far, comments among them: whoever sends bytes and never ends a line makes no progress.
    pub(crate) lines: u64,
    /// How long to wait before connecting again, as the server asks, in milliseconds.
    pub(crate) retry: Option<u64>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl Parser {
    /// Takes messages of at most so many bytes.
    pub(crate) fn up_to(longest: usize) -> Self {
        Self { rest: Vec::new(), searched: 0, longest, message: Message::default(), begun: false, lines: 0, retry: None }
    }

    /// The messages that are complete with this piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<Message>, TooLong> {
        self.rest.extend_from_slice(piece);
        let mut out = Vec::new();
        let (mut start, mut from) = (0, self.searched);
        while let Some((end, next)) = line_end(&self.rest[from..]) {
            let line = String::from_utf8_lossy(&self.rest[start..from + end]).into_owned();
            start = from + next;
            from = start;
            self.lines += 1;
            self.line(&line, &mut out);
            if self.message.data.len() > self.longest {
                return Err(TooLong);
            }
        }
        self.rest.drain(..start);
        // A CR at the very end is looked at once more.
        self.searched = self.rest.len() - usize::from(self.rest.last() == Some(&b'\r'));
        if self.rest.len() + self.message.data.len() > self.longest { Err(TooLong) } else { Ok(out) }
    }

    fn line(&mut self, line: &str, out: &mut Vec<Message>) {
        if line.is_empty() {
            let mut message = std::mem::take(&mut self.message);
            if message.data.ends_with('\n') {
                message.data.pop();
            }
            if std::mem::take(&mut self.begun) {
                out.push(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.event),
            "data" => {
                self.message.data += value;
                self.message.data.push('\n');
            }
            "id" if !value.contains('\0') => self.message.id = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok().or(self.retry),
            _ => return, // comments and what later versions may bring
        }
        self.begun = true;
    }
}

/// Where the first line ends and the next begins. A CR that is the last byte may be half of a CR LF, so it is not an end yet.
fn line_end(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    match (bytes[end], bytes.get(end + 1)) {
        (b'\r', None) => None,
        (b'\r', Some(b'\n')) => Some((end, end + 2)),
        _ => Some((end, end + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(event: &str, id: &str, data: &str) -> Message {
        Message { event: event.into(), id: (!id.is_empty()).then(|| id.into()), data: data.into() }
    }

    const STREAM: &str = ": hello\nretry: 2500\n\nevent: run\nid: j.1\ndata: {\"a\":1}\n\nid: j.2\n\ndata: a\r\ndata:b\r\n\r\ndata: torn";

    #[test]
    fn messages_are_told_apart_by_empty_lines() {
        let mut parser = Parser::default();
        let wanted = [Message::default(), message("run", "j.1", "{\"a\":1}"), message("", "j.2", ""), message("", "", "a\nb")];
        assert_eq!(parser.push(STREAM.as_bytes()).unwrap(), wanted);
        assert_eq!(parser.retry, Some(2500));
    }

    #[test]
    fn a_message_without_an_end_is_not_kept_for_ever() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; LONGEST / 2 + 1];
        assert_eq!(parser.push(&piece), Ok(vec![]));
        assert_eq!(parser.push(&piece), Err(TooLong));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_says_the_same(cuts in prop::collection::vec(0..STREAM.len(), 0..8)) {
            let whole = Parser::default().push(STREAM.as_bytes()).unwrap();
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut out = Vec::new();
            let mut start = 0;
            for end in cuts.into_iter().chain([STREAM.len()]) {
                out.extend(parser.push(&STREAM.as_bytes()[start..end]).unwrap());
                start = end;
            }
            prop_assert_eq!(out, whole);
        }

        #[test]
        fn any_bytes_give_messages(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Parser::default().push(&bytes);
        }
    }
}
