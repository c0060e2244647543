//! Streams of syslog, taken apart.

use super::property::frames;

#[test]
fn streams_are_taken_apart() {
    let long = "x".repeat(40);
    let cases: Vec<(String, Vec<(&str, usize)>)> = vec![
        ("<1>a\n<2>b\r\n\n\0<3>c".to_owned(), vec![("<1>a", 4), ("<2>b", 4), ("<3>c", 4)]),
        ("<1>a\0<2>b\0".to_owned(), vec![("<1>a", 4), ("<2>b", 4)]),
        // A count is one only before a '<'.
        ("5 <1>ab7 <2>c\nd<3>e\n".to_owned(), vec![("<1>ab", 5), ("<2>c\nd<", 7), ("3>e", 3)]),
        ("12 monkeys\n".to_owned(), vec![("12 monkeys", 10)]),
        ("123456789 <1>a\n".to_owned(), vec![("123456789 <1>a", 14)]),
        ("0 <1>a\n".to_owned(), vec![("0 <1>a", 6)]),
        // Cut at 16 bytes.
        (format!("<1>{long}\n<2>b\n"), vec![("<1>xxxxxxxxxxxxx", 43), ("<2>b", 4)]),
        (format!("43 <1>{long}<2>b\n"), vec![("<1>xxxxxxxxxxxxx", 43), ("<2>b", 4)]),
        // What breaks off is kept.
        ("9 <1>a".to_owned(), vec![("<1>a", 9)]),
        ("12".to_owned(), vec![("12", 2)]),
        (format!("<1>{long}"), vec![("<1>xxxxxxxxxxxxx", 43)]),
        ("\n\r\n".to_owned(), vec![]),
    ];
    for (stream, expected) in cases {
        for step in [1, 3, 1000] {
            let frames = frames(stream.as_bytes(), step, 16);
            let got: Vec<_> = frames
                .iter()
                .map(|frame| (std::str::from_utf8(&frame.bytes).expect("text"), frame.whole_len))
                .collect();
            assert_eq!(got, expected, "{stream:?} by {step}");
        }
    }
}
