//! A report as JUnit XML, which build servers read: a `testsuite` for each suite, a `testcase` for each check.

use super::{Outcome, Report, Status};
use quick_xml::Writer;
use quick_xml::events::BytesText;
use std::io;
use std::time::Duration;

/// The whole file. Time and judgement that don't count are in it as passed, with what came of them.
pub fn junit(report: &Report) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.get_mut().extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let count = |outcomes: usize, failed: usize, skipped: usize, took: Duration| {
        [
            ("tests", outcomes.to_string()),
            ("failures", failed.to_string()),
            ("errors", "0".to_owned()),
            ("skipped", skipped.to_string()),
            ("time", format!("{:.3}", took.as_secs_f64())),
        ]
    };
    let (failed, skipped) = (report.count(Status::Fail), report.outcomes().filter(|outcome| outcome.status == Status::Skip).count());
    let all = count(report.outcomes().count(), failed, skipped, report.took);
    let root = attributes(writer.create_element("testsuites"), &all).with_attribute(("name", "framewright"));
    root.write_inner_content(|writer| {
        for played in &report.suites {
            let skipped = played.outcomes.iter().filter(|outcome| outcome.status == Status::Skip).count();
            let counts = count(played.outcomes.len(), played.count(Status::Fail), skipped, played.took);
            let suite = attributes(writer.create_element("testsuite"), &counts);
            let suite = suite.with_attribute(("name", &*clean(&played.name))).with_attribute(("file", &*clean(&played.file)));
            suite.write_inner_content(|writer| played.outcomes.iter().try_for_each(|outcome| case(writer, outcome)))?;
        }
        Ok(())
    })?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

type Element<'a, W> = quick_xml::writer::ElementWriter<'a, W>;

fn attributes<'a, W: io::Write>(element: Element<'a, W>, all: &[(&str, String)]) -> Element<'a, W> {
    all.iter().fold(element, |element, (name, value)| element.with_attribute((*name, value.as_str())))
}

fn case<W: io::Write>(writer: &mut Writer<W>, outcome: &Outcome) -> io::Result<()> {
    let element = writer.create_element("testcase");
    let attributes = [
        ("name", format!("{}: {}", clean(&outcome.step), clean(&outcome.check))),
        ("classname", clean(&outcome.suite)),
        ("file", clean(&outcome.file)),
        ("line", outcome.line.to_string()),
        ("time", format!("{:.3}", outcome.elapsed_ms / 1000.0)),
    ];
    let element = self::attributes(element, &attributes);
    let detail = clean(&outcome.detail);
    match outcome.status {
        Status::Pass | Status::Fail if outcome.reported || outcome.status == Status::Pass => match (&outcome.got, detail.is_empty()) {
            (None, true) => element.write_empty().map(drop),
            (got, _) => {
                let said = format!("{} {detail}", got.as_deref().map(clean).unwrap_or_default());
                element.write_inner_content(|writer| said_inside(writer, "system-out", said.trim())).map(drop)
            }
        },
        Status::Pass | Status::Fail => element
            .write_inner_content(|writer| {
                let failure = writer.create_element("failure").with_attribute(("message", detail.as_str()));
                failure.write_text_content(BytesText::new(&clean(&where_it_was(outcome)))).map(drop)
            })
            .map(drop),
        Status::Skip => element
            .write_inner_content(|writer| {
                writer.create_element("skipped").with_attribute(("message", detail.as_str())).write_empty().map(drop)
            })
            .map(drop),
    }
}

fn said_inside<W: io::Write>(writer: &mut Writer<W>, element: &str, text: &str) -> io::Result<()> {
    writer.create_element(element).write_text_content(BytesText::new(text)).map(drop)
}

fn where_it_was(outcome: &Outcome) -> String {
    let path = outcome.path.as_deref().map(|path| format!("\npath: {path} ({})", outcome.nodes.join(" → "))).unwrap_or_default();
    let turn = outcome.turn.as_deref().map(|turn| format!("\nturn: {turn}")).unwrap_or_default();
    format!("{}:{}{path}{turn}\nsession: {}", outcome.file, outcome.line, outcome.session)
}

/// Without what XML can't hold.
fn clean(text: &str) -> String {
    let is_told = |sign: &char| matches!(sign, '\t' | '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    text.chars().filter(is_told).collect()
}
