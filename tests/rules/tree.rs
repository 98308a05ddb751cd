//! The files of the repository, and how a rule reports.
//!
//! Read from the working tree, so that a file is checked before it is committed; what `.gitignore`
//! names is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::code::Code;

/// One thing that a rule found, as a person wants to read it.
pub(crate) type Finding = String;

/// Text files by their path from the root, with `/` between.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) texts: BTreeMap<String, String>,
    /// Every file, text or not.
    pub(crate) paths: Vec<String>,
    codes: OnceLock<BTreeMap<String, Code>>,
}

impl Tree {
    /// Returns the repository, read once.
    pub(crate) fn read() -> &'static Self {
        static TREE: OnceLock<Tree> = OnceLock::new();
        TREE.get_or_init(Self::from_disk)
    }

    fn from_disk() -> Self {
        let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
        let ignored = ignored
            .lines()
            .map(|line| line.trim_matches('/'))
            .collect::<Vec<_>>();
        let mut tree = Self::default();
        tree.descend(&root(), "", &ignored);
        assert!(
            tree.texts.len() > 50,
            "the repository was not found at {}",
            root().display()
        );
        tree
    }

    /// Builds a tree of planted files.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        let texts = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let paths = files.iter().map(|(path, _)| (*path).to_owned());
        Self {
            texts: texts.collect(),
            paths: paths.collect(),
            codes: OnceLock::new(),
        }
    }

    fn descend(&mut self, folder: &Path, prefix: &str, ignored: &[&str]) {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{prefix}{name}");
            let left_out = ignored
                .iter()
                .any(|pattern| path == *pattern || name == *pattern || matches(pattern, &name));
            if name == ".git" || left_out {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                self.descend(&entry.path(), &format!("{path}/"), ignored);
                continue;
            }
            // An editor may have taken the file away since the folder was listed.
            let Ok(bytes) = fs::read(entry.path()) else {
                continue;
            };
            if let Ok(text) = String::from_utf8(bytes) {
                self.texts.insert(path.clone(), text);
            }
            self.paths.push(path);
        }
    }

    /// Lists the Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str, &Code)> {
        let codes = self.codes.get_or_init(|| {
            let files = self.with_extension("rs");
            files
                .map(|(path, text)| (path.to_owned(), Code::of(path, text)))
                .collect()
        });
        self.with_extension("rs")
            .map(|(path, text)| (path, text, &codes[path]))
    }

    /// Lists the text files whose name ends in `.extension`.
    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().filter_map(move |(path, text)| {
            let ends = Path::new(path)
                .extension()
                .is_some_and(|found| found == extension);
            ends.then_some((path.as_str(), text.as_str()))
        })
    }
}

/// The repository's root, from where cargo runs the test: checkouts may share a target directory.
pub(crate) fn root() -> PathBuf {
    Path::new("..").canonicalize().unwrap()
}

/// Fails with everything that was found.
pub(crate) fn require_none(rule: &str, findings: &[Finding]) {
    assert!(findings.is_empty(), "{rule}\n  {}", findings.join("\n  "));
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_prefix('*')
        .is_some_and(|end| name.ends_with(end))
}
