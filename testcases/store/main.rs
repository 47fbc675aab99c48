//! Both kinds of store: the same tests on a SQLite file and, with a server, on MariaDB; then what only one of them has.
//!
//! `cargo test --test store` runs those of SQLite; `./testcases/mariadb cargo test --test store` brings a server for the others.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout, reason = "helpers of tests")]

mod appends;
mod budgets;
mod child;
mod deletion;
mod fencing;
mod libraries;
mod lists;
mod loading;
mod lost_answers;
mod outbox;
mod place;
mod search;
mod server;
mod sqlite_backup;
mod sqlite_file;
mod writing;

macro_rules! on_both {
    ($($module:ident: $($test:ident),+;)+) => {
        mod on_sqlite {
            $(mod $module {
                $(#[test]
                fn $test() {
                    crate::$module::$test(&crate::place::sqlite());
                })+
            })+
        }
        mod on_mariadb {
            $(mod $module {
                $(#[test]
                fn $test() {
                    if let Some(place) = crate::place::mariadb() {
                        crate::$module::$test(&place);
                    }
                })+
            })+
        }
    };
}

on_both! {
    appends:
        keeps_what_was_appended_when_it_is_opened_again,
        keeps_nothing_of_a_batch_with_a_failing_item_at_its_end,
        refuses_gaps_and_repeats_of_numbers,
        appends_a_batch_again_without_doubling_it,
        counts_turns_tokens_cost_and_bytes,
        replaces_a_turn_and_keeps_its_rating,
        hides_turns_when_a_session_is_cleared,
        leaves_replaced_turns_out_of_histories,
        keeps_the_two_latest_snapshots,
        keeps_any_bytes_and_any_text,
        keeps_a_large_batch,
        keeps_what_repeats_itself_small;
    fencing:
        refuses_a_generation_that_was_loaded_again,
        refuses_to_append_to_a_deleted_session,
        refuses_what_another_server_created_meanwhile,
        never_uses_a_generation_twice;
    loading:
        returns_the_older_of_two_snapshots_and_what_came_after_it,
        reads_records_and_snapshots_by_number,
        loads_a_long_session_from_its_latest_snapshots;
    lists:
        pages_sessions_without_gaps_or_repeats,
        pages_turns_without_gaps_or_repeats_in_each_order,
        filters_turns,
        shows_details_of_one_turn_only,
        renames_sessions,
        rates_turns;
    search:
        finds_beginnings_of_words_in_titles_questions_and_answers,
        reads_nothing_that_users_type_as_syntax,
        finds_nothing_that_is_hidden_or_deleted;
    deletion:
        deletes_a_session_with_all_that_belongs_to_it,
        deletes_a_user_and_no_other,
        deletes_sessions_by_age,
        deletes_sessions_by_size,
        deletes_at_most_so_many_sessions_a_call;
    budgets:
        keeps_what_each_counted_of_a_day_once,
        keeps_what_was_spent_with_its_batch_or_not_at_all,
        deletes_days_that_are_over_and_gives_none_back;
    outbox:
        keeps_whom_the_end_of_a_turn_is_to_be_told_until_it_has_ended,
        keeps_what_became_of_a_delivery,
        shows_deliveries_beside_their_turns,
        finds_only_what_no_other_server_sees_to,
        deletes_deliveries_with_their_session;
    libraries:
        keeps_libraries_once,
        deletes_libraries_that_no_session_names;
    writing:
        reads_beside_a_writer,
        checks_that_it_can_write,
        loses_nothing_acknowledged_when_it_is_killed;
}
