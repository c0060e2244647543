//! Moments as text by the layouts of Go, which show how one moment (Monday, 2 January 2006, 15:04:05,
//! seven hours west of Greenwich) would be written; and back. There are no zones but offsets.

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A part of a layout.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    MonthName,
    MonthShort,
    Month,
    Month2,
    DayName,
    DayShort,
    Day,
    DayPadded,
    Day2,
    YearDay,
    Hour24,
    Hour12,
    Hour12x2,
    Minute,
    Minute2,
    Second,
    Second2,
    Year,
    Year2,
    HalfUpper,
    HalfLower,
    Zone,
    /// An offset: whether it has a colon, and whether none is written as `Z`.
    Offset {
        colon: bool,
        minutes: bool,
        is_z: bool,
    },
}

/// Longer ones first where one is the start of another.
const PARTS: &[(&str, Part)] = &[
    ("January", Part::MonthName),
    ("Jan", Part::MonthShort),
    ("Monday", Part::DayName),
    ("Mon", Part::DayShort),
    ("MST", Part::Zone),
    ("002", Part::YearDay),
    ("01", Part::Month2),
    ("02", Part::Day2),
    ("03", Part::Hour12x2),
    ("04", Part::Minute2),
    ("05", Part::Second2),
    ("06", Part::Year2),
    ("15", Part::Hour24),
    ("1", Part::Month),
    ("2006", Part::Year),
    ("2", Part::Day),
    ("_2", Part::DayPadded),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::HalfUpper),
    ("pm", Part::HalfLower),
    ("-07:00", Part::Offset { colon: true, minutes: true, is_z: false }),
    ("-0700", Part::Offset { colon: false, minutes: true, is_z: false }),
    ("-07", Part::Offset { colon: false, minutes: false, is_z: false }),
    ("Z07:00", Part::Offset { colon: true, minutes: true, is_z: true }),
    ("Z0700", Part::Offset { colon: false, minutes: true, is_z: true }),
    ("Z07", Part::Offset { colon: false, minutes: false, is_z: true }),
];

/// A moment by its parts.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
    nanos: i64,
    day_number: i64,
}

fn civil(ns: i64, offset: i32) -> Civil {
    let seconds = ns.div_euclid(SECOND_NS) + i64::from(offset);
    let day_number = seconds.div_euclid(DAY_S);
    // Years begin in March here, so that the leap day is the last of one.
    let shifted = day_number + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * march_month + 2) / 5 + 1,
        second_of_day: seconds.rem_euclid(DAY_S),
        nanos: ns.rem_euclid(SECOND_NS),
        day_number,
    }
}

/// Days from 1970 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// As a moment is printed.
pub fn show(ns: i64, offset: i32) -> String {
    let layout = match ns.rem_euclid(SECOND_NS) {
        0 => "2006-01-02 15:04:05 -0700 MST",
        _ => "2006-01-02 15:04:05.999999999 -0700 MST",
    };
    format(layout, ns, offset)
}

// The part that a layout begins with, and its length.
fn part(layout: &str) -> Option<(Part, usize)> {
    let found = PARTS.iter().find(|(text, _)| layout.starts_with(text));
    found.map(|(text, part)| (*part, text.len()))
}

// The digits of a fraction that a layout begins with: `.000` or `,999`, and whether zeros at the end
// are left out.
fn fraction(layout: &str) -> Option<(usize, bool)> {
    let digits = layout.strip_prefix(['.', ','])?;
    let kind = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let len = digits.find(|c| c != kind).unwrap_or(digits.len());
    let is_end = !digits[len..].starts_with(|c: char| c.is_ascii_digit());
    is_end.then_some((len, kind == '9'))
}

/// A moment by a layout.
pub fn format(layout: &str, ns: i64, offset: i32) -> String {
    let civil = civil(ns, offset);
    let mut out = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((digits, trims)) = fraction(rest) {
            let text = format!("{:09}000000000", civil.nanos);
            let text = &text[..digits.min(18)];
            let text = if trims { text.trim_end_matches('0') } else { text };
            if !text.is_empty() {
                out.push(first);
                out.push_str(text);
            }
            rest = &rest[1 + digits..];
        } else if let Some((part, len)) = part(rest) {
            write_part(&mut out, part, &civil, offset);
            rest = &rest[len..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn write_part(out: &mut String, part: Part, civil: &Civil, offset: i32) {
    let hour = civil.second_of_day / 3600;
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let (minute, second) = (civil.second_of_day / 60 % 60, civil.second_of_day % 60);
    let month = MONTHS[(civil.month - 1).clamp(0, 11) as usize];
    let day = DAYS[(civil.day_number + 4).rem_euclid(7) as usize];
    out.push_str(&match part {
        Part::MonthName => month.to_owned(),
        Part::MonthShort => month[..3].to_owned(),
        Part::Month => civil.month.to_string(),
        Part::Month2 => format!("{:02}", civil.month),
        Part::DayName => day.to_owned(),
        Part::DayShort => day[..3].to_owned(),
        Part::Day => civil.day.to_string(),
        Part::DayPadded => format!("{:>2}", civil.day),
        Part::Day2 => format!("{:02}", civil.day),
        Part::YearDay => format!("{:03}", civil.day_number - days(civil.year, 1, 1) + 1),
        Part::Hour24 => format!("{hour:02}"),
        Part::Hour12 => hour12.to_string(),
        Part::Hour12x2 => format!("{hour12:02}"),
        Part::Minute => minute.to_string(),
        Part::Minute2 => format!("{minute:02}"),
        Part::Second => second.to_string(),
        Part::Second2 => format!("{second:02}"),
        Part::Year => format!("{:04}", civil.year),
        Part::Year2 => format!("{:02}", civil.year.rem_euclid(100)),
        Part::HalfUpper => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        Part::HalfLower => if hour < 12 { "am" } else { "pm" }.to_owned(),
        Part::Zone if offset == 0 => "UTC".to_owned(),
        Part::Zone => offset_text(offset, false, true),
        Part::Offset { is_z: true, .. } if offset == 0 => "Z".to_owned(),
        Part::Offset { colon, minutes, .. } => offset_text(offset, colon, minutes),
    });
}

fn offset_text(offset: i32, colon: bool, minutes: bool) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, rest) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    match (minutes, colon) {
        (false, _) => format!("{sign}{hours:02}"),
        (true, false) => format!("{sign}{hours:02}{rest:02}"),
        (true, true) => format!("{sign}{hours:02}:{rest:02}"),
    }
}

/// Seconds that a zone is east of Greenwich: `UTC`, `Local` and offsets are known.
pub fn zone(name: &str) -> Option<i32> {
    match name {
        "" | "UTC" | "GMT" | "Local" | "Z" | "Etc/UTC" => Some(0),
        _ => read_offset(name).filter(|(_, rest)| rest.is_empty()).map(|(offset, _)| offset),
    }
}

fn read_offset(text: &str) -> Option<(i32, &str)> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = number(&text[1..], 2, 2)?;
    let minutes = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = number(minutes, 2, 2).unwrap_or((0, rest));
    (hours < 24 && minutes < 60).then_some((sign * (hours * 3600 + minutes * 60) as i32, rest))
}

// A number of at least and at most so many digits.
fn number(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if len < least {
        return None;
    }
    Some((text[..len].parse().ok()?, &text[len..]))
}

/// What a text says of a moment.
struct Read {
    year: i64,
    month: i64,
    day: i64,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    is_afternoon: Option<bool>,
    offset: i32,
}

/// The moment that a text says by a layout, and its offset; `offset` where the text says none.
pub fn parse(layout: &str, text: &str, offset: i32) -> Option<(i64, i32)> {
    let mut read = Read {
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        is_afternoon: None,
        offset,
    };
    let (mut layout, mut text) = (layout, text);
    while let Some(first) = layout.chars().next() {
        if let Some((digits, _)) = fraction(layout) {
            text = read.fraction(text);
            layout = &layout[1 + digits..];
        } else if let Some((part, len)) = part(layout) {
            text = read.part(part, text)?;
            layout = &layout[len..];
            // A fraction may follow the seconds even if the layout has none.
            if matches!(part, Part::Second | Part::Second2) && fraction(layout).is_none() {
                text = read.fraction(text);
            }
        } else {
            text = text.strip_prefix(first)?;
            layout = &layout[first.len_utf8()..];
        }
    }
    if text.is_empty() { read.moment() } else { None }
}

fn read_name<'t>(names: &[&str], text: &'t str, len: Option<usize>) -> Option<(i64, &'t str)> {
    names.iter().zip(1..).find_map(|(name, nth)| {
        let name = &name[..len.unwrap_or(name.len())];
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (nth, &text[name.len()..]))
    })
}

impl Read {
    fn fraction<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(digits) = text.strip_prefix(['.', ',']) else { return text };
        let len = digits.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 {
            return text;
        }
        let nine: String = digits[..len].chars().chain("000000000".chars()).take(9).collect();
        self.nanos = nine.parse().unwrap_or(0);
        &digits[len..]
    }

    fn part<'t>(&mut self, part: Part, text: &'t str) -> Option<&'t str> {
        let (value, rest) = match part {
            Part::MonthName => read_name(&MONTHS, text, None)?,
            Part::MonthShort => read_name(&MONTHS, text, Some(3))?,
            Part::DayName => read_name(&DAYS, text, None)?,
            Part::DayShort => read_name(&DAYS, text, Some(3))?,
            Part::DayPadded => number(text.trim_start_matches(' '), 1, 2)?,
            Part::Year => number(text, 4, 4)?,
            Part::YearDay => number(text, 3, 3)?,
            Part::Month | Part::Day | Part::Hour12 | Part::Minute | Part::Second => {
                number(text, 1, 2)?
            }
            Part::HalfUpper | Part::HalfLower => {
                let half = text.get(..2)?.to_ascii_uppercase();
                (i64::from(["AM", "PM"].iter().position(|own| *own == half)? as u8), &text[2..])
            }
            Part::Zone => {
                let len = text.bytes().take_while(u8::is_ascii_uppercase).count();
                self.offset = zone(&text[..len])?;
                return Some(&text[len..]);
            }
            Part::Offset { is_z, .. } => {
                if let (true, Some(rest)) = (is_z, text.strip_prefix('Z')) {
                    self.offset = 0;
                    return Some(rest);
                }
                let (offset, rest) = read_offset(text)?;
                self.offset = offset;
                return Some(rest);
            }
            _ => number(text, 2, 2)?,
        };
        match part {
            Part::MonthName | Part::MonthShort | Part::Month | Part::Month2 => self.month = value,
            Part::Day | Part::DayPadded | Part::Day2 => self.day = value,
            Part::YearDay => self.year_day = Some(value),
            Part::Hour24 | Part::Hour12 | Part::Hour12x2 => self.hour = value,
            Part::Minute | Part::Minute2 => self.minute = value,
            Part::Second | Part::Second2 => self.second = value,
            Part::Year => self.year = value,
            Part::Year2 => self.year = value + if value >= 69 { 1900 } else { 2000 },
            Part::HalfUpper | Part::HalfLower => self.is_afternoon = Some(value == 1),
            _ => {}
        }
        Some(rest)
    }

    fn moment(&self) -> Option<(i64, i32)> {
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let first_of_next = days(self.year + self.month / 12, self.month % 12 + 1, 1);
        let month_len = first_of_next - days(self.year, self.month, 1);
        let fits = (1..=12).contains(&self.month)
            && (1..=month_len).contains(&self.day)
            && hour < 24
            && self.minute < 60
            && self.second < 60;
        let day = match self.year_day {
            Some(nth) => days(self.year, 1, 1) + nth - 1,
            None => days(self.year, self.month, self.day),
        };
        let seconds = day * DAY_S + hour * 3600 + self.minute * 60 + self.second;
        let seconds = seconds - i64::from(self.offset);
        let ns = seconds.checked_mul(SECOND_NS)?.checked_add(self.nanos)?;
        fits.then_some((ns, self.offset))
    }
}
