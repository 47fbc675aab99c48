//! Looking for a model server on this machine.
//!
//! All known places are asked at once, on loopback only, and whoever has not answered after a moment is not there. Of those
//! that answered the first in the list is taken, so that the choice doesn't depend on who was quicker.

use serde_json::Value;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// How long a start waits for all of them together.
const TIMEOUT: Duration = Duration::from_millis(150);
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A model server that was found, up to its `/v1`, and the model to ask it for.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    pub program: &'static str,
    pub url: String,
    pub model: String,
}

struct Place {
    program: &'static str,
    port: u16,
    /// Where it tells its models.
    path: &'static str,
    /// Others like to sit on this port, so it has to say who it is.
    must_prove: bool,
}

const PLACES: &[Place] = &[
    Place { program: "Ollama", port: 11434, path: "/api/tags", must_prove: false },
    Place { program: "llama.cpp", port: 9931, path: "/v1/models", must_prove: false },
    Place { program: "llama.cpp", port: 8080, path: "/v1/models", must_prove: true },
    Place { program: "LM Studio", port: 1234, path: "/v1/models", must_prove: false },
    Place { program: "vLLM", port: 8000, path: "/v1/models", must_prove: false },
];

/// A model server on this machine; with `wanted`, one that has this model.
pub fn local_model(wanted: Option<&str>) -> Option<Local> {
    first_of(PLACES, wanted, TIMEOUT)
}

fn first_of(places: &'static [Place], wanted: Option<&str>, timeout: Duration) -> Option<Local> {
    let until = Instant::now() + timeout;
    let (to, found) = channel();
    for (number, place) in places.iter().enumerate() {
        let (to, wanted) = (to.clone(), wanted.map(str::to_owned));
        let asking = thread::Builder::new().name("probe".to_owned());
        // Without a thread nobody is asked, which is as if nobody were there.
        let _ = asking.spawn(move || to.send((number, place.local(wanted.as_deref(), timeout))));
    }
    drop(to);
    let mut first: Option<(usize, Local)> = None;
    let mut silent = vec![true; places.len()];
    while let Ok((number, local)) = found.recv_timeout(until.saturating_duration_since(Instant::now())) {
        silent[number] = false;
        if let Some(local) = local.filter(|_| first.as_ref().is_none_or(|(best, _)| number < *best)) {
            first = Some((number, local));
        }
        if first.as_ref().is_some_and(|(best, _)| !silent[..*best].contains(&true)) {
            break;
        }
    }
    first.map(|(_, local)| local)
}

impl Place {
    fn local(&self, wanted: Option<&str>, timeout: Duration) -> Option<Local> {
        let config = Agent::config_builder().timeout_global(Some(timeout)).max_redirects(0).proxy(None).build();
        let (agent, address) = (Agent::new_with_config(config), format!("http://127.0.0.1:{}", self.port));
        let told = ask(&agent, &format!("{address}{}", self.path))?;
        if self.must_prove && !is_llama(&told) && ask(&agent, &format!("{address}/props")).is_none() {
            return None;
        }
        let model = model_in(&told, wanted)?;
        Some(Local { program: self.program, url: format!("{address}/v1"), model })
    }
}

/// The JSON object that is told there.
fn ask(agent: &Agent, url: &str) -> Option<Value> {
    let mut answer = agent.get(url).call().ok().filter(|answer| answer.status().is_success())?;
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().ok()?;
    serde_json::from_slice(&body).ok().filter(Value::is_object)
}

fn is_llama(told: &Value) -> bool {
    told["data"].as_array().is_some_and(|models| models.iter().any(|model| model["owned_by"] == "llamacpp"))
}

/// The names of the models, in either of the two lists that servers answer with.
pub fn model_names(told: &Value) -> impl Iterator<Item = &str> {
    let list = told["data"].as_array().or_else(|| told["models"].as_array());
    list.into_iter().flatten().filter_map(|model| model["id"].as_str().or_else(|| model["name"].as_str()))
}

/// Whether a server's name for a model is the wanted one; Ollama adds a tag.
pub fn is_model(name: &str, wanted: &str) -> bool {
    name.strip_suffix(":latest").unwrap_or(name) == wanted || name == wanted
}

/// The wanted model, or the first that can talk.
fn model_in(told: &Value, wanted: Option<&str>) -> Option<String> {
    let fits = |name: &&str| match wanted {
        Some(wanted) => is_model(name, wanted),
        None => !name.is_empty() && !name.to_lowercase().contains("embed"),
    };
    model_names(told).find(fits).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// A server that answers each path with what stands beside it, everything else with 404; nothing: it is silent.
    fn server(answers: Option<Vec<(&'static str, Value)>>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let mut held = Vec::new();
            for mut stream in listener.incoming().map_while(Result::ok) {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let head = lines.collect::<Vec<_>>().join("\n");
                let Some(answers) = &answers else {
                    held.push(stream);
                    continue;
                };
                let path = head.split(' ').nth(1).unwrap_or_default();
                let found = answers.iter().find(|(known, _)| *known == path);
                let (status, body) = found.map_or(("404 No", String::new()), |(_, body)| ("200 OK", body.to_string()));
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all((head + &body).as_bytes());
            }
        });
        port
    }

    fn found(places: Vec<Place>, wanted: Option<&str>) -> Option<(&'static str, String)> {
        let places: &'static [Place] = Vec::leak(places);
        first_of(places, wanted, Duration::from_secs(120)).map(|local| (local.program, local.model))
    }

    fn ollama(port: u16) -> Place {
        Place { program: "Ollama", port, path: "/api/tags", must_prove: false }
    }

    fn llama(port: u16) -> Place {
        Place { program: "llama.cpp", port, path: "/v1/models", must_prove: true }
    }

    #[test]
    fn the_first_in_the_list_is_taken_and_strangers_are_not() {
        let tags = json!({"models": [{"name": "nomic-embed-text:latest"}, {"name": "qwen3:latest"}]});
        let models = |owner: &str| json!({"object": "list", "data": [{"id": "gemma", "owned_by": owner}]});
        let (tags, none) = (server(Some(vec![("/api/tags", tags)])), server(Some(vec![("/api/tags", json!({"models": []}))])));
        let own = server(Some(vec![("/v1/models", models("llamacpp"))]));
        let props = server(Some(vec![("/v1/models", models("me")), ("/props", json!({"n_ctx": 4096}))]));
        let stranger = server(Some(vec![("/v1/models", models("me"))]));
        // Bound, so that nobody else takes it, and not listened on.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let nobody = socket.local_addr().unwrap().as_socket().unwrap().port();
        for (places, wanted, model) in [
            (vec![ollama(tags), llama(own)], None, Some(("Ollama", "qwen3:latest"))),
            (vec![llama(own), ollama(tags)], None, Some(("llama.cpp", "gemma"))),
            (vec![ollama(none), llama(props)], None, Some(("llama.cpp", "gemma"))),
            (vec![ollama(nobody), llama(stranger)], None, None),
            (vec![ollama(tags), llama(own)], Some("gemma"), Some(("llama.cpp", "gemma"))),
            (vec![ollama(tags), llama(own)], Some("qwen3"), Some(("Ollama", "qwen3:latest"))),
            (vec![ollama(tags), llama(own)], Some("other"), None),
            (vec![], None, None),
        ] {
            let names: Vec<_> = places.iter().map(|place| place.program).collect();
            let model = model.map(|(program, model)| (program, model.to_owned()));
            assert_eq!(found(places, wanted), model, "{names:?} {wanted:?}");
        }
    }

    #[test]
    fn who_says_nothing_is_not_waited_for() {
        let own = server(Some(vec![("/v1/models", json!({"data": [{"id": "gemma", "owned_by": "llamacpp"}]}))]));
        let places: &'static [Place] = Vec::leak(vec![ollama(server(None)), llama(own)]);
        let begun = Instant::now();
        assert_eq!(first_of(places, None, Duration::from_secs(3)).map(|local| local.model).as_deref(), Some("gemma"));
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        assert!(PLACES.iter().all(|place| place.must_prove == (place.port == 8080)));
    }
}
