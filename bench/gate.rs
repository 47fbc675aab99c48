//! What the gate costs a statement: the legitimate corpus, each dialect.

use framewright::contract::Dialect;
use framewright::sql;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    let is_real = std::env::args().any(|argument| argument == "--bench");
    let repeats = if is_real { 201 } else { 1 };
    for (dialect, own) in [(Dialect::Mysql, "mysql"), (Dialect::Sqlite, "sqlite")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases/sql");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the corpus is there");
        let text = [read("legitimate.txt"), read(&format!("legitimate-{own}.txt"))].concat();
        let statements: Vec<String> = text.lines().filter(|line| !line.starts_with("##")).map(|line| line.replace('⏎', "\n")).collect();
        let mut tables = 0;
        let mut times: Vec<f64> = statements
            .iter()
            .map(|statement| {
                let mut each: Vec<f64> = (0..repeats)
                    .map(|_| {
                        let begun = Instant::now();
                        let reading = black_box(sql::check(black_box(statement), dialect, &["eras2_production"]));
                        let took = begun.elapsed().as_nanos() as f64 / 1e3;
                        tables += reading.expect("it is legitimate").tables.len();
                        took
                    })
                    .collect();
                each.sort_by(f64::total_cmp);
                each[each.len() / 2]
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
        println!("gate {dialect}: statements={} tables={} median={median:.1}us most={most:.1}us", statements.len(), tables / repeats);
    }
}
