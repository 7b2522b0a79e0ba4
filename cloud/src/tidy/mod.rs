//! The structure rules, as tests: who may use whom, where which crate is named, how long
//! a file may be, which words may not stand in the product. A new edge between areas is
//! a one-line change of a table here, seen in review.

mod paths;
mod structure;
mod texts;

use std::path::{Path, PathBuf};

/// A source file of the cloud, by its path below `src`.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The area (or wiring file) it belongs to: the first folder, or the file's stem.
    fn area(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// True for files that only tests compile.
    fn is_test(&self) -> bool {
        self.path.split('/').any(|part| ["tests", "tests.rs", "tidy", "testing.rs"].contains(&part))
    }
}

/// Every file of one extension below `src`.
fn sources(extension: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    gather(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| Source {
            path: path.strip_prefix(&root).expect("below src").display().to_string(),
            text: std::fs::read_to_string(&path).expect("a source file"),
        })
        .collect()
}

fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { gather(&path, found) } else { found.push(path) }
    }
}

/// Complains of everything at once.
fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}
