//! What a strong model answered to this product's own requests, replayed: the right answers stay right, and no request changes
//! unnoticed. Who changes a prompt plays again (`graphs/README.md` says how).

use crate::player::play;

#[test]
fn the_plays_of_a_strong_model_give_the_right_answers() {
    for (suite, checks) in [("twelve", 33), ("ten", 18)] {
        let played = play(&[&format!("testcases/plays/{suite}.md"), "--replay", "testcases/plays/cassettes"]);
        assert_eq!(played.code, Some(0), "{}{}", played.output, played.errors);
        let count = |what: &str| played.results[what].as_u64().unwrap();
        assert!(count("passed") >= checks && count("failed") + count("skipped") == 0, "{}", played.output);
    }
}
