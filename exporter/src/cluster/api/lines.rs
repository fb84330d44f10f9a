//! Bodies of answers, read with a limit: whole, or line by line as a watch comes.
//!
//! Apart because nothing here knows what the bytes mean.

use super::error::{Error, chain};
use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use kube::client::Body;
use std::time::Duration;
use tokio::time::timeout;

/// Most bytes of one line; the largest object etcd takes is a tenth of it.
const MAX_LINE: usize = 16 << 20;
/// Until the next bytes of a body that is no watch.
const STALLED: Duration = Duration::from_secs(30);
/// Until the next bytes of a watch. A server that sends bookmarks sends one a minute, so the other end is gone; one that sends none loses
/// nothing when it is asked anew.
const QUIET: Duration = Duration::from_secs(150);
/// A buffer that grew beyond this for one long line is given back.
const KEPT: usize = 64 << 10;

/// A watch as it comes.
pub struct Lines<B = Body> {
    body: B,
    buffer: BytesMut,
    searched: usize,
    skipping: bool,
}

/// One line of a watch.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// All of it, without its end.
    Whole(Bytes),
    /// It was longer than we read, and was left out.
    TooLong,
}

impl<B> Lines<B>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    pub(super) fn new(body: B) -> Self {
        Self { body, buffer: BytesMut::new(), searched: 0, skipping: false }
    }

    /// The next line that is not empty; `None`: the server closed it, or nothing came for so long that the other end must be gone.
    pub async fn next(&mut self) -> Result<Option<Line>, Error> {
        loop {
            match self.take() {
                Some(Line::Whole(line)) if line.is_empty() => continue,
                Some(line) => return Ok(Some(line)),
                None => {}
            }
            let Ok(Some(frame)) = timeout(QUIET, self.body.frame()).await else { return Ok(None) };
            let frame = frame.map_err(|cause| Error::Unreachable(chain(&cause)))?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }

    /// A line that is there as a whole.
    fn take(&mut self) -> Option<Line> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        let Some(end) = end else {
            if self.buffer.len() > MAX_LINE {
                self.skipping = true;
                self.buffer.clear();
            }
            self.searched = self.buffer.len();
            return None;
        };
        self.searched = 0;
        let line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        if self.buffer.is_empty() && line.len() > KEPT {
            self.buffer = BytesMut::new();
        }
        if std::mem::take(&mut self.skipping) { Some(Line::TooLong) } else { Some(Line::Whole(line)) }
    }
}

/// All of a body.
pub(super) async fn whole(body: Body, limit: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    gather(body, limit, &mut bytes).await.map(|()| bytes)
}

/// As much of a body as comes, up to a limit.
pub(super) async fn beginning(body: Body, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = gather(body, limit, &mut bytes).await; // what came is what is wanted
    bytes
}

async fn gather(mut body: Body, limit: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        let frame = timeout(STALLED, body.frame()).await.map_err(|_| Error::Silent)?;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|cause| Error::Unreachable(chain(&cause)))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        bytes.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Pieces = std::vec::IntoIter<Result<hyper::body::Frame<Bytes>, std::io::Error>>;

    fn lines(pieces: Vec<Vec<u8>>) -> Lines<http_body_util::StreamBody<futures_util::stream::Iter<Pieces>>> {
        let frames: Vec<_> = pieces.into_iter().map(|it| Ok(hyper::body::Frame::data(Bytes::from(it)))).collect();
        Lines::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames)))
    }

    #[tokio::test]
    async fn lines_are_put_together_from_pieces() {
        let mut lines = lines(vec![b"on".to_vec(), b"e\ntwo\n\nthr".to_vec(), b"ee\nfour".to_vec()]);
        for wanted in ["one", "two", "three"] {
            assert_eq!(lines.next().await.unwrap(), Some(Line::Whole(Bytes::from(wanted))));
        }
        assert_eq!(lines.next().await.unwrap(), None, "what has no end is left out");
    }

    proptest! {
        #[test]
        fn however_bytes_are_cut_the_lines_are_the_same(pieces: Vec<Vec<u8>>, ends in proptest::collection::vec(0_usize..40, 0..10)) {
            let mut pieces = pieces;
            for at in ends {
                if let Some(piece) = pieces.get_mut(at) {
                    piece.push(b'\n');
                }
            }
            let all = pieces.concat();
            let mut wanted: Vec<_> = all.split(|byte| *byte == b'\n').collect();
            wanted.pop(); // what has no end
            wanted.retain(|line| !line.is_empty());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let found = runtime.block_on(async {
                let (mut lines, mut found) = (lines(pieces), Vec::new());
                while let Some(line) = lines.next().await.unwrap() {
                    found.push(line);
                }
                found
            });
            let whole: Vec<_> = wanted.into_iter().map(|line| Line::Whole(Bytes::copy_from_slice(line))).collect();
            prop_assert_eq!(found, whole);
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_costs_only_itself() {
        let long = vec![b'x'; MAX_LINE / 2 + 1];
        let mut lines = lines(vec![b"a\n".to_vec(), long.clone(), long.clone(), long, b"\nb\n".to_vec()]);
        assert_eq!(lines.next().await.unwrap(), Some(Line::Whole(Bytes::from("a"))));
        assert_eq!(lines.next().await.unwrap(), Some(Line::TooLong));
        assert_eq!(lines.next().await.unwrap(), Some(Line::Whole(Bytes::from("b"))));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let body = |bytes: &'static [u8]| Body::from(Bytes::from_static(bytes));
        assert_eq!(whole(body(b"12345"), 5).await.unwrap(), b"12345");
        assert!(matches!(whole(body(b"123456"), 5).await, Err(Error::TooLarge(5))));
    }
}
