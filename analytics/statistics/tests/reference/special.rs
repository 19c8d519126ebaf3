//! Special functions against 40 digits of mpmath.

use statistics::special::{
    beta_cdf, beta_quantile, beta_upper, chi2_upper, chi2_upper_1df, ln_beta, ln_choose, ln_gamma,
    normal_quantile, normal_two_sided, normal_upper, t_cdf, t_quantile, t_two_sided,
};

use crate::csv::rows;

fn value(function: &str, x: [f64; 3]) -> f64 {
    match function {
        "normal_upper" => normal_upper(x[0]),
        "normal_two_sided" => normal_two_sided(x[0]),
        "normal_quantile" => normal_quantile(x[0]),
        "chi2_upper_1df" => chi2_upper_1df(x[0]),
        "chi2_upper" => chi2_upper(x[0], x[1]),
        "ln_gamma" => ln_gamma(x[0]),
        "ln_beta" => ln_beta(x[0], x[1]),
        "ln_choose" => ln_choose(x[0] as u64, x[1] as u64),
        "beta_cdf" => beta_cdf(x[0], x[1], x[2]),
        "beta_upper" => beta_upper(x[0], x[1], x[2]),
        "beta_quantile" => beta_quantile(x[0], x[1], x[2]),
        "t_cdf" => t_cdf(x[0], x[1]),
        "t_two_sided" => t_two_sided(x[0], x[1]),
        "t_quantile" => t_quantile(x[0], x[1]),
        other => panic!("no function {other}"),
    }
}

#[test]
fn every_value_has_the_digits_it_can_have() {
    let mut faults = Vec::new();
    for row in rows("special_expected.csv") {
        let x = ["arg1", "arg2", "arg3"].map(|name| row.value(name).unwrap_or(f64::NAN));
        let got = value(row.text("function"), x);
        let (expected, tolerance) = (
            row.value("expected").unwrap(),
            row.value("rel_tol").unwrap(),
        );
        let off = (got - expected).abs();
        // What mpmath leaves of ln 1 is 1e-41, not 0.
        if off.is_nan() || off > (tolerance * expected.abs()).max(1e-40) {
            faults.push(format!(
                "{}{x:?} is {got:e}, not {expected:e}",
                row.text("function")
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
