//! tc filters: enough to see that traffic is classified or redirected (Krkn sends ingress through an ifb device).
//!
//! Only the kind, the place and the actions are decoded, not what is matched.
//! Layouts: `include/uapi/linux/pkt_cls.h`, `tc_act/tc_mirred.h`. To decode one more kind's actions: a row in [`ACTIONS`].

use super::super::error::ReadError;
use super::super::netlink::{Socket, attributes, messages, name, u32_at};
use super::{Handle, TCA_KIND, TCA_OPTIONS, TCMSG};
use serde::Serialize;

/// `RTM_GETTFILTER`.
pub const GET_FILTER: u16 = 46;
/// `RTM_NEWTFILTER`.
const NEW_FILTER: u16 = 44;
/// The attribute with the actions: `TCA_U32_ACT`, `TCA_MATCHALL_ACT`, `TCA_FLOWER_ACT`, `TCA_BASIC_ACT`, `TCA_FW_ACT`, `TCA_BPF_ACT`.
const ACTIONS: [(&str, u16); 6] = [("u32", 7), ("matchall", 2), ("flower", 3), ("basic", 3), ("fw", 4), ("bpf", 1)];
/// `TCA_MIRRED_PARMS`.
const MIRRED_PARMS: u16 = 2;
/// `TCA_EGRESS_REDIR` and `TCA_INGRESS_REDIR` of `struct tc_mirred.eaction`.
const REDIRECTS: [u32; 2] = [1, 3];

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Device it is on.
    pub device: String,
    /// `u32`, `matchall`, `flower`, …
    pub kind: String,
    /// Qdisc, class or hook it belongs to.
    pub parent: Handle,
    /// Priority: the lower goes first.
    pub priority: u16,
    /// Kinds of its actions, in order.
    pub actions: Vec<String>,
    /// Device that traffic is redirected to; empty when not redirected or when that device is gone.
    pub redirect: String,
    /// Interface index of that device.
    #[serde(skip)]
    pub redirect_index: Option<u32>,
}

/// Decodes a filter dump of one device. Headers of hash tables (filters without actions or class of kind u32) are kept: they are
/// part of what was configured.
pub fn parse(bytes: &[u8], device: &str) -> Result<Vec<Filter>, ReadError> {
    const SHORT: ReadError = ReadError::Malformed("tc filter shorter than struct tcmsg");
    let mut out = Vec::new();
    for message in messages(bytes) {
        let message = message?;
        if message.kind != NEW_FILTER {
            continue;
        }
        let payload = message.payload;
        let (mut kind, mut options): (String, &[u8]) = (String::new(), &[]);
        for attribute in attributes(payload.get(TCMSG..).ok_or(SHORT)?) {
            match attribute? {
                (TCA_KIND, value) => kind = name(value),
                (TCA_OPTIONS, value) => options = value,
                _ => {}
            }
        }
        let (actions, redirect_index) = actions(&kind, options)?;
        out.push(Filter {
            device: device.to_owned(),
            kind,
            parent: Handle(u32_at(payload, 12).ok_or(SHORT)?),
            priority: (u32_at(payload, 16).ok_or(SHORT)? >> 16) as u16,
            actions,
            redirect: String::new(),
            redirect_index,
        });
    }
    Ok(out)
}

fn actions(kind: &str, options: &[u8]) -> Result<(Vec<String>, Option<u32>), ReadError> {
    let (mut kinds, mut redirect) = (Vec::new(), None);
    let Some((_, wanted)) = ACTIONS.iter().find(|(name, _)| *name == kind) else {
        return Ok((kinds, redirect));
    };
    for attribute in attributes(options) {
        let (attribute, list) = attribute?;
        if attribute != *wanted {
            continue;
        }
        for action in attributes(list) {
            let (mut action_kind, mut action_options): (String, &[u8]) = (String::new(), &[]);
            for part in attributes(action?.1) {
                match part? {
                    (1, value) => action_kind = name(value), // TCA_ACT_KIND
                    (2, value) => action_options = value,    // TCA_ACT_OPTIONS
                    _ => {}
                }
            }
            if action_kind == "mirred" {
                redirect = mirred(action_options)?.or(redirect);
            }
            kinds.push(action_kind);
        }
    }
    Ok((kinds, redirect))
}

/// `struct tc_mirred`: `tc_gen` (20 bytes), `eaction` at 20, ifindex at 24.
fn mirred(options: &[u8]) -> Result<Option<u32>, ReadError> {
    for attribute in attributes(options) {
        if let (MIRRED_PARMS, value) = attribute? {
            let (action, device) = u32_at(value, 20).zip(u32_at(value, 24)).ok_or(ReadError::Malformed("mirred parameters too short"))?;
            return Ok(REDIRECTS.contains(&action).then_some(device));
        }
    }
    Ok(None)
}

/// Puts names to redirect targets. A target that is gone by now keeps an empty name.
pub fn name_devices(filters: &mut [Filter], socket: &Socket) {
    for filter in filters {
        if let Some(Ok(name)) = filter.redirect_index.map(|index| socket.device_name(index)) {
            filter.redirect = name;
        }
    }
}
