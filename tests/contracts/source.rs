//! A Rust file as far as the contracts ask: its words, the paths it takes from its own crate, and what of it is test code.
//!
//! On tokens, so that comments and strings cannot mislead. Macros are seen as they are written, not expanded.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    pub text: String,
    /// Every identifier and keyword, with its line.
    pub words: Vec<(String, usize)>,
    /// Every `crate::…`, `self::…` and `super::…`, made absolute and without the `crate`.
    pub references: Vec<(Vec<String>, usize)>,
    /// Lines below `#[cfg(test)]`; all of a file called `tests.rs`.
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Source {
    /// Reads every `.rs` file below `folder` of the repository at `root`.
    pub(crate) fn all(root: &Path, folder: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        list(&root.join(folder), &mut paths);
        paths.sort();
        let read = |path: PathBuf| {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            Self::parse(&name, fs::read_to_string(&path).unwrap())
        };
        paths.into_iter().map(read).collect()
    }

    pub(crate) fn parse(path: &str, text: String) -> Self {
        let tokens = text.parse::<TokenStream>().unwrap_or_else(|cause| panic!("{path}: {cause}"));
        let (path, words, references) = (path.to_owned(), Vec::new(), Vec::new());
        let test_lines = if path.ends_with("/tests.rs") { vec![1..=usize::MAX] } else { Vec::new() };
        let mut source = Self { path, text, words, references, test_lines };
        let module = source.module();
        source.walk(tokens, &module);
        source
    }

    /// Where it is in its crate: `exporter/src/node/tc/mod.rs` is `node`, `tc`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("src/").map_or(&*self.path, |(_, inside)| inside);
        let names = inside.trim_end_matches(".rs").split('/').map(str::to_owned);
        names.filter(|name| !["mod", "lib"].contains(&name.as_str())).collect()
    }

    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// How many lines are not test code.
    pub(crate) fn length(&self) -> usize {
        (1..=self.text.lines().count()).filter(|line| !self.is_test(*line)).count()
    }

    fn walk(&mut self, tokens: TokenStream, module: &[String]) {
        let trees: Vec<_> = tokens.into_iter().collect();
        let mut test_since = None; // an attribute says that what follows is test code
        for (at, tree) in trees.iter().enumerate() {
            let line = tree.span().start().line;
            match tree {
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    self.refer(&word, &trees, at, module);
                    self.words.push((word, line));
                }
                TokenTree::Group(group) => {
                    if group.delimiter() == Delimiter::Bracket && is_punct(&trees, at.wrapping_sub(1), '#') {
                        test_since = test_since.or(is_cfg_test(group).then_some(line));
                    }
                    match inline_module(&trees, at) {
                        Some(name) => self.walk(group.stream(), &[module, &[name]].concat()),
                        None => self.walk(group.stream(), module),
                    }
                    if group.delimiter() == Delimiter::Brace {
                        let end = group.span_close().end().line;
                        self.test_lines.extend(test_since.take().map(|start| start..=end));
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => {
                    self.test_lines.extend(test_since.take().map(|start| start..=line));
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Notes the paths that begin at `trees[at]`, if that is the beginning of a path of our own.
    fn refer(&mut self, word: &str, trees: &[TokenTree], at: usize, module: &[String]) {
        if !is_colons(trees, at + 1) || (at > 1 && is_colons(trees, at - 2)) {
            return;
        }
        let (mut base, mut next) = match word {
            "crate" => (Vec::new(), at + 3),
            "self" | "super" => (module.to_vec(), if word == "self" { at + 3 } else { at }),
            _ => return,
        };
        while matches!(trees.get(next), Some(TokenTree::Ident(it)) if it == "super") && is_colons(trees, next + 1) {
            base.pop();
            next += 3;
        }
        let line = trees[at].span().start().line;
        let mut paths = Vec::new();
        expand(&trees[next..], base, &mut paths);
        self.references.extend(paths.into_iter().map(|path| (path, line)));
    }
}

/// The paths a use tree stands for: `a::{b, c::d}` after `base` is `base a b` and `base a c d`.
fn expand(trees: &[TokenTree], mut base: Vec<String>, paths: &mut Vec<Vec<String>>) {
    match trees.first() {
        Some(TokenTree::Ident(word)) => {
            if *word != "self" {
                base.push(word.to_string());
            }
            if is_colons(trees, 1) {
                return expand(&trees[3..], base, paths);
            }
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inside: Vec<_> = group.stream().into_iter().collect();
            for part in inside.split(|tree| matches!(tree, TokenTree::Punct(it) if it.as_char() == ',')) {
                if !part.is_empty() {
                    expand(part, base.clone(), paths);
                }
            }
            return;
        }
        Some(TokenTree::Punct(star)) if star.as_char() == '*' => base.push("*".to_owned()),
        _ => {}
    }
    paths.push(base);
}

fn is_punct(trees: &[TokenTree], at: usize, wanted: char) -> bool {
    matches!(trees.get(at), Some(TokenTree::Punct(it)) if it.as_char() == wanted)
}

fn is_colons(trees: &[TokenTree], at: usize) -> bool {
    is_punct(trees, at, ':') && is_punct(trees, at + 1, ':')
}

/// The name of the module whose body `trees[at]` is.
fn inline_module(trees: &[TokenTree], at: usize) -> Option<String> {
    match (trees.get(at.checked_sub(2)?)?, &trees[at - 1], &trees[at]) {
        (TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Group(_)) if keyword == "mod" => Some(name.to_string()),
        _ => None,
    }
}

/// Whether an attribute's inside is `cfg(test)`, or a combination that holds only where `test` does, as far as that shows.
fn is_cfg_test(attribute: &Group) -> bool {
    let inside = attribute.stream().to_string();
    let split = inside.split(|it: char| !it.is_alphanumeric() && it != '_');
    let words: Vec<_> = split.filter(|it| !it.is_empty()).collect();
    words.first() == Some(&"cfg") && words.contains(&"test") && !words.contains(&"not")
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            list(&path, paths);
        } else if path.extension().is_some_and(|it| it == "rs") {
            paths.push(path);
        }
    }
}

/// Fails with every fault on a line of its own.
pub(crate) fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

/// The lines of the `wanted` words, by file.
pub(crate) fn where_word<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    wanted: &[&str],
    tests_too: bool,
) -> BTreeMap<String, Vec<usize>> {
    let mut found = BTreeMap::<String, Vec<usize>>::new();
    for source in sources {
        for (word, line) in &source.words {
            if wanted.contains(&word.as_str()) && (tests_too || !source.is_test(*line)) {
                found.entry(source.path.clone()).or_default().push(*line);
            }
        }
    }
    found
}

#[test]
fn paths_are_found_in_every_spelling() {
    let text = "
        use crate::node::{self, tc::{Qdisc, netem as n}, *};
        pub(crate) fn f() -> super::Reading { crate::serve::page::<u8>(self::here::X) } // crate::comment
        mod inner { use super::super::verdict; }
        macro_rules! m { () => { $crate::tools::known() } }
        const S: &str = \"crate::string\";";
    let source = Source::parse("exporter/src/families/netem.rs", text.to_owned());
    let found: Vec<_> = source.references.iter().map(|(path, line)| (path.join("::"), *line)).collect();
    let wanted = [
        ("node", 2),
        ("node::tc::Qdisc", 2),
        ("node::tc::netem", 2),
        ("node::*", 2),
        ("families::Reading", 3),
        ("serve::page", 3),
        ("families::netem::here::X", 3),
        ("families::verdict", 4),
        ("tools::known", 5),
    ];
    assert_eq!(found, wanted.map(|(path, line)| (path.to_owned(), line)));
}

#[test]
fn test_code_is_told_from_the_rest() {
    let text = "//! File.\nfn a() {}\n#[cfg(test)]\nuse x;\n#[cfg(not(test))]\nfn b() {}\n\
                #[cfg(test)]\n#[allow(dead_code)]\nmod tests {\n    fn c() {}\n}\nfn d() {}\n";
    let source = Source::parse("exporter/src/a.rs", text.to_owned());
    let tests: Vec<_> = (1..=12).filter(|line| source.is_test(*line)).collect();
    assert_eq!(tests, [3, 4, 7, 8, 9, 10, 11]);
    assert_eq!(source.length(), 5);
    assert!(Source::parse("exporter/src/a/tests.rs", String::new()).is_test(1));
}
