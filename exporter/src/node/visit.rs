//! One stay in one network namespace: every kernel source once, each with a result of its own.
//!
//! Without `CAP_NET_ADMIN` tc still works while ipset and rules fail, so nothing here gives up at the first error.
//! To add a kernel source: a file beside this one, a field in [`Reading`], a name in [`SOURCES`], an arm in [`Reading::errors`].

use super::error::ReadError;
use super::ipset::{self, Set};
use super::iptables::{self, Table, legacy, nft};
use super::modules::Modules;
use super::netlink::{Buffer, Family, Socket};
use super::netns::{self, NsId, Traveller};
use super::tc::{self, Tc};
use serde::Serialize;
use std::path::Path;

/// Names of the kernel sources, as in the label `source`. `namespace` stands for opening and entering.
pub const SOURCES: [&str; 5] = ["namespace", "tc", "ipset", "iptables_legacy", "nftables"];

/// What one visit saw.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// Traffic control.
    #[serde(with = "outcome")]
    pub tc: Result<Tc, ReadError>,
    /// IP sets.
    #[serde(with = "outcome")]
    pub sets: Result<Vec<Set>, ReadError>,
    /// Rules in legacy xtables, IPv4 and IPv6.
    #[serde(with = "outcome")]
    pub legacy: Result<Vec<Table>, ReadError>,
    /// Rules in `nf_tables`.
    #[serde(with = "outcome")]
    pub nft: Result<Vec<Table>, ReadError>,
}

impl Reading {
    /// The sources that failed, under their names.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, &ReadError)> {
        let errors = [self.tc.as_ref().err(), self.sets.as_ref().err(), self.legacy.as_ref().err(), self.nft.as_ref().err()];
        SOURCES[1..].iter().copied().zip(errors).filter_map(|(source, error)| error.map(|error| (source, error)))
    }

    /// All tables that could be read, of both back ends.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        [&self.legacy, &self.nft].into_iter().flat_map(|tables| tables.as_deref().unwrap_or(&[]))
    }
}

/// How a visit is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Which kernel subsystems are there at all.
    pub modules: Modules,
    /// Whether set members are listed, not only counted, and default qdiscs told with their devices: what a verdict needs.
    pub members: bool,
}

/// A thread's equipment for many visits.
pub struct Visitor {
    traveller: Traveller,
    buffer: Buffer,
    plan: Plan,
}

impl Visitor {
    /// Call on the dedicated thread that will travel.
    pub fn new(plan: Plan) -> Result<Self, ReadError> {
        Ok(Self { traveller: Traveller::new()?, buffer: Buffer::default(), plan })
    }

    /// Visits the namespace at `path`, which must still be `expected`. The error is about getting in; whatever fails inside is part
    /// of the reading. Every socket is closed when this returns.
    pub fn visit(&mut self, path: &Path, expected: NsId) -> Result<Reading, ReadError> {
        self.traveller.enter(netns::open(path, expected)?)?;
        Ok(self.read())
    }

    /// Reads the namespace the thread is in.
    pub fn read(&mut self) -> Reading {
        let tc = Socket::open(Family::Route).and_then(|mut socket| tc::read(&mut socket, &mut self.buffer, self.plan.members));
        let mut netfilter = self.plan.modules.nfnetlink.then(|| Socket::open(Family::Netfilter));
        let sets = self.sets(netfilter.as_mut());
        let mut legacy = legacy::read(&self.traveller);
        let mut nft = self.nft(netfilter.as_mut());
        for tables in [&mut legacy, &mut nft] {
            if let Ok(found) = tables
                && let Err(error) = self.name_sets(found, netfilter.as_mut(), &sets)
            {
                *tables = Err(error);
            }
        }
        Reading { tc, sets, legacy, nft }
    }

    fn sets(&mut self, netfilter: Option<&mut Result<Socket, ReadError>>) -> Result<Vec<Set>, ReadError> {
        match netfilter {
            Some(socket) if self.plan.modules.ip_set => ipset::read(usable(socket)?, &mut self.buffer, self.plan.members),
            _ => Ok(Vec::new()), // the subsystem is not loaded, so there are none
        }
    }

    fn nft(&mut self, netfilter: Option<&mut Result<Socket, ReadError>>) -> Result<Vec<Table>, ReadError> {
        match netfilter {
            Some(socket) if self.plan.modules.nf_tables => nft::read(usable(socket)?, &mut self.buffer),
            _ => Ok(Vec::new()),
        }
    }

    /// Rules hold indices of sets; a set that cannot be looked up keeps its number.
    fn name_sets(
        &mut self,
        tables: &mut [Table],
        netfilter: Option<&mut Result<Socket, ReadError>>,
        sets: &Result<Vec<Set>, ReadError>,
    ) -> Result<(), ReadError> {
        match (netfilter, sets) {
            // Also when no set was listed: one may have been made since, together with a rule.
            (Some(Ok(socket)), Ok(_)) => iptables::name_sets(tables, socket, &mut self.buffer),
            _ => Ok(()),
        }
    }
}

fn usable(socket: &mut Result<Socket, ReadError>) -> Result<&mut Socket, ReadError> {
    socket.as_mut().map_err(|error| error.clone())
}

/// A result in JSON: the value itself, or `{"error", "reason", "remedy"}`.
mod outcome {
    use super::ReadError;
    use serde::{Serialize, Serializer};

    #[derive(Serialize)]
    struct Failure<'a> {
        error: String,
        reason: &'a str,
        remedy: Option<&'a str>,
    }

    pub(super) fn serialize<T: Serialize, S: Serializer>(result: &Result<T, ReadError>, serializer: S) -> Result<S::Ok, S::Error> {
        match result {
            Ok(value) => value.serialize(serializer),
            Err(error) => Failure { error: error.to_string(), reason: error.reason(), remedy: error.remedy() }.serialize(serializer),
        }
    }
}
