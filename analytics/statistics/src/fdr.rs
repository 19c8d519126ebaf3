//! False discovery rates: q-values of one family of tests.

use rayon::prelude::*;

/// Rule that turns p-values into q-values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Benjamini and Hochberg (1995): for independent or positively dependent tests.
    #[default]
    BenjaminiHochberg,
    /// Benjamini and Yekutieli (2001): for any dependence, at the price of a factor of about ln m.
    BenjaminiYekutieli,
}

/// A p-value that is no probability.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("p-value {p} in row {row} is not between 0 and 1")]
pub struct NotAProbability {
    /// Index of the row, from 0.
    pub row: usize,
    /// Value found there.
    pub p: f64,
}

/// Returns the q-value of each p-value by Benjamini and Hochberg (1995).
///
/// The family is the defined p-values; `None` stays `None` and does not count. Equal p-values get
/// equal q-values, whatever the order. A p-value that is not between 0 and 1 counts as undefined;
/// [`q_values`] refuses it instead.
pub fn bh(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    adjust(Method::BenjaminiHochberg, p_values)
}

/// Returns the q-value of each p-value by Benjamini and Yekutieli (2001), otherwise like [`bh`].
pub fn by(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    adjust(Method::BenjaminiYekutieli, p_values)
}

/// Returns the q-value of each p-value by `method`; `None` stays `None` and does not count.
///
/// ```
/// use statistics::fdr::{Method, q_values};
///
/// let q = q_values(Method::BenjaminiHochberg, &[Some(0.01), None, Some(0.04)])?;
/// assert_eq!(q, [Some(0.02), None, Some(0.04)]);
/// # Ok::<(), statistics::fdr::NotAProbability>(())
/// ```
///
/// # Errors
/// When a p-value is not between 0 and 1.
pub fn q_values(
    method: Method,
    p_values: &[Option<f64>],
) -> Result<Vec<Option<f64>>, NotAProbability> {
    for (row, p) in p_values.iter().enumerate() {
        if let Some(p) = *p
            && !is_probability(p)
        {
            return Err(NotAProbability { row, p });
        }
    }
    Ok(adjust(method, p_values))
}

fn adjust(method: Method, p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut family: Vec<(f64, usize)> = p_values
        .iter()
        .enumerate()
        .filter_map(|(row, p)| p.filter(|p| is_probability(*p)).map(|p| (p, row)))
        .collect();
    family.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let penalty = penalty(method, family.len());
    let tests = family.len() as f64;
    let mut q_values = vec![None; p_values.len()];
    // Step up: from the largest p-value down, a q-value never exceeds the one after it.
    let mut smallest = 1.0_f64;
    for (rank, (p, row)) in family.iter().enumerate().rev() {
        smallest = smallest.min(p * (tests * penalty / (rank + 1) as f64));
        q_values[*row] = Some(smallest);
    }
    q_values
}

fn penalty(method: Method, tests: usize) -> f64 {
    match method {
        Method::BenjaminiHochberg => 1.0,
        Method::BenjaminiYekutieli => (1..=tests).rev().map(|i| 1.0 / i as f64).sum(),
    }
}

fn is_probability(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The fifteen p-values of Benjamini and Hochberg (1995), section 3.2.
    const PRINTED: [f64; 15] = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0,
    ];

    #[test]
    fn the_printed_example_rejects_its_four_hypotheses() {
        let p: Vec<_> = PRINTED.iter().map(|p| Some(*p)).collect();
        let rejected = bh(&p).iter().flatten().filter(|q| **q <= 0.05).count();
        assert_eq!(rejected, 4);
    }

    #[test]
    fn a_p_above_its_own_line_is_rejected_with_a_later_one_below() {
        let q = bh(&[Some(0.04), Some(0.041), Some(0.042)]);
        assert!(q.iter().flatten().all(|q| (q - 0.042).abs() < 1e-15));
    }

    #[test]
    fn undefined_tests_do_not_count() {
        assert_eq!(bh(&[None, Some(0.03), None]), [None, Some(0.03), None]);
        assert_eq!(bh(&[Some(f64::NAN), Some(0.03)]), [None, Some(0.03)]);
        assert_eq!(bh(&[]), []);
        assert!(q_values(Method::BenjaminiHochberg, &[Some(1.01)]).is_err());
    }

    #[test]
    fn any_dependence_costs_the_harmonic_sum() {
        let p = [Some(0.001), Some(0.5), Some(0.9)];
        let q = by(&p)[0].expect("defined");
        assert!((q - 0.003 * (1.0 + 0.5 + 1.0 / 3.0)).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn order_changes_nothing(p in proptest::collection::vec(0.0..=1.0, 1..40), turn in 0_usize..40) {
            let rows: Vec<_> = p.iter().map(|p| Some(*p)).collect();
            let mut turned = rows.clone();
            turned.rotate_left(turn % rows.len());
            let mut q = bh(&rows);
            q.rotate_left(turn % rows.len());
            prop_assert_eq!(q, bh(&turned));
        }

        #[test]
        fn q_is_between_p_and_one_and_keeps_the_order(p in proptest::collection::vec(0.0..=1.0, 1..40)) {
            let rows: Vec<_> = p.iter().map(|p| Some(*p)).collect();
            let q: Vec<f64> = bh(&rows).into_iter().flatten().collect();
            for i in 0..p.len() {
                prop_assert!(q[i] >= p[i] && q[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || q[i] <= q[j]);
                }
            }
        }
    }
}
