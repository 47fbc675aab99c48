//! The graphs that are there: those in the binary, and those of a folder over them.

use super::Failure;
use crate::graph::{Graph, GraphError, Library};
use crate::text_file;
use crate::work::database::Source;
use rust_embed::Embed;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

#[derive(Embed)]
#[folder = "graphs/"]
struct BuiltIn;

/// A folder that holds more or larger files than this is not a folder of graphs.
const FILES_MAX: usize = 1_000;
const FILE_BYTES_MAX: u64 = 1 << 20;
const DEPTH_MAX: usize = 4;

/// Every file by its path below `graphs/`.
pub(super) type GraphFiles = BTreeMap<String, String>;

/// The built-in files, and those of `folder` over them.
pub(super) fn files(folder: Option<&Path>) -> Result<GraphFiles, Failure> {
    let built_in = BuiltIn::iter().map(|name| {
        let file = BuiltIn::get(&name).expect("it was just listed");
        (name.into_owned(), String::from_utf8_lossy(&file.data).into_owned())
    });
    let mut files: GraphFiles = built_in.collect();
    if let Some(folder) = folder {
        read(folder, "", 0, &mut files)?;
    }
    Ok(files)
}

pub(super) fn load(folder: Option<&Path>) -> Result<Library, Failure> {
    Library::load(&files(folder)?).map_err(|error| Failure::config(told(folder, &error)))
}

/// The graph of this file alone, with the folders of prompts and schemas that lie beside it over those of `folder` and the
/// built-in ones.
pub(super) fn of_file(file: &Path, folder: Option<&Path>) -> Result<Library, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::config(format!("{}: {error}", file.display()));
    let mut files = files(folder)?;
    files.retain(|name, _| name.contains('/'));
    let beside = file.parent().unwrap_or(Path::new(""));
    for below in ["prompts", "schemas"] {
        let folder = beside.join(below);
        if folder.is_dir() {
            read(&folder, &format!("{below}/"), 1, &mut files)?;
        }
    }
    let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(|| wrong(&"this is no file's name"))?;
    files.insert(name.to_owned(), text_file::read(file, FILE_BYTES_MAX).map_err(|error| wrong(&error))?);
    Library::load(&files).map_err(|error| Failure::config(told(Some(beside), &error)))
}

/// What nodes of the graph ask for and nobody has set up: what is missing, and what to add.
pub(super) fn missing_databases(graph: &Graph, databases: &[(String, Source)]) -> Vec<(String, String)> {
    let asked = graph.nodes.iter().filter_map(|node| Some((&node.name, node.database.as_deref()?)));
    let missing = asked.filter(|(_, asked)| databases.iter().all(|(name, _)| name != asked));
    let told = |(node, name): (&Arc<str>, &str)| {
        (
            format!("the node `{node}` of `{}` asks the database `{name}`, which is not set up", graph.name),
            format!("add --database {name}=URL"),
        )
    };
    missing.map(told).collect()
}

/// What is wrong, with the file as the user knows it: below their folder if it lies there, else below `graphs/`.
pub(super) fn told(folder: Option<&Path>, error: &GraphError) -> String {
    match folder.map(|folder| folder.join(&error.file)).filter(|path| path.is_file()) {
        Some(path) => format!("{}:{}: {}", path.display(), error.line, error.what),
        None => error.to_string(),
    }
}

fn read(folder: &Path, below: &str, depth: usize, files: &mut GraphFiles) -> Result<(), Failure> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| Failure::config(format!("{}: {why}", path.display()));
    let entries = fs::read_dir(folder).map_err(|error| wrong(folder, &format!("can't be read as a folder of graphs ({error})")))?;
    for entry in entries {
        let path = entry.map_err(|error| wrong(folder, &error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else { continue };
        let name = format!("{below}{name}");
        let about = fs::metadata(&path).map_err(|error| wrong(&path, &error))?;
        if about.is_dir() {
            if depth == DEPTH_MAX {
                return Err(wrong(&path, &format!("folders of graphs are at most {DEPTH_MAX} deep")));
            }
            read(&path, &format!("{name}/"), depth + 1, files)?;
        } else if [".json", ".md", ".svg"].iter().any(|ending| name.ends_with(ending)) {
            let text = text_file::read(&path, FILE_BYTES_MAX).map_err(|error| wrong(&path, &error))?;
            files.insert(name, text);
            if files.len() > FILES_MAX {
                return Err(wrong(folder, &format!("there are more than {FILES_MAX} files: name a folder that holds graphs alone")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_over_the_built_in_graphs() {
        let folder = std::env::temp_dir().join(format!("framewright-graphs-{}", std::process::id()));
        fs::create_dir_all(folder.join("prompts")).unwrap();
        fs::write(folder.join("prompts/input.md"), "# input\nmine\n").unwrap();
        fs::write(folder.join("notes.txt"), [0xff]).unwrap();
        let files = files(Some(&folder)).ok().unwrap();
        fs::write(folder.join("mine.json"), "{").unwrap();
        let wrong = load(Some(&folder)).err().unwrap().says;
        assert!(wrong.starts_with(&format!("{}:1: ", folder.join("mine.json").display())), "{wrong}");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(files["prompts/input.md"], "# input\nmine\n");
        assert!(files.contains_key("v3-framed.json") && !files.contains_key("notes.txt"));
        assert!(load(None).is_ok_and(|library| library.graph("v3-framed").is_some()));
        let failure = load(Some(&folder)).err().unwrap();
        assert!(failure.code == 3 && failure.says.contains("can't be read as a folder of graphs"), "{}", failure.says);
    }
}
