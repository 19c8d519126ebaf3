//! A store that counts what is asked of it, and how long the answers take: every request has a price.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Requests as this program makes them; what the client repeats within one counts as one.
#[derive(Debug)]
pub(crate) struct Counted<S>(pub S);

impl<S: fmt::Display> fmt::Display for Counted<S> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

async fn timed<T>(op: &'static str, request: impl Future<Output = Result<T>>) -> Result<T> {
    let started = Instant::now();
    let answer = request.await;
    metrics::histogram!("notspot_ingest_object_store_request_duration_seconds", "op" => op)
        .record(started.elapsed().as_secs_f64());
    count(op, &answer);
    answer
}

fn count<T>(op: &'static str, answer: &Result<T>) {
    use object_store::Error;
    let result = match answer {
        Ok(_) => "ok",
        Err(Error::NotFound { .. }) => "not_found",
        // What another writer had made before: part of every race for a version.
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => "exists",
        Err(_) => "error",
    };
    metrics::counter!("notspot_ingest_object_store_requests_total", "op" => op, "result" => result)
        .increment(1);
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Counted<S> {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        timed("put", self.0.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        timed(
            "put_multipart",
            self.0.put_multipart_opts(location, options),
        )
        .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let op = if options.head { "head" } else { "get" };
        timed(op, self.0.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        timed("get", self.0.get_ranges(location, ranges)).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let deleted = self.0.delete_stream(locations);
        deleted.inspect(|answer| count("delete", answer)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        count("list", &Ok(()));
        self.0.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        count("list", &Ok(()));
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        timed("list", self.0.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        timed("copy", self.0.copy_opts(from, to, options)).await
    }
}
