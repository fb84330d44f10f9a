//! A listen address as Go programs write it → a listening socket: `:10765`, `127.0.0.1:10765`, `[::1]:0`, `localhost:80`.
//!
//! Apart because it is the only place that makes sockets. Differences between address families stay in here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

use super::web_config::WebError;

/// Connections that may wait to be accepted; the kernel cuts it to `net.core.somaxconn`, 4096 by default.
const BACKLOG: i32 = 1024;

/// Listens on `address`. Without a host that means every interface, IPv6 and IPv4 with one socket where there is IPv6; so
/// does `[::]`, while `0.0.0.0` means IPv4 alone. A host name stands for its first IPv4 address, else its first address.
pub(super) fn listen_on(address: &str) -> Result<(SocketAddr, TcpListener), WebError> {
    let (host, port) = split(address).map_err(|problem| WebError::Address { address: address.to_owned(), problem })?;
    let opened = if host.is_empty() {
        open((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match error.raw_os_error() {
            Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL) => open((Ipv4Addr::UNSPECIFIED, port).into()), // no IPv6 here
            _ => Err(error),
        })
    } else {
        open(resolved(address, host, port)?)
    };
    opened.map_err(|source| WebError::Listen { address: address.to_owned(), remedy: remedy(&source), source })
}

/// Host (without brackets; empty for all interfaces) and port.
fn split(address: &str) -> Result<(&str, u16), &'static str> {
    if address.contains("://") {
        return Err("only TCP addresses are served, without a scheme");
    }
    let (host, port) = address.rsplit_once(':').ok_or("the port is missing")?;
    let port = match port.as_bytes().first() {
        Some(b'0'..=b'9') => port.parse().map_err(|_| "the port is not a number from 0 to 65535")?,
        _ => return Err("the port is not a number from 0 to 65535"),
    };
    match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(Some(host)) if host.parse::<Ipv6Addr>().is_ok() => Ok((host, port)),
        Some(_) => Err("no IPv6 address between the brackets"),
        None if host.contains(':') => Err("an IPv6 address needs brackets"),
        None => Ok((host, port)),
    }
}

/// The address to bind for a host that is an IP address or a name.
fn resolved(address: &str, host: &str, port: u16) -> Result<SocketAddr, WebError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok((ip, port).into());
    }
    let unknown = |source| WebError::Resolve { address: address.to_owned(), source };
    let all: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(unknown)?.collect();
    let first = all.iter().find(|found| found.is_ipv4()).or(all.first()).copied();
    first.ok_or_else(|| unknown(io::Error::new(io::ErrorKind::NotFound, "no address")))
}

/// A listening TCP socket and its address; an IPv6 one takes IPv4 too where its address is the unspecified one.
fn open(address: SocketAddr) -> io::Result<(SocketAddr, TcpListener)> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
    }
    // As everybody's: a restart must not wait for the old connections' last minute.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    let socket = TcpListener::from(socket);
    Ok((socket.local_addr()?, socket))
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process has this port; stop it or choose another port",
        io::ErrorKind::AddrNotAvailable => "no interface of this host has this address; choose another",
        io::ErrorKind::PermissionDenied => "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one",
        _ => "choose another address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_split_as_go_does() {
        for (address, host, port) in [
            (":10765", "", 10765),
            ("127.0.0.1:0", "127.0.0.1", 0),
            ("[::1]:80", "::1", 80),
            ("[::]:80", "::", 80),
            ("localhost:65535", "localhost", 65535),
        ] {
            assert_eq!(split(address), Ok((host, port)), "{address}");
        }
    }

    #[test]
    fn every_wrong_address_says_what_is_wrong() {
        for (address, problem) in [
            ("", "the port is missing"),
            ("localhost", "the port is missing"),
            ("localhost:", "the port is not a number from 0 to 65535"),
            ("localhost:http", "the port is not a number from 0 to 65535"),
            ("localhost:65536", "the port is not a number from 0 to 65535"),
            ("localhost:+80", "the port is not a number from 0 to 65535"),
            ("::1:80", "an IPv6 address needs brackets"),
            ("[::1:80", "no IPv6 address between the brackets"),
            ("[localhost]:80", "no IPv6 address between the brackets"),
            ("vsock://:80", "only TCP addresses are served, without a scheme"),
        ] {
            let error = listen_on(address).expect_err(address);
            assert!(error.line().contains(problem) && error.line().contains("HOST:PORT"), "{}", error.line());
        }
    }

    #[test]
    fn a_taken_port_names_the_remedy() {
        let (taken, holder) = listen_on("127.0.0.1:0").expect("a socket");
        let error = listen_on(&taken.to_string()).expect_err("taken");
        assert!(error.line().contains("another process has this port"), "{}", error.line());
        drop(holder);
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_not(address in "\\PC{0,40}") {
            let _ = split(&address);
        }
    }
}
