use super::*;

fn assert_close(got: f64, want: f64, tolerance: f64) {
    assert!(
        ((got - want) / want).abs() <= tolerance,
        "{got:e} for {want:e}"
    );
}

#[test]
fn far_tails_keep_their_digits() {
    assert_close(normal_upper(37.5), 4.605_353_009_581_957e-308, 1e-13);
    assert_close(normal_two_sided(8.0), 1.244_192_114_854_356_8e-15, 1e-14);
    assert_close(chi2_upper_1df(64.0), 1.244_192_114_854_356_8e-15, 1e-14);
    assert_close(chi2_upper(64.0, 1.0), 1.244_192_114_854_356_8e-15, 1e-13);
}

#[test]
fn closed_forms_are_met() {
    for x in [0.01, 0.3, 0.5, 0.9, 0.999] {
        assert_close(beta_cdf(x, 3.0, 1.0), x * x * x, 1e-14);
        assert_close(beta_upper(x, 1.0, 2.0), (1.0 - x) * (1.0 - x), 1e-12);
        assert_close(gamma_upper(x, 1.0), (-x).exp(), 1e-14);
    }
    for t in [0.01, 1.0, 7.0, 1e6] {
        assert_close(
            t_two_sided(t, 1.0),
            (1.0_f64 / t).atan() * 2.0 / std::f64::consts::PI,
            1e-13,
        );
    }
}

#[test]
fn ln_choose_counts_subsets() {
    assert_eq!(ln_choose(7, 0), 0.0);
    assert_eq!(ln_choose(7, 8), f64::NEG_INFINITY);
    assert_close(ln_choose(52, 5), 2_598_960.0_f64.ln(), 1e-14);
}

#[test]
fn quantiles_undo_their_distributions() {
    for p in [1e-12, 1e-4, 0.025, 0.3, 0.5, 0.8, 0.975, 1.0 - 1e-9] {
        assert_close(normal_upper(-normal_quantile(p)), p, 1e-13);
        for (a, b) in [
            (0.3, 0.4),
            (1.0, 1.0),
            (2.0, 900.0),
            (4e5, 3e6),
            (0.01, 5.0),
        ] {
            let x = beta_quantile(p, a, b);
            if x > 0.0 && x < 0.999 {
                assert_close(beta_cdf(x, a, b), p, 1e-10);
            }
        }
        for shape in [0.2, 1.0, 37.0, 1e6] {
            assert_close(gamma_cdf(gamma_quantile(p, shape), shape), p, 1e-10);
        }
        for df in [0.7, 1.0, 2.0, 9.0, 1e5] {
            assert_close(t_cdf(t_quantile(p, df), df), p, 1e-10);
        }
    }
}

#[test]
fn quantiles_are_the_printed_ones() {
    assert_close(normal_quantile(0.975), 1.959_963_984_540_054_2, 1e-15);
    assert_close(t_quantile(0.975, 1.0), 12.706_204_736_174_705, 1e-13);
    assert_close(t_quantile(0.975, 2.0), 4.302_652_729_749_464, 1e-13);
    assert_close(t_quantile(0.025, 10.0), -2.228_138_851_986_273, 1e-13);
    assert_close(normal_quantile(1e-300), -37.047_096_299_361_2, 1e-13);
}

#[test]
fn limits_and_nonsense_are_told_apart() {
    assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
    assert_eq!(t_quantile(0.5, 3.0), 0.0);
    assert_eq!(t_quantile(1.0, 3.0), f64::INFINITY);
    assert_eq!(beta_quantile(0.0, 1.0, 2.0), 0.0);
    assert_eq!(
        (beta_cdf(0.0, 1.0, 2.0), beta_upper(1.0, 1.0, 2.0)),
        (0.0, 0.0)
    );
    assert_eq!(
        (gamma_cdf(0.0, 1.0), gamma_upper(f64::INFINITY, 1.0)),
        (0.0, 0.0)
    );
    for undefined in [
        normal_quantile(1.5),
        beta_quantile(0.5, -1.0, 1.0),
        gamma_quantile(0.5, 0.0),
        t_quantile(-0.1, 3.0),
        beta_cdf(0.5, 0.0, 1.0),
        gamma_cdf(f64::NAN, 1.0),
    ] {
        assert!(undefined.is_nan());
    }
}

#[test]
fn polygammas_are_the_known_constants() {
    assert_close(digamma(1.0), -0.577_215_664_901_532_9, 1e-14);
    assert_close(digamma(0.5), -1.963_510_026_021_423_5, 1e-14);
    assert_close(trigamma(1.0), std::f64::consts::PI.powi(2) / 6.0, 1e-14);
    assert_close(trigamma(0.5), std::f64::consts::PI.powi(2) / 2.0, 1e-14);
    assert_close(digamma(1e6), 13.815_510_057_964_19, 1e-14);
}
