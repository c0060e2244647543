//! `docs/configuration.md`, written from the table of settings and compared with it by a test.

use crate::config::{SETTINGS, env_name};

const HEAD: &str = "# Configuration

Settings come from a TOML file (`throughline serve --config FILE`), from the environment and from
flags; later ones win. The file may hold any of the keys below, with the part before the dot as its
section:

```toml
data_dir = \"/var/lib/throughline\"

[flush]
age = \"5s\"
```

The environment variable of a key is `THROUGHLINE_` and the key in upper case with `_` for the dot.
Flags exist for the folder and the addresses: `--data-dir`, `--http`, `--otlp-grpc`, `--otlp-http`.
An unknown key or variable is an error that names the nearest known one. Sizes have units (`B`,
`KiB`, `MiB`, `GiB`, `TiB`, `kB`, `MB`, `GB`), durations too (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`,
also joined: `1h30m`). Lists are arrays in the file and separated by commas in the environment.

This page is written from the table in `src/config/settings.rs`; a test compares the two, and
`BLESS=1 cargo test --bin throughline configuration_page` rewrites it.

| key | default | value | meaning | environment |
|---|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for setting in SETTINGS {
        let default = match setting.default {
            "" => "none".to_owned(),
            text => format!("`{text}`"),
        };
        let doc: Vec<_> = setting.doc.iter().map(|line| line.trim()).collect();
        page += &format!(
            "| `{}` | {default} | {} | {} | `{}` |\n",
            setting.key,
            setting.kind,
            doc.join(" "),
            env_name(setting.key)
        );
    }
    page
}

#[test]
fn configuration_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, page()).expect("the page is written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page(), "docs/configuration.md is stale: run this test with BLESS=1");
}
