//! The README's tables of metrics against the golden pages: the same names, types and labels, in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Type and label names of a metric.
type Shape = (String, BTreeSet<String>);

/// One for each role.
const PAGES: [&str; 2] = ["tests/golden/node.prom", "tests/golden/cluster.prom"];

/// What differs; empty when the tables tell exactly what the pages have.
pub(crate) fn differences(root: &Path) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let (told, mut exposed) = (table(&read("README.md")), BTreeMap::new());
    for (name, shape) in PAGES.iter().flat_map(|path| page(&read(path))) {
        let before = exposed.insert(name.clone(), shape.clone());
        assert!(before.is_none_or(|before| before == shape), "{name} differs from role to role");
    }
    let names: BTreeSet<_> = told.keys().chain(exposed.keys()).collect();
    let differing = names.into_iter().filter(|name| told.get(*name) != exposed.get(*name));
    differing.map(|name| format!("{name}: README {:?}, page {:?}", told.get(name), exposed.get(name))).collect()
}

/// The rows below "## Metrics". A first cell may name several metrics.
pub(crate) fn table(readme: &str) -> BTreeMap<String, Shape> {
    let section = readme.split_once("\n## Metrics\n").unwrap().1;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let mut out = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        for name in code(cells[0]) {
            let before = out.insert(name.clone(), (cells[1].to_owned(), code(cells[2]).collect()));
            assert_eq!(before, None, "{name} has two rows");
        }
    }
    out
}

/// Words between backticks.
fn code(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned)
}

/// Families of a page in the classic format, with the labels of their samples (`le` belongs to the format).
fn page(text: &str) -> BTreeMap<String, Shape> {
    let mut out: BTreeMap<String, Shape> = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            name.clone_into(&mut family);
            out.insert(family.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&family), "{line} under {family}");
            // No label value of the golden page has `=` behind a name, or a comma before one, but between labels.
            let labels = line.split_once('{').map_or("", |(_, rest)| rest);
            let names = labels.split("=\"").filter_map(|piece| piece.rsplit(['{', ',', ' ']).next());
            let names = names.filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            out.get_mut(&family).unwrap().1.extend(names.filter(|name| *name != "le").map(ToOwned::to_owned));
        }
    }
    out
}
