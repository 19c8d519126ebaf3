//! An object store with the S3 API: Adobe S3Mock.

use std::sync::OnceLock;

use anyhow::Result;

use crate::script::Script;

/// A running object store with a bucket named `lake`, stopped and forgotten when dropped.
#[derive(Debug)]
pub struct Store {
    url: String,
    _script: Script,
}

/// Returns the object store that the tests of this binary share; it is started on first use.
///
/// # Panics
/// When it cannot be had, saying what is missing.
pub fn shared_store() -> &'static Store {
    static SHARED: OnceLock<Store> = OnceLock::new();
    SHARED.get_or_init(|| Store::start().unwrap_or_else(|error| panic!("no store: {error:#}")))
}

impl Store {
    /// Starts an empty store on a free port and waits until it answers.
    ///
    /// # Errors
    /// When Java, Maven or the artifact is missing, or the store does not answer.
    pub fn start() -> Result<Self> {
        let (script, url) = Script::serve("store")?;
        Ok(Self {
            url,
            _script: script,
        })
    }

    /// Returns the endpoint, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Returns the environment in which a program uses a store: it takes any credentials.
pub fn store_environment(url: &str) -> [(&'static str, String); 3] {
    [
        ("AWS_ENDPOINT_URL", url.to_owned()),
        ("AWS_ACCESS_KEY_ID", "any".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
    ]
}
