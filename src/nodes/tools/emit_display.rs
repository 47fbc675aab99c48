//! `emit_display`: shows something to read under the answer: a text, a value, a table, a chart, a progress bar.

use super::shapes::{ContentArg, display};
use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Control, Ui, counted};
use crate::nodes::View;
use crate::nodes::slots::language;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "emit_display",
    description: "shows displays under this answer. A text needs `text`; a value `value`; a progress `value` and `max`; a table `columns` and `rows`; a chart `kind`, `x` (labels) and `series`, with a value for each label. `key` shows an entry set by set_state in place of these.",
    parameters: r#"{"type":"object","properties":{"items":{"type":"array","items":{"type":"object","properties":{"type":{"enum":["text","value","table","chart","progress"]},"label":{"type":"string"},"key":{"type":"string"},"text":{"type":"string"},"value":{},"unit":{"type":"string"},"max":{"type":"number"},"columns":{"type":"array","items":{"type":"string"}},"rows":{"type":"array","items":{"type":"array","items":{}}},"kind":{"enum":["line","bar"]},"x":{"type":"array","items":{}},"series":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"values":{"type":"array","items":{}}},"required":["name","values"]}}},"required":["type"]}}},"required":["items"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    items: Vec<ContentArg>,
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let args: Args = args(value)?;
    // Numbers are written as the answer's language does.
    let with_language = |arg| {
        let mut display = display(arg);
        display.rest.entry("language").or_insert_with(|| json!(language(view)));
        Control::Display(display)
    };
    let displays: Vec<Control> = args.items.into_iter().map(with_language).collect();
    let summary = counted(displays.len(), "display", "displays");
    apply(view, ui, Change::Show(displays), summary)
}
