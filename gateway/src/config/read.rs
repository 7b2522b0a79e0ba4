//! Reading sections one by one, so that a fault in one does not hide those of the
//! others, and naming the line of each.

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::i18n::say;

/// Faults of one section that are worth listing.
const FAULTS_PER_SECTION_MAX: usize = 20;
/// Keys whose values are never shown.
const SECRETS: [&str; 5] = ["comm_key", "password", "secret", "token", "key"];

/// A parsed file.
pub(super) struct File<'a> {
    name: String,
    text: &'a str,
    table: DeTable<'a>,
}

impl<'a> File<'a> {
    /// Parses; what is not TOML at all is one fault.
    pub(super) fn open(path: &Path, text: &'a str, faults: &mut Vec<String>) -> Self {
        let name = path.display().to_string();
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let line = line_of(text, error.span().map_or(0, |span| span.start));
                let message = one_line(error.message());
                faults.push(say(
                    "config-not-toml",
                    &[("file", &name), ("line", &line), ("why", &message)],
                ));
                DeTable::new()
            }
        };
        Self { name, text, table }
    }

    /// Keys at the top that nobody knows.
    pub(super) fn refuse_others(&self, known: &[&str], faults: &mut Vec<String>) {
        for key in self.table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let line = line_of(self.text, key.span().start);
                faults.push(say(
                    "config-key-unknown",
                    &[
                        ("file", &self.name),
                        ("line", &line),
                        ("key", key.get_ref()),
                        ("known", &known.join(", ")),
                    ],
                ));
            }
        }
    }

    /// One section, or nothing when it is absent or faulty.
    pub(super) fn section<T>(&mut self, key: &str, faults: &mut Vec<String>) -> Option<T>
    where
        T: DeserializeOwned,
    {
        let value = self.table.get(key)?.clone();
        self.read(key, value, faults)
    }

    /// A list of sections, `[[key]]`.
    pub(super) fn list<T>(&mut self, key: &str, faults: &mut Vec<String>) -> Vec<T>
    where
        T: DeserializeOwned,
    {
        let Some(value) = self.table.get(key).cloned() else { return Vec::new() };
        let line = line_of(self.text, value.span().start);
        if let DeValue::Array(items) = value.into_inner() {
            return items.into_iter().filter_map(|item| self.read(key, item, faults)).collect();
        }
        faults.push(say(
            "config-single-brackets",
            &[("file", &self.name), ("line", &line), ("section", &key)],
        ));
        Vec::new()
    }

    /// A list of sections as they are written.
    pub(super) fn tables(&self, key: &str) -> Vec<toml::Table> {
        let Some(DeValue::Array(items)) = self.table.get(key).map(Spanned::get_ref) else {
            return Vec::new();
        };
        let read = |item: &Spanned<DeValue<'a>>| {
            serde::Deserialize::deserialize(ValueDeserializer::from(item.clone())).ok()
        };
        items.iter().filter_map(read).collect()
    }

    /// Reads a section; an unknown key is noted, left out, and the rest read again, so
    /// that every unknown key is named.
    fn read<T>(
        &self,
        key: &str,
        mut value: Spanned<DeValue<'a>>,
        faults: &mut Vec<String>,
    ) -> Option<T>
    where
        T: DeserializeOwned,
    {
        for _ in 0..FAULTS_PER_SECTION_MAX {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(section) => return Some(section),
                Err(error) => error,
            };
            let at = error.span().unwrap_or_else(|| value.span()).start;
            let line = line_of(self.text, at);
            let unknown = unknown_field(error.message());
            let place: [(&'static str, &dyn Display); 3] =
                [("file", &self.name), ("line", &line), ("section", &key)];
            let Some((field, known)) = unknown else {
                let why = one_line(error.message());
                faults.push(say("config-wrong-in", &[&place[..], &[("why", &why)]].concat()));
                return None;
            };
            let names: [(&'static str, &dyn Display); 2] = [("key", &field), ("known", &known)];
            faults.push(say("config-key-unknown-in", &[&place[..], &names[..]].concat()));
            let DeValue::Table(table) = value.get_mut() else { return None };
            table.remove(field)?;
        }
        None
    }
}

/// The field and the known ones out of serde's sentence.
fn unknown_field(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (field, rest) = rest.split_once('`')?;
    let known = rest.trim_start_matches(", expected ").trim_start_matches("one of ");
    Some((field, known))
}

/// Lays `FOURNIL_SECTION_KEY` over a section and gives the names it looked for. Keys that
/// may be absent are named apart.
pub(super) fn override_section<T>(
    name: &str,
    section: &mut T,
    optional: &[&str],
    env: &dyn Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) -> Vec<String>
where
    T: Serialize + DeserializeOwned,
{
    let Ok(mut table) = toml::Table::try_from(&*section) else { return Vec::new() };
    let mut keys: Vec<String> = table.keys().cloned().collect();
    keys.extend(optional.iter().map(|key| (*key).to_owned()));
    keys.sort();
    keys.dedup();
    let mut variables = Vec::new();
    for key in keys {
        let variable = format!("FOURNIL_{name}_{}", key.to_uppercase());
        variables.push(variable.clone());
        let Some(given) = env(&variable) else { continue };
        let value = match table.get(&key) {
            Some(toml::Value::Integer(_)) => given.trim().parse().ok().map(toml::Value::Integer),
            Some(toml::Value::Boolean(_)) => given.trim().parse().ok().map(toml::Value::Boolean),
            _ => Some(toml::Value::String(given.clone())),
        };
        let mut changed = table.clone();
        changed.insert(key.clone(), value.unwrap_or(toml::Value::String(given.clone())));
        match changed.clone().try_into() {
            Ok(read) => {
                *section = read;
                table = changed;
            }
            Err(error) => faults.push(say(
                "config-variable-wrong",
                &[("variable", &variable), ("given", &given), ("why", &one_line(error.message()))],
            )),
        }
    }
    variables
}

/// The same table with the values of secret keys replaced.
pub(super) fn without_secrets(table: &toml::Table) -> toml::Table {
    let hide = |(key, value): (&String, &toml::Value)| {
        let shown = match value {
            toml::Value::Table(inner) => toml::Value::Table(without_secrets(inner)),
            _ if SECRETS.contains(&key.as_str()) => toml::Value::String("***".to_owned()),
            other => other.clone(),
        };
        (key.clone(), shown)
    };
    table.iter().map(hide).collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
