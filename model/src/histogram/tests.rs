use proptest::prelude::*;

use super::*;

fn any_counts() -> impl Strategy<Value = Counts> {
    proptest::collection::btree_map(-20i32..20, 1u32..100, 0..8)
        .prop_map(|map| map.into_iter().map(|(i, n)| (i, f64::from(n))).collect())
}

prop_compose! {
    fn any_histogram()(
        schema in SCHEMA_MIN..=SCHEMA_MAX,
        zero_count in 0u32..9,
        zero in prop_oneof![Just(0.0), Just(0.001), Just(0.5)],
        positive in any_counts(),
        negative in any_counts(),
    ) -> NativeHistogram {
        let is_outside = |(index, _): &(i32, f64)| bound(*index - 1, schema) >= zero;
        let [positive, negative] =
            [positive, negative].map(|counts| counts.into_iter().filter(is_outside).collect::<Counts>());
        let all = positive.iter().chain(&negative).map(|(_, n)| n).sum::<f64>();
        NativeHistogram {
            schema,
            zero_threshold: zero,
            zero_count: f64::from(zero_count),
            count: all + f64::from(zero_count),
            sum: 1.5,
            positive,
            negative,
            ..Default::default()
        }
    }
}

fn in_buckets(histogram: &NativeHistogram) -> f64 {
    histogram.buckets().iter().map(|bucket| bucket.count).sum()
}

#[test]
fn bounds_of_schemas() {
    assert_eq!(bound(0, 0), 1.0);
    assert_eq!(bound(3, 0), 8.0);
    assert_eq!(bound(1, -1), 4.0);
    assert_eq!(bound(1, 1), std::f64::consts::SQRT_2);
    assert_eq!(bound(1024, 0), f64::MAX);
    assert_eq!(bound(1025, 0), f64::INFINITY);
}

#[test]
fn custom_bounds_that_differ_meet_in_common_ones() {
    let mut a = NativeHistogram {
        schema: CUSTOM_SCHEMA,
        count: 6.0,
        positive: vec![(0, 1.0), (1, 2.0), (2, 3.0)],
        custom_values: vec![1.0, 2.0],
        ..Default::default()
    };
    let b = NativeHistogram { custom_values: vec![2.0, 4.0], ..a.clone() };
    assert_eq!(a.add(&b), Ok(Noted { has_collision: false, is_reconciled: true }));
    assert_eq!(a.custom_values, [2.0]);
    assert_eq!(a.positive, [(0, 4.0), (1, 8.0)]);
    assert!(a.add(&NativeHistogram::default()).is_err());
}

proptest! {
    #[test]
    fn any_histogram_round_trips(histogram in any_histogram(), hint in 0u8..4) {
        let histogram = NativeHistogram { hint: ResetHint::from_u8(hint), ..histogram };
        let mut bytes = Vec::new();
        histogram.encode(&mut bytes);
        prop_assert_eq!(NativeHistogram::decode(&mut Reader::new(&bytes)).expect("decodes"), histogram);
    }

    #[test]
    fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = NativeHistogram::decode(&mut Reader::new(&bytes));
    }

    #[test]
    fn a_sum_holds_all_observations(a in any_histogram(), b in any_histogram()) {
        let mut sum = a.clone();
        sum.add(&b).expect("both exponential");
        prop_assert_eq!(in_buckets(&sum), in_buckets(&a) + in_buckets(&b));
        prop_assert_eq!(sum.count, a.count + b.count);
        let mut kahan = KahanHistogram::from(&a);
        kahan.add(&b).expect("both exponential");
        prop_assert_eq!(kahan.finish(), sum);
    }

    #[test]
    fn more_observations_are_no_reset(a in any_histogram(), b in any_histogram()) {
        let mut b = b;
        b.reduce(a.schema);
        let mut sum = a.clone();
        sum.add(&b).expect("both exponential");
        prop_assert!(!sum.is_reset_since(&a) || sum.schema > a.schema);
        prop_assert!(a.is_reset_since(&sum) || sum.count == a.count);
    }
}
