//! Whether to colour what is written: as told, else where a terminal shows it and `NO_COLOR` doesn't forbid it.

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

impl Colour {
    pub(super) fn is_wanted(self, is_terminal: bool) -> bool {
        let is_forbidden = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Colour::Auto => is_terminal && !is_forbidden(),
            Colour::Always => true,
            Colour::Never => false,
        }
    }
}
