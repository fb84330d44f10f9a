//! The subject alternative names of a certificate: bytes → names.
//!
//! Apart because it is a small DER walk (RFC 5280 sections 4.1 and 4.2.1.6) and nothing else; rustls' own certificate library
//! gives no e-mail addresses and no IP addresses. To know another kind of name: one tag and one arm in [`name`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a certificate says it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// A DNS name, an e-mail address or a URI, compared letter by letter; a wildcard is not expanded.
    Text(&'a [u8]),
    /// An IP address, compared as a number.
    Address(IpAddr),
}

/// DER tags of the parts walked through (X.690 section 8.1.2; context tags from RFC 5280).
mod tag {
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const OBJECT_ID: u8 = 0x06;
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const EXTENSIONS: u8 = 0xa3;
    pub(super) const EMAIL: u8 = 0x81;
    pub(super) const DNS: u8 = 0x82;
    pub(super) const URI: u8 = 0x86;
    pub(super) const ADDRESS: u8 = 0x87;
}

/// The object identifier 2.5.29.17, subjectAltName, as DER content.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The names of a DER certificate; `None` if it has no such extension or is not DER.
pub(super) fn alternative_names(certificate: &[u8]) -> Option<Vec<Name<'_>>> {
    let (certificate, _) = inside(tag::SEQUENCE, certificate)?;
    let (to_be_signed, _) = inside(tag::SEQUENCE, certificate)?;
    let (_, extensions) = elements(to_be_signed)?.into_iter().find(|(tag, _)| *tag == tag::EXTENSIONS)?;
    let (extensions, _) = inside(tag::SEQUENCE, extensions)?;
    for (_, extension) in elements(extensions)? {
        let (id, _) = inside(tag::OBJECT_ID, extension)?;
        if id == SUBJECT_ALT_NAME {
            let (_, value) = elements(extension)?.into_iter().find(|(tag, _)| *tag == tag::OCTET_STRING)?;
            let (names, _) = inside(tag::SEQUENCE, value)?;
            return Some(elements(names)?.into_iter().filter_map(name).collect());
        }
    }
    None
}

/// One element of `GeneralNames`, if it is of a kind that can be listed.
fn name((tag, content): (u8, &[u8])) -> Option<Name<'_>> {
    match tag {
        tag::EMAIL | tag::DNS | tag::URI => Some(Name::Text(content)),
        tag::ADDRESS => {
            let v4 = <[u8; 4]>::try_from(content).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
            let v6 = <[u8; 16]>::try_from(content).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)).to_canonical());
            v4.or(v6).ok().map(Name::Address)
        }
        _ => None,
    }
}

/// All elements of a constructed value, as tag and content; `None` if a length is wrong.
fn elements(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let (tag, content, rest) = element(bytes)?;
        elements.push((tag, content));
        bytes = rest;
    }
    Some(elements)
}

/// The content of the first element, if it has this tag, and what follows it.
fn inside(wanted: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// The first element: tag, content and what follows. Lengths of up to four octets (X.690 section 8.1.3).
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    /// A certificate with one name of each kind.
    pub(in super::super) fn all_kinds() -> Vec<u8> {
        certificate(vec![
            SanType::DnsName("prometheus.example".try_into().expect("a name")),
            SanType::Rfc822Name("sre@example.org".try_into().expect("a name")),
            SanType::URI("spiffe://cluster/prometheus".try_into().expect("a name")),
            SanType::IpAddress("192.0.2.7".parse().expect("an address")),
            SanType::IpAddress("2001:db8::7".parse().expect("an address")),
        ])
    }

    #[test]
    fn every_kind_of_name_is_read() {
        let certificate = all_kinds();
        let expected = vec![
            Name::Text(b"prometheus.example"),
            Name::Text(b"sre@example.org"),
            Name::Text(b"spiffe://cluster/prometheus"),
            Name::Address("192.0.2.7".parse().expect("an address")),
            Name::Address("2001:db8::7".parse().expect("an address")),
        ];
        assert_eq!(alternative_names(&certificate), Some(expected));
        assert_eq!(alternative_names(&certificate_without_names()), None);
    }

    /// A certificate without names.
    pub(in super::super) fn certificate_without_names() -> Vec<u8> {
        certificate(Vec::new())
    }

    proptest! {
        #[test]
        fn any_bytes_give_names_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = alternative_names(&bytes);
        }

        /// One byte of a real certificate changed, or its end cut off.
        #[test]
        fn damaged_certificates_give_names_or_none(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = all_kinds();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            let _ = alternative_names(&bytes);
        }
    }
}
