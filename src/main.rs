//! The program: reads the command line and calls one function of [`framewright::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    framewright::cli::run()
}
