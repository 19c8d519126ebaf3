//! `md5`: a short name for a long text, not a secret.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::DataType;
use md5::{Digest, Md5};

use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "md5",
        usage: "md5(text)",
        doc: "MD5 of the text as 32 hexadecimal digits",
    };
    let text = Returns::Is(DataType::Utf8);
    SqlFunction::new(doc, [vec![Arg::Text]], text, |args| {
        let digests = args[0].as_string::<i32>().iter();
        let digests = digests.map(|text| Some(hex(&Md5::digest(text?))));
        Ok(Arc::new(digests.collect::<StringArray>()))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::texts;
    use super::*;

    #[test]
    fn a_digest_is_the_published_one() {
        // RFC 1321, A.5.
        let digests = function().call(&[texts([Some("abc"), Some(""), None])]);
        let expected = [
            Some("900150983cd24fb0d6963f7d28e17f72"),
            Some("d41d8cd98f00b204e9800998ecf8427e"),
            None,
        ];
        assert_eq!(&digests.expect("no error"), &texts(expected));
    }
}
