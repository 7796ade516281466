//! Writes values with their texts replaced. It stands between a value and the JSON, where a text is a text and the word of
//! an enum is none, so that a device may be called `upgraded` and no outcome is renamed with it.

use std::cell::RefCell;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::free_text::{host_and_port, replaced};
use super::replacements::{Kind, Replacements};

/// A value whose texts are replaced when it is written.
#[derive(Debug)]
pub(in crate::journal) struct Renamed<'a, T: ?Sized> {
    value: &'a T,
    texts: Texts<'a>,
}

impl<'a, T: ?Sized> Renamed<'a, T> {
    pub(super) fn new(value: &'a T, names: &'a RefCell<Replacements>) -> Self {
        let place = Place::default();
        let texts = Texts { names, place };
        Self { value, texts }
    }
}

impl<T: Serialize + ?Sized> Serialize for Renamed<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Renaming {
            to,
            texts: self.texts,
        })
    }
}

/// Where a text stands: in which struct or enum, and in which field or variant of it.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    of: &'static str,
    field: &'static str,
}

/// Replaces the text of one place.
#[derive(Clone, Copy, Debug)]
struct Texts<'a> {
    names: &'a RefCell<Replacements>,
    place: Place,
}

impl<'a> Texts<'a> {
    fn at(self, of: &'static str, field: &'static str) -> Self {
        let place = Place { of, field };
        Self { place, ..self }
    }

    fn of<T: ?Sized>(self, value: &'a T) -> Renamed<'a, T> {
        Renamed { value, texts: self }
    }

    fn replaced(self, text: &str) -> String {
        let names = &mut *self.names.borrow_mut();
        let Place { of, field } = self.place;
        match (of, field) {
            // Times, and names of log files, which are times, too.
            ("Event" | "Moment", "at")
            | ("DeviceFact", "until")
            | ("LogRead", "id")
            | ("AuditReport", "file")
            | ("RunFacts" | "Fact", "run")
            | ("RunContext", "version") => text.to_owned(),
            (_, "sd_cid") => names.name(Kind::Serial, text),
            (_, "uis" | "uis_before") => names
                .key(text)
                .unwrap_or_else(|| names.name(Kind::Key, text)),
            // The place behind it is where a rack appliance stands.
            (_, "hwv") => match text.split_once('@') {
                Some((kind, place)) if !place.is_empty() => {
                    let place = names.name(Kind::Machine, &format!("@{place}"));
                    format!("{}@{place}", replaced(kind, names))
                }
                _ => replaced(text, names),
            },
            ("LinkFault", "target" | "host" | "proxy" | "jump")
            | ("TlsFault", "wanted")
            | ("FailureKind", "target") => host_and_port(text, names),
            ("AuditEntry", "subject") if !matches!(text, "" | "U" | "M") => names
                .key(text)
                .unwrap_or_else(|| names.name(Kind::Key, text)),
            ("AuditExtra", _) if !is_scope(text) => names.name(Kind::Text, text),
            _ => names.key(text).unwrap_or_else(|| replaced(text, names)),
        }
    }
}

/// Whether it is the scope of a token, which is no secret: `system:upgrade`.
fn is_scope(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    text.contains(':') && text.split(':').all(is_word)
}

/// A serializer whose texts are replaced.
struct Renaming<'a, S> {
    to: S,
    texts: Texts<'a>,
}

macro_rules! as_they_are {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, value: $type) -> Result<S::Ok, S::Error> {
            self.to.$name(value)
        })*
    };
}

impl<'a, S: Serializer> Serializer for Renaming<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Renaming<'a, S::SerializeSeq>;
    type SerializeTuple = Renaming<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Renaming<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Renaming<'a, S::SerializeTupleVariant>;
    type SerializeMap = Renaming<'a, S::SerializeMap>;
    type SerializeStruct = Renaming<'a, S::SerializeStruct>;
    type SerializeStructVariant = Renaming<'a, S::SerializeStructVariant>;

    as_they_are! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str
    }

    fn serialize_str(self, text: &str) -> Result<S::Ok, S::Error> {
        self.to.serialize_str(&self.texts.replaced(text))
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.to.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.to.serialize_some(&self.texts.of(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.to.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        n: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.to.serialize_unit_variant(name, n, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.to
            .serialize_newtype_struct(name, &self.texts.of(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        n: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.texts.at(name, variant).of(value);
        self.to.serialize_newtype_variant(name, n, variant, &value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let to = self.to.serialize_seq(len)?;
        Ok(Renaming {
            to,
            texts: self.texts,
        })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let to = self.to.serialize_tuple(len)?;
        Ok(Renaming {
            to,
            texts: self.texts,
        })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let to = self.to.serialize_tuple_struct(name, len)?;
        Ok(Renaming {
            to,
            texts: self.texts,
        })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        n: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let texts = self.texts.at(name, variant);
        let to = self.to.serialize_tuple_variant(name, n, variant, len)?;
        Ok(Renaming { to, texts })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let to = self.to.serialize_map(len)?;
        Ok(Renaming {
            to,
            texts: self.texts,
        })
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let texts = self.texts.at(name, "");
        let to = self.to.serialize_struct(name, len)?;
        Ok(Renaming { to, texts })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        n: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let texts = self.texts.at(name, "");
        let to = self.to.serialize_struct_variant(name, n, variant, len)?;
        Ok(Renaming { to, texts })
    }

    fn is_human_readable(&self) -> bool {
        self.to.is_human_readable()
    }
}

/// The parts of a value without names are written in the place of the whole.
macro_rules! parts {
    ($($trait:ident: $part:ident),*) => {
        $(impl<S: $trait> $trait for Renaming<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.to.$part(&self.texts.of(value))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.to.end()
            }
        })*
    };
}

parts! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

/// Fields are places of their own.
macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl<S: $trait> $trait for Renaming<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                field: &'static str,
                value: &T,
            ) -> Result<(), S::Error> {
                let texts = self.texts.at(self.texts.place.of, field);
                self.to.serialize_field(field, &texts.of(value))
            }

            fn skip_field(&mut self, field: &'static str) -> Result<(), S::Error> {
                self.to.skip_field(field)
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.to.end()
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant }

impl<S: SerializeMap> SerializeMap for Renaming<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    /// Keys are words of hemfleet.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.to.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.to.serialize_value(&self.texts.of(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.to.end()
    }
}
