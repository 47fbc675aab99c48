//! Sessions that are saved and loaded. The simulation and the experts' tests load before each input; here is what they leave out.

use super::world::{World, ada, round_trip};
use crate::contract::{Input, Limits, VERSION};
use crate::engine::{RestoreError, Session, Snapshot};
use crate::graph::{shipped, shipped_with};
use serde_json::{Value, json};

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;

fn edited(session: &Session, edit: impl FnOnce(&mut Value)) -> Snapshot {
    let mut written = serde_json::to_value(session.snapshot()).unwrap();
    edit(&mut written);
    serde_json::from_value(written).unwrap()
}

#[test]
fn a_loaded_turn_goes_on_where_it_was() {
    let mut world = World::new("v1-direct");
    world.say("two buttons");
    let call = world.out[0].0;
    world.put(Input::Chunk { call, text: "Let me ".into() });
    world.say("and then?");
    world.reload();
    assert!(world.session.busy() && world.session.processes().len() == 1);
    world.put(Input::Chunk { call, text: "see.".into() });
    world.answer("");
    assert_eq!(world.session.history()[1].content, "Let me see.");
    assert!(world.out.iter().any(|(_, request)| &*request.label() == "agent"), "what waited has begun");
    world.replay();
}

#[test]
fn a_snapshot_of_another_version_or_library_is_refused() {
    let world = World::new("v3-framed");
    let restore = |library, edit: fn(&mut Value)| Session::restore(&[library], edited(&world.session, edit)).map(drop);
    assert_eq!(restore(shipped(), |_| ()), Ok(()));
    assert_eq!(restore(shipped(), |written| written["version"] = json!(VERSION + 1)), Err(RestoreError::Version { found: VERSION + 1 }));
    let other = shipped_with(|file| file.replace("\"calls\": 4", "\"calls\": 5"));
    let error = RestoreError::Library { found: shipped().hash().to_owned(), own: other.hash().to_owned() };
    assert_eq!(restore(other, |_| ()), Err(error));
    assert_eq!(restore(shipped(), |written| written["graph"] = json!("v9")), Err(RestoreError::UnknownGraph { graph: "v9".to_owned() }));
}

#[test]
fn what_a_node_would_be_asked_reads_back() {
    for graph in ["v3-framed", "v4-eras", "v1-direct"] {
        let mut world = World::with(graph, Limits::default());
        world.say("why?");
        world.answer(PERCEIVED);
        let nodes: Vec<_> = world.session.graph().nodes.iter().filter(|node| node.kind.asks()).map(|node| node.name.clone()).collect();
        for node in nodes {
            round_trip(&world.session.question(world.now, &node, None).unwrap());
        }
        world.put(Input::Attached { from: ada() });
    }
}
