//! What every command line has: help, completions, a version, and exit codes that mean something.

use crate::program::{framewright, run_on, run_with};
use crate::support::Folder;
use std::fs;
use std::process::Command;

#[test]
fn the_help_names_every_setting_with_its_variable_and_default() {
    let folder = Folder::new();
    assert_eq!(run_with(folder.path(), &[], &["config", "init", "all.toml"]).code, Some(0));
    let file = fs::read_to_string(folder.path().join("all.toml")).unwrap();
    let names: Vec<(&str, &str)> =
        file.lines().filter_map(|line| line.strip_prefix("# FRAMEWRIGHT_")?.split(";").next()?.split_once(", --")).collect();
    assert!(names.len() > 20, "{file}");
    for arguments in
        [&["--help"][..], &["serve", "--help"], &["doctor", "--help"], &["config", "print", "--help"], &["config", "check", "--help"]]
    {
        let help = run_with(folder.path(), &[], arguments).output;
        for (variable, flag) in &names {
            let told = help.split("      --").find(|part| part.starts_with(&format!("{flag} ")) || part.starts_with(&format!("{flag}[")));
            let told = told.unwrap_or_else(|| panic!("{arguments:?}: --{flag} is missing"));
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(&format!("[env: FRAMEWRIGHT_{variable}")) && told.contains("[default: "), "{arguments:?}: {told}");
        }
    }
    let (short, long) = (run_with(folder.path(), &[], &["-h"]).output, run_with(folder.path(), &[], &["--help"]).output);
    assert!(short.lines().count() * 2 < long.lines().count(), "a short help and a long one");
    for command in ["serve", "chat", "test", "config", "doctor", "graph", "completions", "version"] {
        assert!(short.contains(&format!("\n  {command} ")), "{command}: {short}");
        assert_eq!(run_with(folder.path(), &[], &[command, "--help"]).code, Some(0), "{command}");
    }
    let chat = run_with(folder.path(), &[("FRAMEWRIGHT_TOKEN", "a.secret.token")], &["chat", "--help"]).output;
    assert!(chat.contains("FRAMEWRIGHT_TOKEN") && !chat.contains("a.secret.token"), "{chat}");
}

#[test]
fn the_version_is_told_to_people_and_programs() {
    let folder = Folder::new();
    let version = env!("CARGO_PKG_VERSION");
    for arguments in [&["--version"][..], &["-V"], &["version"]] {
        assert_eq!(run_with(folder.path(), &[], arguments).output, format!("framewright {version}\n"), "{arguments:?}");
    }
    let told: serde_json::Value = serde_json::from_str(&run_with(folder.path(), &[], &["version", "--json"]).output).unwrap();
    assert_eq!((&told["name"], &told["version"]), (&"framewright".into(), &version.into()));
}

#[test]
fn completions_are_what_a_shell_takes() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let ended = run_with(folder.path(), &[], &["completions", shell]);
        assert!(ended.code == Some(0) && ended.output.contains("llm-url") && ended.output.contains("doctor"), "{shell}");
        let path = folder.write(&format!("complete.{shell}"), &ended.output);
        if shell == "bash" {
            let sourced =
                Command::new("bash").args(["--norc", "-c", "source \"$1\" && complete -p framewright", "-"]).arg(path).output().unwrap();
            assert!(sourced.status.success() && sourced.stderr.is_empty(), "{sourced:?}");
        }
    }
    assert_eq!(run_with(folder.path(), &[], &["completions", "none"]).code, Some(2));
}

#[test]
fn the_exit_code_tells_whose_fault_it_is() {
    let folder = Folder::new();
    let folder = folder.path();
    for (arguments, code, says) in [
        (&["--nonsense"][..], 2, "--nonsense"),
        (&["chatt"], 2, "chat"),
        (&["--development=perhaps"], 2, "invalid value 'perhaps'"),
        (&["--listen", "[::]:0"], 3, "or pass --insecure-no-auth"),
        (&["--config", "nope.toml"], 3, "there is no such file"),
        (&["--listen", "192.0.2.1:7", "--insecure-no-auth"], 4, "choose another address with --listen"),
    ] {
        let ended = run_on(framewright(folder).args(arguments), "");
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
    }
}
