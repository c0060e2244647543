//! The functions that lowered SQL calls beside those of DataFusion: what the engine registers for it.
//!
//! All are immutable. Those that test a text (`has_…`) answer false for null, so that `NOT` finds the
//! records without a body too; all others answer null for null. Arguments that are called literal are
//! constants of the query: what depends on them alone is prepared once.

/// A function of SQL.
#[derive(Clone, Copy, Debug)]
pub struct SqlFunction {
    /// Its name.
    pub name: &'static str,
    /// Its arguments with their types.
    pub arguments: &'static str,
    /// The type of its result.
    pub result: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// What does it, in [`super::kernels`].
    pub kernel: &'static str,
}

macro_rules! function {
    ($name:literal, $arguments:literal, $result:literal, $kernel:literal, $meaning:literal) => {
        SqlFunction {
            name: $name,
            arguments: $arguments,
            result: $result,
            kernel: $kernel,
            meaning: $meaning,
        }
    };
}

/// All of them. `id_text`, `attr_text`, `attr_int`, `attr_float` and `attr_bool` exist already.
pub const ALL: &[SqlFunction] = &[
    function!(
        "has_word",
        "text Utf8, word literal Utf8",
        "Boolean",
        "text::PreparedText::phrase",
        "the text has this word, in any case; false for null"
    ),
    function!(
        "has_phrase",
        "text Utf8, phrase literal Utf8",
        "Boolean",
        "text::PreparedText::phrase",
        "the text has the words of the phrase side by side, whatever stands between, in any case; a \
         phrase without words is looked for as it is; false for null"
    ),
    function!(
        "has_prefix",
        "text Utf8, prefix literal Utf8",
        "Boolean",
        "text::PreparedText::prefix",
        "as has_phrase, where the last word of the phrase begins a word; false for null"
    ),
    function!(
        "has_wildcard",
        "text Utf8, pattern literal Utf8",
        "Boolean",
        "wildcard::PreparedWildcard",
        "the text has words side by side that meet those of the pattern, in which * stands for any \
         characters of a word and \\ makes the next character plain; false for null"
    ),
    function!(
        "severity_level",
        "number Int32, text Utf8",
        "Utf8 (null: no level)",
        "super::Level::of_record, name",
        "trace, debug, info, warn, error or fatal: by the number, and where it is 0 by the text"
    ),
    function!(
        "as_number",
        "text Utf8",
        "Float64",
        "amount::as_number",
        "the finite number that the text is, or null"
    ),
    function!(
        "duration_in",
        "text Utf8, unit literal Utf8",
        "Float64",
        "amount::duration_in",
        "the duration that the text is, in the unit; a number alone is one of that unit"
    ),
    function!(
        "bytes_of",
        "text Utf8",
        "Float64",
        "amount::bytes_of",
        "the size that the text is, in bytes; a number alone counts bytes"
    ),
    function!(
        "json_field",
        "text Utf8, name literal Utf8",
        "Utf8",
        "json::json_field",
        "the field of the JSON object that the text is, by key or path"
    ),
    function!(
        "json_fields",
        "text Utf8",
        "Utf8",
        "json::json_fields",
        "all fields of the JSON object that the text is, flat, as a JSON object of texts"
    ),
    function!(
        "logfmt_field",
        "text Utf8, name literal Utf8",
        "Utf8",
        "logfmt::logfmt_field",
        "the value of the key in a text of key=value pairs"
    ),
    function!(
        "logfmt_fields",
        "text Utf8",
        "Utf8",
        "logfmt::logfmt_fields",
        "all pairs that have a value, as a JSON object of texts"
    ),
    function!(
        "pattern_extract",
        "text Utf8, pattern literal Utf8, field literal Utf8",
        "Utf8",
        "pattern::Pattern",
        "the field of a pattern such as 'user=<user> ' in the text"
    ),
    function!(
        "regex_extract",
        "text Utf8, regex literal Utf8, group literal Utf8",
        "Utf8",
        "regexes::regex_extract",
        "the named group of the regular expression where it first matches"
    ),
    function!(
        "attr_without",
        "set attribute set, key literal Utf8",
        "attribute set",
        "none: model::attrs, once per distinct set",
        "the set without the attribute of this key; a set that does not have it as it is"
    ),
];
