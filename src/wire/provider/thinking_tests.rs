//! Answers as models give them, wherever their pieces are cut.

use super::*;
use Finish::{Length, Stop};

const BYTES_MAX: usize = 1 << 20;

fn told_apart<'a>(pieces: impl IntoIterator<Item = &'a str>, manner: Manner, finish: Finish) -> Thinking {
    let mut thinking = Thinking::new(manner, BYTES_MAX);
    pieces.into_iter().for_each(|piece| thinking.take(piece));
    thinking.end(finish);
    thinking
}

/// The content cut in two at every place, and character by character.
fn check(content: &str, manner: Manner, finish: Finish, answer: &str, thoughts: &str) {
    let cuts = content.char_indices().map(|(cut, _)| vec![&content[..cut], &content[cut..]]);
    let mut single = content.split("").collect::<Vec<_>>();
    single.retain(|piece| !piece.is_empty());
    for pieces in cuts.chain([single]) {
        let thinking = told_apart(pieces.clone(), manner, finish);
        assert_eq!((thinking.answer.as_str(), thinking.thoughts.as_str()), (answer, thoughts), "{pieces:?} {manner:?}");
    }
}

const PLAIN: Manner = Manner { opens_itself: false, named: Kinds::NONE, wants_json: false };

/// The question speaks of these.
fn naming(tags: &str) -> Manner {
    Manner { named: Kinds::named_in(tags), ..PLAIN }
}

#[test]
fn thoughts_are_told_from_the_answer_wherever_the_tags_are_cut() {
    for (content, answer, thoughts) in [
        ("<think>hm</think>\n\nYes.", "Yes.", "hm"),
        ("\n<think></think>Yes.", "Yes.", ""),
        ("<think>a < b </thin k></think> é", "é", "a < b </thin k>"),
        ("<think>hm</think>Yes.<think>or?</think> No.", "Yes. No.", "hmor?"),
        ("Yes.\n<think>or?</think>\nNo.", "Yes.\n\nNo.", "or?"),
        ("Hello <think>hm</think>world", "Hello world", "hm"),
        ("<think>never closed", "", "never closed"),
        ("hm, hm\n</think>\n\nYes.", "Yes.", "hm, hm\n"),
        ("hm</think>{\"a\":1}", "{\"a\":1}", "hm"),
        ("</think>Yes.", "Yes.", ""),
        ("hm</think>", "", "hm"),
        ("<think>hm</think>Yes.</think>", "Yes.", "hm"),
        ("<think>hm</think>ah</think>Yes.", "Yes.", "hmah"),
        ("[THINK]hm[/THINK]Yes.", "Yes.", "hm"),
        ("<thinking>hm</thinking>Yes.", "Yes.", "hm"),
        ("<reasoning>hm</reasoning>Yes.", "Yes.", "hm"),
        ("<seed:think>hm</seed:think>Yes.", "Yes.", "hm"),
        ("◁think▷hm◁/think▷Yes.", "Yes.", "hm"),
        ("<|channel>thought\nhm<channel|>Yes.", "Yes.", "\nhm"),
        ("<|begin_of_thought|>hm<|end_of_thought|>\n\n<|begin_of_solution|>Yes.<|end_of_solution|>", "Yes.", "hm"),
        ("<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Yes.<|END_RESPONSE|>", "Yes.", "hm"),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.", "Yes.", "hm"),
        ("", "", ""),
    ] {
        check(content, PLAIN, Stop, answer, thoughts);
    }
}

#[test]
fn what_only_looks_like_a_thought_stays() {
    for content in [
        "Use `<think>` and `</think>`.",
        "```html\n<think>hm</think>\n```\nThat's how.",
        "<thing>",
        " <thin",
        "a[0] < b[1]",
        "Yes. <think>",
        "So:\n\n    <think>a</think>\n    b\n\nThat is all.",
        "Tags are written <think> with a bracket.",
        "“quoted” – and so on…",
        "  blanks",
    ] {
        check(content, PLAIN, Stop, content, "");
    }
    let named = naming("<think>");
    for (content, answer, thoughts) in [
        ("Put it between <think> and </think>, please.", "Put it between <think> and </think>, please.", ""),
        (r#"{"goal":"say what </think> means"}"#, r#"{"goal":"say what </think> means"}"#, ""),
        ("They ask for tags.\n</think>\n\nIt ends with </think>.", "It ends with </think>.", "They ask for tags.\n"),
        ("<think>hm</think>It is <think>.", "It is <think>.", "hm"),
    ] {
        check(content, named, Stop, answer, thoughts);
    }
}

#[test]
fn an_element_that_was_asked_for_is_part_of_the_answer() {
    const DIARY: &str = "Here it is:\n\n<diary>\n  <thought>tired</thought>\n  <thought>\n    hm\n  </thought>\n</diary>\nDone.";
    const ROOT: &str = "Here it is:\n<thought>\n  <text>tired</text>\n</thought>";
    const IN_LINE: &str = "So: <thought>\n  tired\n</thought>";
    for content in [DIARY, ROOT, IN_LINE, "Here it is:\n```xml\n<thought>\n</thought>\n```"] {
        for opens_itself in [false, true] {
            check(content, Manner { opens_itself, ..naming("an XML with a <thought>") }, Stop, content, "");
        }
        let after = format!("<think>hm</think>{content}");
        check(&after, naming("<thought>"), Stop, content, "hm");
    }
    for (content, manner, answer, thoughts) in [
        // Nothing was named, but it stands in an element.
        (DIARY, PLAIN, DIARY, ""),
        (ROOT, PLAIN, "Here it is:\n", "\n  <text>tired</text>\n"),
        // At the head it is a thought, and so is what another tag holds.
        ("<thought>hm</thought>Yes.", naming("<thought>"), "Yes.", "hm"),
        ("Yes.\n<think>or?</think>No.", naming("<thought>"), "Yes.\nNo.", "or?"),
        // A tag that is spoken of opens nothing that could be closed.
        ("They ask what <think> means.\n</think>\nA tag.", naming("<think>"), "A tag.", "They ask what <think> means.\n"),
        ("<x>a</x>\n<think>or?</think>Yes.", PLAIN, "<x>a</x>\nYes.", "or?"),
    ] {
        check(content, manner, Stop, answer, thoughts);
    }
}

#[test]
fn what_is_known_of_a_model_holds_text_back_until_it_is_clear() {
    let known = Manner { opens_itself: true, ..PLAIN };
    for (content, finish, answer, thoughts) in [
        ("hm\n</think>\n\nYes.", Stop, "Yes.", "hm\n"),
        ("```\nhm</think>Yes.", Stop, "Yes.", "```\nhm"),
        ("<think>hm</think>Yes.", Stop, "Yes.", "<think>hm"),
        ("Yes, without a thought.", Stop, "Yes, without a thought.", ""),
        ("hm, hm", Length, "", "hm, hm"),
        ("<think>hm", Stop, "", "<think>hm"),
    ] {
        check(content, known, finish, answer, thoughts);
        let mut thinking = Thinking::new(known, BYTES_MAX);
        let before = content.split("</think>").next().unwrap();
        thinking.take(before);
        assert_eq!(thinking.answer, "", "held back: {content}");
    }
    let mut apart = Thinking::new(known, BYTES_MAX);
    apart.think("hm");
    apart.take("Yes");
    assert_eq!((apart.answer.as_str(), apart.thoughts.as_str()), ("Yes", "hm"), "this time they come apart: nothing is held back");
}

/// A piece of content, or a thought that came apart.
fn told_in_turn(pieces: &[Result<&str, &str>], manner: Manner, finish: Finish) -> (String, String) {
    let mut thinking = Thinking::new(manner, BYTES_MAX);
    for piece in pieces {
        match piece {
            Ok(said) => thinking.take(said),
            Err(thought) => thinking.think(thought),
        }
    }
    thinking.end(finish);
    (thinking.answer, thinking.thoughts)
}

#[test]
fn thoughts_that_come_apart_never_mix_with_what_is_held_back() {
    let known = Manner { opens_itself: true, ..PLAIN };
    for (pieces, manner, answer, thoughts) in [
        (&[Ok("\n"), Err("secret"), Ok("Answer")][..], known, "Answer", "secret"),
        (&[Ok("Hi. "), Err("secret"), Ok("Answer")], known, "Hi. Answer", "secret"),
        (&[Ok("Hi. <think>"), Err("sec"), Ok("or?"), Err("ret")], PLAIN, "Hi. <think>or?", "secret"),
        (&[Ok("<think>a</think>b</think>"), Err("secret")], PLAIN, "b", "asecret"),
        (&[Ok("<think>a</think>b</think><think>c</think>")], PLAIN, "b", "ac"),
    ] {
        assert_eq!(told_in_turn(pieces, manner, Stop), (answer.to_owned(), thoughts.to_owned()), "{pieces:?}");
    }
}

#[test]
fn an_open_thought_is_text_only_where_the_model_stops_by_itself() {
    let known = Manner { opens_itself: true, ..PLAIN };
    for finish in [Finish::ToolCalls, Finish::ContentFilter, Length] {
        check("Here it is. <think>secret plan", PLAIN, finish, "Here it is. ", "secret plan");
        check("secret plan to call", known, finish, "", "secret plan to call");
    }
}

#[test]
fn what_is_held_back_may_speak_of_tags_and_show_them_in_code() {
    let known = Manner { opens_itself: true, ..PLAIN };
    let named = Manner { opens_itself: true, ..naming("<think>") };
    for (content, manner, answer, thoughts) in [
        ("It is <think> and it ends with </think>. That is all.", named, "It is <think> and it ends with </think>. That is all.", ""),
        ("So:\n```\n<think>a</think>\n```\nThat is all.", known, "So:\n```\n<think>a</think>\n```\nThat is all.", ""),
        ("Write `</think>` here.", known, "Write `</think>` here.", ""),
        ("They ask.\n</think>\nIt is </think>.", named, "It is </think>.", "They ask.\n"),
        ("a `hm</think>Yes.", known, "Yes.", "a `hm"),
    ] {
        check(content, manner, Stop, answer, thoughts);
    }
}

#[test]
fn what_was_said_and_is_a_thought_is_taken_back_and_learned() {
    for (content, opens_itself, is_taken_back) in [
        ("hm</think>Yes.", true, true),
        ("<think>hm</think>Yes.", false, false),
        ("</think>Yes.", false, false),
        ("<think>hm</think>ah</think>Yes.", false, true),
        ("Yes.", false, false),
    ] {
        let mut thinking = Thinking::new(PLAIN, BYTES_MAX);
        let mut heard = String::new();
        for piece in content.split("") {
            thinking.take(piece);
            heard.push_str(thinking.news());
        }
        thinking.end(Stop);
        heard.push_str(thinking.news());
        assert!(heard.ends_with("Yes."), "{content}: {heard}");
        assert_eq!((thinking.has_opened_itself, thinking.is_taken_back), (opens_itself, is_taken_back), "{content}");
    }
}

#[test]
fn a_thought_that_is_cut_is_no_answer_and_a_tag_without_end_is_text() {
    check("Yes. <think>or", PLAIN, Length, "Yes. ", "or");
    check("Yes. <think>or", PLAIN, Stop, "Yes. <think>or", "");
    let mut long = Thinking::new(PLAIN, 10);
    long.take("<think>");
    (0..10).for_each(|_| long.take("äöü"));
    assert!(long.thoughts.len() <= 10, "{}", long.thoughts);
}

#[test]
fn a_thought_without_end_hides_no_json() {
    let wants_json = Manner { wants_json: true, ..PLAIN };
    for (content, finish, answer) in [
        (r#"<think>Use {x}: {"a":1}"#, Stop, r#"{"a":1}"#),
        (r#"<think>{"a":1}, or {"a":2}? No.</think>"#, Stop, ""),
        (r#"<think>{"a":1}</think>{"a":2}"#, Stop, r#"{"a":2}"#),
        (r#"<think>{"a":1}"#, Length, ""),
    ] {
        assert_eq!(told_apart([content], wants_json, finish).answer, answer, "{content}");
    }
    assert_eq!(told_apart([r#"<think>{"a":1}"#], PLAIN, Stop).answer, "", "a text is wanted");
}

/// Whatever is thrown together of tags, code and text: no byte of text is lost or doubled, and the cuts change nothing.
#[test]
fn every_mixture_is_told_apart_in_the_same_way_however_it_is_cut() {
    const PARTS: &[&str] =
        &["<x>", "</x>\n", "<think>", "</think>", "a", " b\n", "`", "```\n", "[THINK]", "[/THINK]", "<", "◁", "…", "c d", "<|return|>"];
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..3_000 {
        let parts: Vec<&str> = (0..rng.usize(1..9)).map(|_| PARTS[rng.usize(..PARTS.len())]).collect();
        let manner = Manner { opens_itself: rng.bool(), ..naming(["", "<think>", "[THINK]"][rng.usize(..3)]) };
        let content = parts.concat();
        let (whole, torn) = (told_apart([content.as_str()], manner, Stop), told_apart(content.split(""), manner, Stop));
        assert_eq!((&whole.answer, &whole.thoughts), (&torn.answer, &torn.thoughts), "{content:?} {manner:?}");
        let letters = |text: &str| text.chars().filter(char::is_ascii_lowercase).count();
        let kept = letters(&whole.answer) + letters(&whole.thoughts);
        let tags = letters(&content)
            - letters(&["</think>", "<think>", "<|return|>"].iter().fold(content.clone(), |text, tag| text.replace(tag, "")));
        assert!((letters(&content) - tags..=letters(&content)).contains(&kept), "{content:?} {manner:?} {whole:?}");
    }
}
