//! `notspot registry load`.

use crate::support::{demo, run, text};

#[test]
fn a_bad_row_is_told_with_its_line_and_loads_nothing_unless_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = folder.path().join("lake");
    let file = folder.path().join("merchants.csv");
    std::fs::write(
        &file,
        "merchant_id,country_code\nm-1,PT\n,PT\nm-3,Portugal\n",
    )
    .expect("written");
    let refused = run(&[
        "registry",
        "load",
        "--merchants",
        text(&file),
        "--lake",
        text(&lake),
    ]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stdout.contains("merchants.csv:3:") && refused.stdout.contains("merchants.csv:4:"),
        "{refused:?}"
    );
    assert!(refused.stdout.contains("nothing was loaded"), "{refused:?}");
    let kept = run(&[
        "registry",
        "load",
        "--merchants",
        text(&file),
        "--lake",
        text(&lake),
        "--keep-good",
    ]);
    assert_eq!(kept.code, 1, "{kept:?}");
    assert!(
        kept.stdout
            .contains("3 rows read, 1 loaded, 2 bad; 1 in the table"),
        "{kept:?}"
    );
}

#[test]
fn the_registry_of_the_demo_is_in_its_lake() {
    let csv = run(&[
        "sql",
        "--lake",
        &demo().lake(),
        "-c",
        "select count(*) as n from terminals",
        "--format",
        "csv",
    ])
    .done();
    let file = std::fs::read_to_string(demo().path("registry/terminals.csv")).expect("a file");
    assert_eq!(csv, format!("n\n{}\n", file.lines().count() - 1));
}
