//! Whole dumps or nothing: [`Buffer::collect`] fed by a scripted kernel.

use super::*;

const WHAT: &str = "test dump";
/// A message type that is neither an error nor the end.
const PAYLOAD: u16 = 36;

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut out = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(body);
    out
}

fn done(flags: u16) -> Vec<u8> {
    message(DONE, flags, 7, &[0; 4])
}

/// Collects a dump with sequence 7 from these answers; the bytes are those that were kept.
fn collect(answers: Vec<Result<Vec<u8>, Errno>>) -> Result<(Collected, Vec<u8>), ReadError> {
    let mut buffer = Buffer::default();
    let mut answers = answers.into_iter();
    let receive = |space: &mut [u8]| {
        let answer = answers.next().expect("asked beyond the end")?;
        let taken = answer.len().min(space.len());
        space[..taken].copy_from_slice(&answer[..taken]);
        Ok(answer.len()) // the real length, as with MSG_TRUNC
    };
    let outcome = buffer.collect(WHAT, 7, true, receive)?;
    Ok((outcome, buffer.answer().to_vec()))
}

#[test]
fn messages_of_all_datagrams_are_kept_without_the_end() {
    let (one, two) = (message(PAYLOAD, 2, 7, b"first..."), message(PAYLOAD, 2, 7, b"then"));
    let outcome = collect(vec![Ok(one.clone()), Ok([&two[..], &done(2)[..]].concat())]);
    assert_eq!(outcome, Ok((Collected::Whole, [one, two].concat())));
}

#[test]
fn an_interrupted_dump_is_read_to_its_end_and_not_whole() {
    for answers in [
        vec![Ok(message(PAYLOAD, 2 | F_DUMP_INTR, 7, b"torn")), Ok(message(PAYLOAD, 2, 7, b"rest")), Ok(done(2))],
        vec![Ok(message(PAYLOAD, 2, 7, b"torn")), Ok(done(2 | F_DUMP_INTR))],
    ] {
        assert_eq!(collect(answers).map(|(outcome, _)| outcome), Ok(Collected::Interrupted));
    }
}

#[test]
fn an_error_in_the_middle_is_an_error() {
    let refusal = |code: i32| message(ERROR, 0, 7, &[&code.to_ne_bytes()[..], &[0; 16]].concat());
    let part = || Ok(message(PAYLOAD, 2, 7, b"part"));
    let permission = ReadError::Permission { call: WHAT, errno: Errno::PERM };
    assert_eq!(collect(vec![part(), Ok(refusal(-1))]), Err(permission));
    assert_eq!(
        collect(vec![part(), Ok(message(DONE, 2, 7, &(-12_i32).to_ne_bytes()))]),
        Err(ReadError::Kernel { call: WHAT, errno: Errno::NOMEM })
    );
    assert_eq!(collect(vec![part(), Err(Errno::AGAIN)]), Err(ReadError::Timeout(WHAT)));
    assert_eq!(collect(vec![part(), Err(Errno::NOBUFS)]), Err(ReadError::Kernel { call: WHAT, errno: Errno::NOBUFS }));
    assert!(matches!(collect(vec![Ok(message(ERROR, 0, 7, &[]))]), Err(ReadError::Malformed(_))));
    assert!(matches!(collect(vec![Ok(message(ERROR, 0, 7, &i32::MIN.to_ne_bytes()))]), Err(ReadError::Malformed(_))));
}

#[test]
fn answers_to_an_older_request_are_passed_over() {
    let old = message(PAYLOAD, 2, 6, b"old");
    let new = message(PAYLOAD, 2, 7, b"new.");
    assert_eq!(collect(vec![Ok(old.clone()), Ok(new.clone()), Ok(done(2))]), Ok((Collected::Whole, new.clone())));
    let mixed = [new, old].concat();
    assert!(matches!(collect(vec![Ok(mixed)]), Err(ReadError::Malformed(_))));
}

#[test]
fn malformed_datagrams_are_errors() {
    let long = message(PAYLOAD, 2, 7, &[1; SMALL]);
    let mut beyond = message(PAYLOAD, 2, 7, b"body");
    beyond[0] = 200;
    let mut short = message(PAYLOAD, 2, 7, b"body");
    short[0] = 8;
    for answer in [long, beyond, short, vec![1, 2, 3], Vec::new()] {
        let shown = format!("{:?}", answer.get(..16));
        assert!(matches!(collect(vec![Ok(answer)]), Err(ReadError::Malformed(_))), "{shown}");
    }
}

#[test]
fn a_dump_without_end_is_given_up() {
    let part = message(PAYLOAD, 2, 7, &[0; SMALL - HEADER]);
    let mut buffer = Buffer::default();
    let mut times = 0;
    let outcome = buffer.collect(WHAT, 7, true, |space| {
        times += 1;
        space[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    });
    assert_eq!(outcome, Err(ReadError::TooLarge { what: WHAT, limit: LIMIT }));
    assert_eq!(times, LIMIT / SMALL + 1);
}

#[test]
fn a_request_for_one_object_ends_with_its_answer() {
    let answer = message(PAYLOAD, 0, 7, b"it..");
    let mut buffer = Buffer::default();
    let outcome = buffer.collect(WHAT, 7, false, |space| {
        space[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    });
    assert_eq!((outcome, buffer.answer()), (Ok(Collected::Whole), answer.as_slice()));
}

#[test]
fn a_second_answer_holds_nothing_of_the_first() {
    let mut buffer = Buffer::default();
    for body in [&[1; 40][..], &[2; 8]] {
        let mut datagrams = [message(PAYLOAD, 2, 7, body), done(0)].into_iter();
        let receive = |space: &mut [u8]| {
            let datagram = datagrams.next().ok_or(Errno::AGAIN)?;
            space[..datagram.len()].copy_from_slice(&datagram);
            Ok(datagram.len())
        };
        assert_eq!(buffer.collect(WHAT, 7, true, receive), Ok(Collected::Whole));
        assert_eq!(buffer.answer(), message(PAYLOAD, 2, 7, body));
    }
}
