//! q-values against statsmodels and R's `p.adjust`.

use statistics::fdr::{bh, by};

use crate::csv::{assert_close, rows};

#[test]
fn q_values_agree_with_both_whatever_the_order() {
    let input = rows("fdr_input.csv");
    let p_values: Vec<_> = input.iter().map(|row| row.value("p")).collect();
    let (bh, by) = (bh(&p_values), by(&p_values));
    for file in ["fdr_expected.csv", "fdr_r.csv"] {
        for expected in rows(file) {
            let id = expected.text("id");
            let at = input.iter().position(|row| row.text("id") == id).unwrap();
            assert_close(id, bh[at], expected.value("bh_q"), 1e-12);
            assert_close(id, by[at], expected.value("by_q"), 1e-12);
        }
    }
}
