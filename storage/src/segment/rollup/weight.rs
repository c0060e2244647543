//! How many spans a sampled span stands for, from its trace state.
//!
//! ```text
//! ot=th:c      consistent probability sampling: 14 hex digits (zeros at the end left out) of a
//!              threshold; the weight is 2^56 / (2^56 − threshold)
//! ot=p:3       its predecessor: the weight is 2^p, and 63 means zero
//! ```

const DIGITS: usize = 14;
const WHOLE: u64 = 1 << 56;
/// The largest exponent that `p` may have, and the one that means zero.
const P_MAX: u32 = 62;
const P_ZERO: u32 = 63;

/// The weight of spans with a trace state; one where it says nothing that can be read.
pub(crate) fn of_trace_state(state: &str) -> f64 {
    let members = state.split(',').filter_map(|member| member.trim().split_once('='));
    let Some((_, fields)) = members.into_iter().find(|(key, _)| *key == "ot") else { return 1.0 };
    let field = |name: &str| {
        let fields = fields.split(';').filter_map(|field| field.split_once(':'));
        fields.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let by_threshold = field("th").and_then(of_threshold);
    by_threshold.or_else(|| field("p").and_then(of_exponent)).unwrap_or(1.0)
}

fn of_threshold(digits: &str) -> Option<f64> {
    if digits.is_empty() || digits.len() > DIGITS {
        return None;
    }
    let number = u64::from_str_radix(digits, 16).ok()?;
    let threshold = number << (4 * (DIGITS - digits.len()));
    Some(WHOLE as f64 / (WHOLE - threshold) as f64)
}

fn of_exponent(digits: &str) -> Option<f64> {
    match digits.parse::<u32>().ok()? {
        P_ZERO => Some(0.0),
        p @ ..=P_MAX => Some(f64::from(p).exp2()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of_trace_state;

    #[test]
    fn weights() {
        for (state, weight) in [
            ("", 1.0),
            ("vendor=x", 1.0),
            ("ot=th:0", 1.0),
            ("ot=th:8", 2.0),
            ("ot=th:c", 4.0),
            ("vendor=th:c,ot=rv:abcdefabcdefab;th:c", 4.0),
            ("a=b, ot=p:3;r:7", 8.0),
            ("ot=p:0", 1.0),
            ("ot=p:63", 0.0),
            ("ot=p:64", 1.0),
            ("ot=th:xyz", 1.0),
            ("ot=th:+8", 2.0),
            ("ot=th:fffffffffffffff", 1.0),
            ("ot=th:xyz;p:2", 4.0),
            ("ot=", 1.0),
        ] {
            assert_eq!(of_trace_state(state), weight, "{state}");
        }
    }
}
