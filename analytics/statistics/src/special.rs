//! Special functions of the tests: normal, chi-square, Student's t, gamma and beta.
//!
//! Every tail is computed on its own side, never as one minus the other, so that a p-value of
//! 1e-200 keeps its digits. Relative accuracy is about 1e-13, lower only where the argument itself
//! cannot carry it. Arguments outside a domain give NaN, as in the C library: callers check first.
//! This module knows numbers only, no cells and no tests.

mod beta;
mod gamma;
mod normal;
mod polygamma;
mod solve;
mod student;
#[cfg(test)]
mod tests;

pub(crate) use beta::ln_kernel;
pub use beta::{beta_cdf, beta_quantile, beta_upper, ln_beta, ln_choose};
pub use gamma::{chi2_upper, gamma_cdf, gamma_quantile, gamma_upper, ln_gamma};
pub(crate) use gamma::{deviance, stirling_rest};
pub use normal::{chi2_upper_1df, normal_quantile, normal_two_sided, normal_upper};
pub use polygamma::{digamma, trigamma};
pub use student::{t_cdf, t_quantile, t_two_sided};
