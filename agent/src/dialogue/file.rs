//! The YAML as it stands in the file: every key, each value with the line on which it stands.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;
use std::marker::PhantomData;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub facts: Entries<Spanned<String>>,
    pub utc_offset: Option<Spanned<String>>,
    pub greeting: Spanned<Reply>,
    #[serde(default)]
    pub intents: Entries<Intent>,
    #[serde(default)]
    pub menus: Entries<Menu>,
    #[serde(default)]
    pub slots: Entries<Slot>,
    pub no_input: Option<NoInput>,
    pub no_match: Option<NoMatch>,
    pub failure: Option<Spanned<String>>,
    pub transfer_failed: Option<Spanned<String>>,
}

/// What the agent says and does next: a text alone, or a mapping.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub say: Option<Spanned<Texts>>,
    pub ask: Option<Spanned<String>>,
    pub menu: Option<Spanned<String>>,
    pub transfer: Option<Spanned<String>>,
    pub hangup: bool,
    pub repeat: bool,
    pub barge_in: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intent {
    pub phrases: Vec<Spanned<String>>,
    pub about: Option<Spanned<String>>,
    pub reply: Spanned<Reply>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Menu {
    pub say: Spanned<String>,
    pub keys: Entries<Spanned<Reply>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    pub ask: Spanned<String>,
    pub kind: Option<Spanned<Kind>>,
    #[serde(default)]
    pub choices: Vec<Spanned<String>>,
    pub digits: Option<Spanned<u8>>,
    #[serde(default)]
    pub strip: Vec<Spanned<String>>,
    pub again: Option<Spanned<String>>,
    pub then: Spanned<Reply>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Text,
    Choice,
    Number,
    YesNo,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoInput {
    pub after_seconds: Option<Spanned<u32>>,
    pub say: Option<Spanned<Texts>>,
    pub then: Option<Spanned<Reply>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoMatch {
    pub say: Option<Spanned<Texts>>,
    pub guess: Option<Spanned<String>>,
    pub then: Option<Spanned<Reply>>,
}

/// One text, or several that are said in turn.
#[derive(Debug, Default)]
pub(super) struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Expected;
        impl<'de> Visitor<'de> for Expected {
            type Value = Texts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a list of texts that are said in turn")
            }
            fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        from.deserialize_any(Expected)
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body {
            say: Option<Spanned<Texts>>,
            ask: Option<Spanned<String>>,
            menu: Option<Spanned<String>>,
            transfer: Option<Spanned<String>>,
            #[serde(default)]
            hangup: bool,
            #[serde(default)]
            repeat: bool,
            barge_in: Option<bool>,
        }
        struct Expected;
        impl<'de> Visitor<'de> for Expected {
            type Value = Reply;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a mapping of say, ask, menu, transfer, hangup, repeat, barge_in")
            }
            fn visit_str<E>(self, text: &str) -> Result<Reply, E> {
                let say = Spanned::new(
                    Texts(vec![text.to_owned()]),
                    serde_saphyr::Location::UNKNOWN,
                    serde_saphyr::Location::UNKNOWN,
                );
                Ok(Reply { say: Some(say), ..Reply::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Reply, A::Error> {
                let b = Body::deserialize(MapAccessDeserializer::new(map))?;
                let (say, ask, menu, transfer) = (b.say, b.ask, b.menu, b.transfer);
                let (hangup, repeat, barge_in) = (b.hangup, b.repeat, b.barge_in);
                Ok(Reply { say, ask, menu, transfer, hangup, repeat, barge_in })
            }
        }
        from.deserialize_any(Expected)
    }
}

/// A mapping in the order of the file; each key knows its line.
#[derive(Debug)]
pub(super) struct Entries<V>(pub Vec<(Spanned<String>, V)>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Expected<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Expected<V> {
            type Value = Entries<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Expected(PhantomData))
    }
}
