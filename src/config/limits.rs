//! The limits that are settings. The others are constants beside what they limit.

use super::LIMITS;
use crate::contract::Limits;
use clap::Args;

#[derive(Args, Clone, Debug)]
pub struct LimitArguments {
    /// Sessions in memory, of all shards; beyond that a new one is refused, until another has not been used for a day
    #[arg(long, help_heading = LIMITS, hide_short_help = true, value_name = "N", env = "FRAMEWRIGHT_SESSIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub sessions: u32,
    /// Connections of each shard; beyond that a new one is refused
    #[arg(long, help_heading = LIMITS, hide_short_help = true, value_name = "N", env = "FRAMEWRIGHT_CONNECTIONS", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,
    /// Model calls that may wait for a worker
    #[arg(long, help_heading = LIMITS, hide_short_help = true, value_name = "N", env = "FRAMEWRIGHT_QUEUE", default_value_t = 1_024, value_parser = clap::value_parser!(u16).range(1..))]
    pub queue: u16,
    /// Messages that may wait behind the running turn of a session
    #[arg(long, help_heading = LIMITS, hide_short_help = true, value_name = "N", env = "FRAMEWRIGHT_WAITING", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub waiting: u16,
    /// Messages that a session keeps
    #[arg(long, help_heading = LIMITS, hide_short_help = true, value_name = "N", env = "FRAMEWRIGHT_HISTORY", default_value_t = 200, value_parser = clap::value_parser!(u16).range(2..=10_000))]
    pub history: u16,
    /// Turns of a session whose trace is kept
    #[arg(long, help_heading = LIMITS, hide_short_help = true, value_name = "N", env = "FRAMEWRIGHT_TRACES", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub traces: u16,
}

impl LimitArguments {
    /// What a session may hold.
    pub fn of_session(&self) -> Limits {
        Limits {
            history_max: usize::from(self.history),
            waiting_max: usize::from(self.waiting),
            traces_max: usize::from(self.traces),
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Arguments;

    #[test]
    fn the_defaults_are_those_of_whom_they_limit() {
        let limits = Arguments::of("").unwrap().limits;
        assert_eq!(limits.of_session(), Limits::default());
        assert_eq!(usize::from(limits.queue), crate::work::Settings::default().queue_max);
    }
}
