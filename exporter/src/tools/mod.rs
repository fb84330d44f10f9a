//! What each chaos tool leaves behind, by name and shape: one file per tool, pure.
//!
//! Chaos-like state is netem or tbf in a swept namespace, and what a file here knows; nothing else. To add a tool: a file with one
//! [`Known`], one line in [`TOOLS`].

pub mod chaos_mesh;
pub mod helpers;
pub mod krkn;
pub mod resource;

use chaoscope_model::Tool;

/// What one tool is recognised by.
pub struct Known {
    /// The tool.
    pub tool: Tool,
    /// Whether a packet filter chain of this name is its own.
    pub chain: fn(name: &str) -> bool,
    /// Whether an ipset of this name is its own.
    pub set: fn(name: &str) -> bool,
    /// Whether this rule, in this chain, is its own though the chain is not. The rule is text as `iptables-save` prints it.
    pub rule: fn(chain: &str, rule: &str) -> bool,
    /// Whether a qdisc looks like its own.
    pub qdisc: fn(&QdiscShape<'_>) -> bool,
    /// Whether a tc filter looks like its own.
    pub filter: fn(&FilterShape<'_>) -> bool,
}

/// What tells whose a qdisc may be.
pub struct QdiscShape<'a> {
    /// `netem`, `prio`, …
    pub kind: &'a str,
    /// Major number of its handle.
    pub major: u16,
    /// Bands and priority map of a `prio`.
    pub prio: Option<(u32, &'a [u8; 16])>,
}

/// What tells whose a tc filter may be.
pub struct FilterShape<'a> {
    /// Whether it is on the hook of an `ingress` qdisc.
    pub ingress: bool,
    /// Device it redirects to; empty when to none, or when that one is gone.
    pub redirect: &'a str,
}

/// Every tool known.
pub const TOOLS: &[Known] = &[chaos_mesh::KNOWN, krkn::KNOWN];

fn tool(owns: impl Fn(&Known) -> bool) -> Option<Tool> {
    TOOLS.iter().find(|known| owns(known)).map(|known| known.tool)
}

/// Whose chain this is.
pub fn chain(name: &str) -> Option<Tool> {
    tool(|known| (known.chain)(name))
}

/// Whose set this is.
pub fn set(name: &str) -> Option<Tool> {
    tool(|known| (known.set)(name))
}

/// Whose rule this is, in a chain that belongs to nobody.
pub fn rule(chain: &str, rule: &str) -> Option<Tool> {
    tool(|known| (known.rule)(chain, rule))
}

/// Whose qdisc this looks like. Two tools may build the same tree; the first that fits is named.
pub fn qdisc(shape: &QdiscShape<'_>) -> Option<Tool> {
    tool(|known| (known.qdisc)(shape))
}

/// Whose tc filter this looks like.
pub fn filter(shape: &FilterShape<'_>) -> Option<Tool> {
    tool(|known| (known.filter)(shape))
}
