//! Sensor: gives a turn its context: the user's local time, how long they were away, what changed on their screen.
//!
//! Sampled when a turn starts; it has no timer and asks nobody.

use super::{Flow, Out, Sensed, View};
use crate::contract::{Caller, Time, counted};
use jiff::{Timestamp, tz::Offset};

pub(crate) fn begin(view: &View<'_>, out: &mut Out) -> Flow {
    let mut lines = vec![format!("local time: {}", local_time(view.wall, view.caller))];
    if let Some(before) = view.idle_since {
        lines.push(format!("idle: {}", duration(view.wall.since(before))));
    }
    let screen = view.ui_news.iter().map(|news| format!("\nscreen: {news}")).collect();
    out.sensed = Some(Sensed { passing: lines.join("\n"), screen });
    Flow::Rest
}

/// The day where the user is.
pub(super) fn today(now: Time, caller: &Caller) -> String {
    local(now, caller, "%A, %Y-%m-%d")
}

fn local_time(now: Time, caller: &Caller) -> String {
    local(now, caller, "%A, %Y-%m-%d %H:%M")
}

fn local(now: Time, caller: &Caller, format: &str) -> String {
    let offset = Offset::from_seconds(caller.utc_offset_minutes * 60).unwrap_or(Offset::UTC);
    let time = Timestamp::from_microsecond(i64::try_from(now.0).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
    time.to_zoned(offset.to_time_zone()).strftime(format).to_string()
}

/// The largest unit that says enough.
fn duration(time_us: u64) -> String {
    let seconds = time_us as usize / 1_000_000;
    match seconds {
        0..60 => "under a minute".to_owned(),
        60..7200 => counted(seconds / 60, "minute", "minutes"),
        7200..172_800 => counted(seconds / 3600, "hour", "hours"),
        _ => counted(seconds / 86_400, "day", "days"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Packet, testing::Fixture};
    use super::*;

    #[test]
    fn time_is_told_where_the_user_is() {
        let now = Time(1_763_668_166_000_000);
        for (utc_offset_minutes, told) in
            [(0, "Thursday, 2025-11-20 19:49"), (330, "Friday, 2025-11-21 01:19"), (-600, "Thursday, 2025-11-20 09:49")]
        {
            let caller = Caller { utc_offset_minutes, ..Caller::default() };
            assert_eq!(local_time(now, &caller), told);
            assert!(told.starts_with(&today(now, &caller)));
        }
    }

    #[test]
    fn what_changes_by_itself_stands_apart_from_what_changed_on_the_screen() {
        let (fixture, packet) = (Fixture::default(), Packet::default());
        let news = ["«On» was pressed".to_owned()];
        let mut out = Out::default();
        let view = View { wall: Time(600_000_000), idle_since: Some(Time(0)), ui_news: &news, ..fixture.view(&packet) };
        begin(&view, &mut out);
        let sensed = out.sensed.unwrap();
        assert_eq!(sensed.passing, "local time: Thursday, 1970-01-01 00:10\nidle: 10 minutes");
        assert_eq!(sensed.screen, "\nscreen: «On» was pressed");
    }

    #[test]
    fn a_pause_is_told_in_the_largest_unit_that_says_enough() {
        for (seconds, told) in [(5, "under a minute"), (600, "10 minutes"), (10_800, "3 hours"), (400_000, "4 days")] {
            assert_eq!(duration(seconds * 1_000_000), told);
        }
    }
}
