//! Gathers the Fluent files beside the areas into one table, and rebuilds when a
//! migration appears.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
    println!("cargo:rerun-if-changed=src");
    let mut files = Vec::new();
    gather(Path::new("src"), &mut files);
    files.sort();
    let mut table = String::from("/// (language, file, text) of every Fluent file.\n");
    table.push_str("static TEXTS: &[(&str, &str, &str)] = &[\n");
    for file in files {
        let language = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let full = std::fs::canonicalize(&file).expect("the file was just listed");
        let shown = file.display().to_string();
        writeln!(table, "    ({language:?}, {shown:?}, include_str!({full:?})),")
            .expect("writing to a string cannot fail");
    }
    table.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::write(out.join("texts.rs"), table).expect("OUT_DIR can be written");
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "ftl") {
            files.push(path);
        }
    }
}
