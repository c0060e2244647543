//! What readers of JSON share: text borrowed where it can be, fields named in errors, and values of any type as
//! they are stored. `fuzz/` compiles this too.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::value::{self, VALUE_DEPTH_MAX, tag};

/// The value of a field, its name in the error.
pub fn field<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    name: &str,
) -> Result<Option<T>, A::Error> {
    map.next_value::<Option<T>>().map_err(|err| A::Error::custom(format_args!("{name}: {err}")))
}

/// Steps over the value of a field that nobody knows.
pub fn ignore<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// Makes a refusal an error of the reader.
pub fn refused<T, E: serde::de::Error>(read: Result<T, String>) -> Result<T, E> {
    read.map_err(E::custom)
}

/// Text, borrowed where nothing is escaped in it.
#[derive(Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor { loose: false }).map(Text)
    }
}

/// Text, or a number or boolean as the text it is.
pub struct Loose<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor { loose: true }).map(Loose)
    }
}

struct TextVisitor {
    loose: bool,
}

impl TextVisitor {
    fn number<'de, E: serde::de::Error>(
        self,
        number: impl fmt::Display,
    ) -> Result<Cow<'de, str>, E> {
        if self.loose {
            return Ok(Cow::Owned(number.to_string()));
        }
        Err(E::custom(format_args!("text expected, got {number}")))
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Self::Value, E> {
        self.number(flag)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.number(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.number(number)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
        self.number(number)
    }
}

/// Appends the encoded value of a JSON text: whole numbers are integers where 64 bits hold them.
pub fn put_value(out: &mut Vec<u8>, json: &str) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = ValueWriter { out, depth: 0 };
    let written = value.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    written.map_err(|err| err.to_string())
}

/// Appends a value to `out` as it is read.
struct ValueWriter<'o> {
    out: &'o mut Vec<u8>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for ValueWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ValueWriter<'_> {
    /// Opens an array or object.
    fn open<E: serde::de::Error>(&mut self, tag: u8) -> Result<(), E> {
        if self.depth >= VALUE_DEPTH_MAX {
            return Err(E::custom(format_args!("a value nests deeper than {VALUE_DEPTH_MAX}")));
        }
        self.out.push(tag);
        Ok(())
    }
}

impl<'de> Visitor<'de> for ValueWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push(tag::EMPTY);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        value::put_string(self.out, text);
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        value::put_bool(self.out, flag);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        value::put_int(self.out, number);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        match i64::try_from(number) {
            Ok(number) => value::put_int(self.out, number),
            Err(_) => value::put_double(self.out, number as f64),
        }
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        value::put_double(self.out, number);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.open(tag::ARRAY)?;
        let depth = self.depth + 1;
        loop {
            let (len, mut item) = (self.out.len(), Ok(None));
            put_nested(self.out, |out| item = seq.next_element_seed(ValueWriter { out, depth }));
            if item?.is_none() {
                self.out.truncate(len);
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.open(tag::KVLIST)?;
        let depth = self.depth + 1;
        while let Some(Text(key)) = map.next_key()? {
            put_bytes(self.out, key.as_bytes());
            let mut read = Ok(());
            put_nested(self.out, |out| read = map.next_value_seed(ValueWriter { out, depth }));
            read?;
        }
        Ok(())
    }
}
