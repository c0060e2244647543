use std::path::Path;

/// Set it to write the golden file anew.
const UPDATE: &str = "THROUGHLINE_UPDATE_GOLDEN";

#[test]
fn the_document_is_the_golden_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let mut document =
        serde_json::to_string_pretty(&crate::openapi::openapi()).expect("serialises");
    document.push('\n');
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &document).expect("written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == document,
        "docs/openapi.json is not what the code says; look at the change, then run this test with \
         {UPDATE}=1"
    );
}

#[test]
fn everything_is_described() {
    let document = serde_json::to_value(crate::openapi::openapi()).expect("serialises");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 14);
    let mut names = std::collections::HashSet::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(
                names.insert(operation["operationId"].clone()),
                "{method} {path}: a name twice"
            );
            let described = ["summary", "description"].iter().any(|key| operation[key].is_string());
            assert!(described, "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{method} {path} {parameter}");
            }
        }
    }
}
