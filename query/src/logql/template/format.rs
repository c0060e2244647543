//! `print`, `println` and `printf`.

use super::OUTPUT_BYTES_MAX;
use super::value::{Value, float};

/// Widths and digits of `printf` at most.
const WIDTH_MAX: usize = 10_000;

/// Values one after the other, with a space between two that are no text.
pub fn print(values: &[Value<'_>]) -> String {
    let mut out = String::new();
    for (nth, value) in values.iter().enumerate() {
        let is_text = |value: &Value<'_>| matches!(value, Value::Text(_));
        if nth > 0 && !is_text(value) && !is_text(&values[nth - 1]) {
            out.push(' ');
        }
        out.push_str(&value.show());
    }
    out
}

/// Values with spaces between, and a line's end.
pub fn println(values: &[Value<'_>]) -> String {
    let texts: Vec<_> = values.iter().map(Value::show).collect();
    format!("{}\n", texts.join(" "))
}

/// How one value is written.
#[derive(Default)]
struct Verb {
    is_left: bool,
    is_zero: bool,
    is_plus: bool,
    width: usize,
    digits: Option<usize>,
}

/// Values in the places of `%s`, `%d`, `%5.2f` and so on.
pub fn printf(layout: &str, values: &[Value<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = layout;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (verb, kind, behind) = verb(&rest[at + 1..])?;
        rest = behind;
        match kind {
            '%' => out.push('%'),
            kind => match values.next() {
                Some(value) => out.push_str(&verb.write(kind, value)),
                None => out.push_str(&format!("%!{kind}(MISSING)")),
            },
        }
        if out.len() > OUTPUT_BYTES_MAX {
            return Err(format!("the text is longer than {OUTPUT_BYTES_MAX} bytes"));
        }
    }
    out.push_str(rest);
    let extra: Vec<_> = values.map(|value| value.show().into_owned()).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

fn verb(text: &str) -> Result<(Verb, char, &str), String> {
    let mut verb = Verb::default();
    let mut rest = text;
    loop {
        match rest.chars().next() {
            Some('-') => verb.is_left = true,
            Some('0') => verb.is_zero = true,
            Some('+') => verb.is_plus = true,
            Some(' ' | '#') => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    let number = |text: &str| -> Result<(Option<usize>, usize), String> {
        let len = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number = text[..len].parse::<usize>().ok();
        match number {
            Some(number) if number > WIDTH_MAX => Err(format!("a width is over {WIDTH_MAX}")),
            number => Ok((number, len)),
        }
    };
    let (width, len) = number(rest)?;
    verb.width = width.unwrap_or(0);
    rest = &rest[len..];
    if let Some(behind) = rest.strip_prefix('.') {
        let (digits, len) = number(behind)?;
        verb.digits = Some(digits.unwrap_or(0));
        rest = &behind[len..];
    }
    match rest.chars().next() {
        Some(kind) => Ok((verb, kind, &rest[kind.len_utf8()..])),
        None => Err("the layout ends behind '%'".to_owned()),
    }
}

impl Verb {
    fn write(&self, kind: char, value: &Value<'_>) -> String {
        let text = match (kind, value) {
            ('s' | 'v', value) => {
                let text = value.show();
                match self.digits {
                    Some(chars) => text.chars().take(chars).collect(),
                    None => text.into_owned(),
                }
            }
            ('q', value) => format!("{:?}", value.show()),
            ('d', Value::Int(number)) => self.signed(number.to_string()),
            ('x', Value::Int(number)) => format!("{number:x}"),
            ('X', Value::Int(number)) => format!("{number:X}"),
            ('o', Value::Int(number)) => format!("{number:o}"),
            ('b', Value::Int(number)) => format!("{number:b}"),
            ('c', Value::Int(number)) => {
                let c = u32::try_from(*number).ok().and_then(char::from_u32);
                c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
            }
            ('x', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            ('t', Value::Bool(truth)) => truth.to_string(),
            ('f' | 'F', Value::Float(number)) => {
                self.signed(format!("{number:.*}", self.digits.unwrap_or(6)))
            }
            ('e', Value::Float(number)) => scientific(*number, self.digits.unwrap_or(6)),
            ('g', Value::Float(number)) => self.signed(float(*number)),
            (kind, value) => format!("%!{kind}({})", value.show()),
        };
        self.padded(text, matches!(value, Value::Int(_) | Value::Float(_)))
    }

    fn signed(&self, text: String) -> String {
        if self.is_plus && !text.starts_with('-') { format!("+{text}") } else { text }
    }

    fn padded(&self, text: String, is_number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if missing == 0 {
            return text;
        }
        if self.is_left {
            return text + &" ".repeat(missing);
        }
        if self.is_zero && is_number {
            let sign_len = usize::from(text.starts_with(['-', '+']));
            let (sign, digits) = text.split_at(sign_len);
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        " ".repeat(missing) + &text
    }
}

fn scientific(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{mantissa}e-{exponent:0>2}"),
        None => format!("{mantissa}e+{exponent:0>2}"),
    }
}
