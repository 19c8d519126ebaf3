//! A schema registry that is not there, fails for a while, or is none.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;
use testkit::shared_registry;

use super::{SCENARIO, avro_lake};
use crate::support::{run, text};

#[test]
fn an_unreachable_registry_is_named_and_nothing_is_lost_to_it() {
    // Nothing listens on port 1.
    let nobody = "http://127.0.0.1:1/apis/ccompat/v7";
    let (lake, places) = avro_lake();
    let ran = lake.ingest(&["--schema-registry", nobody]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let told = format!("schema registry {nobody} cannot be reached");
    assert!(ran.stderr.contains(&told), "{ran:?}");
    assert!(
        ran.stderr.contains("schema registry unreachable, waiting"),
        "{ran:?}"
    );
    assert_eq!((lake.stored(), lake.quarantined()), (vec![], vec![]));

    lake.ingest(&["--schema-registry", shared_registry().url()])
        .done();
    assert_eq!((lake.stored(), lake.quarantined()), (places, vec![]));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = [
        "--encoding=avro",
        "--schema-registry",
        nobody,
        "--output",
        text(folder.path()),
    ];
    let ran = run(&[&SCENARIO[..], &options].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains(nobody), "{ran:?}");
}

#[test]
fn a_registry_that_fails_for_a_while_is_waited_for() {
    let (lake, places) = avro_lake();
    let url = recovering_registry(2);
    let ran = lake.ingest(&["--schema-registry", &url]);
    assert!(
        ran.stderr.contains("schema registry unreachable, waiting"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains(&url) && ran.stderr.contains("503"),
        "{ran:?}"
    );
    ran.done();
    assert_eq!((lake.stored(), lake.quarantined()), (places, vec![]));
}

#[test]
fn an_address_without_a_registry_is_named_and_nothing_is_lost_to_it() {
    let (lake, _) = avro_lake();
    let (registry, _) = shared_registry().url().split_once("/apis").expect("an API");
    let ran = lake.ingest(&["--schema-registry", registry]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.stderr.contains(registry) && ran.stderr.contains("404"),
        "{ran:?}"
    );
    assert_eq!((lake.stored(), lake.quarantined()), (vec![], vec![]));
}

/// Serves the shared registry's schemas, after it has answered 503 to so many requests.
fn recovering_registry(failures: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for (request, stream) in listener.incoming().enumerate() {
            answer(stream.expect("a connection"), request < failures).expect("a client that waits");
        }
    });
    url
}

fn answer(mut stream: TcpStream, fail: bool) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().expect("a request")?;
    for header in lines.by_ref() {
        if header?.is_empty() {
            break;
        }
    }
    let id = request
        .split(['/', '?'])
        .nth(3)
        .expect("GET /schemas/ids/ID?…");
    let (status, body) = match fail {
        true => (
            "503 Service Unavailable",
            "{\"error_code\": 503, \"message\": \"starting\"}".to_owned(),
        ),
        false => {
            let schema = shared_registry().schema(id.parse().expect("an id"));
            (
                "200 OK",
                json!({"schema": schema.expect("known")}).to_string(),
            )
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
