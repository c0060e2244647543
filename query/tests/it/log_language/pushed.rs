//! What the scan is handed of a lowered filter. That its answer is the same is shown by `engine`.

use throughline_query::logs::language::{lower, parse};

use super::bounds;
use crate::harness::Harness;

// The conditions of the scan and whether anything is checked above it.
async fn pushed(harness: &Harness, filter: &str) -> (String, bool) {
    let lowered = lower(&parse(filter).expect("parses"), &bounds()).expect("has a meaning");
    let plan = harness.rows(&format!("EXPLAIN {}", lowered.sql)).await;
    let physical = plan.iter().find(|row| row.starts_with("physical_plan")).expect("a plan");
    let scan = physical.lines().find(|line| line.contains("ScanExec")).expect("a scan");
    let predicates = scan.split_once("predicates=").map_or("", |(_, rest)| rest);
    (predicates.to_owned(), physical.contains("FilterExec"))
}

#[tokio::test]
async fn the_scan_decides() {
    const ANY: &str = r#"PresentAttribute("a"), op: "#;
    let harness = Harness::new().await;
    for (filter, expected, is_checked_again) in [
        ("reset", r#"Column("body"), op: Phrase("#.to_owned(), false),
        ("-reset", r#"Column("body"), op: NotPhrase("#.to_owned(), false),
        ("\"connection reset\"", r#"Column("body"), op: Phrase("#.to_owned(), false),
        ("conn*", r#"Column("body"), op: Phrase("#.to_owned(), false),
        ("=\"Reset\"", r#"Column("body"), op: Contains("Reset")"#.to_owned(), false),
        ("-=\"Reset\"", r#"Column("body"), op: NotContains("Reset")"#.to_owned(), false),
        ("~\"R.s\"", r#"Column("body"), op: Matches("R.s")"#.to_owned(), false),
        ("-~\"R.s\"", r#"Column("body"), op: NotMatches("R.s")"#.to_owned(), false),
        ("c*n reset", r#"Column("body"), op: Exists"#.to_owned(), true),
        ("\"c*n reset\"*", r#"Column("body"), op: Phrase("#.to_owned(), false),
        ("body:*", r#"Column("body"), op: Exists"#.to_owned(), false),
        ("service:api", r#"Column("service_name"), op: Eq(Text("api"))"#.to_owned(), false),
        ("-service:api", r#"Column("service_name"), op: Ne(Text("api"))"#.to_owned(), false),
        ("service:(a OR b)", r#"Column("service_name"), op: "#.to_owned(), false),
        ("service:a*", r#"Column("service_name"), op: Matches("#.to_owned(), false),
        ("a:x", format!("{ANY}Eq(Text(\"x\"))"), false),
        ("-a:x", format!("{ANY}Ne(Text(\"x\"))"), false),
        ("a:(x OR y OR z OR v)", format!("{ANY}In("), false),
        ("a:x*", format!("{ANY}Matches("), false),
        ("-a:x*", format!("{ANY}NotMatches("), false),
        ("a:~\"x.y\"", format!("{ANY}Matches("), false),
        ("a:*", format!("{ANY}Exists"), false),
        ("-a:*", format!("{ANY}Missing"), false),
        ("a:>=500", format!("{ANY}Exists"), true),
        ("a:>1KB", format!("{ANY}Exists"), true),
        ("a:[5 TO 500]", format!("{ANY}Exists"), true),
        ("a:>\"ap\"", format!("{ANY}Gt(Text(\"ap\"))"), false),
        ("attributes.a:5", r#"Attribute("a"), op: Eq(Text("5"))"#.to_owned(), false),
        ("-attributes.a:5", r#"Attribute("a"), op: Ne(Text("5"))"#.to_owned(), false),
        ("resource.a:5", r#"ResourceAttribute("a"), op: Eq(Text("5"))"#.to_owned(), false),
        (
            "trace_id:0102030405060708090a0b0c0d0e0f10",
            r#"Column("trace_id"), op: Eq(Bytes("#.to_owned(),
            false,
        ),
        (
            "-trace_id:0102030405060708090a0b0c0d0e0f10",
            r#"Column("trace_id"), op: Ne(Bytes("#.to_owned(),
            false,
        ),
        ("severity_number:>8", r#"Column("severity_number"), op: Gt(Int(8))"#.to_owned(), false),
        (
            "level:error",
            r#"Column("severity_number"), op: In([Int(0), Int(17), Int(18), Int(19), Int(20)])"#
                .to_owned(),
            true,
        ),
        ("level:>=warn", r#"Column("severity_number"), op: Ge(Int(0))"#.to_owned(), true),
        ("-level:error", r#"Column("severity_number"), op: Ne(Int(17))"#.to_owned(), true),
    ] {
        let (predicates, again) = pushed(&harness, filter).await;
        assert!(predicates.contains(&expected), "{filter}: {predicates}");
        assert_eq!(again, is_checked_again, "{filter}: {predicates}");
    }
}
