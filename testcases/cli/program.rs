//! The program as a process that comes to an end by itself.

use crate::support::{PATIENCE, eventually, server};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// How it ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// The program, in an environment that says nothing to it, with an input.
pub(crate) fn framewright(folder: &Path) -> Command {
    let mut command = server::framewright(folder);
    command.stdin(Stdio::piped());
    command
}

/// Runs a command with variables in its environment.
pub(crate) fn run_with(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    run_on(framewright(folder).args(arguments).envs(variables.iter().copied()), "")
}

/// Runs a command to its end, with these words on its input.
pub(crate) fn run_on(command: &mut Command, input: &str) -> Ended {
    let mut child = command.spawn().unwrap();
    let read = |mut from: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut text = String::new();
            from.read_to_string(&mut text).unwrap();
            text
        })
    };
    let output = read(Box::new(child.stdout.take().unwrap()));
    let errors = read(Box::new(child.stderr.take().unwrap()));
    let (mut to, input) = (child.stdin.take().unwrap(), input.to_owned());
    // It may end before it has heard all of it.
    thread::spawn(move || drop(to.write_all(input.as_bytes())));
    let code = end_of(&mut child);
    Ended { code, output: output.join().unwrap(), errors: errors.join().unwrap() }
}

/// Waits for a process; one that does not end fails the test.
pub(crate) fn end_of(child: &mut Child) -> Option<i32> {
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| eventually("the command's end", || child.try_wait().unwrap())));
    ended
        .unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("the command does not end within {PATIENCE:?}");
        })
        .code()
}
