//! What is shown beside the text: each rule and each bound of controls and machines.

use super::*;
use serde_json::json;

fn lamp() -> Machine {
    let button = |label: &str, go: &str| {
        let mut button = Button::new(label, label);
        (button.go, button.source) = (Some(go.to_owned()), Source::Machine("lamp".to_owned()));
        button
    };
    let state = |name: &str, button| State { name: name.to_owned(), buttons: vec![button], content: Vec::new() };
    Machine {
        id: "lamp".to_owned(),
        initial: "off".to_owned(),
        current: "off".to_owned(),
        states: Arc::new(vec![state("off", button("switch on", "on")), state("on", button("switch off", "off"))]),
    }
}

#[test]
fn controls_are_the_answers_and_then_each_machines_current_state() {
    let (mut ui, limits) = (Ui::default(), Limits::default());
    ui.apply(Change::CreateMachine(lamp()), &limits).unwrap();
    ui.apply(Change::Show(vec![Control::Button(Button::new("Red", "red"))]), &limits).unwrap();
    let labels = |ui: &Ui| -> Vec<String> {
        ui.controls().into_iter().map(|c| if let Control::Button(b) = c { b.label } else { String::new() }).collect()
    };
    assert_eq!(labels(&ui), ["Red", "switch on"]);
    ui.apply(Change::Go { id: "lamp".into(), to: "on".into() }, &limits).unwrap();
    assert_eq!(labels(&ui), ["Red", "switch off"]);
}

#[test]
fn a_display_that_is_shown_once_more_takes_the_place_of_the_first() {
    let show = |ui: &mut Ui, display: Value| {
        ui.apply(Change::Show(vec![serde_json::from_value(display).unwrap()]), &Limits::default()).unwrap();
        ui.thinker.len()
    };
    let mut ui = Ui::default();
    let value = |value: u32| json!({"type": "value", "label": "Sum", "value": value});
    assert_eq!([show(&mut ui, value(1)), show(&mut ui, value(2))], [1, 1], "corrected");
    assert_eq!(serde_json::to_value(&ui.thinker[0]).unwrap(), value(2));
    for (display, count) in [
        (json!({"type": "text", "label": "Sum", "text": "two"}), 2),
        (json!({"type": "value", "value": 3}), 3),
        (json!({"type": "value", "value": 4}), 4),
        (json!({"type": "value", "value": 4}), 4),
    ] {
        assert_eq!(show(&mut ui, display.clone()), count, "{display}");
    }
}

#[test]
fn a_change_that_can_not_be_is_refused_and_leaves_everything_as_it_was() {
    let limits = Limits { machines_max: 1, controls_max: 2, ui_bytes_max: 400, ..Limits::default() };
    let mut ui = Ui::default();
    ui.apply(Change::CreateMachine(lamp()), &limits).unwrap();
    let mut dangling = lamp();
    dangling.id = "other".into();
    let twice = Ui { machines: vec![lamp()], ..Ui::default() }.apply(Change::CreateMachine(lamp()), &Limits::default());
    assert_eq!(twice, Err(UiError::MachineExists { id: "lamp".into() }), "also where there is place for another");
    let refused = [
        Change::CreateMachine(lamp()),
        Change::CreateMachine(dangling.clone()),
        Change::Go { id: "lamp".into(), to: "broken".into() },
        Change::Go { id: "none".into(), to: "on".into() },
        Change::SetState { key: "k".into(), value: json!("x".repeat(500)) },
        Change::Show(vec![Control::Button(Button::new("a", "a")); 3]),
    ];
    for change in refused {
        let before = ui.clone();
        assert!(ui.apply(change.clone(), &limits).is_err(), "{change:?}");
        assert_eq!(ui, before, "{change:?}");
    }
    Arc::make_mut(&mut dangling.states)[0].buttons[0].go = Some("nowhere".into());
    assert_eq!(
        Ui::default().apply(Change::CreateMachine(dangling), &Limits::default()).unwrap_err().to_string(),
        "the machine `other` has no state `nowhere`: add it, or name one that it has"
    );
    let double = machine("m", &[("on", &[]), ("off", &[]), ("on", &[])]);
    assert_eq!(
        Ui::default().apply(Change::CreateMachine(double), &Limits::default()).unwrap_err().to_string(),
        "the machine `m` has two states `on`: rename one, or leave one out"
    );
}

/// A machine of two states, as JSON tells it: each button with the state that it leads to.
fn machine(id: &str, states: &[(&str, &[(&str, &str)])]) -> Machine {
    let button = |(label, go): &(&str, &str)| {
        let mut button = Button::new(*label, *label);
        button.go = Some((*go).to_owned()).filter(|go| !go.is_empty());
        button.source = Source::Machine(id.to_owned());
        button
    };
    let state = |(name, buttons): &(&str, &[(&str, &str)])| State {
        name: (*name).to_owned(),
        buttons: buttons.iter().map(button).collect(),
        content: vec![display(DisplayKind::Text, "", &format!("{id} is {name}"))],
    };
    let first = states[0].0.to_owned();
    Machine { id: id.to_owned(), initial: first.clone(), current: first, states: Arc::new(states.iter().map(state).collect()) }
}

fn display(kind: DisplayKind, key: &str, text: &str) -> Display {
    let rest = Map::from_iter([("text".to_owned(), json!(text))]);
    Display { kind, label: None, key: Some(key.to_owned()).filter(|key| !key.is_empty()), rest }
}

/// What is shown, in a word each.
fn shown(ui: &Ui) -> Vec<String> {
    let word = |control: &Control| match control {
        Control::Button(button) => button.label.clone(),
        Control::Display(display) => display.rest.get("text").map_or_else(String::new, |text| text.as_str().unwrap().to_owned()),
        Control::Approval(_) => "approval".to_owned(),
    };
    ui.controls().iter().map(word).collect()
}

fn with(changes: impl IntoIterator<Item = Change>) -> Ui {
    let mut ui = Ui::default();
    for change in changes {
        ui.apply(change, &Limits::default()).unwrap();
    }
    ui
}

#[test]
fn machines_stand_in_the_order_of_their_creation_each_with_its_content_before_its_buttons() {
    let door = || machine("door", &[("shut", &[("Open", "open")]), ("open", &[("Shut", "shut")])]);
    let bell = machine("bell", &[("still", &[("Ring", "")])]);
    let red = Control::Button(Button::new("Red", "red"));
    let go = |to: &str| Change::Go { id: "door".into(), to: to.into() };
    let mut ui = with([Change::CreateMachine(door()), Change::CreateMachine(bell), Change::Show(vec![red]), go("open")]);
    assert_eq!(shown(&ui), ["Red", "door is open", "Shut", "bell is still", "Ring"]);
    ui.apply(Change::DestroyMachine { id: "door".into() }, &Limits::default()).unwrap();
    assert_eq!(shown(&ui), ["Red", "bell is still", "Ring"], "the others stay");
    ui.apply(Change::CreateMachine(door()), &Limits::default()).unwrap();
    assert_eq!(shown(&ui), ["Red", "bell is still", "Ring", "door is shut", "Open"], "what is made anew is the last");
}

#[test]
fn an_action_is_looked_for_in_the_machines_first_and_among_what_is_shown_alone() {
    let door = machine("door", &[("shut", &[("go", "open")]), ("open", &[("knock", "")])]);
    let gate = machine("gate", &[("shut", &[("go", "shut"), ("wait", "")])]);
    let ours = ["go", "ours"].map(|action| Control::Button(Button::new(action, action))).to_vec();
    let ui = with([Change::Show(ours), Change::CreateMachine(door), Change::CreateMachine(gate)]);
    for (action, source, found) in [
        ("go", None, Some("machine:door")),
        ("go", Some("machine:gate"), Some("machine:gate")),
        ("go", Some("thinker"), Some("thinker")),
        ("ours", None, Some("thinker")),
        ("ours", Some("machine:door"), None),
        ("wait", None, Some("machine:gate")),
        ("wait", Some("thinker"), None),
        ("knock", None, None),
        ("go", Some("machine:none"), None),
    ] {
        let source = source.map(|source| Source::try_from(source.to_owned()).unwrap());
        let button = ui.button(action, source.as_ref()).map(|button| String::from(button.source.clone()));
        assert_eq!(button.as_deref(), found, "{action} of {source:?}");
    }
}

#[test]
fn a_state_is_added_or_replaced_and_a_reset_leads_to_the_initial_one() {
    let limits = Limits::default();
    let mut lamp = machine("lamp", &[("off", &[("On", "on")]), ("on", &[("Off", "off")])]);
    (lamp.initial, lamp.current) = ("on".into(), "off".into());
    let mut ui = with([Change::CreateMachine(lamp)]);
    let add = |name: &str, buttons: &[(&str, &str)]| Change::AddState {
        id: "lamp".into(),
        state: machine("lamp", &[(name, buttons)]).states[0].clone(),
    };
    ui.apply(add("dim", &[("Off", "off"), ("Off", "off")]), &limits).unwrap();
    ui.apply(add("off", &[("Dim", "dim")]), &limits).unwrap();
    assert_eq!(shown(&ui), ["lamp is off", "Dim"], "what is shown is replaced at once");
    ui.apply(Change::Go { id: "lamp".into(), to: "dim".into() }, &limits).unwrap();
    assert_eq!(ui.machines[0].states.len(), 3);
    assert!(ui.button("Off", None).is_some() && ui.button("Off_2", None).is_some(), "an added button has an action of its own");
    let before = ui.clone();
    assert!(ui.apply(add("bright", &[("Up", "sun")]), &limits).is_err(), "a button leads to no state that is not there");
    assert_eq!(ui, before);
    ui.apply(Change::ResetMachine { id: "lamp".into() }, &limits).unwrap();
    assert_eq!(shown(&ui), ["lamp is on", "Off"], "the initial one, which need not be the first");
}

#[test]
fn a_display_with_a_key_shows_what_the_state_holds_wherever_it_stands() {
    let of = |kind| display(kind, "count", "none yet");
    let mut bound = machine("m", &[("only", &[])]);
    Arc::make_mut(&mut bound.states)[0].content = vec![of(DisplayKind::Text)];
    let show = Change::Show(vec![Control::Display(of(DisplayKind::Value)), Control::Display(of(DisplayKind::Text))]);
    let mut ui = with([show, Change::CreateMachine(bound)]);
    assert_eq!(shown(&ui), ["none yet"; 3], "what is not set yet changes nothing");
    ui.apply(Change::SetState { key: "count".into(), value: json!("seven") }, &Limits::default()).unwrap();
    let controls = serde_json::to_value(ui.controls()).unwrap();
    assert_eq!((&controls[0]["value"], &controls[1]["text"], &controls[2]["text"]), (&json!("seven"), &json!("seven"), &json!("seven")));
    assert!(controls[1].get("value").is_none(), "{controls}");
}

#[test]
fn each_bound_is_held_and_the_last_that_fits_is_taken() {
    let limits = Limits { machines_max: 2, controls_max: 2, ui_bytes_max: 900, ..Limits::default() };
    let create = |machine: Machine| Change::CreateMachine(machine);
    let buttons = |count: usize| Change::Show(vec![Control::Button(Button::new("a", "a")); count]);
    let fat = |bytes: usize| Control::Display(display(DisplayKind::Text, "", &"x".repeat(bytes)));
    let state = |bytes: usize| Change::SetState { key: "k".into(), value: json!("x".repeat(bytes)) };
    let mut heavy = machine("heavy", &[("a", &[])]);
    Arc::make_mut(&mut heavy.states)[0].content[0] = display(DisplayKind::Text, "", &"x".repeat(1000));
    let mut nowhere = machine("m", &[("a", &[])]);
    nowhere.initial = "b".into();
    let two = || with([create(machine("m", &[("a", &[])])), create(machine("n", &[("a", &[])]))]);
    for (ui, good, bad, says) in [
        (Ui::default(), buttons(2), buttons(3), "too many controls: at most 2"),
        (with([buttons(1)]), buttons(1), buttons(2), "too many controls: at most 2"),
        (
            with([create(machine("m", &[("a", &[])]))]),
            create(machine("n", &[("a", &[])])),
            create(lamp_of(3)),
            "too many states: at most 2",
        ),
        (two(), Change::DestroyMachine { id: "m".into() }, create(machine("o", &[("a", &[])])), "too many machines: at most 2"),
        (
            Ui::default(),
            create(machine("m", &[("a", &[("go", "a")])])),
            create(machine("m", &[("a", &[("x", ""), ("y", "")])])),
            "too many controls: at most 2",
        ),
        (Ui::default(), Change::Show(vec![fat(800)]), Change::Show(vec![fat(1000)]), "the control is too large: at most 900 bytes of JSON"),
        (Ui::default(), state(800), state(1000), "the user interface state is too large: at most 900 bytes of JSON"),
        (Ui::default(), create(machine("m", &[("a", &[])])), create(heavy), "the machine is too large: at most 900 bytes of JSON"),
        (Ui::default(), create(machine("m", &[("a", &[])])), create(nowhere), "the machine `m` has no state `b`"),
    ] {
        ui.clone().apply(good.clone(), &limits).unwrap_or_else(|error| panic!("{good:?}: {error}"));
        let error = ui.clone().apply(bad.clone(), &limits).expect_err(says).to_string();
        assert!(error.starts_with(says), "{bad:?}: {error}");
    }
}

fn lamp_of(states: usize) -> Machine {
    let mut lamp = lamp();
    Arc::make_mut(&mut lamp.states).resize_with(states, || State { name: "more".into(), buttons: Vec::new(), content: Vec::new() });
    lamp
}

#[test]
fn an_action_means_one_button() {
    let (mut ui, limits) = (Ui::default(), Limits::default());
    let buttons = ["A", "B", "C"].map(|label| Control::Button(Button::new(label, "go")));
    ui.apply(Change::Show(buttons[..2].to_vec()), &limits).unwrap();
    ui.apply(Change::Show(buttons[2..].to_vec()), &limits).unwrap();
    for (action, label) in [("go", "A"), ("go_2", "B"), ("go_3", "C")] {
        assert_eq!(ui.button(action, None).unwrap().label, label);
    }
}

#[test]
fn what_is_shown_has_a_bound_also_where_displays_bind_the_state() {
    let limits = Limits { shown_bytes_max: 5_000, ..Limits::default() };
    let bound = Display { kind: DisplayKind::Value, label: None, key: Some("k".into()), rest: Map::new() };
    let mut ui = Ui::default();
    ui.apply(Change::Show(vec![Control::Display(bound); 10]), &limits).unwrap();
    ui.apply(Change::SetState { key: "k".into(), value: json!("x".repeat(300)) }, &limits).unwrap();
    let before = ui.clone();
    assert!(ui.apply(Change::SetState { key: "k".into(), value: json!("x".repeat(600)) }, &limits).is_err());
    assert_eq!(ui, before);
}

#[test]
fn a_bound_value_takes_the_place_of_what_its_display_shows_first() {
    let mut ui = Ui::default();
    ui.apply(Change::SetState { key: "k".into(), value: json!([[1]]) }, &Limits::default()).unwrap();
    for (kind, field) in [("text", "text"), ("value", "value"), ("progress", "value"), ("table", "rows"), ("chart", "series")] {
        let display: Control = serde_json::from_value(json!({"type": kind, "key": "k"})).unwrap();
        ui.thinker = vec![display];
        assert_eq!(json!(ui.controls()), json!([{"type": kind, "key": "k", field: [[1]]}]));
    }
}

#[test]
fn a_bound_object_can_not_pass_for_another_control() {
    let (mut ui, limits) = (Ui::default(), Limits::default());
    let forged = json!({"type": "button", "action": "evil", "source": "machine:bank", "value": 7});
    let rest = Map::from_iter([("action".to_owned(), json!("evil")), ("unit".to_owned(), json!("kWh"))]);
    let display = Display { kind: DisplayKind::Value, label: None, key: Some("k".into()), rest };
    ui.apply(Change::Show(vec![Control::Display(display)]), &limits).unwrap();
    ui.apply(Change::SetState { key: "k".into(), value: forged }, &limits).unwrap();
    assert_eq!(serde_json::to_value(ui.controls()).unwrap(), json!([{"type": "value", "key": "k", "unit": "kWh", "value": 7}]));
}

#[test]
fn controls_have_the_shape_of_the_wire_contract() {
    let mut button = Button::new("Red", "red");
    button.source = Source::Machine("m".into());
    let display =
        Display { kind: DisplayKind::Value, label: None, key: Some("k".into()), rest: Map::from_iter([("value".into(), json!(1))]) };
    for (control, wire) in [
        (Control::Button(button), json!({"type":"button","label":"Red","action":"red","source":"machine:m"})),
        (Control::Display(display), json!({"type":"value","key":"k","value":1})),
    ] {
        assert_eq!(serde_json::to_value(&control).unwrap(), wire);
        assert_eq!(serde_json::from_value::<Control>(wire).unwrap(), control);
    }
}

#[test]
fn a_machines_display_can_not_pass_for_a_button_either() {
    let mut bank = machine("bank", &[("open", &[])]);
    let rest =
        Map::from_iter([("action".to_owned(), json!("pay")), ("source".to_owned(), json!("thinker")), ("text".to_owned(), json!("Hi"))]);
    Arc::make_mut(&mut bank.states)[0].content = vec![Display { kind: DisplayKind::Text, label: None, key: None, rest }];
    let added = Change::AddState { id: "bank".into(), state: bank.states[0].clone() };
    for ui in [with([Change::CreateMachine(bank.clone())]), with([Change::CreateMachine(machine("bank", &[("open", &[])])), added])] {
        assert_eq!(serde_json::to_value(ui.controls()).unwrap(), json!([{"type": "text", "text": "Hi"}]));
    }
}

#[test]
fn a_step_to_a_state_that_shows_too_much_is_refused() {
    let limits = Limits { shown_bytes_max: 2_000, ..Limits::default() };
    let mut screen = machine("screen", &[("small", &[]), ("large", &[])]);
    Arc::make_mut(&mut screen.states)[1].content = vec![display(DisplayKind::Text, "k", ""); 10];
    let mut ui = with([Change::CreateMachine(screen), Change::SetState { key: "k".into(), value: json!("x".repeat(500)) }]);
    let before = ui.clone();
    let go = Change::Go { id: "screen".into(), to: "large".into() };
    assert!(matches!(ui.apply(go.clone(), &limits), Err(UiError::TooLarge { .. })));
    assert_eq!(ui, before);
    ui.apply(Change::SetState { key: "k".into(), value: json!("x") }, &limits).unwrap();
    ui.apply(go, &limits).unwrap();
}
