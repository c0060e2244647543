//! Thrift's two protocols written by hand, and what a reader says of bytes that are none.

use crate::thrift::{Open, Protocol, Reader};

/// A value, as thrift has it.
#[derive(Clone, Debug)]
pub enum Thrift {
    Bool(bool),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Struct(Vec<(i16, Thrift)>),
    List(Vec<Thrift>),
}

impl Thrift {
    pub fn text(text: &str) -> Self {
        Thrift::Bytes(text.as_bytes().to_vec())
    }

    pub fn encode(&self, protocol: Protocol) -> Vec<u8> {
        let mut out = Vec::new();
        match protocol {
            Protocol::Binary => self.binary(&mut out),
            Protocol::Compact => self.compact(&mut out),
        }
        out
    }

    fn binary_type(&self) -> u8 {
        match self {
            Thrift::Bool(_) => 2,
            Thrift::Double(_) => 4,
            Thrift::I16(_) => 6,
            Thrift::I32(_) => 8,
            Thrift::I64(_) => 10,
            Thrift::Bytes(_) => 11,
            Thrift::Struct(_) => 12,
            Thrift::List(_) => 15,
        }
    }

    fn binary(&self, out: &mut Vec<u8>) {
        match self {
            Thrift::Bool(flag) => out.push(u8::from(*flag)),
            Thrift::I16(number) => out.extend(number.to_be_bytes()),
            Thrift::I32(number) => out.extend(number.to_be_bytes()),
            Thrift::I64(number) => out.extend(number.to_be_bytes()),
            Thrift::Double(number) => out.extend(number.to_be_bytes()),
            Thrift::Bytes(bytes) => {
                out.extend((bytes.len() as i32).to_be_bytes());
                out.extend(bytes);
            }
            Thrift::Struct(fields) => {
                for (id, value) in fields {
                    out.push(value.binary_type());
                    out.extend(id.to_be_bytes());
                    value.binary(out);
                }
                out.push(0);
            }
            Thrift::List(items) => {
                out.push(items.first().map_or(12, Thrift::binary_type));
                out.extend((items.len() as i32).to_be_bytes());
                items.iter().for_each(|item| item.binary(out));
            }
        }
    }

    fn compact_type(&self) -> u8 {
        match self {
            Thrift::Bool(flag) => 2 - u8::from(*flag),
            Thrift::I16(_) => 4,
            Thrift::I32(_) => 5,
            Thrift::I64(_) => 6,
            Thrift::Double(_) => 7,
            Thrift::Bytes(_) => 8,
            Thrift::List(_) => 9,
            Thrift::Struct(_) => 12,
        }
    }

    fn compact(&self, out: &mut Vec<u8>) {
        match self {
            Thrift::Bool(flag) => out.push(2 - u8::from(*flag)),
            Thrift::I16(number) => zigzag(out, i64::from(*number)),
            Thrift::I32(number) => zigzag(out, i64::from(*number)),
            Thrift::I64(number) => zigzag(out, *number),
            Thrift::Double(number) => out.extend(number.to_le_bytes()),
            Thrift::Bytes(bytes) => {
                varint(out, bytes.len() as u64);
                out.extend(bytes);
            }
            Thrift::Struct(fields) => {
                let mut last = 0;
                for (id, value) in fields {
                    match id - last {
                        delta @ 1..=15 => out.push((delta as u8) << 4 | value.compact_type()),
                        _ => {
                            out.push(value.compact_type());
                            zigzag(out, i64::from(*id));
                        }
                    }
                    last = *id;
                    if !matches!(value, Thrift::Bool(_)) {
                        value.compact(out);
                    }
                }
                out.push(0);
            }
            Thrift::List(items) => {
                let kind = items.first().map_or(12, Thrift::compact_type);
                match items.len() {
                    len @ 0..15 => out.push((len as u8) << 4 | kind),
                    len => {
                        out.push(0xf0 | kind);
                        varint(out, len as u64);
                    }
                }
                items.iter().for_each(|item| item.compact(out));
            }
        }
    }
}

fn zigzag(out: &mut Vec<u8>, number: i64) {
    varint(out, (number << 1 ^ number >> 63) as u64);
}

fn varint(out: &mut Vec<u8>, number: u64) {
    throughline_model::codec::put_varint(out, number);
}

const PROTOCOLS: [Protocol; 2] = [Protocol::Binary, Protocol::Compact];

/// Fields 1 to 6 of a struct with unknown ones between them.
fn read(body: &[u8], protocol: Protocol) -> throughline_model::Result<String> {
    let mut reader = Reader::new(body, protocol);
    let mut open = Open::default();
    let mut seen = Vec::new();
    while let Some(field) = reader.next_field(&mut open)? {
        seen.push(match field.id {
            1 => reader.bool(field, "flag")?.to_string(),
            2 => reader.i16(field, "short")?.to_string(),
            3 => reader.i32(field, "int")?.to_string(),
            4 => reader.i64(field, "long")?.to_string(),
            5 => reader.double(field, "double")?.to_string(),
            6 => reader.str(field, "text")?.to_owned(),
            _ => {
                reader.skip(field)?;
                continue;
            }
        });
    }
    reader.end()?;
    Ok(seen.join(" "))
}

#[test]
fn every_type_is_read_and_stepped_over() {
    let unknown = |id| {
        let inner = Thrift::Struct(vec![(3, Thrift::Bool(true)), (40, Thrift::List(Vec::new()))]);
        let flags = Thrift::List(vec![Thrift::Bool(true), Thrift::Bool(false)]);
        let many = Thrift::List(vec![inner.clone(); 20]);
        (id, Thrift::Struct(vec![(1, inner), (2, flags), (3, many), (9, Thrift::Double(0.5))]))
    };
    let whole = Thrift::Struct(vec![
        unknown(100),
        (1, Thrift::Bool(true)),
        (2, Thrift::I16(-2)),
        unknown(30),
        (3, Thrift::I32(i32::MIN)),
        (4, Thrift::I64(i64::MIN)),
        (5, Thrift::Double(-0.25)),
        (6, Thrift::text("grüße")),
        unknown(7),
    ]);
    for protocol in PROTOCOLS {
        let body = whole.encode(protocol);
        let expected = "true -2 -2147483648 -9223372036854775808 -0.25 grüße";
        assert_eq!(read(&body, protocol).expect("well-formed"), expected, "{protocol:?}");
        for len in 0..body.len() {
            let err = read(&body[..len], protocol).expect_err("truncated").to_string();
            assert!(err.contains("malformed thrift"), "{protocol:?} {len}: {err}");
        }
        let longer = [&body[..], b"x"].concat();
        let err = read(&longer, protocol).expect_err("too long").to_string();
        assert!(err.contains("1 bytes follow the end"), "{err}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let long_list = [&[15, 0, 9, 12][..], &i32::MAX.to_be_bytes()].concat();
    let deep = [0x7c; 100];
    let cases: [(Protocol, Thrift, &str); 3] = [
        (
            Protocol::Binary,
            Thrift::Struct(vec![(4, Thrift::I32(1))]),
            "long (field 4) is of type i32, expected i64",
        ),
        (
            Protocol::Compact,
            Thrift::Struct(vec![(6, Thrift::Bool(true))]),
            "text (field 6) is of type bool, expected binary",
        ),
        (
            Protocol::Binary,
            Thrift::Struct(vec![(6, Thrift::Bytes(vec![b'a', 0xff]))]),
            "text is not UTF-8 at byte 1 of 2",
        ),
    ];
    for (protocol, value, part) in cases {
        let err = read(&value.encode(protocol), protocol).expect_err(part).to_string();
        assert!(err.contains(part), "{err}");
    }
    for (protocol, body, part) in [
        (Protocol::Binary, &long_list[..], "2147483647 elements, 0 bytes are left"),
        (Protocol::Binary, &[1, 0, 1][..], "type 1 is unknown"),
        (Protocol::Binary, &[11, 0, 6, 0xff, 0xff, 0xff, 0xff][..], "-1 bytes"),
        (Protocol::Compact, &deep[..], "nest deeper than 32"),
        (Protocol::Compact, &[0x46, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2][..], "64 bits"),
    ] {
        let err = read(body, protocol).expect_err(part).to_string();
        assert!(err.contains(part), "{err}");
    }
}
