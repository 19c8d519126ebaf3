//! `cause_sub`: the finer cause a response code tells, by its profile.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use schemas::causes::{SubCause, classify};

use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "cause_sub",
        usage: "cause_sub(code_profile, response_code)",
        doc: "sub-cause of a code alone, before its context; null where the code does not tell",
    };
    SqlFunction::new(
        doc,
        [vec![Arg::Text; 2]],
        Returns::Is(DataType::Utf8),
        kernel,
    )
}

fn cause_sub(code_profile: &str, response_code: &str) -> Option<SubCause> {
    classify(code_profile, response_code)?.sub_cause
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = args[0]
        .as_string::<i32>()
        .iter()
        .zip(args[1].as_string::<i32>());
    let causes = rows.map(|(profile, code)| cause_sub(profile?, code?).map(SubCause::as_str));
    Ok(Arc::new(causes.collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_tells_its_finer_cause_where_it_has_one() {
        let fence = cause_sub("acquirer_private", "E010404000003");
        assert_eq!(fence, Some(SubCause::Geofence));
        assert_eq!(cause_sub("unionpay", "no such code"), None);
    }
}
