//! How many connections and files the process may hold: as many as the system allows it.
//!
//! Shells start a process with a soft limit, often 1024, and let it raise that to the hard one by itself.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit. Where that is not allowed the server does with what it has.
pub(super) fn allow_all() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        allow_all();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
