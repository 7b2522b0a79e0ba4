//! Gathers what lies beside the areas into tables: Fluent files, and the files pages
//! load (`assets/` folders), fingerprinted and compressed. Rebuilds when a migration
//! appears.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a build script has nobody to tell but the build, which stops"
)]
#![expect(
    clippy::unnecessary_debug_formatting,
    reason = "paths become string literals of Rust, quotes and escapes included"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    gather(Path::new("src"), &mut files);
    files.sort();
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    write_texts(&files, &out);
    write_assets(&files, &out);
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn write_texts(files: &[PathBuf], out: &Path) {
    let mut table = String::from("/// (language, file, text) of every Fluent file.\n");
    table.push_str("static TEXTS: &[(&str, &str, &str)] = &[\n");
    for file in files.iter().filter(|file| extension(file) == "ftl") {
        let language = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let shown = file.display().to_string();
        // The compiler names the folder, not this script: clones share one build cache.
        let full = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?})", format!("/{shown}"));
        writeln!(table, "    ({language:?}, {shown:?}, include_str!({full})),")
            .expect("writing to a string cannot fail");
    }
    table.push_str("];\n");
    std::fs::write(out.join("texts.rs"), table).expect("OUT_DIR can be written");
}

/// Two areas may not have a file of the same name: pages ask for it by name alone.
fn write_assets(files: &[PathBuf], out: &Path) {
    let folder = out.join("assets");
    std::fs::create_dir_all(&folder).expect("OUT_DIR can be written");
    let mut assets: BTreeMap<String, String> = BTreeMap::new();
    for file in files.iter().filter(|file| is_asset(file)) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(file).expect("the file was just listed");
        let digest = Sha256::digest(&bytes);
        let hash: String = digest.iter().take(4).fold(String::new(), |mut hash, byte| {
            write!(hash, "{byte:02x}").expect("writing to a string cannot fail");
            hash
        });
        let (stem, extension) = name.rsplit_once('.').expect("an asset has an extension");
        let full = std::fs::canonicalize(file).expect("the file was just listed");
        let packed = packed(&bytes, extension).map_or_else(
            || "None".to_owned(),
            |packed| {
                let path = folder.join(format!("{name}.gz"));
                std::fs::write(&path, packed).expect("OUT_DIR can be written");
                format!("Some(include_bytes!({path:?}))")
            },
        );
        let line = format!(
            "    Asset {{ name: {name:?}, path: \"/assets/{stem}.{hash}.{extension}\", \
             hash: {hash:?}, kind: {:?}, bytes: include_bytes!({full:?}), gzip: {packed} }},\n",
            kind(extension),
        );
        assert!(assets.insert(name.clone(), line).is_none(), "two assets are called {name}");
    }
    let mut table =
        String::from("/// Every embedded file, by name.\nstatic ASSETS: &[Asset] = &[\n");
    table.extend(assets.into_values());
    table.push_str("];\n");
    std::fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written");
}

fn is_asset(file: &Path) -> bool {
    let beside = file.components().any(|part| part.as_os_str() == "assets");
    beside && ["css", "js", "svg", "woff2", "png"].contains(&extension(file).as_str())
}

fn extension(file: &Path) -> String {
    file.extension().unwrap_or_default().to_string_lossy().into_owned()
}

fn kind(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "png" => "image/png",
        other => panic!("no content type for .{other}"),
    }
}

/// The file compressed, where that saves something.
fn packed(bytes: &[u8], extension: &str) -> Option<Vec<u8>> {
    if !["css", "js", "svg"].contains(&extension) {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("writing to memory cannot fail");
    let packed = encoder.finish().expect("writing to memory cannot fail");
    (packed.len() + 64 < bytes.len()).then_some(packed)
}
