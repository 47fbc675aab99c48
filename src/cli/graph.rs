//! `framewright graph`: checks graph files, draws a graph as text, and shows what a node would be asked.

use super::{Failure, library, prompt};
use crate::config::Arguments;
use crate::config::layers::Written;
use crate::contract::counted;
use crate::graph::{Entry, Graph, Library};
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Check graphs with their prompts and schemas
    Check {
        /// Folder of graphs that add to the built-in ones or replace them [default: from the settings]
        #[arg(value_name = "DIR", env = "FRAMEWRIGHT_GRAPHS")]
        folder: Option<PathBuf>,
        /// Settings file [default: ./framewright.toml, if it exists]
        #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Draw a graph as text, or show the prompt of one of its nodes
    Show {
        /// Graph to show [default: the graph for new sessions]
        name: Option<String>,
        /// Folder of graphs that add to the built-in ones or replace them [default: from the settings]
        #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_GRAPHS")]
        graphs: Option<PathBuf>,
        /// Settings file [default: ./framewright.toml, if it exists]
        #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CONFIG")]
        config: Option<PathBuf>,
        #[command(flatten)]
        prompt: prompt::Options,
    },
}

pub(super) fn run(command: Command, matches: &ArgMatches) -> Result<(), Failure> {
    match command {
        Command::Check { folder, config } => {
            let folder = match folder {
                Some(folder) => Some(folder),
                None => settings(config)?.graphs,
            };
            let (lines, wrong) = check(&library::files(folder.as_deref())?, folder.as_deref());
            lines.iter().for_each(|line| println!("{line}"));
            if wrong.is_empty() { Ok(()) } else { Err(Failure::config(wrong.join("\n"))) }
        }
        Command::Show { prompt, .. } if prompt.names_a_server() => {
            refuse(matches, &["name", "graphs", "config"], "a session has a graph already: leave out --url, or")?;
            prompt.show_of_server()
        }
        Command::Show { name, graphs, config, prompt } => {
            refuse(matches, &["token", "ca"], "no server is asked: name one with --url, or leave out")?;
            let settings = settings(config)?;
            let name = name.unwrap_or_else(|| settings.graph.clone());
            let library = library::load(graphs.as_deref().or(settings.graphs.as_deref()))?;
            let unknown = || format!("there is no graph `{name}`: choose one of {}", library.names().join(", "));
            let graph = library.graph(&name).ok_or_else(|| Failure::config(unknown()))?.clone();
            if prompt.names_a_node() {
                return prompt.show_of_fresh_session(library, &name, &settings.database);
            }
            print!("{}", drawing(&graph));
            Ok(())
        }
    }
}

/// What a server would be told here.
fn settings(config: Option<PathBuf>) -> Result<Arguments, Failure> {
    Written::of_file(config.as_deref()).map(|written| written.arguments).map_err(Failure::config)
}

/// Refuses what was said and would do nothing. A variable may be meant for other commands.
fn refuse(matches: &ArgMatches, ids: &[&str], why: &str) -> Result<(), Failure> {
    match ids.iter().find(|id| matches.value_source(id) == Some(ValueSource::CommandLine)) {
        None => Ok(()),
        Some(&"name") => Err(Failure::usage(format!("{why} the graph's name"))),
        Some(id) => Err(Failure::usage(format!("{why} --{id}"))),
    }
}

/// A line for each graph that is sound, and one for each that is not.
fn check(files: &library::GraphFiles, folder: Option<&Path>) -> (Vec<String>, Vec<String>) {
    let is_graph = |name: &str| name.ends_with(".json") && !name.contains('/');
    let (mut sound, mut wrong) = (Vec::new(), Vec::new());
    for name in files.keys().filter(|name| is_graph(name)) {
        let alone = files.iter().filter(|(other, _)| *other == name || !is_graph(other));
        match Library::load(&alone.map(|(name, text)| (name.clone(), text.clone())).collect()) {
            Ok(library) => sound.extend(library.names().iter().filter_map(|name| library.graph(name)).map(|graph| summary(graph))),
            Err(error) => wrong.push(library::told(folder, &error)),
        }
    }
    // What is wrong only between graphs, such as a name that two of them have.
    if wrong.is_empty()
        && let Err(error) = Library::load(files)
    {
        wrong.push(library::told(folder, &error));
    }
    (sound, wrong)
}

fn summary(graph: &Graph) -> String {
    let paths: Vec<String> = graph.paths.iter().map(|path| format!("{} {}", path.name, path.frames)).collect();
    format!("ok  {}  {}, frames: {}", graph.name, counted(graph.nodes.len(), "node", "nodes"), paths.join(", "))
}

fn drawing(graph: &Graph) -> String {
    let name = |place: usize| graph.nodes[place].name.to_string();
    let mut drawn = format!("{}: {}\n\n", graph.name, graph.description);
    let width = graph.nodes.iter().map(|node| node.name.len()).max().unwrap_or(0);
    for (place, node) in graph.nodes.iter().enumerate() {
        let mut says: Vec<String> = node.edges.iter().map(|(route, to)| format!("──{route}──▶ {}", name(*to))).collect();
        says.extend(node.beside.iter().map(|beside| format!("with {}", name(*beside))));
        says.extend((graph.before == Some(place)).then(|| "before each turn".to_owned()));
        says.extend((graph.after == Some(place)).then(|| "behind each turn".to_owned()));
        let kind = if *node.name == *node.kind.to_string() { String::new() } else { format!("{}, ", node.kind) };
        let asks = if node.kind.asks() { &*node.model } else { "no model" };
        let line = format!("  {:width$}  {:10}  {}", node.name, format!("{kind}{asks}"), says.join("   "));
        drawn.push_str(&format!("{}\n", line.trim_end()));
    }
    let width = graph.paths.iter().map(|path| path.name.len()).max().unwrap_or(0);
    for (entry, begins) in [(Entry::Message, "a message"), (Entry::Action, "an action"), (Entry::Machine, "a machine's button")] {
        for (place, path) in graph.paths.iter().filter(|path| path.entry == entry).enumerate() {
            let heading = if place == 0 { format!("\n{begins}\n") } else { String::new() };
            let (frames, calls) = (counted(path.frames, "frame ", "frames"), counted(path.calls as usize, "call ", "calls"));
            drawn.push_str(&format!("{heading}  {:width$}  {frames}  at most {calls}  {}\n", path.name, path.node_names.join(" → ")));
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_built_in_graphs_are_sound_and_a_wrong_one_is_named() {
        let mut files = library::files(None).ok().unwrap();
        let (sound, wrong) = check(&files, None);
        assert!(sound.len() >= 2 && wrong.is_empty(), "{wrong:?}");
        files.insert("broken.json".to_owned(), "{".to_owned());
        let (still_sound, wrong) = check(&files, None);
        assert_eq!(still_sound, sound);
        assert!(wrong.len() == 1 && wrong[0].contains("broken.json:1"), "{wrong:?}");
    }

    #[test]
    fn a_drawing_shows_nodes_edges_and_frames() {
        let library = library::load(None).ok().unwrap();
        expect![[r#"
            v3-framed: Perceive, decide, do, say: a greeting takes 2 frames, a directed answer 4, one with interpretation 5.

              sensor       no model    before each turn
              input        fast        ──direct──▶ director   ──reflex──▶ output
              director     strong      ──think──▶ thinker
              thinker      strong      ──interpret──▶ interpreter   ──output──▶ output
              interpreter  strong      ──output──▶ output
              output       strong      with ui
              ui           no model
              memorizer    fast        behind each turn

            a message
              reflex                2 frames  at most 4 calls  input → output
              director              4 frames  at most 8 calls  input → director → thinker → output
              director+interpreter  5 frames  at most 10 calls  input → director → thinker → interpreter → output

            an action
              action                3 frames  at most 6 calls  director → thinker → output
              action+interpreter    4 frames  at most 8 calls  director → thinker → interpreter → output

            a machine's button
              machine               1 frame   at most 0 calls  ui
        "#]]
        .assert_eq(&drawing(library.graph("v3-framed").unwrap()));
    }
}
