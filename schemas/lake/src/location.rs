//! Where a lake lies: in a folder, or in a bucket of an S3-compatible store.
//!
//! On S3 a version of a table is made by a conditional write (`If-None-Match: *`), so two writers
//! never make the same one; a store without it cannot hold a lake.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use deltalake_core::logstore::{
    LogStore, LogStoreFactory, ObjectStoreFactory, ObjectStoreRef, StorageConfig, default_logstore,
    logstore_factories, object_store_factories,
};
use deltalake_core::{DeltaResult, Path};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{ClientConfigKey, RetryConfig};
use schemas::Table;
use url::Url;

use crate::TableError;
use crate::requests::Counted;

/// For how long one request is repeated that the store refuses for a reason that passes; whoever
/// waits longer than this wants to hear of it.
const RETRY_FOR: Duration = Duration::from_secs(60);

/// Turns a lake's path or URL into its address, with a slash at the end.
///
/// # Errors
/// When the path cannot be made absolute, or the URL does not parse or is of another kind of store.
pub fn lake_url(lake: &str) -> Result<Url, TableError> {
    let unusable = |reason: String| TableError::Lake {
        lake: lake.to_owned(),
        reason,
    };
    if !lake.contains("://") {
        if looks_like_address(lake) {
            let reason = "it is no folder, and no address either: expected a path, file:// or s3://BUCKET/FOLDER";
            return Err(unusable(reason.into()));
        }
        let path = std::path::absolute(lake).map_err(|error| unusable(error.to_string()))?;
        return Url::from_directory_path(&path).map_err(|()| unusable("not a path".into()));
    }
    let url = Url::parse(&format!("{}/", lake.trim_end_matches('/')))
        .map_err(|error| unusable(error.to_string()))?;
    match (url.scheme(), url.host_str()) {
        ("s3", Some(_)) => register_s3(),
        ("s3", None) => return Err(unusable("no bucket: expected s3://BUCKET/FOLDER".into())),
        ("file", _) => {}
        (other, _) => {
            let reason =
                format!("{other}:// is no store of lakes: expected a path, file:// or s3://");
            return Err(unusable(reason));
        }
    }
    Ok(url)
}

/// Tells whether a text begins like an address, with a scheme of two letters or more and a colon, so that
/// whoever wrote it did not mean a folder.
///
/// ```
/// assert!(lake::looks_like_address("s3:/bucket/lake"));
/// assert!(lake::looks_like_address("gs://bucket"));
/// assert!(!lake::looks_like_address("./s3:/bucket"));
/// assert!(!lake::looks_like_address("C:/lake"));
/// ```
pub fn looks_like_address(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else {
        return false;
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(is_part)
}

/// Turns a lake's path or URL into the address of one of its tables.
///
/// # Errors
/// As [`lake_url`].
pub fn table_url(lake: &str, table: Table) -> Result<Url, TableError> {
    let joined = lake_url(lake)?.join(&format!("{}/", table.name()));
    joined.map_err(|error| TableError::Lake {
        lake: lake.to_owned(),
        reason: error.to_string(),
    })
}

/// Tells delta-rs how buckets are opened; further calls change nothing.
fn register_s3() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let scheme = Url::parse("s3://").expect("a URL");
        let factory = Arc::new(S3::default());
        object_store_factories().insert(scheme.clone(), factory.clone());
        logstore_factories().insert(scheme, factory);
    });
}

/// Opens buckets; the tables of one bucket share a client and its connections.
#[derive(Debug, Default)]
struct S3(Mutex<HashMap<String, ObjectStoreRef>>);

impl ObjectStoreFactory for S3 {
    fn parse_url_opts(&self, url: &Url, _: &StorageConfig) -> DeltaResult<(ObjectStoreRef, Path)> {
        let bucket = url.host_str().unwrap_or_default().to_owned();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match open.get(&bucket) {
            Some(known) => known.clone(),
            None => open
                .entry(bucket.clone())
                .or_insert(bucket_store(&bucket)?)
                .clone(),
        };
        Ok((store, Path::from_url_path(url.path())?))
    }
}

impl LogStoreFactory for S3 {
    fn with_options(
        &self,
        prefixed: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(prefixed, root, location, options))
    }
}

/// Credentials, region and endpoint come from the environment, under AWS's names.
fn bucket_store(bucket: &str) -> Result<ObjectStoreRef, object_store::Error> {
    use AmazonS3ConfigKey as Key;
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig {
            retry_timeout: RETRY_FOR,
            ..RetryConfig::default()
        });
    if let Some(endpoint) = builder.get_config_value(&Key::Endpoint) {
        let has = |key: Key| {
            builder
                .get_config_value(&key)
                .is_some_and(|value| value != "false")
        };
        let credentials = [
            Key::AccessKeyId,
            Key::WebIdentityTokenFile,
            Key::ContainerCredentialsRelativeUri,
            Key::ContainerCredentialsFullUri,
            Key::SkipSignature,
        ];
        if !credentials.into_iter().any(has) {
            return Err(refused(format!(
                "no credentials for {endpoint}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )));
        }
        let allowed = has(Key::Client(ClientConfigKey::AllowHttp));
        match goes_unencrypted(&endpoint) {
            Some(Reach::Loopback) => builder = builder.with_allow_http(true),
            Some(Reach::Network) if !allowed => {
                return Err(refused(format!(
                    "{endpoint} is not encrypted: use https://, or allow it by AWS_ALLOW_HTTP=true"
                )));
            }
            Some(Reach::Network) | None => {}
        }
    }
    Ok(Arc::new(Counted(builder.build()?)))
}

fn refused(reason: String) -> object_store::Error {
    object_store::Error::Generic {
        store: "S3",
        source: reason.into(),
    }
}

/// How far what is sent to an endpoint goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Loopback,
    Network,
}

/// Returns how far unencrypted requests go; `None` when they are encrypted.
fn goes_unencrypted(endpoint: &str) -> Option<Reach> {
    let url = Url::parse(endpoint)
        .ok()
        .filter(|url| url.scheme() == "http")?;
    let is_loopback = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    Some(if is_loopback {
        Reach::Loopback
    } else {
        Reach::Network
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lake_is_a_path_or_a_url_of_a_known_kind() {
        let of = |lake: &str| match table_url(lake, Table::Heartbeats) {
            Ok(url) => url.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(of("/data/lake"), "file:///data/lake/heartbeats/");
        assert_eq!(of("file:///data/lake/"), "file:///data/lake/heartbeats/");
        assert_eq!(of("s3://bucket/a/lake"), "s3://bucket/a/lake/heartbeats/");
        assert_eq!(of("s3://bucket"), "s3://bucket/heartbeats/");
        assert!(
            of("s3:///lake").contains("no bucket"),
            "{}",
            of("s3:///lake")
        );
        assert!(of("ftp://host/lake").contains("ftp:// is no store"));
    }

    #[test]
    fn only_what_stays_on_the_machine_goes_without_encryption() {
        for endpoint in [
            "http://127.0.0.1:9000",
            "http://localhost:9000",
            "http://[::1]:9000",
        ] {
            assert_eq!(
                goes_unencrypted(endpoint),
                Some(Reach::Loopback),
                "{endpoint}"
            );
        }
        for endpoint in [
            "http://minio.internal",
            "http://10.0.0.1",
            "http://localhost.example",
        ] {
            assert_eq!(
                goes_unencrypted(endpoint),
                Some(Reach::Network),
                "{endpoint}"
            );
        }
        assert_eq!(goes_unencrypted("https://minio.internal"), None);
    }
}
